//! The plain description of a route: which hosts lead to which Service, by which class, and how safely.

mod checks;

use std::collections::BTreeMap;
use std::fmt;

pub use checks::Problem;
pub(crate) use checks::is_refused;

/// What is wished. Nothing in it depends on the kind of controller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Where the objects live, and the Service that they lead to
    pub namespace: String,
    /// The endpoint's name; names of all objects derive from it ([`crate::names`])
    pub name: String,
    /// DNS names without scheme and port, `api.example.com`, `*.example.com`; at least one
    pub hosts: Vec<String>,
    /// The Secret of type `kubernetes.io/tls` in `namespace` that the hosts are served with
    pub secret_name: String,
    /// What serves the requests
    pub backend: Backend,
    /// Where the route begins: `/`
    pub path: String,
    /// How `path` is compared
    pub path_type: PathType,
    /// Who serves the route
    pub class: Class,
    /// Redirect, headers and limit
    pub security: Security,
    /// Labels of every object, beside our mark
    pub labels: BTreeMap<String, String>,
    /// Annotations of every Ingress and HTTPRoute, beside ours. Snippets and cert-manager's triggers are refused.
    pub annotations: BTreeMap<String, String>,
}

impl Route {
    /// Everything below `/`, with no security settings.
    pub fn new(
        namespace: &str,
        name: &str,
        hosts: impl IntoIterator<Item = impl Into<String>>,
        secret_name: &str,
        backend: Backend,
        class: Class,
    ) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            hosts: hosts.into_iter().map(Into::into).collect(),
            secret_name: secret_name.to_owned(),
            backend,
            path: "/".to_owned(),
            path_type: PathType::Prefix,
            class,
            security: Security::default(),
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
        }
    }

    /// The hosts, each once, in their order.
    pub(crate) fn distinct_hosts(&self) -> Vec<&str> {
        let mut hosts: Vec<&str> = Vec::new();
        for host in &self.hosts {
            if !hosts.contains(&host.as_str()) {
                hosts.push(host);
            }
        }
        hosts
    }
}

/// A Service in the route's namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backend {
    /// Its name
    pub service: String,
    /// Its port, not the container's
    pub port: Port,
}

impl Backend {
    /// By name and port.
    pub fn new(service: &str, port: impl Into<Port>) -> Self {
        Self { service: service.to_owned(), port: port.into() }
    }
}

/// A port of a Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Port {
    /// `spec.ports[].port`
    Number(u16),
    /// `spec.ports[].name`
    Name(String),
}

impl From<u16> for Port {
    fn from(number: u16) -> Self {
        Self::Number(number)
    }
}

impl From<&str> for Port {
    fn from(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Name(text.to_owned()), Self::Number)
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// How a path is compared, with the names of the Ingress API.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum PathType {
    /// `/api` and everything below it
    #[default]
    Prefix,
    /// `/api` alone
    Exact,
    /// As the controller likes; on a Gateway the same as `Prefix`
    ImplementationSpecific,
}

impl PathType {
    /// As the Ingress API spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prefix => "Prefix",
            Self::Exact => "Exact",
            Self::ImplementationSpecific => "ImplementationSpecific",
        }
    }

    /// Reads the Ingress API's spelling.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Prefix, Self::Exact, Self::ImplementationSpecific].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Who serves the route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Class {
    /// An Ingress of this IngressClass; None: of the cluster's default one
    Ingress(Option<String>),
    /// HTTPRoutes on a Gateway
    Gateway(GatewayRef),
}

/// A Gateway of the Gateway API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayRef {
    /// Its namespace
    pub namespace: String,
    /// Its name
    pub name: String,
    /// Whether an HTTPS listener for each host is added to it (and taken away again); otherwise it must have them
    pub manage_listener: bool,
}

/// What shall hold for every request; everything is off by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Security {
    /// Plain HTTP is answered with a permanent redirect to HTTPS
    pub ssl_redirect: bool,
    /// `max-age` of Strict-Transport-Security, in seconds; None or 0: no header
    pub hsts_max_age: Option<u64>,
    /// `includeSubDomains` in it
    pub hsts_subdomains: bool,
    /// X-Frame-Options: `DENY`, `SAMEORIGIN`
    pub frame_options: Option<String>,
    /// Content-Security-Policy
    pub content_security_policy: Option<String>,
    /// X-Content-Type-Options: nosniff
    pub content_type_nosniff: bool,
    /// Requests a minute of one client; as many may come at once. Beyond that: status 429 (or 503)
    pub requests_per_minute: Option<u32>,
}

impl Security {
    /// Seconds of Strict-Transport-Security, None when there is to be no header.
    pub fn hsts(&self) -> Option<u64> {
        self.hsts_max_age.filter(|seconds| *seconds > 0)
    }

    /// The value of Strict-Transport-Security.
    pub fn hsts_value(&self) -> Option<String> {
        let subdomains = if self.hsts_subdomains { "; includeSubDomains" } else { "" };
        self.hsts().map(|seconds| format!("max-age={seconds}{subdomains}"))
    }

    /// The response headers that every answer shall carry, by name and value. Without `secure` those that mean
    /// nothing over plain HTTP are left out (RFC 6797 7.2 forbids Strict-Transport-Security there).
    pub fn headers(&self, secure: bool) -> Vec<(&'static str, String)> {
        let hsts = self.hsts_value().filter(|_| secure);
        [
            ("Strict-Transport-Security", hsts),
            ("X-Frame-Options", self.frame_options.clone()),
            ("Content-Security-Policy", self.content_security_policy.clone()),
            ("X-Content-Type-Options", self.content_type_nosniff.then(|| "nosniff".to_owned())),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
    }

    /// The limit, None when there is none.
    pub fn limit(&self) -> Option<u32> {
        self.requests_per_minute.filter(|requests| *requests > 0)
    }
}
