//! What configuration may look at outside of its attributes; a value, so that tests bring their own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where Kubernetes mounts a pod's credentials.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Variables that are read, beside those that begin with `KUBE`.
const WANTED: [&str; 11] = [
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
    "HELM_DRIVER",
    "CLOUDFLARE_API_TOKEN",
    "CLOUDFLARE_BASE_URL",
];

/// Environment variables, home directory and the folder of in-cluster credentials.
#[derive(Clone, Debug)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    home: Option<PathBuf>,
    service_account: PathBuf,
}

impl Environment {
    /// That of this process.
    pub fn process() -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| wanted(name))
            .collect();
        Self { variables, home: std::env::home_dir(), service_account: SERVICE_ACCOUNT.into() }
    }

    /// One that holds exactly these variables and no in-cluster credentials.
    pub fn for_tests<K: Into<String>, V: Into<String>>(
        variables: impl IntoIterator<Item = (K, V)>,
        home: Option<PathBuf>,
    ) -> Self {
        Self {
            variables: variables.into_iter().map(|(k, v)| (k.into(), v.into())).collect(),
            home,
            service_account: PathBuf::from("/nonexistent"),
        }
    }

    /// With in-cluster credentials in this folder.
    #[must_use]
    #[cfg(test)]
    pub(crate) fn with_service_account(mut self, folder: PathBuf) -> Self {
        self.service_account = folder;
        self
    }

    /// A variable, unless it is empty.
    pub fn var(&self, name: &str) -> Option<String> {
        self.variables.get(name).filter(|value| !value.is_empty()).cloned()
    }

    /// `~/.kube/config`
    pub(super) fn default_kubeconfig(&self) -> Option<PathBuf> {
        self.home.as_ref().map(|home| home.join(".kube").join("config"))
    }

    pub(super) fn service_account(&self) -> &Path {
        &self.service_account
    }

    /// Expands a leading `~`, as the Helm provider does.
    pub(super) fn expand(&self, path: &str) -> PathBuf {
        match (path.strip_prefix("~/"), &self.home) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => PathBuf::from(path),
        }
    }

    /// A list of paths as the platform separates them.
    pub(super) fn split_paths(list: &str) -> Vec<String> {
        std::env::split_paths(list)
            .map(|path| path.to_string_lossy().into_owned())
            .filter(|path| !path.is_empty())
            .collect()
    }
}

fn wanted(name: &str) -> bool {
    name.starts_with("KUBE") || WANTED.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_documentation_names_is_read_and_the_rest_is_not() {
        for name in
            ["KUBE_HOST", "KUBECONFIG", "HELM_DRIVER", "CLOUDFLARE_API_TOKEN", "CLOUDFLARE_BASE_URL", "no_proxy"]
        {
            assert!(wanted(name), "{name}");
        }
        for name in ["PATH", "AWS_SECRET_ACCESS_KEY", "HELM_KUBETOKEN", "TF_LOG"] {
            assert!(!wanted(name), "{name}");
        }
    }
}
