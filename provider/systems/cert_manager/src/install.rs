//! Whether cert-manager is there and at work, and where it reads the Secrets of ClusterIssuers.

mod lease;
mod parts;

use ffe_cluster::k8s_openapi::api::apps::v1::Deployment;
use ffe_cluster::{Cluster, Kind, Query, parse_duration};

use crate::error::Error;
use crate::names::{ACME_API, API, IssuerKind, IssuerRef, KINDS};
use crate::requests;
use crate::status::Backoff;

pub use parts::Part;

/// Used by cert-manager where nobody says another one.
const DEFAULT_CLUSTER_NAMESPACE: &str = "kube-system";

/// What there is of cert-manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    /// Kinds that the API server does not serve: `Certificate of cert-manager.io/v1`
    pub missing_kinds: Vec<String>,
    /// Issues and renews
    pub controller: Part,
    /// Is asked by the API server before each change of cert-manager's objects, their status included
    pub webhook: Part,
    /// Tells the API server whom to trust as the webhook
    pub ca_injector: Part,
    /// Where the Secrets of ClusterIssuers are read; None when no controller was seen
    pub cluster_resource_namespace: Option<String>,
    /// `v1.21.2`, by the controller's labels
    pub version: Option<String>,
    /// Whether the controller was told to solve by Gateway API; None when its arguments do not say
    pub gateway_api: Option<bool>,
    /// How long the controller waits after failures
    pub backoff: Backoff,
}

impl Installation {
    /// The API server serves all of cert-manager's kinds.
    pub fn is_installed(&self) -> bool {
        self.missing_kinds.is_empty()
    }

    /// The same as an error that says what is missing.
    ///
    /// # Errors
    /// [`Error::NotInstalled`].
    pub fn check(&self) -> Result<(), Error> {
        if self.is_installed() { Ok(()) } else { Err(Error::NotInstalled { missing: self.missing_kinds.clone() }) }
    }

    /// Nothing was looked at.
    pub(crate) fn unseen(why: &str) -> Self {
        let part = || Part::Unseen { why: why.to_owned() };
        Self {
            missing_kinds: Vec::new(),
            controller: part(),
            webhook: part(),
            ca_injector: part(),
            cluster_resource_namespace: None,
            version: None,
            gateway_api: None,
            backoff: Backoff::default(),
        }
    }
}

/// Looks for cert-manager. What may not be looked at is said to be unseen, it is no error.
///
/// # Errors
/// When the API server cannot be asked what it serves.
pub async fn installation(cluster: &Cluster) -> Result<Installation, Error> {
    let missing_kinds = missing_kinds(cluster).await?;
    let query = Query::labels("app.kubernetes.io/component in (controller,webhook,cainjector)");
    let deployments: Vec<Deployment> = match cluster.list(None, &query).await {
        Ok(found) => found,
        Err(error) if error.kind() == Kind::Forbidden => {
            let why = "the Deployments of other namespaces may not be looked at";
            return Ok(Installation { missing_kinds, ..Installation::unseen(why) });
        }
        Err(error) => return Err(error.into()),
    };
    let part = |component: &str| parts::find(&deployments, component);
    let controller = part("controller");
    let arguments = controller.map(parts::arguments).unwrap_or_default();
    let value = |name: &str| parts::argument(&arguments, name);
    let own = controller.and_then(|found| found.metadata.namespace.clone());
    let backoff = |name: &str, default| value(name).and_then(|text| parse_duration(&text).ok()).unwrap_or(default);
    let usual = Backoff::default();
    Ok(Installation {
        missing_kinds,
        cluster_resource_namespace: own.map(|own| match value("cluster-resource-namespace") {
            Some(named) if named == "$(POD_NAMESPACE)" => own,
            Some(named) => named,
            None => DEFAULT_CLUSTER_NAMESPACE.to_owned(),
        }),
        version: controller.and_then(parts::version),
        gateway_api: controller.and_then(|_| parts::gateway_api(&arguments)),
        backoff: Backoff {
            first: backoff("certificate-request-minimum-backoff-duration", usual.first),
            most: backoff("certificate-request-maximum-backoff-duration", usual.most),
        },
        controller: match controller {
            Some(found) => Part::of(found),
            None => lease::controller(cluster).await,
        },
        webhook: parts::webhook(cluster, part("webhook")).await,
        ca_injector: Part::find(part("cainjector")),
    })
}

async fn missing_kinds(cluster: &Cluster) -> Result<Vec<String>, Error> {
    let mut missing = Vec::new();
    for api in [API, ACME_API] {
        let served = requests::kinds_of(cluster, api).await?;
        let lacking = KINDS.iter().filter(|(of, kind)| *of == api && !served.iter().any(|served| served == kind));
        missing.extend(lacking.map(|(of, kind)| format!("{kind} of {of}")));
    }
    Ok(missing)
}

/// The namespace in which cert-manager reads the Secrets of this issuer (its token, its key pair) and
/// keeps its account's key: the issuer's own, or for a ClusterIssuer the one that the controller was
/// started with (`--cluster-resource-namespace`).
///
/// # Errors
/// [`Error::NoClusterNamespace`] when the controller's Deployment is not found or may not be looked at.
pub async fn secret_namespace(cluster: &Cluster, issuer: &IssuerRef, namespace: &str) -> Result<String, Error> {
    match &issuer.kind {
        IssuerKind::Issuer => return Ok(namespace.to_owned()),
        IssuerKind::ClusterIssuer => {}
        IssuerKind::External { group, .. } => {
            return Err(Error::NoClusterNamespace { why: format!("{issuer} of {group} is not cert-manager's own") });
        }
    }
    let installation = installation(cluster).await?;
    installation.check()?;
    installation.cluster_resource_namespace.ok_or_else(|| Error::NoClusterNamespace {
        why: match installation.controller {
            Part::Unseen { why } => why,
            _ => "no Deployment of cert-manager's controller was found".to_owned(),
        },
    })
}

#[cfg(test)]
mod tests;
