//! Pulling charts.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine;
use serde_json::{Map, json};
use tfplugin_redaction::{redact, redacted};
use tokio_util::sync::CancellationToken;

use super::{Call, Helm, Major};
use crate::chart::Source;
use crate::{Error, Result, Secret};

/// How long a download may take.
const LIMIT: Duration = Duration::from_secs(300);
/// The name under which a repository is known for one pull.
const REPOSITORY: &str = "ffe";

/// Asks for a remote chart.
pub(crate) struct PullRequest<'a> {
    pub(crate) source: &'a Source,
    pub(crate) version: Option<&'a str>,
    pub(crate) credentials: Option<(&'a str, &'a Secret)>,
    pub(crate) ca_file: Option<&'a Path>,
    pub(crate) verify: bool,
    pub(crate) keyring: Option<&'a Path>,
}

/// A pulled archive.
pub(crate) struct Pulled {
    pub(crate) path: PathBuf,
    /// Digest of the registry's manifest.
    pub(crate) digest: Option<String>,
}

impl Helm {
    /// Pulls a chart into the run's private directory.
    pub(crate) async fn pull(&self, request: &PullRequest<'_>, cancel: &CancellationToken) -> Result<Pulled> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory = self.directory().await?.join(&format!("pull-{number}"));
        let process = |source| Error::Process { operation: "pull", source };
        std::fs::create_dir_all(&directory).map_err(process)?;

        request.credentials.iter().for_each(|(_, password)| redact(password.expose()));
        let cache = directory.join("cache");
        let (reference, files, mut extra) = self.locate(request, &cache, cancel).await?;
        let mut arguments: Vec<OsString> = vec!["pull".into(), reference.into(), "--destination".into()];
        arguments.push(directory.clone().into());
        arguments.append(&mut extra);
        if let Some(version) = request.version.map(str::trim).filter(|v| !v.is_empty()) {
            arguments.extend(["--version".into(), version.into()]);
        }
        if let (Some(path), false) = (request.ca_file, matches!(request.source, Source::Repository { .. })) {
            arguments.extend(["--ca-file".into(), path.into()]);
        }
        if request.verify {
            arguments.push("--verify".into());
            if let Some(keyring) = request.keyring {
                arguments.extend(["--keyring".into(), keyring.into()]);
            }
        }
        let printed = self.call(call("pull", request.source, arguments, files), cancel).await?;
        let said = format!("{}\n{}", String::from_utf8_lossy(&printed.stdout), printed.rest.join("\n"));
        let digest = said.lines().find_map(|line| line.trim().strip_prefix("Digest: ")).map(str::to_owned);
        Ok(Pulled { path: the_archive(&directory).map_err(process)?, digest })
    }

    /// What to call the chart, and the configuration that knows it.
    async fn locate(
        &self,
        request: &PullRequest<'_>,
        cache: &Path,
        cancel: &CancellationToken,
    ) -> Result<(String, Vec<(&'static str, String)>, Vec<OsString>)> {
        let config = &self.shared.config;
        match request.source {
            Source::Repository { url, name } => {
                let list = repository_list(url, request);
                let with_cache = || vec!["--repository-cache".into(), cache.into()];
                let mut arguments: Vec<OsString> = ["repo", "update", REPOSITORY].map(Into::into).into();
                arguments.extend(with_cache());
                if self.major().await? == Major::V3 {
                    arguments.push("--fail-on-repo-update-fail".into());
                }
                let files = || vec![("--repository-config", list.clone())];
                let (printed, error) =
                    self.attempt(call("repo update", request.source, arguments, files()), cancel).await?;
                if let Some(error) = error {
                    return Err(self.why_not_updated(error, &printed.stdout));
                }
                Ok((format!("{REPOSITORY}/{name}"), files(), with_cache()))
            }
            Source::Oci(reference) => {
                let mut extra = Vec::new();
                // As with container tools: a registry on this machine needs no TLS.
                if is_loopback(host(reference)) {
                    extra.push("--plain-http".into());
                }
                let mut files = Vec::new();
                match self.registry_config(reference, request.credentials) {
                    Some(content) => files.push(("--registry-config", content)),
                    None => extra.extend(
                        user_file("HELM_REGISTRY_CONFIG", "registry/config.json")
                            .filter(|path| path.exists())
                            .map_or_else(Vec::new, |path| vec!["--registry-config".into(), path.into()]),
                    ),
                }
                Ok((reference.clone(), files, extra))
            }
            Source::Named(name) => {
                let list = config.repository_config_path.clone();
                let list = list.or_else(|| user_file("HELM_REPOSITORY_CONFIG", "repositories.yaml"));
                let cache = config.repository_cache.clone().or_else(user_cache);
                let mut extra = Vec::new();
                for (flag, path) in [("--repository-config", list), ("--repository-cache", cache)] {
                    extra.extend(path.map_or_else(Vec::new, |path| vec![flag.into(), path.into()]));
                }
                Ok((name.clone(), Vec::new(), extra))
            }
            Source::Url(url) if request.credentials.is_some() => {
                Err(Error::Chart(crate::chart::ChartError::Reference {
                    problem: format!(
                        "{url}: with a user name give the repository's address in `repository` and the chart's name in `chart`"
                    ),
                }))
            }
            Source::Url(url) => Ok((url.clone(), Vec::new(), Vec::new())),
            Source::Directory(path) | Source::Archive(path) => Ok((path.display().to_string(), Vec::new(), Vec::new())),
        }
    }

    /// Helm names the address in its error and the reason in its output.
    fn why_not_updated(&self, error: Error, stdout: &[u8]) -> Error {
        let Error::Failed(mut failure) = error else { return error };
        let said = redacted(&String::from_utf8_lossy(stdout)).into_owned();
        let mut lines = said.lines().skip_while(|line| !line.starts_with("...Unable to get an update"));
        if let Some(reason) = lines.nth(1) {
            failure.message = format!("{}: {}", failure.message, reason.trim());
        }
        Error::Failed(failure)
    }

    /// A registry configuration with the credentials that are known; `None` without any.
    fn registry_config(&self, reference: &str, own: Option<(&str, &Secret)>) -> Option<String> {
        let mut auths = Map::new();
        let registries = &self.shared.config.registries;
        let known = registries.iter().map(|r| (r.url.as_str(), r.username.as_str(), &r.password));
        for (url, username, password) in known.chain(own.map(|(username, password)| (reference, username, password))) {
            let token = base64::engine::general_purpose::STANDARD.encode(format!("{username}:{}", password.expose()));
            auths.insert(auth_key(host(url)).to_owned(), json!({ "auth": token }));
        }
        (!auths.is_empty()).then(|| json!({ "auths": auths }).to_string())
    }

    /// Verifies the provenance of an archive on this machine.
    pub(crate) async fn verify(&self, path: &Path, keyring: Option<&Path>, cancel: &CancellationToken) -> Result<()> {
        let mut arguments: Vec<OsString> = vec!["verify".into(), path.into()];
        if let Some(keyring) = keyring {
            arguments.extend(["--keyring".into(), keyring.into()]);
        }
        let source = Source::Archive(path.to_owned());
        self.call(call("verify", &source, arguments, Vec::new()), cancel).await.map(drop)
    }
}

fn call(
    operation: &'static str,
    source: &Source,
    arguments: Vec<OsString>,
    files: Vec<(&'static str, String)>,
) -> Call {
    let subject = match source {
        Source::Repository { url, name } => format!("{name} from {url}"),
        Source::Named(name) | Source::Oci(name) | Source::Url(name) => name.clone(),
        Source::Directory(path) | Source::Archive(path) => path.display().to_string(),
    };
    Call {
        operation,
        subject,
        arguments,
        stdin: None,
        files,
        needs_cluster: false,
        door: None,
        limit: Some(LIMIT),
        begins: None,
    }
}

/// Helm's `repositories.yaml` with this one repository (JSON is YAML).
fn repository_list(url: &str, request: &PullRequest<'_>) -> String {
    let mut entry = json!({ "name": REPOSITORY, "url": url });
    if let Some((username, password)) = request.credentials {
        entry["username"] = username.into();
        entry["password"] = password.expose().into();
    }
    if let Some(path) = request.ca_file {
        entry["caFile"] = path.to_string_lossy().into();
    }
    json!({ "apiVersion": "", "generated": "2000-01-01T00:00:00Z", "repositories": [entry] }).to_string()
}

/// Host and port of an address.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}

/// Container tools know Docker's own registry by this name.
fn auth_key(host: &str) -> &str {
    match host {
        "docker.io" | "registry-1.docker.io" | "index.docker.io" => "https://index.docker.io/v1/",
        other => other,
    }
}

fn is_loopback(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    name == "localhost" || name == "[::1]" || name.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
}

fn the_archive(directory: &Path) -> std::io::Result<PathBuf> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_file() && path.extension().is_some_and(|e| e != "prov") {
            return Ok(path);
        }
    }
    Err(std::io::Error::other("helm pull left no archive"))
}

/// A file of the user's own Helm configuration, where Helm itself would look for it.
fn user_file(variable: &str, name: &str) -> Option<PathBuf> {
    let set = |variable: &str| std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
    set(variable).or_else(|| {
        let home = set("HELM_CONFIG_HOME").or_else(|| set("XDG_CONFIG_HOME").map(|home| home.join("helm")));
        let default = if cfg!(target_os = "macos") { "Library/Preferences/helm" } else { ".config/helm" };
        home.or_else(|| set("HOME").map(|home| home.join(default))).map(|home| home.join(name))
    })
}

fn user_cache() -> Option<PathBuf> {
    let set = |variable: &str| std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("HELM_REPOSITORY_CACHE").or_else(|| {
        let home = set("HELM_CACHE_HOME").or_else(|| set("XDG_CACHE_HOME").map(|home| home.join("helm")));
        let default = if cfg!(target_os = "macos") { "Library/Caches/helm" } else { ".cache/helm" };
        home.or_else(|| set("HOME").map(|home| home.join(default))).map(|home| home.join("repository"))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::binary::{Config, Registry};
    use crate::launcher::Launcher;

    #[test]
    fn registries_are_known_by_host() {
        let mut config = Config::new(None, Launcher::Direct);
        let registry = |url: &str| Registry { url: url.into(), username: "u".into(), password: "p".into() };
        config.registries = vec![registry("oci://r.example:5000/charts"), registry("docker.io")];
        let helm = Helm::new(config);
        let text = helm.registry_config("oci://own.example/x", Some(("me", &"pw".into()))).unwrap();
        let config: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(config["auths"]["r.example:5000"]["auth"], "dTpw");
        assert_eq!(config["auths"]["https://index.docker.io/v1/"]["auth"], "dTpw");
        assert_eq!(config["auths"]["own.example"]["auth"], "bWU6cHc=");
        assert_eq!(Helm::new(Config::new(None, Launcher::Direct)).registry_config("oci://x/y", None), None);
    }

    #[test]
    fn only_this_machine_goes_without_tls() {
        for host in ["localhost", "localhost:5000", "127.0.0.1:5000", "127.1.2.3", "[::1]:5000"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["localhost.example", "10.0.0.1:5000", "r.example"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
