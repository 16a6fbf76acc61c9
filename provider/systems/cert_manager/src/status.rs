//! What a Certificate says of itself.

use std::time::Duration;

use ffe_cluster::Cluster;
use ffe_cluster::kube::api::{DynamicObject, ObjectMeta};
use jiff::{SignedDuration, Timestamp};

use crate::error::Error;
use crate::model::{CertificateItem, Condition, IssuerItem, condition};
use crate::names::{IssuerRef, certificate_ref};

/// How long cert-manager waits after failures: doubling from `first` to `most`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// After the first failure
    pub first: Duration,
    /// At the most
    pub most: Duration,
}

impl Default for Backoff {
    /// cert-manager's own: from 1 h to 32 h.
    fn default() -> Self {
        Self { first: Duration::from_secs(3600), most: Duration::from_secs(32 * 3600) }
    }
}

impl Backoff {
    /// The pause after so many failures in a row.
    pub fn after(&self, failures: u32) -> Duration {
        let factor = 2_u32.checked_pow(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        self.first.saturating_mul(factor).min(self.most).max(self.first)
    }
}

/// A certificate as it is in the cluster.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// With labels, annotations and owner references
    pub meta: ObjectMeta,
    /// Where its result is
    pub secret_name: String,
    /// The names that were asked for
    pub dns_names: Vec<String>,
    /// None: of a kind that there is not
    pub issuer: Option<IssuerRef>,
    /// The Ingress (or Gateway) that cert-manager made it for, by that object's annotations
    pub made_for: Option<MadeFor>,
    /// How far it is
    pub status: CertificateStatus,
}

/// What cert-manager makes certificates for by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MadeFor {
    /// Name of the Ingress
    Ingress(String),
    /// Name of the Gateway
    Gateway(String),
}

/// How far a certificate is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CertificateStatus {
    /// There is one, it fits the spec, and it is valid
    pub ready: bool,
    /// One word: `Ready`, `DoesNotExist`, `Expired`
    pub reason: Option<String>,
    /// cert-manager's sentence
    pub message: Option<String>,
    /// Whether all of this is about the present spec
    pub observed: bool,
    /// An issuance is going on
    pub issuing: bool,
    /// Begin of its life
    pub not_before: Option<Timestamp>,
    /// End of its life
    pub not_after: Option<Timestamp>,
    /// When cert-manager renews it
    pub renewal_time: Option<Timestamp>,
    /// How many times it was issued
    pub revision: Option<i64>,
    /// The key of the issuance that is going on
    pub next_private_key_secret: Option<String>,
    /// Failures since the last success
    pub failed_attempts: u32,
    /// The last of them
    pub last_failure: Option<Timestamp>,
}

impl CertificateStatus {
    pub(crate) fn of(item: &CertificateItem) -> Self {
        let status = &item.status;
        let ready = condition(&status.conditions, "Ready");
        let text = |pick: fn(&Condition) -> &String| ready.map(pick).filter(|text| !text.is_empty()).cloned();
        Self {
            ready: ready.is_some_and(Condition::holds),
            reason: text(|ready| &ready.reason),
            message: text(|ready| &ready.message),
            observed: ready.is_some_and(|ready| {
                ready.observed_generation.is_none_or(|seen| item.meta.generation.is_none_or(|now| seen >= now))
            }),
            issuing: condition(&status.conditions, "Issuing").is_some_and(Condition::holds),
            not_before: status.not_before,
            not_after: status.not_after,
            renewal_time: status.renewal_time,
            revision: status.revision,
            next_private_key_secret: status.next_private_key_secret_name.clone().filter(|name| !name.is_empty()),
            failed_attempts: match (status.failed_issuance_attempts, status.last_failure_time) {
                (None, Some(_)) => 1,
                (attempts, _) => attempts.unwrap_or(0),
            },
            last_failure: status.last_failure_time,
        }
    }

    /// When cert-manager tries again by itself after a failure; None when nothing failed, or an
    /// attempt is going on.
    pub fn retries_at(&self, backoff: &Backoff) -> Option<Timestamp> {
        if self.issuing {
            return None;
        }
        let pause = SignedDuration::try_from(backoff.after(self.failed_attempts)).ok()?;
        self.last_failure?.checked_add(pause).ok()
    }

    /// Past its renewal time by more than a renewal takes, and not renewed: ten minutes, for
    /// certificates of a few hours or less a twentieth of their life.
    pub fn overdue(&self, now: Timestamp) -> bool {
        const GRACE: SignedDuration = SignedDuration::from_mins(10);
        const LEAST: SignedDuration = SignedDuration::from_secs(30);
        let life = self.not_after.zip(self.not_before).map(|(end, begin)| end.duration_since(begin));
        let grace = life.map_or(GRACE, |life| (life / 20).clamp(LEAST, GRACE));
        self.renewal_time.is_some_and(|renewal| now.duration_since(renewal) > grace)
    }
}

impl From<CertificateItem> for Certificate {
    fn from(item: CertificateItem) -> Self {
        let owner = item.meta.owner_references.iter().flatten().find(|owner| owner.controller == Some(true));
        let made_for = owner.and_then(|owner| match owner.kind.as_str() {
            "Ingress" => Some(MadeFor::Ingress(owner.name.clone())),
            "Gateway" => Some(MadeFor::Gateway(owner.name.clone())),
            _ => None,
        });
        Self {
            status: CertificateStatus::of(&item),
            secret_name: item.spec.secret_name,
            dns_names: item.spec.dns_names,
            issuer: item.spec.issuer_ref.issuer(),
            made_for,
            meta: item.meta,
        }
    }
}

/// How an issuer is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IssuerStatus {
    /// It issues, as far as cert-manager has looked at its present spec
    pub ready: bool,
    /// cert-manager's sentence on that
    pub message: Option<String>,
    /// By which the ACME server knows the account
    pub account_uri: Option<String>,
}

impl IssuerStatus {
    /// Of an Issuer or ClusterIssuer.
    pub fn of(issuer: &DynamicObject) -> Self {
        let item = IssuerItem::read("Issuer", issuer.clone());
        let message = item.ready().map(|ready| ready.message.clone());
        Self {
            ready: item.ready().is_some_and(Condition::holds),
            message: message.filter(|message| !message.is_empty()),
            account_uri: item.status.acme.map(|account| account.uri).filter(|uri| !uri.is_empty()),
        }
    }
}

/// Reads a certificate, None when there is none. For paths that write; absence is confirmed by
/// [`Cluster::confirm`]'s rules.
///
/// # Errors
/// [`Error::NotInstalled`] where the kind is not served, and those of requests.
pub async fn certificate(cluster: &Cluster, namespace: &str, name: &str) -> Result<Option<Certificate>, Error> {
    Ok(find(cluster, namespace, name).await?.map(Certificate::from))
}

pub(crate) async fn find(cluster: &Cluster, namespace: &str, name: &str) -> Result<Option<CertificateItem>, Error> {
    let found = cluster.find_ref(&certificate_ref(namespace, name)).await?;
    Ok(found.map(|found| CertificateItem::read("Certificate", found)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Value, json};

    use super::*;

    fn read(object: Value) -> Certificate {
        let object: DynamicObject = serde_json::from_value(object).unwrap();
        CertificateItem::read("Certificate", object).into()
    }

    fn issued() -> Value {
        json!({"apiVersion": "cert-manager.io/v1", "kind": "Certificate",
            "metadata": {"name": "api", "namespace": "ffe", "generation": 2},
            "spec": {"secretName": "api-tls", "dnsNames": ["api.test"], "issuerRef": {"name": "le", "kind": "ClusterIssuer"}},
            "status": {"conditions": [{"type": "Ready", "status": "True", "reason": "Ready", "observedGeneration": 2,
                    "message": "Certificate is up to date and has not expired"}],
                "notBefore": "2026-11-21T08:00:00Z", "notAfter": "2027-02-19T08:00:00Z",
                "renewalTime": "2027-01-20T08:00:00Z", "revision": 3}})
    }

    #[test]
    fn an_issued_certificate_is_read_with_its_times() {
        let certificate = read(issued());
        assert_eq!(certificate.secret_name, "api-tls");
        assert_eq!(certificate.issuer, Some(IssuerRef::cluster_issuer("le")));
        assert_eq!(certificate.made_for, None);
        let status = certificate.status;
        assert!(status.ready && status.observed && !status.issuing);
        assert_eq!(status.revision, Some(3));
        assert_eq!(status.message.as_deref(), Some("Certificate is up to date and has not expired"));
        assert_eq!(status.not_after.unwrap().to_string(), "2027-02-19T08:00:00Z");
        assert_eq!(status.retries_at(&Backoff::default()), None);
        assert!(!status.overdue("2027-01-20T08:05:00Z".parse().unwrap()));
        assert!(status.overdue("2027-01-20T08:11:00Z".parse().unwrap()));
    }

    #[test]
    fn a_short_life_makes_for_less_patience() {
        let mut object = issued();
        object["status"]["notAfter"] = json!("2026-11-21T08:06:00Z");
        object["status"]["renewalTime"] = json!("2026-11-21T08:01:00Z");
        let status = read(object).status;
        assert!(!status.overdue("2026-11-21T08:01:30Z".parse().unwrap()));
        assert!(status.overdue("2026-11-21T08:01:31Z".parse().unwrap()));
    }

    #[test]
    fn a_status_of_an_older_spec_is_not_believed() {
        let mut object = issued();
        object["metadata"]["generation"] = json!(3);
        assert!(!read(object).status.observed);
    }

    #[test]
    fn after_failures_cert_manager_waits_longer_and_longer() {
        let backoff = Backoff::default();
        let hours = |failures| backoff.after(failures).as_secs() / 3600;
        assert_eq!([0, 1, 2, 3, 6, 7, 60].map(hours), [1, 1, 2, 4, 32, 32, 32]);

        let mut object = issued();
        object["status"]["lastFailureTime"] = json!("2026-11-21T09:00:00Z");
        object["status"]["failedIssuanceAttempts"] = json!(2);
        let status = read(object).status;
        assert_eq!(status.retries_at(&backoff).unwrap().to_string(), "2026-11-21T11:00:00Z");
    }

    #[test]
    fn a_certificate_of_the_ingress_shim_names_its_ingress() {
        let mut object = issued();
        object["metadata"]["ownerReferences"] = json!([{"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "name": "web", "uid": "u", "controller": true, "blockOwnerDeletion": true}]);
        assert_eq!(read(object).made_for, Some(MadeFor::Ingress("web".to_owned())));
    }

    #[test]
    fn issuers_of_others_are_read_with_their_group() {
        let mut object = issued();
        object["spec"]["issuerRef"] = json!({"name": "step", "kind": "StepIssuer", "group": "certmanager.step.sm"});
        let issuer = read(object).issuer.unwrap();
        assert_eq!((issuer.kind.is_external(), issuer.to_string().as_str()), (true, "StepIssuer step"));
    }
}
