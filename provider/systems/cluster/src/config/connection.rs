//! One cluster, one user, everything inlined: what the client and child processes connect with.

use std::collections::HashMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper_util::client::proxy::matcher::Matcher;
use kube::config::{
    AuthInfo, Cluster, Context, ExecConfig, ExecInteractiveMode, Kubeconfig, NamedAuthInfo, NamedCluster, NamedContext,
};

use tfplugin_redaction::{passwords, redact};

use super::kubeconfig::Picked;
use super::{Environment, ExecSettings, KubernetesSettings, sources};
use crate::error::{Error, Result};

/// Name of the one context, cluster and user in our documents.
const NAME: &str = "ffe";

/// A decided way of reaching one cluster. Holds credentials: never shown, never logged.
#[derive(Clone)]
pub struct Connection {
    server: String,
    namespace: String,
    origin: String,
    kubeconfig: Kubeconfig,
    proxy: Option<String>,
}

impl Connection {
    pub(super) fn resolve(settings: &KubernetesSettings, env: &Environment) -> Result<Self> {
        let found = sources::find(settings, env)?;
        let Picked { mut cluster, mut user, namespace, .. } = found.picked;
        override_cluster(&mut cluster, settings)?;
        override_user(&mut user, settings);
        inline(&mut cluster, &mut user, &found.origin)?;
        forbid_terminal(&mut user)?;
        hide(&user);

        let server = cluster.server.clone().filter(|server| !server.is_empty()).ok_or_else(|| {
            Error::config(
                "host",
                format!("{} names no API server: set `host`, or the cluster's `server`", found.origin),
            )
        })?;
        let uri: http::Uri = server
            .parse()
            .ok()
            .filter(|uri: &http::Uri| uri.host().is_some() && matches!(uri.scheme_str(), Some("http" | "https")))
            .ok_or_else(|| {
                Error::config(
                    "host",
                    format!(
                        "the API server's address {server:?} ({}) must be a URL such as https://10.0.0.1:6443",
                        found.origin
                    ),
                )
            })?;
        let namespace = namespace.unwrap_or_else(|| "default".to_owned());
        let proxy = cluster.proxy_url.clone().filter(|url| !url.is_empty()).or_else(|| proxy_from(env, &uri));
        proxy.iter().flat_map(|url| passwords(url)).for_each(|password| redact(&password));
        let context = Context {
            cluster: NAME.to_owned(),
            user: Some(NAME.to_owned()),
            namespace: Some(namespace.clone()),
            extensions: None,
            ..Context::default()
        };
        let kubeconfig = Kubeconfig {
            kind: Some("Config".to_owned()),
            api_version: Some("v1".to_owned()),
            clusters: vec![NamedCluster { name: NAME.to_owned(), cluster: Some(cluster), ..NamedCluster::default() }],
            auth_infos: vec![NamedAuthInfo {
                name: NAME.to_owned(),
                auth_info: Some(user),
                ..NamedAuthInfo::default()
            }],
            contexts: vec![NamedContext { name: NAME.to_owned(), context: Some(context), ..NamedContext::default() }],
            current_context: Some(NAME.to_owned()),
            ..Kubeconfig::default()
        };
        Ok(Self { server, namespace, origin: found.origin, kubeconfig, proxy })
    }

    /// URL of the API server.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The context's namespace, or `default`.
    pub fn default_namespace(&self) -> &str {
        &self.namespace
    }

    /// Where it was found, in words: `kubeconfig /root/.kube/config, context kind`.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// A self-contained kubeconfig (YAML, one context) for child processes such as Helm.
    ///
    /// It holds credentials: hand it over by pipe or memory file only.
    ///
    /// # Errors
    /// [`Error::Malformed`] when it cannot be written as YAML.
    pub fn kubeconfig_document(&self) -> Result<Vec<u8>> {
        serde_norway::to_string(&self.kubeconfig).map(String::into_bytes).map_err(|_| Error::Malformed {
            what: "kubeconfig".to_owned(),
            message: format!("the one from {} cannot be written as YAML", self.origin),
        })
    }

    /// The program that prints credentials, where there is one.
    pub(crate) fn exec_command(&self) -> Option<&str> {
        self.kubeconfig.auth_infos.first()?.auth_info.as_ref()?.exec.as_ref()?.command.as_deref()
    }

    /// kube's own configuration.
    pub(crate) async fn client_config(&self) -> Result<kube::Config> {
        let mut config = kube::Config::from_custom_kubeconfig(self.kubeconfig.clone(), &Default::default())
            .await
            .map_err(|error| Error::config("", format!("{} cannot be used: {error}", self.origin)))?;
        // decided here, because kube compares NO_PROXY with the proxy's address, not with the server's
        config.proxy_url = self
            .proxy
            .as_ref()
            .map(|url| url.parse().map_err(|_| Error::config("proxy_url", "the proxy's address is not a URL")))
            .transpose()?;
        Ok(config)
    }
}

/// Shows where it leads, not how it authenticates.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("server", &self.server)
            .field("namespace", &self.namespace)
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

fn override_cluster(cluster: &mut Cluster, settings: &KubernetesSettings) -> Result<()> {
    if let Some(host) = &settings.host {
        let url = if host.contains("://") { host.clone() } else { format!("https://{host}") };
        cluster.server = Some(url);
    }
    if let Some(pem) = &settings.cluster_ca_certificate {
        cluster.certificate_authority = None;
        cluster.certificate_authority_data = Some(STANDARD.encode(pem));
    }
    if let Some(name) = &settings.tls_server_name {
        cluster.tls_server_name = Some(name.clone());
    }
    if let Some(url) = &settings.proxy_url {
        cluster.proxy_url = Some(url.clone());
    }
    if let Some(insecure) = settings.insecure {
        if insecure && settings.cluster_ca_certificate.is_some() {
            return Err(Error::config(
                "insecure",
                "`insecure = true` and `cluster_ca_certificate` contradict each other: keep one of them",
            ));
        }
        cluster.insecure_skip_tls_verify = Some(insecure);
    }
    if cluster.insecure_skip_tls_verify == Some(true) {
        // Go clients refuse a configuration that has both
        cluster.certificate_authority = None;
        cluster.certificate_authority_data = None;
    }
    Ok(())
}

/// A credential that the user writes replaces the kubeconfig's credentials altogether: an API server
/// that is sent two identities picks the certificate, which is not the one that was asked for.
fn override_user(user: &mut AuthInfo, settings: &KubernetesSettings) {
    let any = settings.token.is_some()
        || settings.username.is_some()
        || settings.client_certificate.is_some()
        || settings.exec.is_some();
    if !any {
        return;
    }
    *user = AuthInfo {
        impersonate: user.impersonate.take(),
        impersonate_groups: user.impersonate_groups.take(),
        token: settings.token.clone().map(Into::into),
        username: settings.username.clone(),
        password: settings.password.clone().map(Into::into),
        client_certificate_data: settings.client_certificate.as_ref().map(|pem| STANDARD.encode(pem)),
        client_key_data: settings.client_key.as_ref().map(|pem| STANDARD.encode(pem).into()),
        exec: settings.exec.as_ref().map(exec_config),
        ..AuthInfo::default()
    };
}

fn exec_config(exec: &ExecSettings) -> ExecConfig {
    let variable = |(name, value): (&String, &String)| {
        HashMap::from([("name".to_owned(), name.clone()), ("value".to_owned(), value.clone())])
    };
    ExecConfig {
        api_version: Some(exec.api_version.clone()),
        command: Some(exec.command.clone()),
        args: Some(exec.args.clone()),
        env: Some(exec.env.iter().map(variable).collect()),
        ..ExecConfig::default()
    }
}

/// Replaces files by their content, so that the document stands alone. Token files stay: they are
/// renewed in place.
fn inline(cluster: &mut Cluster, user: &mut AuthInfo, origin: &str) -> Result<()> {
    let read = |path: &str| {
        std::fs::read(path)
            .map(|data| STANDARD.encode(data))
            .map_err(|error| Error::config("", format!("{origin} refers to {path}, which cannot be read: {error}")))
    };
    // the …-data field wins over the path, as in client-go
    if let Some(path) = cluster.certificate_authority.take().filter(|path| !path.is_empty())
        && cluster.certificate_authority_data.is_none()
    {
        cluster.certificate_authority_data = Some(read(&path)?);
    }
    if let Some(path) = user.client_certificate.take().filter(|path| !path.is_empty())
        && user.client_certificate_data.is_none()
    {
        user.client_certificate_data = Some(read(&path)?);
    }
    if let Some(path) = user.client_key.take().filter(|path| !path.is_empty())
        && user.client_key_data.is_none()
    {
        user.client_key_data = Some(read(&path)?.into());
    }
    Ok(())
}

/// The credentials of a kubeconfig are in no attribute, so nobody else knows that they are secret.
fn hide(user: &AuthInfo) {
    // As it is written in a kubeconfig, since the fields themselves do not show what they hold.
    let user = serde_json::to_value(user).unwrap_or_default();
    let text = |name: &str| user[name].as_str().map(str::to_owned);
    let key = text("client-key-data").and_then(|data| STANDARD.decode(data).ok());
    let key = key.map(|key| String::from_utf8_lossy(&key).into_owned());
    [text("token"), text("password"), key].iter().flatten().for_each(|secret| redact(secret));
}

/// A provider has no terminal: its standard streams belong to Terraform.
fn forbid_terminal(user: &mut AuthInfo) -> Result<()> {
    let Some(exec) = &mut user.exec else { return Ok(()) };
    if exec.interactive_mode == Some(ExecInteractiveMode::Always) {
        return Err(Error::config(
            "exec",
            format!(
                "the credential command {:?} wants to ask questions on a terminal (interactiveMode: Always), which a provider does not have",
                exec.command.as_deref().unwrap_or_default()
            ),
        ));
    }
    exec.interactive_mode = Some(ExecInteractiveMode::Never);
    Ok(())
}

/// HTTPS_PROXY and NO_PROXY as Go programs read them: loopback addresses are never proxied.
fn proxy_from(env: &Environment, server: &http::Uri) -> Option<String> {
    let host = server.host()?.trim_matches(['[', ']']);
    let loopback = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    if loopback {
        return None;
    }
    let either = |upper: &str, lower: &str| env.var(upper).or_else(|| env.var(lower));
    let mut matcher = Matcher::builder();
    if let Some(url) = either("HTTPS_PROXY", "https_proxy") {
        matcher = matcher.https(url);
    }
    if let Some(url) = either("HTTP_PROXY", "http_proxy") {
        matcher = matcher.http(url);
    }
    if let Some(except) = either("NO_PROXY", "no_proxy") {
        matcher = matcher.no(except);
    }
    let chosen = matcher.build().intercept(server)?;
    Some(chosen.uri().to_string())
}
