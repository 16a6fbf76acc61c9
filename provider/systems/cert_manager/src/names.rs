//! What cert-manager's kinds are called.

use std::fmt;
use std::str::FromStr;

use ffe_cluster::ObjectRef;
use ffe_cluster::kube::api::ObjectMeta;
use serde_json::{Value, json};

/// Certificate, CertificateRequest, Issuer, ClusterIssuer.
pub const API: &str = "cert-manager.io/v1";
/// The group of these.
pub const GROUP: &str = "cert-manager.io";
/// Order and Challenge.
pub const ACME_API: &str = "acme.cert-manager.io/v1";
/// The kinds without which nothing here works.
pub(crate) const KINDS: [(&str, &str); 6] = [
    (API, "Certificate"),
    (API, "CertificateRequest"),
    (API, "Issuer"),
    (API, "ClusterIssuer"),
    (ACME_API, "Order"),
    (ACME_API, "Challenge"),
];

/// Which kind of issuer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IssuerKind {
    /// Serves its own namespace, and reads its Secrets there
    Issuer,
    /// Serves all namespaces; reads its Secrets in cert-manager's cluster resource namespace
    ClusterIssuer,
    /// Of another API group, with a controller of its own that signs for cert-manager. What it is and where it lives is that
    /// controller's business.
    External {
        /// `awspca.cert-manager.io`
        group: String,
        /// `AWSPCAClusterIssuer`
        kind: String,
    },
}

impl IssuerKind {
    /// As `issuerRef` has it; without a group it is cert-manager's own.
    ///
    /// # Errors
    /// When cert-manager's own group has no such kind.
    pub fn of(group: Option<&str>, kind: &str) -> Result<Self, NoIssuerKind> {
        match group.filter(|group| !group.is_empty() && *group != GROUP) {
            Some(group) => Ok(Self::External { group: group.to_owned(), kind: kind.to_owned() }),
            None => kind.parse(),
        }
    }

    /// As it stands in `issuerRef.kind`.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Issuer => "Issuer",
            Self::ClusterIssuer => "ClusterIssuer",
            Self::External { kind, .. } => kind,
        }
    }

    /// As it stands in `issuerRef.group`.
    pub fn group(&self) -> &str {
        match self {
            Self::Issuer | Self::ClusterIssuer => GROUP,
            Self::External { group, .. } => group,
        }
    }

    /// Not cert-manager's own.
    pub fn is_external(&self) -> bool {
        matches!(self, Self::External { .. })
    }
}

impl fmt::Display for IssuerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names neither of the two kinds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected \"Issuer\" or \"ClusterIssuer\", got {0:?}")]
pub struct NoIssuerKind(pub String);

impl FromStr for IssuerKind {
    type Err = NoIssuerKind;

    fn from_str(text: &str) -> Result<Self, NoIssuerKind> {
        match text {
            "Issuer" => Ok(Self::Issuer),
            "ClusterIssuer" => Ok(Self::ClusterIssuer),
            other => Err(NoIssuerKind(other.to_owned())),
        }
    }
}

/// An issuer, as a certificate refers to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IssuerRef {
    /// `letsencrypt-prod`
    pub name: String,
    /// Where it lives
    pub kind: IssuerKind,
}

impl IssuerRef {
    /// One of the certificate's own namespace.
    pub fn issuer(name: &str) -> Self {
        Self { name: name.to_owned(), kind: IssuerKind::Issuer }
    }

    /// One for the whole cluster.
    pub fn cluster_issuer(name: &str) -> Self {
        Self { name: name.to_owned(), kind: IssuerKind::ClusterIssuer }
    }

    /// The object that a certificate of this namespace means by it. Of an external one the version of its API is not known: it can
    /// be named, and not be asked for.
    pub fn object(&self, namespace: &str) -> ObjectRef {
        let namespace = (self.kind == IssuerKind::Issuer).then_some(namespace);
        let api = if self.kind.is_external() { self.kind.group() } else { API };
        ObjectRef::new(api, self.kind.as_str(), namespace, &self.name)
    }

    /// As it stands in a Certificate.
    pub fn to_value(&self) -> Value {
        json!({"group": self.kind.group(), "kind": self.kind.as_str(), "name": self.name})
    }
}

/// Name of the Secret with what an issuer of ours reads.
pub fn credentials_secret(issuer: &str) -> String {
    format!("{issuer}-credentials")
}

/// Name of the Secret in which cert-manager keeps the key of an issuer's ACME account, where nobody names another one.
pub fn account_secret(issuer: &str) -> String {
    format!("{issuer}-account")
}

impl fmt::Display for IssuerRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// Names a Certificate.
pub fn certificate_ref(namespace: &str, name: &str) -> ObjectRef {
    ObjectRef::new(API, "Certificate", Some(namespace), name)
}

/// True when the object with this UID owns the other one.
pub(crate) fn owned_by(meta: &ObjectMeta, uid: Option<&str>) -> bool {
    uid.is_some_and(|uid| meta.owner_references.iter().flatten().any(|owner| owner.uid == uid))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_issuer_is_looked_for_where_it_lives() {
        assert_eq!(IssuerRef::issuer("internal").object("ffe").to_string(), "Issuer ffe/internal");
        assert_eq!(IssuerRef::cluster_issuer("le").object("ffe").to_string(), "ClusterIssuer le");
    }

    #[test]
    fn an_issuer_of_somebody_elses_is_named_as_it_is_referred_to() {
        let kind = IssuerKind::of(Some("awspca.cert-manager.io"), "AWSPCAClusterIssuer").unwrap();
        let issuer = IssuerRef { name: "pca".to_owned(), kind };
        assert_eq!(issuer.to_string(), "AWSPCAClusterIssuer pca");
        let reference = json!({"group": "awspca.cert-manager.io", "kind": "AWSPCAClusterIssuer", "name": "pca"});
        assert_eq!(issuer.to_value(), reference);
        assert_eq!(IssuerKind::of(Some(GROUP), "ClusterIssuer").unwrap(), IssuerKind::ClusterIssuer);
        assert_eq!(IssuerKind::of(None, "Issuer").unwrap(), IssuerKind::Issuer);
        assert!(IssuerKind::of(Some(""), "StepIssuer").is_err());
    }

    #[test]
    fn kinds_are_read_as_written() {
        assert_eq!("ClusterIssuer".parse::<IssuerKind>().unwrap(), IssuerKind::ClusterIssuer);
        let error = "clusterissuer".parse::<IssuerKind>().unwrap_err();
        assert_eq!(error.to_string(), r#"expected "Issuer" or "ClusterIssuer", got "clusterissuer""#);
    }
}
