//! What belongs to an issuer, and what it is called.

use ffe_cert_manager::{IssuerKind, IssuerRef};
use ffe_cluster::{ObjectRef, Owner};

/// The resource's type, as Terraform and the marks in the cluster name it.
pub(crate) const TYPE_NAME: &str = "ffe_issuer";

/// An issuer by its name, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Names {
    /// Of an Issuer; a ClusterIssuer has none.
    pub(crate) namespace: Option<String>,
    pub(crate) name: String,
}

impl Names {
    pub(crate) fn new(namespace: Option<&str>, name: &str) -> Names {
        Names { namespace: namespace.map(str::to_owned), name: name.to_owned() }
    }

    /// As certificates refer to it.
    pub(crate) fn issuer(&self) -> IssuerRef {
        let kind = if self.namespace.is_some() { IssuerKind::Issuer } else { IssuerKind::ClusterIssuer };
        IssuerRef { name: self.name.clone(), kind }
    }

    /// Its namespace, where something asks for one in any case.
    pub(crate) fn place(&self) -> &str {
        self.namespace.as_deref().unwrap_or_default()
    }

    /// The object.
    pub(crate) fn object(&self) -> ObjectRef {
        self.issuer().object(self.place())
    }

    /// The Lease of who is at work on the issuer: beside its Secrets, where both kinds may have one of a name.
    pub(crate) fn lease(&self) -> String {
        let kind = if self.namespace.is_some() { "issuer" } else { "clusterissuer" };
        format!("ffe-{kind}.{}", self.name)
    }

    /// How marks name the issuer; also its import id.
    pub(crate) fn import_id(&self) -> String {
        self.namespace.as_ref().map_or_else(|| self.name.clone(), |namespace| format!("{namespace}/{}", self.name))
    }

    /// The owner of everything that the issuer makes.
    pub(crate) fn owner(&self) -> Owner {
        Owner::new(TYPE_NAME, &self.import_id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_for_all_and_one_of_a_namespace_are_told_apart() {
        let (all, one) = (Names::new(None, "le"), Names::new(Some("ffe"), "le"));
        assert_eq!((all.object().to_string().as_str(), all.import_id().as_str()), ("ClusterIssuer le", "le"));
        assert_eq!((one.object().to_string().as_str(), one.import_id().as_str()), ("Issuer ffe/le", "ffe/le"));
        assert_ne!(all.owner().label_value(), one.owner().label_value());
    }
}
