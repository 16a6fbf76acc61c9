//! The `provider "ffe"` block.

use std::collections::BTreeMap;

use ffe_cluster::{ExecSettings, KubernetesSettings};
use ffe_notify::{Channel, Event, WebhookUrl};
use tfplugin::{Attr, Check, Model, Value};

use crate::checks;

/// The ffe provider brings up a production stack on Kubernetes: environments, releases with database migrations,
/// and their way back.
///
/// Every setting is optional. Attributes win over environment variables, which win over the files that they
/// name. In-cluster credentials are used only when nothing else was given.
#[derive(Model, Clone, Debug)]
pub struct ProviderConfig {
    /// How to reach the Kubernetes cluster.
    #[attr(optional)]
    pub kubernetes: Attr<Kubernetes>,
    /// How Helm is run.
    #[attr(optional)]
    pub helm: Attr<Helm>,
    /// How DNS records are kept at Cloudflare.
    #[attr(optional)]
    pub cloudflare: Attr<Cloudflare>,
    /// How DNS records are kept at a name server of one's own.
    #[attr(optional)]
    pub rfc2136: Attr<Rfc2136>,
    /// Where release notifications are sent, and for which events.
    #[attr(optional)]
    pub notifications: Attr<Vec<Notification>>,
}

/// A channel for notices.
#[derive(Model, Clone, Debug)]
pub struct Notification {
    /// `slack` and `discord` for their incoming webhooks, `webhook` for a JSON document to any URL.
    #[attr(required, one_of("slack", "discord", "webhook"))]
    pub kind: Attr<String>,
    /// The URL of the webhook. It is a secret and is shown nowhere.
    #[attr(required, sensitive, check = checks::url())]
    pub url: Attr<String>,
    /// Of what: any of `started`, `succeeded`, `rolled_back` (it failed, and was rolled back or uninstalled) and `failed`
    /// (every other failure). To hear of every failure, list both. Default: all.
    #[attr(optional, check = events())]
    pub on: Attr<Vec<Attr<String>>>,
}

fn events() -> Check {
    Check::new("a list of \"started\", \"succeeded\", \"failed\" and \"rolled_back\"", |value| {
        let Value::List(words) = value else { return Ok(()) };
        match words.iter().filter_map(Value::as_str).find(|word| word.parse::<Event>().is_err()) {
            Some(word) => Err(format!("\"{word}\" is none of them")),
            None => Ok(()),
        }
    })
}

impl Notification {
    /// As a channel. Must be known; `None` when the URL is none.
    pub fn channel(&self) -> Option<Channel> {
        let on = self.on.known().into_iter().flatten().filter_map(|event| event.as_str()?.parse().ok()).collect();
        Some(Channel { kind: self.kind.as_str()?.parse().ok()?, url: WebhookUrl::parse(self.url.as_str()?).ok()?, on })
    }
}

/// Attributes and environment variables as in the Helm and Kubernetes providers.
#[derive(Model, Clone, Debug)]
pub struct Kubernetes {
    /// Path to a kubeconfig file. Environment variable `KUBE_CONFIG_PATH`; without it, `KUBECONFIG` and
    /// `~/.kube/config` are used.
    #[attr(optional)]
    pub config_path: Attr<String>,
    /// Paths to several kubeconfig files, merged as kubectl merges them. Environment variable `KUBE_CONFIG_PATHS`.
    #[attr(optional)]
    pub config_paths: Attr<Vec<Attr<String>>>,
    /// The context of the kubeconfig to use. Environment variable `KUBE_CTX`.
    #[attr(optional)]
    pub config_context: Attr<String>,
    /// The user entry to use instead of the context's. Environment variable `KUBE_CTX_AUTH_INFO`.
    #[attr(optional)]
    pub config_context_auth_info: Attr<String>,
    /// The cluster entry to use instead of the context's. Environment variable `KUBE_CTX_CLUSTER`.
    #[attr(optional)]
    pub config_context_cluster: Attr<String>,
    /// The URL of the API server. Environment variable `KUBE_HOST`.
    #[attr(optional)]
    pub host: Attr<String>,
    /// A bearer token. Environment variable `KUBE_TOKEN`.
    #[attr(optional, sensitive)]
    pub token: Attr<String>,
    /// The user name of HTTP basic authentication. Environment variable `KUBE_USER`.
    #[attr(optional)]
    pub username: Attr<String>,
    /// The password of HTTP basic authentication. Environment variable `KUBE_PASSWORD`.
    #[attr(optional, sensitive)]
    pub password: Attr<String>,
    /// The client's certificate, PEM. Environment variable `KUBE_CLIENT_CERT_DATA`.
    #[attr(optional)]
    pub client_certificate: Attr<String>,
    /// The client certificate's key, PEM. Environment variable `KUBE_CLIENT_KEY_DATA`.
    #[attr(optional, sensitive)]
    pub client_key: Attr<String>,
    /// The certificates of the authorities that the API server's certificate is checked against, PEM.
    /// Environment variable `KUBE_CLUSTER_CA_CERT_DATA`.
    #[attr(optional)]
    pub cluster_ca_certificate: Attr<String>,
    /// Do not check the API server's certificate. Environment variable `KUBE_INSECURE`.
    #[attr(optional)]
    pub insecure: Attr<bool>,
    /// The name that the API server's certificate is checked for. Environment variable `KUBE_TLS_SERVER_NAME`.
    #[attr(optional)]
    pub tls_server_name: Attr<String>,
    /// The URL of a proxy to reach the API server through. Environment variable `KUBE_PROXY_URL`.
    #[attr(optional, check = checks::url())]
    pub proxy_url: Attr<String>,
    /// A command that prints credentials (client-go credential plugin).
    #[attr(optional)]
    pub exec: Attr<Exec>,
}

/// A client-go credential plugin.
#[derive(Model, Clone, Debug)]
pub struct Exec {
    /// The version of the plugin's protocol, such as `client.authentication.k8s.io/v1`.
    #[attr(required)]
    pub api_version: Attr<String>,
    /// The command.
    #[attr(required)]
    pub command: Attr<String>,
    /// Its arguments.
    #[attr(optional)]
    pub args: Attr<Vec<Attr<String>>>,
    /// Environment variables to set for it.
    #[attr(optional)]
    pub env: Attr<BTreeMap<String, Attr<String>>>,
}

/// How Helm is run.
#[derive(Model, Clone, Debug)]
pub struct Helm {
    /// Path or name of the Helm binary, major 3 or 4. Environment variable `FFE_HELM_BINARY`; otherwise `helm` is
    /// looked for in `PATH`.
    #[attr(optional)]
    pub binary: Attr<String>,
    /// Where Helm keeps its release records: `secret` (the default) or `configmap`. Environment variable
    /// `HELM_DRIVER`.
    #[attr(optional, one_of("secret", "configmap"))]
    pub driver: Attr<String>,
    /// Credentials of OCI registries, used for this run only.
    #[attr(optional)]
    pub registries: Attr<Vec<Registry>>,
    /// The file of known chart repositories (`helm repo add`), for charts given as `repo/name`.
    #[attr(optional)]
    pub repository_config_path: Attr<String>,
    /// The folder of repository indexes that belongs to it.
    #[attr(optional)]
    pub repository_cache: Attr<String>,
}

/// Credentials of one OCI registry.
#[derive(Model, Clone, Debug)]
pub struct Registry {
    /// Such as `oci://registry.example.com/charts`; host and port count.
    #[attr(required)]
    pub url: Attr<String>,
    /// The user name.
    #[attr(required)]
    pub username: Attr<String>,
    /// The password or token.
    #[attr(required, sensitive)]
    pub password: Attr<String>,
}

/// How Cloudflare's API is reached.
#[derive(Model, Clone, Debug)]
pub struct Cloudflare {
    /// An API token with the permissions Zone / Zone / Read and Zone / DNS / Edit for the zones that are used.
    /// Environment variable `CLOUDFLARE_API_TOKEN`.
    #[attr(optional, sensitive)]
    pub api_token: Attr<String>,
    /// The URL of the API, where it is not Cloudflare's own: `https`, or `http` to this machine itself. Environment
    /// variable `CLOUDFLARE_BASE_URL`.
    #[attr(optional, check = checks::url())]
    pub base_url: Attr<String>,
}

/// How a name server is reached that takes dynamic updates (RFC 2136): BIND, Knot, PowerDNS and others. Everything goes over TCP
/// and is signed (TSIG).
#[derive(Model, Clone, Debug)]
pub struct Rfc2136 {
    /// Name or address of the zones' primary server. Environment variable `DNS_UPDATE_SERVER`.
    #[attr(optional)]
    pub server: Attr<String>,
    /// Its port. Environment variable `DNS_UPDATE_PORT`. Default: 53.
    #[attr(optional, check = Check::between(1, 65_535))]
    pub port: Attr<i64>,
    /// The name of the key, which may update A, AAAA, CNAME and TXT records of the zones. Environment variable `DNS_UPDATE_KEYNAME`.
    #[attr(optional)]
    pub key_name: Attr<String>,
    /// `hmac-sha256`, `hmac-sha384` or `hmac-sha512`. Environment variable `DNS_UPDATE_KEYALGORITHM`. Default: `hmac-sha256`.
    #[attr(optional)]
    pub key_algorithm: Attr<String>,
    /// The key, in base64 as `tsig-keygen` prints it. Environment variable `DNS_UPDATE_KEYSECRET`.
    #[attr(optional, sensitive)]
    pub key_secret: Attr<String>,
}

fn texts(list: &Attr<Vec<Attr<String>>>) -> Vec<String> {
    list.known()
        .map(|list| list.iter().filter_map(|text| text.as_str().map(str::to_owned)).collect())
        .unwrap_or_default()
}

pub(crate) fn text(attribute: &Attr<String>) -> Option<String> {
    // An empty string is how a variable without a value is passed; the Helm provider reads it as not set.
    attribute.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

impl Kubernetes {
    /// The settings in the cluster crate's terms. Must be wholly known.
    pub fn settings(&self) -> KubernetesSettings {
        KubernetesSettings {
            config_path: text(&self.config_path),
            config_paths: texts(&self.config_paths),
            config_context: text(&self.config_context),
            config_context_auth_info: text(&self.config_context_auth_info),
            config_context_cluster: text(&self.config_context_cluster),
            host: text(&self.host),
            token: text(&self.token),
            username: text(&self.username),
            password: text(&self.password),
            client_certificate: text(&self.client_certificate),
            client_key: text(&self.client_key),
            cluster_ca_certificate: text(&self.cluster_ca_certificate),
            insecure: self.insecure.known().copied(),
            tls_server_name: text(&self.tls_server_name),
            proxy_url: text(&self.proxy_url),
            exec: self.exec.known().map(|exec| ExecSettings {
                api_version: exec.api_version.clone().unwrap_or_default(),
                command: exec.command.clone().unwrap_or_default(),
                args: texts(&exec.args),
                env: exec
                    .env
                    .known()
                    .map(|env| {
                        env.iter().map(|(name, value)| (name.clone(), value.clone().unwrap_or_default())).collect()
                    })
                    .unwrap_or_default(),
            }),
        }
    }
}
