//! What the objects of an endpoint are called.

use ffe_cluster::Owner;

/// The resource's type, as Terraform and the marks in the cluster name it.
pub(crate) const TYPE_NAME: &str = "ffe_tls_endpoint";

/// The names that follow from an endpoint's name and namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Names {
    /// Its namespace.
    pub(crate) namespace: String,
    /// Name of the endpoint, and of its ingress or route.
    pub(crate) name: String,
}

impl Names {
    pub(crate) fn new(namespace: &str, name: &str) -> Names {
        Names { namespace: namespace.to_owned(), name: name.to_owned() }
    }

    /// The Secret of an endpoint that names none.
    pub(crate) fn default_secret(name: &str) -> String {
        format!("{name}-tls")
    }

    /// An issuer of its own that has no name. A ClusterIssuer's must not meet that of another namespace.
    pub(crate) fn default_issuer(&self, kind: &str) -> String {
        if kind == "ClusterIssuer" { format!("{}-{}", self.namespace, self.name) } else { self.name.clone() }
    }

    /// The ConfigMap that stands for the endpoint: it is made first and removed last, and knows the inputs.
    pub(crate) fn record(&self) -> String {
        format!("ffe-tls-endpoint.{}", self.name)
    }

    /// The lease that keeps a second run away.
    pub(crate) fn lease(&self) -> String {
        format!("ffe-tls-endpoint.{}", self.name)
    }

    /// The PrometheusRule.
    pub(crate) fn alert(&self) -> String {
        format!("{}-certificate", self.name)
    }

    /// How marks name the endpoint; also its import id.
    pub(crate) fn import_id(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// The owner of everything that the endpoint makes.
    pub(crate) fn owner(&self) -> Owner {
        Owner::new(TYPE_NAME, &self.import_id())
    }
}
