//! What can go wrong between a description and a route that works.

use ffe_cluster::{ObjectRef, kube};

use crate::gateway::MissingListener;

/// What this crate's functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that this crate reports. The text is a sentence for people.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Talking to the cluster failed.
    #[error(transparent)]
    Cluster(#[from] ffe_cluster::Error),

    /// The IngressClass does not exist.
    #[error("there is no IngressClass {name:?} in the cluster; {}", what_there_is("IngressClass", existing))]
    NoSuchClass {
        /// What was asked for
        name: String,
        /// What there is: name and controller
        existing: Vec<String>,
    },

    /// No class was named, and the cluster has not exactly one default.
    #[error("no ingress class was given, and the cluster has {} default IngressClass; {}",
        if defaults.is_empty() { "no".to_owned() } else { format!("more than one ({}) marked as", defaults.join(", ")) },
        what_there_is("IngressClass", existing))]
    NoDefaultClass {
        /// The classes that are marked as default
        defaults: Vec<String>,
        /// What there is: name and controller
        existing: Vec<String>,
    },

    /// The Gateway does not exist.
    #[error("there is no {gateway} in the cluster; {}", what_there_is("Gateway", existing))]
    NoSuchGateway {
        /// What was asked for
        gateway: Box<ObjectRef>,
        /// What there is, `namespace/name`
        existing: Vec<String>,
    },

    /// Custom resource definitions are missing.
    #[error("the API server does not serve {kind} of {api_version}, which {what} needs")]
    NotInstalled {
        /// `Middleware`
        kind: &'static str,
        /// `traefik.io/v1alpha1`
        api_version: &'static str,
        /// Who needs it
        what: &'static str,
    },

    /// The Gateway's listeners are not ours to manage, or not free, and lack what is needed.
    #[error("{gateway} has no HTTPS listener that serves {} with Secret {secret}", hosts(missing))]
    NoListener {
        /// The Gateway
        gateway: Box<ObjectRef>,
        /// `namespace/name` of the Secret
        secret: String,
        /// Whether `manage_listener` was asked for: then a listener of somebody else stands in the way
        manage_listener: bool,
        /// The hosts
        missing: Vec<MissingListener>,
    },

    /// The Service has no such port.
    #[error("Service {service} {message}; a route on a Gateway needs the number of the port")]
    NoPort {
        /// `namespace/name`
        service: String,
        /// What is wrong, and what there is
        message: String,
        /// Which of several backends it is
        index: Option<usize>,
    },

    /// The Gateway does not take our listeners, or does not give them back.
    #[error("could not apply our listeners to {gateway} (API server {server}): {}", reason(source))]
    Listener {
        /// The Gateway
        gateway: Box<ObjectRef>,
        /// URL of the API server
        server: String,
        /// The API server's answer
        #[source]
        source: Box<kube::Error>,
    },

    /// A Gateway must have a listener, and only ours are left.
    #[error("{gateway} has no listeners but ours, and a Gateway must have one")]
    LastListener {
        /// The Gateway
        gateway: Box<ObjectRef>,
    },

    /// Nobody put an address into the status in time.
    #[error("{source}")]
    NoAddress {
        /// The wait that ran out
        source: ffe_cluster::Error,
        /// What to look at
        advice: String,
    },

    /// The controller refuses the route, or our listener.
    #[error("{object} does not work: {why}")]
    Refused {
        /// The route, or the Gateway
        object: Box<ObjectRef>,
        /// The controller's condition and words
        why: String,
    },

    /// The Ingress that shall be described does not exist.
    #[error("there is no {object} in the cluster")]
    NotThere {
        /// The object
        object: Box<ObjectRef>,
    },
}

impl Error {
    /// The attribute of the resource that it is about.
    pub fn attribute(&self) -> Option<String> {
        let attribute = match self {
            Self::NoSuchClass { .. } | Self::NoDefaultClass { .. } => "ingress_class",
            Self::NoSuchGateway { .. }
            | Self::NoListener { .. }
            | Self::Listener { .. }
            | Self::LastListener { .. } => "gateway",
            Self::NoPort { index: Some(index), .. } => return Some(format!("backends[{index}].port")),
            Self::NoPort { .. } => "backend.port",
            _ => return None,
        };
        Some(attribute.to_owned())
    }

    /// The error of the cluster below it, for decisions by its kind.
    pub fn cluster(&self) -> Option<&ffe_cluster::Error> {
        match self {
            Self::Cluster(source) | Self::NoAddress { source, .. } => Some(source),
            _ => None,
        }
    }

    /// What to do next.
    pub fn advice(&self) -> Option<String> {
        Some(match self {
            Self::Cluster(error) => return error.advice(),
            Self::NoSuchClass { .. } => {
                "Set ingress_class to one that exists, or install the ingress controller that brings it.".to_owned()
            }
            Self::NoDefaultClass { .. } => "Set ingress_class.".to_owned(),
            Self::NoSuchGateway { .. } => {
                "Set gateway to one that exists, or make the Gateway first; listeners for our hosts may be left to us \
                    with manage_listener = true."
                    .to_owned()
            }
            Self::NotInstalled { kind: "Middleware", .. } => {
                "Install Traefik's custom resource definitions and switch on its provider kubernetesCRD (the Helm \
                    chart and k3s do both)."
                    .to_owned()
            }
            Self::NotInstalled { .. } => {
                "Install the custom resource definitions of the Gateway API (standard channel) and a controller for \
                    them, or use ingress_class."
                    .to_owned()
            }
            Self::NoListener { secret, manage_listener, missing, .. } => {
                advice_for_listeners(secret, *manage_listener, missing)
            }
            Self::NoPort { .. } => "Give the port as a number that the Service has.".to_owned(),
            Self::Listener { source, .. } => match source.as_ref() {
                kube::Error::Api(status) if status.code == 403 => {
                    "Ask for a Role that allows to patch this Gateway, or set manage_listener = false and let its \
                        administrator add the listener."
                        .to_owned()
                }
                _ => "See what the API server says about the Gateway's listeners, correct it, and apply again."
                    .to_owned(),
            },
            Self::LastListener { .. } => {
                "Add another listener to the Gateway, or delete the Gateway, and run the same command again.".to_owned()
            }
            Self::NoAddress { advice, .. } => advice.clone(),
            Self::Refused { .. } => "Correct what the controller names, and apply again.".to_owned(),
            Self::NotThere { .. } => "See that namespace and name are those of an Ingress that exists.".to_owned(),
        })
    }

    /// Whether the user asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.cluster().is_some_and(|error| error.kind() == ffe_cluster::Kind::Cancelled)
    }
}

fn what_there_is(kind: &str, names: &[String]) -> String {
    if names.is_empty() { format!("there is no {kind} at all") } else { format!("there are: {}", names.join(", ")) }
}

fn hosts(missing: &[MissingListener]) -> String {
    missing.iter().map(|missing| missing.host.as_str()).collect::<Vec<_>>().join(", ")
}

fn advice_for_listeners(secret: &str, manage_listener: bool, missing: &[MissingListener]) -> String {
    let near: Vec<&str> = missing.iter().filter_map(|missing| missing.nearest.as_deref()).collect();
    let near = if near.is_empty() { String::new() } else { format!("{}. ", near.join("; ")) };
    let (namespace, name) = secret.split_once('/').unwrap_or(("", secret));
    if manage_listener {
        return format!(
            "{near}Another listener for the same host is not possible: let that one refer to Secret {name:?} of \
                namespace {namespace:?}, or take it away."
        );
    }
    format!(
        "{near}Set manage_listener = true, or add for each host a listener with protocol HTTPS, this hostname, \
            tls.certificateRefs with Secret {name:?} of namespace {namespace:?}, and allowedRoutes that admit \
            namespace {namespace:?}."
    )
}

/// The API server's own words, without the request.
fn reason(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}
