//! The Helm binary behind one small interface.
//!
//! Every run has its own kubeconfig, registry credentials and values by pipe or memory file, its own caches in a private
//! directory, and none of the user's `HELM_*` variables. What Helm printed is thrown away except for renderings: the
//! record in the cluster says what was done ([`crate::records`]).

mod directory;
mod failure;
mod held;
mod operations;
mod pull;
mod requests;
mod version;

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ffe_cluster::{Cluster, Door};
use tfplugin_redaction::redact;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

pub use failure::{Cause, Failure};
pub use held::{Deployment, Held};
pub use operations::{Done, LintMessage, LintSeverity, Rendered};
pub(crate) use pull::PullRequest;
pub use requests::{DeployRequest, RenderMode, RenderRequest, RollbackRequest, UninstallRequest};
pub use version::{BINARY_VARIABLE, Major, Version};

use crate::launcher::Launcher;
use crate::process::{self, Ended, GRACE, Handover, Invocation};
use crate::{Error, Result, Secret};
use directory::RunDirectory;

/// How long Helm may take to say its version.
const VERSION_LIMIT: Duration = Duration::from_secs(30);
/// Helm's own timeout says more than ours, so it comes first.
const LATER: Duration = Duration::from_secs(15);
/// What Helm does not inherit: its own settings and the way to a cluster, which come from us alone, and what the provider and
/// Terraform were given, secrets among it (`TF_VAR_…`, `CLOUDFLARE_API_TOKEN`). Helm hands its environment on to credential
/// plugins.
const WITHHELD: &[&str] =
    &["HELM_", "KUBECONFIG", "KUBECACHEDIR", "KUBERNETES_SERVICE_", "TF_", "PLUGIN_", "CLOUDFLARE_", "FFE_"];

/// Where release records are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Driver {
    /// In Secrets.
    #[default]
    Secret,
    /// In ConfigMaps.
    ConfigMap,
}

impl Driver {
    /// Helm's word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::ConfigMap => "configmap",
        }
    }
}

impl std::str::FromStr for Driver {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "" | "secret" | "secrets" => Ok(Self::Secret),
            "configmap" | "configmaps" => Ok(Self::ConfigMap),
            other => Err(Error::Config {
                attribute: "driver",
                problem: format!("expected \"secret\" or \"configmap\", got {other:?}"),
            }),
        }
    }
}

/// Credentials for an OCI registry.
#[derive(Debug, Clone)]
pub struct Registry {
    /// Host, with or without `oci://` and a path.
    pub url: String,
    /// User.
    pub username: String,
    /// Password or token.
    pub password: Secret,
}

/// How Helm is run.
#[derive(Clone)]
pub struct Config {
    /// The binary; else [`BINARY_VARIABLE`], else `helm` in `PATH`.
    pub binary: Option<PathBuf>,
    /// Where release records are kept.
    pub driver: Driver,
    /// Credentials for registries.
    pub registries: Vec<Registry>,
    /// The user's repository list, for `repo/name` references; Helm's default place otherwise.
    pub repository_config_path: Option<PathBuf>,
    /// The cache that belongs to it; Helm's default place otherwise.
    pub repository_cache: Option<PathBuf>,
    /// The cluster; `None`: nothing that needs one.
    pub cluster: Option<Cluster>,
    /// How children are started.
    pub launcher: Launcher,
}

impl Config {
    /// Helm from the environment, for a cluster or none.
    #[must_use]
    pub fn new(cluster: Option<Cluster>, launcher: Launcher) -> Self {
        Self {
            binary: None,
            driver: Driver::default(),
            registries: Vec::new(),
            repository_config_path: None,
            repository_cache: None,
            cluster,
            launcher,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("binary", &self.binary).field("driver", &self.driver).finish_non_exhaustive()
    }
}

/// Helm. Cheap to clone; nothing is started before it is needed.
#[derive(Clone)]
pub struct Helm {
    shared: Arc<Shared>,
}

struct Shared {
    config: Config,
    found: OnceCell<Found>,
    directory: OnceCell<RunDirectory>,
}

#[derive(Clone)]
struct Found {
    binary: PathBuf,
    version: Version,
}

impl fmt::Debug for Helm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Helm").field("config", &self.shared.config).finish_non_exhaustive()
    }
}

/// One call of the binary.
struct Call {
    operation: &'static str,
    /// What it is about, for errors.
    subject: String,
    arguments: Vec<OsString>,
    stdin: Option<String>,
    /// Flag and content of files to hand over.
    files: Vec<(&'static str, String)>,
    needs_cluster: bool,
    /// The way to the cluster, where it is not Helm's own.
    door: Option<Door>,
    limit: Option<Duration>,
    /// From when on the limit counts; from its start without.
    begins: Option<CancellationToken>,
}

/// What a call printed.
struct Printed {
    stdout: Vec<u8>,
    warnings: Vec<String>,
    rest: Vec<String>,
}

impl Helm {
    /// Helm as configured. Starts nothing and looks for nothing yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        config.registries.iter().for_each(|registry| redact(registry.password.expose()));
        let shared = Shared { config, found: OnceCell::new(), directory: OnceCell::new() };
        Self { shared: Arc::new(shared) }
    }

    /// Where release records are kept.
    #[must_use]
    pub fn driver(&self) -> Driver {
        self.shared.config.driver
    }

    /// The version of the binary. The first call looks for the binary and asks it.
    ///
    /// # Errors
    /// There is none, or not one that we can work with.
    pub async fn version(&self) -> Result<&Version> {
        Ok(&self.found().await?.version)
    }

    /// The major of the binary.
    ///
    /// # Errors
    /// As [`Helm::version`].
    pub async fn major(&self) -> Result<Major> {
        Ok(self.version().await?.major)
    }

    /// The path of the binary.
    ///
    /// # Errors
    /// As [`Helm::version`].
    pub async fn binary(&self) -> Result<&std::path::Path> {
        Ok(&self.found().await?.binary)
    }

    async fn found(&self) -> Result<&Found> {
        self.shared.found.get_or_try_init(|| self.find()).await
    }

    async fn find(&self) -> Result<Found> {
        let config = &self.shared.config;
        let variable = std::env::var_os(BINARY_VARIABLE).map(PathBuf::from);
        let binary = version::find(config.binary.as_deref(), variable, std::env::var_os("PATH"))?;
        let mut invocation = self.invocation(binary.clone(), vec!["version".into(), "--template".into()]).await?;
        invocation.arguments.push("{{.Version}}".into());
        invocation.limit = Some(VERSION_LIMIT);
        let unusable = |problem: String| Error::UnusableBinary { path: binary.clone(), problem };
        let outcome = process::run(invocation, &config.launcher, &CancellationToken::new())
            .await
            .map_err(|e| unusable(format!("it cannot be run: {e}")))?;
        if !outcome.success {
            let said = failure::sort(&outcome.stderr);
            let text = said.error.or(said.rest.last().cloned()).unwrap_or(outcome.status);
            return Err(unusable(format!("`helm version` failed: {text}")));
        }
        let version = Version::parse(&String::from_utf8_lossy(&outcome.stdout)).map_err(unusable)?;
        tracing::debug!(binary = %binary.display(), %version, "found helm");
        Ok(Found { binary, version })
    }

    async fn directory(&self) -> Result<&RunDirectory> {
        let make = || async { RunDirectory::new() };
        let made = self.shared.directory.get_or_try_init(make).await;
        made.map_err(|source| Error::Process { operation: "start", source })
    }

    async fn invocation(&self, program: PathBuf, arguments: Vec<OsString>) -> Result<Invocation> {
        let directory = self.directory().await?;
        let mut environment: Vec<(String, OsString)> = Vec::new();
        for (name, part) in [("CACHE", "cache"), ("CONFIG", "config"), ("DATA", "data")] {
            environment.push((format!("HELM_{name}_HOME"), directory.join(part).into()));
        }
        // What the API server serves is asked anew by each Helm; where that is noted nobody else reads or writes.
        environment.push(("KUBECACHEDIR".into(), directory.join("kube").into()));
        environment.push(("HELM_DRIVER".into(), self.shared.config.driver.as_str().into()));
        // Without a kubeconfig of ours Helm would take the user's, or localhost.
        environment.push(("KUBECONFIG".into(), "/dev/null".into()));
        environment.push(("NO_COLOR".into(), "1".into()));
        Ok(Invocation {
            program,
            arguments,
            environment,
            without: WITHHELD.to_vec(),
            stdin: None,
            files: Vec::new(),
            limit: None,
            begins: None,
            grace: GRACE,
        })
    }

    /// Runs Helm once and makes an error of a failure.
    async fn call(&self, call: Call, cancel: &CancellationToken) -> Result<Printed> {
        match self.attempt(call, cancel).await? {
            (printed, None) => Ok(printed),
            (_, Some(error)) => Err(error),
        }
    }

    /// Runs Helm once; of a failure the output is kept too.
    async fn attempt(&self, call: Call, cancel: &CancellationToken) -> Result<(Printed, Option<Error>)> {
        let Call { operation, subject, arguments, stdin, mut files, needs_cluster, door, limit, begins } = call;
        if cancel.is_cancelled() {
            return Err(Error::Cancelled { operation });
        }
        let config = &self.shared.config;
        let binary = self.found().await?.binary.clone();
        let mut invocation = self.invocation(binary, arguments).await?;
        let mut noted = None;
        if let Some(door) = &door {
            files.push(("--kubeconfig", door.kubeconfig_document()));
            // Helm notes what is served by the server's address, and a door has one of its own.
            let folder =
                self.directory().await?.folder("kube-").map_err(|source| Error::Process { operation, source })?;
            invocation.environment.push(("KUBECACHEDIR".into(), folder.path().into()));
            noted = Some(folder);
        } else if needs_cluster {
            let cluster = config.cluster.as_ref().ok_or(Error::NoCluster { operation })?;
            let document = cluster.kubeconfig_document()?;
            files.push(("--kubeconfig", String::from_utf8_lossy(&document).into_owned()));
        }
        for (flag, content) in files {
            let file = Handover::new(content.as_bytes(), invocation.files.len())
                .map_err(|source| Error::Process { operation, source })?;
            invocation.arguments.extend([flag.into(), file.path().into()]);
            invocation.files.push(file);
        }
        invocation.stdin = stdin;
        invocation.limit = limit.map(|limit| limit + LATER);
        invocation.begins = begins;

        tracing::debug!(operation, subject, "helm starts");
        let started = std::time::Instant::now();
        let outcome = process::run(invocation, &config.launcher, cancel)
            .await
            .map_err(|source| Error::Process { operation, source })?;
        drop(noted);
        let seconds = started.elapsed().as_secs_f32();
        tracing::debug!(operation, subject, seconds, status = outcome.status, "helm ended");

        let stderr = door.map_or_else(|| outcome.stderr.clone(), |door| door.unmask(&outcome.stderr));
        let said = failure::sort(&stderr);
        let last = said.error.clone().or_else(|| said.rest.last().cloned()).unwrap_or_default();
        let warnings = said.warnings.clone();
        let error = match outcome.ended {
            _ if outcome.success => None,
            Ended::Cancelled => Some(Error::Cancelled { operation }),
            Ended::TimedOut => Some(Error::TimedOut { operation, seconds: limit.unwrap_or_default().as_secs(), last }),
            Ended::Exited => {
                let message =
                    if last.is_empty() { format!("it said nothing and ended with {}", outcome.status) } else { last };
                let cause = failure::cause(&message);
                Some(Failure { operation, subject, cause, message, warnings }.into())
            }
        };
        Ok((Printed { stdout: outcome.stdout, warnings: said.warnings, rest: said.rest }, error))
    }
}

#[cfg(test)]
mod tests;
