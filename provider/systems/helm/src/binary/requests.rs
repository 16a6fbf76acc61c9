//! What Helm is asked for, and the arguments that ask for it: the one place that knows where the majors differ.
//!
//! | | Helm 3 | Helm 4 |
//! | --- | --- | --- |
//! | apply | client side | server side on install; an upgrade keeps the method of the revision before |
//! | override what others changed | three-way merge does | `--server-side=true --force-conflicts` |
//! | wait (for an uninstallation) | `--wait` | `--wait=watcher`; without it, hooks only |
//! | undo on failure | `--atomic` | `--rollback-on-failure`; never used, the pipeline has its own way back |
//! | `--take-ownership` | from 3.17 | always |
//!
//! Helm's own look at the server's schemas is off: it costs more than all the rest, and against a server of this decade it finds
//! nothing but what the server says itself.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use super::version::{Major, Version};
use crate::values::Values;

/// Helm fetches and reads the schemas of all kinds otherwise.
const NO_SCHEMAS: &str = "--disable-openapi-validation";
/// The first minor of Helm 3 with `--take-ownership`.
const TAKES_OWNERSHIP: u64 = 17;

/// How a chart is rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RenderMode {
    /// Without a cluster: `lookup` finds nothing.
    Offline {
        /// Whether templates are told that it is an upgrade.
        is_upgrade: bool,
    },
    /// What an install would do now.
    Install,
    /// What an upgrade of the existing release would do now.
    Upgrade,
}

impl RenderMode {
    pub(super) fn operation(self) -> &'static str {
        match self {
            Self::Offline { .. } => "template",
            Self::Install => "install --dry-run",
            Self::Upgrade => "upgrade --dry-run",
        }
    }

    pub(super) fn needs_cluster(self) -> bool {
        !matches!(self, Self::Offline { .. })
    }
}

/// Asks for a rendering.
#[derive(Debug, Clone)]
pub struct RenderRequest<'a> {
    /// Name of the release.
    pub release: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// Directory or archive.
    pub chart: &'a Path,
    /// Its values.
    pub values: &'a Values,
    /// How.
    pub mode: RenderMode,
    /// The cluster's version (`v1.36.3`); Helm assumes an old one otherwise. For `Offline`.
    pub kube_version: Option<&'a str>,
    /// Served APIs (`batch/v1`, `batch/v1/Job`). For `Offline`.
    pub api_versions: &'a [String],
    /// Whether objects of others are taken over. For `Install` and `Upgrade`.
    pub take_ownership: bool,
    /// Whether the chart's `crds/` are left alone. For `Install`.
    pub skip_crds: bool,
    /// How long it may take.
    pub timeout: Duration,
}

impl<'a> RenderRequest<'a> {
    /// A rendering without a cluster, within two minutes.
    #[must_use]
    pub fn new(release: &'a str, namespace: &'a str, chart: &'a Path, values: &'a Values) -> Self {
        Self {
            release,
            namespace,
            chart,
            values,
            mode: RenderMode::Offline { is_upgrade: false },
            kube_version: None,
            api_versions: &[],
            take_ownership: false,
            skip_crds: false,
            timeout: Duration::from_secs(120),
        }
    }

    pub(super) fn arguments(&self) -> Vec<OsString> {
        let mut args = Arguments::default();
        let upgrade = match self.mode {
            RenderMode::Offline { is_upgrade } => {
                args.words(&["template", self.release]).path(self.chart);
                is_upgrade
            }
            RenderMode::Install => {
                args.words(&["install", self.release]).path(self.chart).words(&["-o", "json"]);
                false
            }
            RenderMode::Upgrade => {
                args.words(&["upgrade", self.release]).path(self.chart).words(&["-o", "json", "--reset-values"]);
                false
            }
        };
        args.words(&["--namespace", self.namespace, "-f", "-"]);
        args.when(self.mode.needs_cluster(), &["--dry-run=server"]);
        match self.mode {
            RenderMode::Offline { .. } => {
                args.when(upgrade, &["--is-upgrade"]);
                if let Some(version) = self.kube_version {
                    args.words(&["--kube-version", version]);
                }
                for api in self.api_versions {
                    args.words(&["--api-versions", api]);
                }
            }
            RenderMode::Install | RenderMode::Upgrade => {
                args.words(&[NO_SCHEMAS]);
                args.when(self.take_ownership, &["--take-ownership"]).when(self.skip_crds, &["--skip-crds"]);
            }
        }
        args.0
    }
}

/// Asks for an install or an upgrade. Helm does not wait: the provider waits, and says why it takes long. Hooks run and are waited for
/// all the same.
#[derive(Debug, Clone)]
pub struct DeployRequest<'a> {
    /// Name of the release.
    pub release: &'a str,
    /// Its namespace, which exists.
    pub namespace: &'a str,
    /// Directory or archive.
    pub chart: &'a Path,
    /// All its values; nothing of an older revision is reused.
    pub values: &'a Values,
    /// Kept in the record; at most a line.
    pub description: Option<&'a str>,
    /// How long each step may take, and the whole.
    pub timeout: Duration,
    /// Revisions to keep; 0: all. For upgrades.
    pub max_history: u32,
    /// Whether the chart's `crds/` are left alone.
    pub skip_crds: bool,
    /// Whether hooks do not run.
    pub no_hooks: bool,
    /// Whether objects of others are taken over.
    pub take_ownership: bool,
    /// Whether fields that others changed are set all the same (Helm 4; Helm 3 does so always).
    pub force_conflicts: bool,
    /// Whether a name is used again whose uninstalled release kept its history. For installs.
    pub replace: bool,
}

impl<'a> DeployRequest<'a> {
    /// One that waits for hooks only, keeps all history and changes nothing of others.
    #[must_use]
    pub fn new(release: &'a str, namespace: &'a str, chart: &'a Path, values: &'a Values, timeout: Duration) -> Self {
        Self {
            release,
            namespace,
            chart,
            values,
            description: None,
            timeout,
            max_history: 0,
            skip_crds: false,
            no_hooks: false,
            take_ownership: false,
            force_conflicts: false,
            replace: false,
        }
    }

    pub(super) fn install(&self, helm: &Version) -> Vec<OsString> {
        let mut args = Arguments::default();
        args.words(&["install", self.release]).path(self.chart);
        args.when(self.replace, &["--replace"]);
        self.common(&mut args, helm);
        args.0
    }

    pub(super) fn upgrade(&self, helm: &Version) -> Vec<OsString> {
        let mut args = Arguments::default();
        args.words(&["upgrade", self.release]).path(self.chart).words(&["--reset-values"]);
        args.words(&["--history-max", &self.max_history.to_string()]);
        self.common(&mut args, helm);
        args.0
    }

    fn common(&self, args: &mut Arguments, helm: &Version) {
        args.words(&["--namespace", self.namespace, "-f", "-", NO_SCHEMAS]);
        args.timeout(self.timeout).force(helm.major, self.force_conflicts);
        args.when(self.skip_crds, &["--skip-crds"])
            .when(self.no_hooks, &["--no-hooks"])
            .when(self.take_ownership, &["--take-ownership"]);
        if let Some(description) = self.description {
            args.words(&["--description", description]);
        }
    }
}

/// Whether this Helm can take objects over.
pub(super) fn takes_ownership(helm: &Version) -> Result<(), String> {
    if helm.major == Major::V3 && helm.minor < TAKES_OWNERSHIP {
        return Err(format!("it is {helm}; take_ownership needs Helm 3.{TAKES_OWNERSHIP} or newer, or Helm 4"));
    }
    Ok(())
}

/// Asks for a return to an older revision.
#[derive(Debug, Clone)]
pub struct RollbackRequest<'a> {
    /// Name of the release.
    pub release: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// The revision to return to.
    pub revision: u32,
    /// How long each step may take, and the whole.
    pub timeout: Duration,
    /// Revisions to keep; 0: all.
    pub max_history: u32,
    /// Whether hooks do not run.
    pub no_hooks: bool,
    /// Whether fields that others changed are set all the same (Helm 4; Helm 3 does so always).
    pub force_conflicts: bool,
}

impl<'a> RollbackRequest<'a> {
    /// One that waits for hooks only and keeps all history.
    #[must_use]
    pub fn new(release: &'a str, namespace: &'a str, revision: u32, timeout: Duration) -> Self {
        Self { release, namespace, revision, timeout, max_history: 0, no_hooks: false, force_conflicts: false }
    }

    pub(super) fn arguments(&self, helm: &Version) -> Vec<OsString> {
        let mut args = Arguments::default();
        args.words(&["rollback", self.release, &self.revision.to_string(), "--namespace", self.namespace]);
        args.words(&["--history-max", &self.max_history.to_string()]);
        args.timeout(self.timeout).force(helm.major, self.force_conflicts);
        args.when(self.no_hooks, &["--no-hooks"]);
        args.0
    }
}

/// Asks for the end of a release.
#[derive(Debug, Clone)]
pub struct UninstallRequest<'a> {
    /// Name of the release.
    pub release: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// How long each step may take, and the whole.
    pub timeout: Duration,
    /// Whether its records stay.
    pub keep_history: bool,
    /// Whether hooks do not run.
    pub no_hooks: bool,
    /// Whether it waits until every object is gone.
    pub wait: bool,
    /// Kept in the record, when that stays.
    pub description: Option<&'a str>,
}

impl<'a> UninstallRequest<'a> {
    /// One that removes everything and waits for hooks only.
    #[must_use]
    pub fn new(release: &'a str, namespace: &'a str, timeout: Duration) -> Self {
        Self { release, namespace, timeout, keep_history: false, no_hooks: false, wait: false, description: None }
    }

    pub(super) fn arguments(&self, helm: &Version) -> Vec<OsString> {
        let mut args = Arguments::default();
        args.words(&["uninstall", self.release, "--namespace", self.namespace]);
        args.timeout(self.timeout).wait(helm.major, self.wait);
        args.when(self.keep_history, &["--keep-history"]).when(self.no_hooks, &["--no-hooks"]);
        if let Some(description) = self.description {
            args.words(&["--description", description]);
        }
        args.0
    }
}

#[derive(Default)]
struct Arguments(Vec<OsString>);

impl Arguments {
    fn words(&mut self, words: &[&str]) -> &mut Self {
        self.0.extend(words.iter().map(OsString::from));
        self
    }

    fn path(&mut self, path: &Path) -> &mut Self {
        self.0.push(path.into());
        self
    }

    fn when(&mut self, condition: bool, words: &[&str]) -> &mut Self {
        if condition { self.words(words) } else { self }
    }

    fn timeout(&mut self, timeout: Duration) -> &mut Self {
        self.words(&["--timeout", &format!("{}ms", timeout.as_millis().max(1))])
    }

    fn wait(&mut self, major: Major, wait: bool) -> &mut Self {
        let flag = match major {
            Major::V3 => "--wait",
            Major::V4 => "--wait=watcher",
        };
        self.when(wait, &[flag])
    }

    fn force(&mut self, major: Major, force: bool) -> &mut Self {
        self.when(force && major == Major::V4, &["--server-side=true", "--force-conflicts"])
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn line(arguments: Vec<OsString>) -> String {
        arguments.iter().map(|a| a.to_str().unwrap()).collect::<Vec<_>>().join(" ")
    }

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    #[test]
    fn the_majors_differ_where_the_table_says() {
        let values = Values::empty();
        let mut request = DeployRequest::new("r", "ns", Path::new("/c"), &values, Duration::from_secs(600));
        request.force_conflicts = true;
        request.max_history = 10;
        assert_eq!(
            line(request.upgrade(&version("v3.22.0"))),
            "upgrade r /c --reset-values --history-max 10 --namespace ns -f - --disable-openapi-validation --timeout 600000ms"
        );
        assert_eq!(
            line(request.install(&version("v4.3.1"))),
            "install r /c --namespace ns -f - --disable-openapi-validation --timeout 600000ms --server-side=true --force-conflicts"
        );
    }

    #[test]
    fn by_default_helm_does_not_wait() {
        let four = version("v4.3.1");
        let rollback = RollbackRequest::new("r", "ns", 3, Duration::from_secs(1));
        assert_eq!(line(rollback.arguments(&four)), "rollback r 3 --namespace ns --history-max 0 --timeout 1000ms");
        let uninstall = UninstallRequest::new("r", "ns", Duration::from_secs(1));
        assert_eq!(line(uninstall.arguments(&four)), "uninstall r --namespace ns --timeout 1000ms");
        let uninstall = UninstallRequest { wait: true, ..uninstall };
        for (helm, flag) in [("v3.22.0", "--wait"), ("v4.3.1", "--wait=watcher")] {
            let line = line(uninstall.arguments(&version(helm)));
            assert_eq!(line, format!("uninstall r --namespace ns --timeout 1000ms {flag}"));
        }
    }

    #[test]
    fn renderings() {
        let values = Values::empty();
        let apis = ["batch/v1".to_owned()];
        let mut request = RenderRequest::new("r", "ns", Path::new("/c"), &values);
        request.kube_version = Some("v1.36.3");
        request.api_versions = &apis;
        request.mode = RenderMode::Offline { is_upgrade: true };
        assert_eq!(
            line(request.arguments()),
            "template r /c --namespace ns -f - --is-upgrade --kube-version v1.36.3 --api-versions batch/v1"
        );
        request.mode = RenderMode::Upgrade;
        request.take_ownership = true;
        assert_eq!(
            line(request.arguments()),
            "upgrade r /c -o json --reset-values --namespace ns -f - --dry-run=server --disable-openapi-validation --take-ownership"
        );
    }

    #[test]
    fn an_old_helm_3_takes_no_ownership() {
        assert!(takes_ownership(&version("v3.16.4")).unwrap_err().contains("3.17"));
        assert_eq!(takes_ownership(&version("v3.17.0")), Ok(()));
        assert_eq!(takes_ownership(&version("v4.0.0")), Ok(()));
    }
}
