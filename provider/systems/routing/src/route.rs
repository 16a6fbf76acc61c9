//! The plain description of a route: which hosts lead to which Service, by which class, and how safely.

mod checks;

use std::collections::BTreeMap;
use std::fmt;

use crate::names::middleware_reference;
pub use checks::Problem;
pub(crate) use checks::why_refused;

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
    /// Which paths lead to which Service, each path once; at least one
    pub rules: Vec<Rule>,
    /// Who serves the route
    pub class: Class,
    /// Redirect, headers and limit
    pub security: Security,
    /// What every request goes through beside that, in this order: somebody else's
    pub middlewares: Vec<Middleware>,
    /// Whom a Gateway trusts behind [`Protocol::Https`]; None: what others have said of the Services
    pub backend_tls: Option<BackendTls>,
    /// Labels of every object, beside our mark
    pub labels: BTreeMap<String, String>,
    /// Annotations of every Ingress and HTTPRoute, beside ours. What contradicts the route is refused.
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
            rules: vec![Rule::new("/", backend)],
            class,
            security: Security::default(),
            middlewares: Vec::new(),
            backend_tls: None,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
        }
    }

    /// The same with other rules.
    #[must_use]
    pub fn leading_to(self, rules: Vec<Rule>) -> Self {
        Self { rules, ..self }
    }

    /// Where an attribute of a rule stands: below `backend`, or below an element of `backends`.
    pub(crate) fn at(&self, index: usize, attribute: &str) -> String {
        match self.rules.len() {
            1 => format!("backend.{attribute}"),
            _ => format!("backends[{index}].{attribute}"),
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

/// A path of every host, and what serves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Where it begins: `/`
    pub path: String,
    /// How `path` is compared
    pub path_type: PathType,
    /// What serves the requests
    pub backend: Backend,
}

impl Rule {
    /// Everything below a path.
    pub fn new(path: &str, backend: Backend) -> Self {
        Self { path: path.to_owned(), path_type: PathType::Prefix, backend }
    }

    /// Whether a request for this path, with or without a query, is one for the rule. What `ImplementationSpecific` means is up
    /// to the controller.
    pub fn serves(&self, asked: &str) -> bool {
        let asked = asked.split('?').next().unwrap_or_default();
        match self.path_type {
            PathType::Exact => asked == self.path,
            PathType::ImplementationSpecific => true,
            PathType::Prefix => {
                let path = self.path.trim_end_matches('/');
                asked.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
        }
    }

    /// As much of the path as is no pattern: some controllers take one where the type is `ImplementationSpecific`.
    pub fn literal(&self) -> &str {
        let plain = |c: char| c.is_ascii_alphanumeric() || "/-._~%".contains(c);
        let end = self.path.find(|c| !plain(c)).unwrap_or(self.path.len());
        if end == 0 { "/" } else { self.path.get(..end).unwrap_or("/") }
    }

    /// Whether both compare the same requests.
    pub(crate) fn is_at(&self, path: &str, kind: Option<PathType>) -> bool {
        let exact = |kind: PathType| kind == PathType::Exact;
        let path = if path.is_empty() { "/" } else { path };
        path.trim_end_matches('/') == self.path.trim_end_matches('/')
            && exact(kind.unwrap_or_default()) == exact(self.path_type)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to Service {}:{}", self.path, self.backend.service, self.backend.port)
    }
}

/// The rule that a request for a path goes to: an exact one, else the longest. None where nobody serves it.
pub fn rule_for<'a>(rules: &'a [Rule], asked: &str) -> Option<&'a Rule> {
    rules
        .iter()
        .filter(|rule| rule.serves(asked))
        .max_by_key(|rule| (rule.path_type == PathType::Exact, rule.path.len()))
}

/// A Service in the route's namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backend {
    /// Its name
    pub service: String,
    /// Its port, not the container's
    pub port: Port,
    /// What it speaks; None: what the controller takes it to speak
    pub protocol: Option<Protocol>,
}

impl Backend {
    /// By name and port.
    pub fn new(service: &str, port: impl Into<Port>) -> Self {
        Self { service: service.to_owned(), port: port.into(), protocol: None }
    }
}

/// What a Service speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// HTTP/1.1
    Http,
    /// HTTP over TLS
    Https,
    /// HTTP/2 without TLS
    H2c,
    /// gRPC, without TLS
    Grpc,
}

impl Protocol {
    /// All of them, in the order of the support table's rows.
    pub const ALL: [Self; 4] = [Self::Http, Self::Https, Self::H2c, Self::Grpc];

    /// As the configuration spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "HTTP",
            Self::Https => "HTTPS",
            Self::H2c => "H2C",
            Self::Grpc => "GRPC",
        }
    }

    /// Reads the configuration's spelling.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|protocol| protocol.as_str() == text)
    }
}

/// Whom a Gateway trusts behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendTls {
    /// The name for which the backends have certificates
    pub hostname: String,
    /// The ConfigMap with the authority (`ca.crt`) in the route's namespace; None: the authorities that the controller's system trusts
    pub ca_config_map: Option<String>,
}

/// The API group of Traefik's kinds.
pub(crate) const TRAEFIK_GROUP: &str = "traefik.io";

/// What requests go through before they reach a backend: made by somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Middleware {
    /// Its API group
    pub group: String,
    /// Its kind
    pub kind: String,
    /// Its namespace
    pub namespace: String,
    /// Its name; with `@provider` one that Traefik knows from elsewhere than the cluster
    pub name: String,
}

impl Middleware {
    /// One of Traefik's.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self {
            group: TRAEFIK_GROUP.to_owned(),
            kind: "Middleware".to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    /// How an Ingress of Traefik refers to it.
    pub fn reference(&self) -> String {
        if self.is_elsewhere() { self.name.clone() } else { middleware_reference(&self.namespace, &self.name) }
    }

    /// Whether it is one of Traefik's.
    pub(crate) fn is_traefiks(&self) -> bool {
        self.group == TRAEFIK_GROUP && self.kind == "Middleware"
    }

    /// Whether it is no object of the cluster.
    pub(crate) fn is_elsewhere(&self) -> bool {
        self.name.contains('@')
    }
}

impl fmt::Display for Middleware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_elsewhere() {
            return write!(f, "{} {}", self.kind, self.name);
        }
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
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
