//! From what the user configured to one way of reaching one cluster.
//!
//! Names and environment variables are those of the Helm and Kubernetes providers (`KUBE_*`), plus
//! `KUBECONFIG`. An attribute wins over its variable, and both win over what a kubeconfig says.
//! There is no silent fallback to localhost: without a usable configuration the error lists what
//! was looked for.

mod connection;
mod environment;
mod kubeconfig;
mod sources;

use std::collections::BTreeMap;
use std::fmt;

pub use connection::Connection;
pub use environment::Environment;

use crate::error::{Error, Result};

/// The provider's `kubernetes` attribute, as written.
#[derive(Default, Clone, PartialEq, Eq)]
pub struct KubernetesSettings {
    /// One kubeconfig file; `KUBE_CONFIG_PATH`
    pub config_path: Option<String>,
    /// Several kubeconfig files, merged as kubectl does; `KUBE_CONFIG_PATHS`
    pub config_paths: Vec<String>,
    /// Context to use instead of the current one; `KUBE_CTX`
    pub config_context: Option<String>,
    /// User to use instead of the context's; `KUBE_CTX_AUTH_INFO`
    pub config_context_auth_info: Option<String>,
    /// Cluster to use instead of the context's; `KUBE_CTX_CLUSTER`
    pub config_context_cluster: Option<String>,
    /// URL of the API server; `KUBE_HOST`
    pub host: Option<String>,
    /// Bearer token; `KUBE_TOKEN`
    pub token: Option<String>,
    /// Basic authentication; `KUBE_USER`
    pub username: Option<String>,
    /// Basic authentication; `KUBE_PASSWORD`
    pub password: Option<String>,
    /// PEM; `KUBE_CLIENT_CERT_DATA`
    pub client_certificate: Option<String>,
    /// PEM; `KUBE_CLIENT_KEY_DATA`
    pub client_key: Option<String>,
    /// PEM; `KUBE_CLUSTER_CA_CERT_DATA`
    pub cluster_ca_certificate: Option<String>,
    /// Accept any server certificate; `KUBE_INSECURE`
    pub insecure: Option<bool>,
    /// Name that the server's certificate must carry; `KUBE_TLS_SERVER_NAME`
    pub tls_server_name: Option<String>,
    /// `http://`, `https://` or `socks5://`; `KUBE_PROXY_URL`
    pub proxy_url: Option<String>,
    /// A command that prints credentials
    pub exec: Option<ExecSettings>,
}

/// A credential plugin: a command that prints an `ExecCredential`.
#[derive(Default, Clone, PartialEq, Eq)]
pub struct ExecSettings {
    /// `client.authentication.k8s.io/v1` or `…/v1beta1`
    pub api_version: String,
    /// The program
    pub command: String,
    /// Its arguments
    pub args: Vec<String>,
    /// Added to its environment
    pub env: BTreeMap<String, String>,
}

impl KubernetesSettings {
    /// Fills what is not set from the `KUBE_*` variables. An empty string counts as not set. A credential that is set
    /// (`token`, `username`, `exec`) silences the variables of the other kinds.
    ///
    /// # Errors
    /// [`Error::Config`] when `KUBE_INSECURE` is no boolean.
    pub fn from_environment(mut self, env: &Environment) -> Result<Self> {
        self.config_paths.retain(|path| !path.is_empty());
        // the two paths are one choice: an attribute for one silences the variables of both
        self.config_path = self.config_path.filter(|path| !path.is_empty());
        if self.config_path.is_none() && self.config_paths.is_empty() {
            self.config_paths =
                env.var("KUBE_CONFIG_PATHS").map(|paths| Environment::split_paths(&paths)).unwrap_or_default();
            if self.config_paths.is_empty() {
                self.config_path = env.var("KUBE_CONFIG_PATH");
            }
        }
        // A credential that is written silences the variables of the other kinds: two identities are an error, and a
        // variable of somebody's shell must not make one.
        let given = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        let (token, exec) = (given(&self.token), self.exec.is_some());
        let basic = given(&self.username) || given(&self.password);
        let silenced = |variable: &str| match variable {
            "KUBE_TOKEN" => basic || exec,
            "KUBE_USER" | "KUBE_PASSWORD" => token || exec,
            _ => false,
        };
        for (field, variable) in [
            (&mut self.config_context, "KUBE_CTX"),
            (&mut self.config_context_auth_info, "KUBE_CTX_AUTH_INFO"),
            (&mut self.config_context_cluster, "KUBE_CTX_CLUSTER"),
            (&mut self.host, "KUBE_HOST"),
            (&mut self.token, "KUBE_TOKEN"),
            (&mut self.username, "KUBE_USER"),
            (&mut self.password, "KUBE_PASSWORD"),
            (&mut self.client_certificate, "KUBE_CLIENT_CERT_DATA"),
            (&mut self.client_key, "KUBE_CLIENT_KEY_DATA"),
            (&mut self.cluster_ca_certificate, "KUBE_CLUSTER_CA_CERT_DATA"),
            (&mut self.tls_server_name, "KUBE_TLS_SERVER_NAME"),
            (&mut self.proxy_url, "KUBE_PROXY_URL"),
        ] {
            let from_variable = || env.var(variable).filter(|_| !silenced(variable));
            *field = field.take().filter(|text| !text.is_empty()).or_else(from_variable);
        }
        if self.insecure.is_none() {
            self.insecure = env.var("KUBE_INSECURE").map(|text| parse_bool(&text)).transpose()?;
        }
        Ok(self)
    }

    /// Decides how the cluster is reached. Reads files, never the network.
    ///
    /// # Errors
    /// [`Error::Config`] with the attribute's path: contradictions between attributes, a kubeconfig
    /// that is missing or malformed (named), a context, cluster or user that it does not have (with
    /// the ones that it has), or nothing usable at all (with everything that was tried).
    pub fn resolve(&self, env: &Environment) -> Result<Connection> {
        let settings = self.clone().from_environment(env)?;
        settings.check()?;
        Connection::resolve(&settings, env)
    }

    fn check(&self) -> Result<()> {
        if self.config_path.is_some() && !self.config_paths.is_empty() {
            return Err(Error::config(
                "config_paths",
                "`config_path` and `config_paths` are both set: keep one of them",
            ));
        }
        match (&self.username, &self.password) {
            (Some(_), None) => return Err(Error::config("password", "`username` is set without a `password`")),
            (None, Some(_)) => return Err(Error::config("username", "`password` is set without a `username`")),
            _ => {}
        }
        match (&self.client_certificate, &self.client_key) {
            (Some(_), None) => {
                return Err(Error::config("client_key", "`client_certificate` is set without a `client_key`"));
            }
            (None, Some(_)) => {
                return Err(Error::config("client_certificate", "`client_key` is set without a `client_certificate`"));
            }
            _ => {}
        }
        for (attribute, pem) in [
            ("cluster_ca_certificate", &self.cluster_ca_certificate),
            ("client_certificate", &self.client_certificate),
            ("client_key", &self.client_key),
        ] {
            if pem.as_ref().is_some_and(|pem| !pem.contains("-----BEGIN ")) {
                return Err(Error::config(
                    attribute,
                    format!(
                        "`{attribute}` is not PEM: it must begin with `-----BEGIN`; text from a kubeconfig's …-data needs base64decode() first"
                    ),
                ));
            }
        }
        let bearers =
            [("token", self.token.is_some()), ("username", self.username.is_some()), ("exec", self.exec.is_some())];
        let given: Vec<&str> = bearers.iter().filter(|(_, set)| *set).map(|(name, _)| *name).collect();
        if let [first, second, ..] = given.as_slice() {
            return Err(Error::config(second, format!("`{first}` and `{second}` are both set: keep one of them")));
        }
        if let Some(proxy) = &self.proxy_url
            && !["http://", "https://", "socks5://"].iter().any(|scheme| proxy.starts_with(scheme))
        {
            return Err(Error::config(
                "proxy_url",
                "`proxy_url` must be a URL that begins with http://, https:// or socks5://",
            ));
        }
        if let Some(exec) = &self.exec {
            exec.check()?;
        }
        Ok(())
    }
}

impl ExecSettings {
    fn check(&self) -> Result<()> {
        const VERSIONS: [&str; 2] = ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"];
        if self.command.is_empty() {
            return Err(Error::config("exec.command", "`exec.command` is empty: name the program to run"));
        }
        if !VERSIONS.contains(&self.api_version.as_str()) {
            return Err(Error::config(
                "exec.api_version",
                format!("`exec.api_version` is {:?}: it must be one of {}", self.api_version, VERSIONS.join(", ")),
            ));
        }
        Ok(())
    }
}

fn parse_bool(text: &str) -> Result<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(Error::config("insecure", format!("KUBE_INSECURE is {text:?}: it must be true or false"))),
    }
}

/// Shows which fields are set, never a credential.
impl fmt::Debug for KubernetesSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set = |field: &Option<String>| field.as_ref().map(|_| "(set)");
        f.debug_struct("KubernetesSettings")
            .field("config_path", &self.config_path)
            .field("config_paths", &self.config_paths)
            .field("config_context", &self.config_context)
            .field("config_context_auth_info", &self.config_context_auth_info)
            .field("config_context_cluster", &self.config_context_cluster)
            .field("host", &self.host)
            .field("token", &set(&self.token))
            .field("username", &set(&self.username))
            .field("password", &set(&self.password))
            .field("client_certificate", &set(&self.client_certificate))
            .field("client_key", &set(&self.client_key))
            .field("cluster_ca_certificate", &set(&self.cluster_ca_certificate))
            .field("insecure", &self.insecure)
            .field("tls_server_name", &self.tls_server_name)
            .field("proxy_url", &set(&self.proxy_url))
            .field("exec", &self.exec)
            .finish()
    }
}

/// Shows the command, neither its arguments nor its environment.
impl fmt::Debug for ExecSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecSettings")
            .field("api_version", &self.api_version)
            .field("command", &self.command)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
