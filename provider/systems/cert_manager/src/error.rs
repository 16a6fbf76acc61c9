//! What can go wrong here; texts are meant to be shown.

use std::time::Duration;

use ffe_cluster::{Kind, format_duration};

use crate::diagnose::Diagnosis;
use crate::webhook::{WebhookTrouble, webhook_trouble};

/// Everything that can go wrong with issuers and certificates.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A request, a stop that was asked for, another cluster.
    #[error(transparent)]
    Cluster(ffe_cluster::Error),

    /// The API server does not serve cert-manager's kinds.
    #[error("cert-manager is not installed: the API server does not serve {}", missing.join(", "))]
    NotInstalled {
        /// `Certificate of cert-manager.io/v1`
        missing: Vec<String>,
    },

    /// It will not be, as far as the cluster shows.
    #[error("{0}")]
    Failed(Box<Diagnosis>),

    /// A wait ran out of time.
    #[error("{what} was not reached within {}: {last}\n\n{diagnosis}", format_duration(*.after))]
    Timeout {
        /// What was waited for
        what: String,
        /// How long
        after: Duration,
        /// The last state that was seen
        last: String,
        /// Why, as far as the cluster shows
        diagnosis: Box<Diagnosis>,
    },

    /// cert-manager's webhook looked at an object and refused it.
    #[error("cert-manager's webhook refuses {object}: {message}")]
    Refused {
        /// `Certificate ffe/api`
        object: String,
        /// The webhook's words, which name the field
        message: String,
    },

    /// Where cert-manager reads the Secrets of ClusterIssuers could not be found out.
    #[error("it is not known in which namespace cert-manager reads the Secrets of ClusterIssuers: {why}")]
    NoClusterNamespace {
        /// What was looked for
        why: String,
    },
}

impl From<ffe_cluster::Error> for Error {
    /// Where cert-manager's webhook, or its absence, stands behind an error, that is said.
    fn from(error: ffe_cluster::Error) -> Self {
        match (webhook_trouble(&error), error.object()) {
            (Some(WebhookTrouble::Away { why }), Some(object)) => {
                return Self::Failed(Box::new(Diagnosis::webhook_away(object.clone(), &why)));
            }
            (Some(WebhookTrouble::Refused { message }), Some(object)) => {
                return Self::Refused { object: object.to_string(), message };
            }
            _ => {}
        }
        match (error.kind(), error.object()) {
            (Kind::NotServed, Some(object)) if object.api_version.contains("cert-manager.io/") => {
                Self::NotInstalled { missing: vec![format!("{} of {}", object.kind, object.api_version)] }
            }
            _ => Self::Cluster(error),
        }
    }
}

impl Error {
    /// Why, where the cluster was asked.
    pub fn diagnosis(&self) -> Option<&Diagnosis> {
        match self {
            Self::Failed(diagnosis) | Self::Timeout { diagnosis, .. } => Some(diagnosis),
            _ => None,
        }
    }

    /// The cluster's own error, where it is one.
    pub fn cluster(&self) -> Option<&ffe_cluster::Error> {
        match self {
            Self::Cluster(error) => Some(error),
            _ => None,
        }
    }

    /// What to do next, where the text does not say it already.
    pub fn advice(&self) -> Option<String> {
        match self {
            Self::Cluster(error) => error.advice(),
            Self::NotInstalled { .. } => Some(INSTALL.to_owned()),
            // the remedy stands in the diagnosis
            Self::Failed(_) | Self::Timeout { .. } => None,
            Self::Refused { .. } => Some("Correct the field that it names.".to_owned()),
            Self::NoClusterNamespace { .. } => Some(
                "Use a namespaced Issuer, or make the Secret yourself and refer to a ClusterIssuer that exists."
                    .to_owned(),
            ),
        }
    }
}

pub(crate) const INSTALL: &str = "Install cert-manager with its custom resource definitions (chart \"cert-manager\" with crds.enabled=true) and let this depend on it.";
