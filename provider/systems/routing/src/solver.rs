//! How the challenges of HTTP-01 reach cert-manager's solver by the same way as the route's requests.

use serde_json::{Value, json};

use crate::Resolved;
use crate::route::GatewayRef;

/// The HTTP-01 solver for a class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Solver {
    /// By Ingresses of this class
    Ingress {
        /// `ingressClassName`
        class: String,
    },
    /// By HTTPRoutes on these listeners
    Gateway {
        /// `parentRefs`
        parents: Vec<Parent>,
    },
}

/// A listener for plain HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent {
    /// Namespace of the Gateway
    pub namespace: String,
    /// Name of the Gateway
    pub name: String,
    /// Its listener; None: whichever takes the route
    pub section: Option<String>,
}

impl Solver {
    /// The value of `http01` in a solver of cert-manager's Issuer.
    pub fn to_value(&self) -> Value {
        match self {
            Self::Ingress { class } => json!({"ingress": {"ingressClassName": class}}),
            Self::Gateway { parents } => {
                let parents: Vec<Value> = parents.iter().map(Parent::to_value).collect();
                json!({"gatewayHTTPRoute": {"parentRefs": parents}})
            }
        }
    }
}

impl Parent {
    fn to_value(&self) -> Value {
        let mut parent = json!({"group": "gateway.networking.k8s.io", "kind": "Gateway",
            "namespace": self.namespace, "name": self.name});
        if let Some(section) = &self.section {
            parent["sectionName"] = json!(section);
        }
        parent
    }
}

/// The solver whose challenges arrive by the class or the listeners that a route was resolved to. On a Gateway that is
/// every listener for plain HTTP that the route hangs on; without one, whichever the controller chooses.
pub fn http01(resolved: &Resolved) -> Solver {
    match resolved {
        Resolved::Ingress(served) => Solver::Ingress { class: served.class.clone() },
        Resolved::Gateway(attachment) => {
            let GatewayRef { namespace, name, .. } = &attachment.gateway;
            let at = |section: Option<String>| Parent { namespace: namespace.clone(), name: name.clone(), section };
            let mut parents: Vec<Parent> = attachment.http.iter().cloned().map(|section| at(Some(section))).collect();
            if parents.is_empty() {
                parents.push(at(None));
            }
            Solver::Gateway { parents }
        }
    }
}
