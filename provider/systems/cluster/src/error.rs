//! One error type for everything that talks to a cluster.
//!
//! Its text is meant to be shown: it names the operation, the object, the API server and the
//! cause, and never holds a credential.

mod request;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::duration::format_duration;
use crate::object::ObjectRef;

pub(crate) use request::{CREDENTIAL_COMMAND, request_error};

/// What this crate's functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The source that an error is kept with.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

/// What kind of thing went wrong, for decisions; the text is for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The provider's configuration or a kubeconfig is unusable.
    Config,
    /// Credentials could not be obtained (an exec plugin failed, a token file is unreadable).
    Credentials,
    /// 401: the API server does not know who we are.
    Unauthorized,
    /// 403: it knows, and refuses.
    Forbidden,
    /// The API itself said that the named object does not exist.
    NotFound,
    /// The API server does not serve this kind (a CRD that is not installed), or what answers is
    /// no Kubernetes API.
    NotServed,
    /// A create met an object of the same name.
    AlreadyExists,
    /// A compare-and-swap lost, a precondition failed, or another field manager owns a field.
    Conflict,
    /// The API server refused the content.
    Invalid,
    /// No connection, 429, or 5xx after all retries.
    Unavailable,
    /// A wait ran out of time.
    Timeout,
    /// The user asked to stop.
    Cancelled,
    /// A workload is in a condition that cannot heal.
    Failed,
    /// The API server belongs to another cluster than the one that was recorded.
    OtherCluster,
    /// An answer that could not be understood.
    Protocol,
}

/// A field that another manager owns, from a server-side apply that met a conflict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldConflict {
    /// The other manager, `kubectl-edit`
    pub manager: String,
    /// `.spec.replicas`
    pub field: String,
}

/// Why a workload does not come up, as it is shown to people. Who has looked at the workload writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// All of it; it ends with the next step
    pub text: String,
    /// The next step alone
    pub advice: String,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Everything that can go wrong between a resource and its cluster.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The configuration of the provider, or a file that it names, is unusable.
    #[error("{message}")]
    Config {
        /// Path below the provider's `kubernetes` attribute (`config_path`, `exec.command`)
        attribute: Option<String>,
        /// What was expected, and what was found; never a credential
        message: String,
        /// The cause, where there is one that may be shown
        #[source]
        source: Option<Source>,
    },

    /// A request to the API server failed.
    #[error("could not {operation} {object} (API server {server}): {message}")]
    Request {
        /// What kind of failure
        kind: Kind,
        /// `apply`, `list`, …
        operation: &'static str,
        /// The object, or the kind when a list failed
        object: Box<ObjectRef>,
        /// URL of the API server
        server: String,
        /// The cause in words
        message: String,
        /// The cause
        #[source]
        source: Option<Source>,
    },

    /// Server-side apply met fields that another manager owns.
    #[error(
        "could not apply {object} (API server {server}): {}; set the option that forces ownership, or let the other manager give these fields up",
        describe_conflicts(conflicts)
    )]
    FieldConflict {
        /// The object that was applied
        object: Box<ObjectRef>,
        /// URL of the API server
        server: String,
        /// Who owns what
        conflicts: Vec<FieldConflict>,
    },

    /// A wait ran out of time.
    #[error("{what} was not reached within {}: {last}{}", format_duration(*.after), appended(explanation.as_deref()))]
    Timeout {
        /// What was waited for: `rollout of Deployment ffe/backend`
        what: String,
        /// The object, where it is one
        object: Option<Box<ObjectRef>>,
        /// How long
        after: Duration,
        /// The last state that was seen
        last: String,
        /// Why, as far as the cluster shows it
        explanation: Option<Box<Explanation>>,
    },

    /// A workload is in a condition that cannot heal by waiting.
    #[error("{explanation}")]
    Failed {
        /// The workload
        object: Box<ObjectRef>,
        /// Why
        explanation: Box<Explanation>,
    },

    /// The user asked to stop; what was going on in the cluster goes on.
    #[error("stopped on request during: {what}")]
    Cancelled {
        /// What was going on
        what: String,
    },

    /// The API server belongs to another cluster than the one that was recorded.
    #[error(
        "{server} is another cluster (kube-system has the UID {found}) than the one that was recorded ({recorded}); point the provider at the recorded cluster, or remove the resource from the state if it shall be made anew"
    )]
    OtherCluster {
        /// URL of the API server
        server: String,
        /// UID of its kube-system namespace
        found: String,
        /// The UID that was recorded
        recorded: String,
    },

    /// A failure that several callers were waiting for.
    #[error(transparent)]
    Shared(Arc<Error>),

    /// An object was deleted after it had been looked at, and perhaps made anew by somebody else.
    #[error(
        "{object} is not the one any more that was looked at: it was deleted since, or somebody has made another one in its place; nothing was written to it"
    )]
    Remade {
        /// The object
        object: Box<ObjectRef>,
    },

    /// An object or an answer that does not have the shape that it must have.
    #[error("the {what} is not usable: {message}")]
    Malformed {
        /// Which object
        what: String,
        /// What is wrong with it
        message: String,
    },
}

impl Error {
    /// The kind, for decisions.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Shared(error) => error.kind(),
            Self::Config { .. } => Kind::Config,
            Self::Request { kind, .. } => *kind,
            Self::FieldConflict { .. } | Self::Remade { .. } => Kind::Conflict,
            Self::Timeout { .. } => Kind::Timeout,
            Self::Failed { .. } => Kind::Failed,
            Self::Cancelled { .. } => Kind::Cancelled,
            Self::OtherCluster { .. } => Kind::OtherCluster,
            Self::Malformed { .. } => Kind::Protocol,
        }
    }

    /// For [`Kind::Config`]: the path below the provider's `kubernetes` attribute.
    pub fn attribute(&self) -> Option<&str> {
        match self {
            Self::Config { attribute, .. } => attribute.as_deref(),
            Self::Shared(error) => error.attribute(),
            _ => None,
        }
    }

    /// The object that it is about.
    pub fn object(&self) -> Option<&ObjectRef> {
        match self {
            Self::Request { object, .. }
            | Self::FieldConflict { object, .. }
            | Self::Failed { object, .. }
            | Self::Remade { object } => Some(object),
            Self::Timeout { object, .. } => object.as_deref(),
            Self::Shared(error) => error.object(),
            _ => None,
        }
    }

    /// Why a workload does not come up, for [`Kind::Failed`] and [`Kind::Timeout`].
    pub fn explanation(&self) -> Option<&Explanation> {
        match self {
            Self::Failed { explanation, .. } => Some(explanation),
            Self::Timeout { explanation, .. } => explanation.as_deref(),
            Self::Shared(error) => error.explanation(),
            _ => None,
        }
    }

    /// The fields that other managers own, when a server-side apply met some.
    pub fn conflicts(&self) -> &[FieldConflict] {
        match self {
            Self::FieldConflict { conflicts, .. } => conflicts,
            Self::Shared(error) => error.conflicts(),
            _ => &[],
        }
    }

    /// True when the same request may succeed a little later.
    pub fn is_transient(&self) -> bool {
        self.kind() == Kind::Unavailable
    }

    /// True when the API itself said that the named object does not exist. Reason enough to make it,
    /// not to drop it from the state: that takes [`crate::Cluster::confirm`].
    pub fn is_not_found(&self) -> bool {
        self.kind() == Kind::NotFound
    }

    /// What to do next, where there is something to say that the text does not say already.
    pub fn advice(&self) -> Option<String> {
        let advice = match self.kind() {
            Kind::Config => return None,
            Kind::Credentials => {
                "Run the credential command of the kubeconfig (or of `kubernetes.exec`) by hand and see that it prints an ExecCredential."
            }
            Kind::Unauthorized => {
                "The credentials were not accepted: they may have expired. Renew them, then run the same command again."
            }
            Kind::Forbidden => {
                "Ask for a Role that allows this verb on this resource; `kubectl auth can-i` shows what is allowed."
            }
            Kind::NotServed => {
                "See that the custom resource definition is installed, and that the URL is that of a Kubernetes API server."
            }
            Kind::Unavailable => {
                "See that the API server is running and can be reached from here, then run the same command again."
            }
            Kind::Failed | Kind::Timeout => {
                return self.explanation().map(|explanation| explanation.advice.clone());
            }
            _ => return None,
        };
        Some(advice.to_owned())
    }

    /// Short for a [`Error::Config`] about an attribute.
    pub(crate) fn config(attribute: &str, message: impl Into<String>) -> Self {
        Self::Config {
            attribute: (!attribute.is_empty()).then(|| attribute.to_owned()),
            message: message.into(),
            source: None,
        }
    }
}

fn describe_conflicts(conflicts: &[FieldConflict]) -> String {
    let mut managers: Vec<&str> = conflicts.iter().map(|c| c.manager.as_str()).collect();
    managers.sort_unstable();
    managers.dedup();
    managers
        .iter()
        .map(|manager| {
            let fields: Vec<&str> =
                conflicts.iter().filter(|c| c.manager == *manager).map(|c| c.field.as_str()).collect();
            format!("\"{manager}\" owns {}", fields.join(", "))
        })
        .collect::<Vec<_>>()
        .join("; ")
}

fn appended(explanation: Option<&Explanation>) -> String {
    explanation.map_or_else(String::new, |explanation| format!("\n\n{explanation}"))
}
