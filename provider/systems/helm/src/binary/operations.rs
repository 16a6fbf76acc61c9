//! What Helm does for us.

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use tfplugin_redaction::redacted;
use tokio_util::sync::CancellationToken;

use super::requests::takes_ownership;
use super::{
    Call, Cause, DeployRequest, Deployment, Helm, Printed, RenderMode, RenderRequest, RollbackRequest, UninstallRequest,
};
use crate::manifest::Manifest;
use crate::values::Values;
use crate::{Error, Result};

/// A finished operation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    /// What Helm or the API server warned of.
    pub warnings: Vec<String>,
}

/// A rendered chart.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rendered {
    /// Objects and hooks.
    pub manifest: Manifest,
    /// The chart's notes, when an install or upgrade was simulated.
    pub notes: Option<String>,
    /// What Helm warned of.
    pub warnings: Vec<String>,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LintSeverity {
    /// Good to know.
    Info,
    /// Better otherwise.
    Warning,
    /// Wrong.
    Error,
}

/// A finding of `helm lint`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LintMessage {
    /// How bad it is.
    pub severity: LintSeverity,
    /// What it is about and what it is.
    pub message: String,
}

impl Helm {
    /// Renders a chart.
    ///
    /// # Errors
    /// The chart does not render with these values, or what it renders is no manifest.
    pub async fn render(&self, request: &RenderRequest<'_>, cancel: &CancellationToken) -> Result<Rendered> {
        if request.take_ownership {
            self.check_ownership().await?;
        }
        let call = Call {
            operation: request.mode.operation(),
            subject: subject(request.namespace, request.release),
            arguments: request.arguments(),
            stdin: Some(request.values.to_document()?),
            files: Vec::new(),
            needs_cluster: request.mode.needs_cluster(),
            door: None,
            limit: Some(request.timeout),
            begins: None,
        };
        let Printed { stdout, warnings, .. } = self.call(call, cancel).await?;
        let text = String::from_utf8_lossy(&stdout);
        match request.mode {
            RenderMode::Offline { .. } => Ok(Rendered { manifest: Manifest::parse(&text)?, notes: None, warnings }),
            RenderMode::Install | RenderMode::Upgrade => simulated(&text, warnings),
        }
    }

    /// Installs a release. Its record says what was done.
    ///
    /// # Errors
    /// Helm failed; the record, if there is one, then says `failed`.
    pub async fn install(&self, request: &DeployRequest<'_>, cancel: &CancellationToken) -> Result<Done> {
        self.call(self.deployment(Deployment::Install, request).await?, cancel).await.map(done)
    }

    /// Upgrades a release with exactly these values. Its new record says what was done.
    ///
    /// # Errors
    /// Helm failed; the new record, if there is one, then says `failed`.
    pub async fn upgrade(&self, request: &DeployRequest<'_>, cancel: &CancellationToken) -> Result<Done> {
        self.call(self.deployment(Deployment::Upgrade, request).await?, cancel).await.map(done)
    }

    /// The call that deploys.
    pub(super) async fn deployment(&self, deployment: Deployment, request: &DeployRequest<'_>) -> Result<Call> {
        let version = self.version().await?;
        if request.take_ownership {
            self.check_ownership().await?;
        }
        let arguments = match deployment {
            Deployment::Install => request.install(version),
            Deployment::Upgrade => request.upgrade(version),
        };
        Ok(Call {
            operation: deployment.operation(),
            subject: subject(request.namespace, request.release),
            arguments,
            stdin: Some(request.values.to_document()?),
            files: Vec::new(),
            needs_cluster: true,
            door: None,
            limit: Some(request.timeout),
            begins: None,
        })
    }

    /// Returns to an older revision, as a new one.
    ///
    /// # Errors
    /// Helm failed.
    pub async fn rollback(&self, request: &RollbackRequest<'_>, cancel: &CancellationToken) -> Result<Done> {
        let arguments = request.arguments(self.version().await?);
        self.plain("rollback", request.namespace, request.release, arguments, request.timeout, cancel).await
    }

    /// Removes a release. One that is not there is removed already.
    ///
    /// # Errors
    /// Helm failed.
    pub async fn uninstall(&self, request: &UninstallRequest<'_>, cancel: &CancellationToken) -> Result<Done> {
        let arguments = request.arguments(self.version().await?);
        let done =
            self.plain("uninstall", request.namespace, request.release, arguments, request.timeout, cancel).await;
        match done {
            Err(Error::Failed(failure)) if failure.cause == Cause::NotFound => Ok(Done { warnings: failure.warnings }),
            done => done,
        }
    }

    async fn plain(
        &self,
        operation: &'static str,
        namespace: &str,
        release: &str,
        arguments: Vec<std::ffi::OsString>,
        limit: Duration,
        cancel: &CancellationToken,
    ) -> Result<Done> {
        let call = Call {
            operation,
            subject: subject(namespace, release),
            arguments,
            stdin: None,
            files: Vec::new(),
            needs_cluster: true,
            door: None,
            limit: Some(limit),
            begins: None,
        };
        self.call(call, cancel).await.map(done)
    }

    /// Lints a chart with these values. Findings are no errors of this call, however bad.
    ///
    /// # Errors
    /// Helm could not lint at all.
    pub async fn lint(
        &self,
        chart: &Path,
        namespace: &str,
        values: &Values,
        cancel: &CancellationToken,
    ) -> Result<Vec<LintMessage>> {
        let mut arguments = vec!["lint".into(), chart.into()];
        arguments.extend(["--namespace", namespace, "-f", "-"].map(Into::into));
        let call = Call {
            operation: "lint",
            subject: chart.display().to_string(),
            arguments,
            stdin: Some(values.to_document()?),
            files: Vec::new(),
            needs_cluster: false,
            door: None,
            limit: Some(Duration::from_secs(120)),
            begins: None,
        };
        let (printed, error) = self.attempt(call, cancel).await?;
        let found = lint_messages(&redacted(&String::from_utf8_lossy(&printed.stdout)));
        match error {
            Some(error) if found.iter().all(|message| message.severity < LintSeverity::Error) => Err(error),
            _ => Ok(found),
        }
    }

    async fn check_ownership(&self) -> Result<()> {
        let found = self.found().await?;
        takes_ownership(&found.version).map_err(|problem| Error::UnusableBinary { path: found.binary.clone(), problem })
    }
}

pub(super) fn done(printed: Printed) -> Done {
    Done { warnings: printed.warnings }
}

fn subject(namespace: &str, release: &str) -> String {
    format!("{namespace}/{release}")
}

/// The release that `--dry-run -o json` prints, as far as it is needed.
#[derive(Deserialize)]
struct Simulated {
    #[serde(default)]
    manifest: String,
    #[serde(default)]
    hooks: Option<Vec<SimulatedHook>>,
    #[serde(default)]
    info: SimulatedInfo,
}

#[derive(Deserialize)]
struct SimulatedHook {
    #[serde(default)]
    path: String,
    #[serde(default)]
    manifest: String,
}

#[derive(Deserialize, Default)]
struct SimulatedInfo {
    #[serde(default)]
    notes: String,
}

fn simulated(text: &str, warnings: Vec<String>) -> Result<Rendered> {
    // Helm may print a line of its own before the document.
    let start = text.find('{').unwrap_or(0);
    let release: Simulated = serde_json::from_str(&text[start..])
        .map_err(|e| Error::Internal { problem: format!("cannot read what helm printed for a dry run: {e}") })?;
    let mut manifest = Manifest::parse(&release.manifest)?;
    for hook in release.hooks.unwrap_or_default() {
        manifest.add(Some(&hook.path), &hook.manifest)?;
    }
    Ok(Rendered { manifest, notes: Some(release.info.notes).filter(|notes| !notes.trim().is_empty()), warnings })
}

/// `[WARNING] templates/a.yaml: text`, continued by lines without a bracket.
fn lint_messages(stdout: &str) -> Vec<LintMessage> {
    let mut found: Vec<LintMessage> = Vec::new();
    for line in stdout.lines() {
        let severity = match line.split_once(']').map(|(head, _)| head) {
            Some("[INFO") => LintSeverity::Info,
            Some("[WARNING") => LintSeverity::Warning,
            Some("[ERROR") => LintSeverity::Error,
            _ => {
                let ends = line.trim().is_empty() || line.starts_with("==>") || line.contains("chart(s) linted");
                if let (false, Some(last)) = (ends, found.last_mut()) {
                    last.message.push('\n');
                    last.message.push_str(line.trim_end());
                }
                continue;
            }
        };
        let message = line.split_once(']').map_or("", |(_, rest)| rest).trim().to_owned();
        found.push(LintMessage { severity, message });
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn lint_output() {
        let found = lint_messages(
            "==> Linting /c\n[INFO] Chart.yaml: icon is recommended\n[ERROR] values.yaml: bad\n- at '/x': wrong\n\n[WARNING] /c: odd\nError: 1 chart(s) linted, 1 chart(s) failed\n",
        );
        assert_eq!(
            found.iter().map(|m| m.severity).collect::<Vec<_>>(),
            [LintSeverity::Info, LintSeverity::Error, LintSeverity::Warning]
        );
        assert_eq!(found[1].message, "values.yaml: bad\n- at '/x': wrong");
    }

    #[test]
    fn a_simulated_release() {
        let text = r#"{"name":"x","info":{"notes":"hello\n"},"manifest":"---\n# Source: x/templates/a.yaml\napiVersion: v1\nkind: Secret\nmetadata: {name: a}\n",
            "hooks":[{"path":"x/templates/h.yaml","manifest":"apiVersion: v1\nkind: Pod\nmetadata: {name: t, annotations: {helm.sh/hook: test}}\n"}]}"#;
        let rendered = simulated(text, Vec::new()).unwrap();
        assert_eq!(rendered.manifest.objects.len(), 1);
        assert_eq!(rendered.manifest.hooks[0].object.source.as_deref(), Some("x/templates/h.yaml"));
        assert_eq!(rendered.notes.as_deref(), Some("hello\n"));
        assert_eq!(simulated("{\"hooks\":null}", Vec::new()).unwrap(), Rendered::default());
    }
}
