//! What is still visible of past issuances, and who uses an issuer.

use ffe_cluster::{Cluster, ObjectRef, Query};
use jiff::Timestamp;

use crate::diagnose::revision;
use crate::error::Error;
use crate::model::{CertificateItem, Item, OrderItem, RequestItem, condition};
use crate::names::{ACME_API, API, IssuerKind, IssuerRef, owned_by};

/// The annotation that a CertificateRequest names its Certificate by, even when that is gone.
pub(crate) const CERTIFICATE: &str = "cert-manager.io/certificate-name";

/// How an issuance ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// With a certificate: it counts against the limits of the authority
    Issued,
    /// Without one
    Failed,
    /// Not yet
    Pending,
}

/// One issuance, as far as cert-manager still keeps it: by default only the last one
/// (`spec.revisionHistoryLimit`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuance {
    /// Name of the CertificateRequest
    pub request: String,
    /// Name of its Order, where there is one
    pub order: Option<String>,
    /// Which issuance of the certificate
    pub revision: Option<i64>,
    /// When it was asked for
    pub created: Option<Timestamp>,
    /// The names, as far as an Order tells them
    pub dns_names: Vec<String>,
    /// What came of it
    pub outcome: Outcome,
}

/// The issuances of a certificate that are still visible, newest first.
///
/// # Errors
/// Those of requests.
pub async fn issuances(cluster: &Cluster, namespace: &str, certificate: &str) -> Result<Vec<Issuance>, Error> {
    let list = |api, kind| async move { cluster.list_ref(api, kind, Some(namespace), &Query::default()).await };
    let requests = list(API, "CertificateRequest").await?;
    let orders: Vec<OrderItem> =
        list(ACME_API, "Order").await?.into_iter().map(|found| Item::read("Order", found)).collect();
    let mut found: Vec<Issuance> = requests
        .into_iter()
        .map(|found| RequestItem::read("CertificateRequest", found))
        .filter(|request| {
            let annotations = request.meta.annotations.as_ref();
            annotations.and_then(|all| all.get(CERTIFICATE)).is_some_and(|name| name == certificate)
        })
        .map(|request| {
            let order = orders.iter().find(|order| owned_by(&order.meta, request.uid()));
            let ready = condition(&request.status.conditions, "Ready");
            Issuance {
                request: request.name().to_owned(),
                order: order.map(|order| order.name().to_owned()),
                revision: revision(&request),
                created: request.created(),
                dns_names: order.map(|order| order.spec.dns_names.clone()).unwrap_or_default(),
                outcome: match ready {
                    Some(ready) if ready.holds() => Outcome::Issued,
                    _ if request.status.failure_time.is_some() => Outcome::Failed,
                    _ => Outcome::Pending,
                },
            }
        })
        .collect();
    found.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| b.revision.cmp(&a.revision)));
    Ok(found)
}

/// The certificates that refer to an issuer: those of the namespace, and for a ClusterIssuer those of
/// all namespaces.
///
/// # Errors
/// Those of requests; without the right to list Certificates of all namespaces a ClusterIssuer's users
/// are not known.
pub async fn users(cluster: &Cluster, issuer: &IssuerRef, namespace: &str) -> Result<Vec<ObjectRef>, Error> {
    let home = (issuer.kind == IssuerKind::Issuer).then_some(namespace);
    let certificates = cluster.list_ref(API, "Certificate", home, &Query::default()).await?;
    Ok(certificates
        .into_iter()
        .map(|found| CertificateItem::read("Certificate", found))
        .filter(|found| found.spec.issuer_ref.issuer().as_ref() == Some(issuer))
        .map(|found| found.object())
        .collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{api, certificate};

    fn request(name: &str, revision: &str, created: &str, ready: Value) -> Value {
        json!({"apiVersion": API, "kind": "CertificateRequest", "metadata": {"name": name, "namespace": "ffe",
                "uid": name, "creationTimestamp": created,
                "annotations": {CERTIFICATE: "api", "cert-manager.io/certificate-revision": revision}},
            "spec": {"request": "", "issuerRef": {"name": "acme"}}, "status": ready})
    }

    #[tokio::test]
    async fn issuances_are_told_newest_first_with_their_outcome() {
        let api = api();
        let issued = json!({"conditions": [{"type": "Ready", "status": "True", "reason": "Issued"}]});
        let failed = json!({"failureTime": "2026-11-21T08:00:00Z",
            "conditions": [{"type": "Ready", "status": "False", "reason": "Failed"}]});
        api.put(request("api-1", "1", "2026-11-01T08:00:00Z", issued));
        api.put(request("api-2", "2", "2026-11-21T08:00:00Z", failed));
        let mut other = request("web-1", "1", "2026-11-21T08:00:00Z", json!({}));
        other["metadata"]["annotations"][CERTIFICATE] = json!("web");
        api.put(other);
        api.put(json!({"apiVersion": ACME_API, "kind": "Order", "metadata": {"name": "api-1-77", "namespace": "ffe",
            "ownerReferences": [{"apiVersion": API, "kind": "CertificateRequest", "name": "api-1", "uid": "api-1"}]},
            "spec": {"dnsNames": ["api.test"]}}));

        let found = issuances(&api.cluster(), "ffe", "api").await.unwrap();
        let told: Vec<_> = found.iter().map(|one| (one.request.as_str(), one.outcome, one.revision)).collect();
        assert_eq!(told, [("api-2", Outcome::Failed, Some(2)), ("api-1", Outcome::Issued, Some(1))]);
        assert_eq!(found[1].order.as_deref(), Some("api-1-77"));
        assert_eq!(found[1].dns_names, ["api.test"]);
        assert_eq!(found[1].created.unwrap().to_string(), "2026-11-01T08:00:00Z");
    }

    #[tokio::test]
    async fn users_of_a_cluster_issuer_are_found_everywhere() {
        let api = api();
        let mut first = certificate();
        first["spec"]["issuerRef"] = json!({"name": "le", "kind": "ClusterIssuer"});
        api.put(first.clone());
        first["metadata"] = json!({"name": "web", "namespace": "default"});
        api.put(first);
        let mut other = certificate();
        other["metadata"]["name"] = json!("other");
        other["spec"]["issuerRef"] = json!({"name": "le"});
        api.put(other);

        let names = async |issuer: IssuerRef| -> Vec<String> {
            let found = users(&api.cluster(), &issuer, "ffe").await.unwrap();
            found.iter().map(ToString::to_string).collect()
        };
        assert_eq!(names(IssuerRef::cluster_issuer("le")).await, ["Certificate default/web", "Certificate ffe/api"]);
        assert_eq!(names(IssuerRef::issuer("le")).await, ["Certificate ffe/other"]);
        assert!(names(IssuerRef::issuer("none")).await.is_empty());
    }
}
