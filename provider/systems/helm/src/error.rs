//! The one error of this crate.

use std::path::PathBuf;

use crate::binary::Failure;
use crate::chart::ChartError;
use crate::manifest::ManifestError;
use crate::values::ValuesError;

/// What this crate's functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong with Helm. No message carries a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no Helm to be found.
    #[error("no helm binary found; looked for {}. Install Helm 3.14 or newer, or set helm.binary or FFE_HELM_BINARY", looked_for.join(", "))]
    NoBinary {
        /// What was looked for, in order.
        looked_for: Vec<String>,
    },
    /// The binary is not one that we can work with.
    #[error("{} is not a usable helm: {problem}", path.display())]
    UnusableBinary {
        /// The binary.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// An operation needs a cluster and none is configured.
    #[error("helm {operation} needs a cluster, and the provider has no Kubernetes configuration")]
    NoCluster {
        /// The operation.
        operation: &'static str,
    },
    /// Helm ran and failed.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// The operation was cancelled.
    #[error("helm {operation} was cancelled")]
    Cancelled {
        /// The operation.
        operation: &'static str,
    },
    /// The operation did not end in its time.
    #[error("helm {operation} did not end within {seconds} s{}", if last.is_empty() { String::new() } else { format!("; it said last: {last}") })]
    TimedOut {
        /// The operation.
        operation: &'static str,
        /// Its limit in seconds.
        seconds: u64,
        /// The end of what it said.
        last: String,
    },
    /// The child process could not be run.
    #[error("cannot run helm {operation}: {source}")]
    Process {
        /// The operation.
        operation: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// A chart cannot be had or is wrong.
    #[error(transparent)]
    Chart(#[from] ChartError),
    /// Values cannot be merged or handed over.
    #[error(transparent)]
    Values(#[from] ValuesError),
    /// What was rendered is no manifest.
    #[error("the chart rendered something that Kubernetes cannot read: {0}")]
    Manifest(#[from] ManifestError),
    /// A release record cannot be read.
    #[error("cannot read release record {object}: {problem}")]
    Record {
        /// The object that holds it.
        object: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The cluster did not answer as wished.
    #[error(transparent)]
    Cluster(#[from] ffe_cluster::Error),
    /// The provider's configuration of Helm is wrong.
    #[error("helm.{attribute}: {problem}")]
    Config {
        /// The attribute below `helm`.
        attribute: &'static str,
        /// What is wrong and what is expected.
        problem: String,
    },
    /// A mistake of ours.
    #[error("internal error: {problem}")]
    Internal {
        /// What happened.
        problem: String,
    },
}

impl Error {
    /// Whether someone asked for the end.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        match self {
            Self::Cancelled { .. } => true,
            Self::Cluster(e) => e.kind() == ffe_cluster::Kind::Cancelled,
            _ => false,
        }
    }

    /// Whether the time was up.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        match self {
            Self::TimedOut { .. } => true,
            Self::Failed(failure) => failure.cause == crate::binary::Cause::Timeout,
            Self::Cluster(e) => e.kind() == ffe_cluster::Kind::Timeout,
            _ => false,
        }
    }

    /// What to do next, where Helm's own text does not say it.
    #[must_use]
    pub fn advice(&self) -> Option<&'static str> {
        use crate::binary::Cause;
        Some(match self.failure()?.cause {
            Cause::Forbidden => {
                "Ask for a Role that allows this verb on this resource; `kubectl auth can-i` shows what is allowed."
            }
            Cause::Unauthorized => "The credentials were not accepted: renew them, then run the same command again.",
            Cause::Unreachable => {
                "See that the API server is running and can be reached from here, then run the same command again."
            }
            Cause::UnknownKind => "Install the custom resource definition of this kind first, then apply again.",
            Cause::Ownership => {
                "Give the chart's object another name, or take the existing one over with `take_ownership = true`."
            }
            Cause::Invalid => "Change what the API server objects to in the chart or its values; then apply again.",
            Cause::Download => {
                "See that the chart's address is right and can be reached from here, and its credentials."
            }
            _ => return None,
        })
    }

    /// Its text, and the next step where there is one to say.
    #[must_use]
    pub fn with_advice(&self) -> String {
        self.advice().map_or_else(|| self.to_string(), |advice| format!("{self}\n\nWhat to do: {advice}"))
    }

    /// What Helm stumbled over, when it was Helm that failed.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed(failure) => Some(failure),
            _ => None,
        }
    }
}
