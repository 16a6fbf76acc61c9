//! The parts of cert-manager's objects that are looked at, leniently read: what is missing is empty.

use ffe_cluster::ObjectRef;
use ffe_cluster::kube::api::{DynamicObject, ObjectMeta};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::names::{API, IssuerKind, IssuerRef};

/// An object with its spec and status.
#[derive(Debug, Clone, Default)]
pub(crate) struct Item<S, T> {
    /// `Certificate`
    pub(crate) kind: String,
    /// Its metadata
    pub(crate) meta: ObjectMeta,
    /// What it shall be
    pub(crate) spec: S,
    /// What it is
    pub(crate) status: T,
}

impl<S: Default + DeserializeOwned, T: Default + DeserializeOwned> Item<S, T> {
    /// Reads an object that was fetched without knowing its kind.
    pub(crate) fn read(kind: &str, object: DynamicObject) -> Self {
        fn part<P: Default + DeserializeOwned>(object: &DynamicObject, name: &str) -> P {
            let mut value = object.data.get(name).cloned().unwrap_or_default();
            drop_nulls(&mut value);
            serde_json::from_value(value).unwrap_or_default()
        }
        Self {
            kind: kind.to_owned(),
            spec: part(&object, "spec"),
            status: part(&object, "status"),
            meta: object.metadata,
        }
    }
}

/// `null` says as much as nothing, but is no list and no text.
fn drop_nulls(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

impl<S, T> Item<S, T> {
    /// Its name without namespace.
    pub(crate) fn name(&self) -> &str {
        self.meta.name.as_deref().unwrap_or_default()
    }

    /// `Order ffe/api-1-123`
    pub(crate) fn title(&self) -> String {
        ObjectRef::new("", &self.kind, self.meta.namespace.as_deref(), self.name()).to_string()
    }

    pub(crate) fn uid(&self) -> Option<&str> {
        self.meta.uid.as_deref()
    }

    pub(crate) fn created(&self) -> Option<Timestamp> {
        self.meta.creation_timestamp.as_ref().map(|time| time.0)
    }
}

/// A condition of any of the kinds.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Condition {
    /// `Ready`, `Issuing`, `Approved`, `Denied`, `InvalidRequest`
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// `True`, `False`, `Unknown`
    pub(crate) status: String,
    /// One word
    pub(crate) reason: String,
    /// A sentence
    pub(crate) message: String,
    /// When the status changed last
    pub(crate) last_transition_time: Option<Timestamp>,
    /// Of the object, when the condition was set
    pub(crate) observed_generation: Option<i64>,
}

impl Condition {
    /// Its status is True.
    pub(crate) fn holds(&self) -> bool {
        self.status == "True"
    }
}

/// The condition of this type.
pub(crate) fn condition<'a>(conditions: &'a [Condition], kind: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.kind == kind)
}

/// `issuerRef`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Reference {
    /// Of the issuer
    pub(crate) name: String,
    /// Empty: `Issuer`
    pub(crate) kind: String,
    /// Empty: cert-manager's own
    pub(crate) group: String,
}

impl Reference {
    /// None where cert-manager's own group has no such kind.
    pub(crate) fn issuer(&self) -> Option<IssuerRef> {
        let kind = if self.kind.is_empty() { IssuerKind::Issuer.as_str() } else { &self.kind };
        Some(IssuerRef { name: self.name.clone(), kind: IssuerKind::of(Some(&self.group), kind).ok()? })
    }
}

/// Of a Certificate.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct CertificateBody {
    /// Where the result goes
    pub(crate) secret_name: String,
    /// The names
    pub(crate) dns_names: Vec<String>,
    /// Who issues
    pub(crate) issuer_ref: Reference,
}

/// Of a Certificate.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct CertificateState {
    /// Ready and Issuing
    pub(crate) conditions: Vec<Condition>,
    /// Begin of the present certificate's life
    pub(crate) not_before: Option<Timestamp>,
    /// Its end
    pub(crate) not_after: Option<Timestamp>,
    /// When it is to be renewed
    pub(crate) renewal_time: Option<Timestamp>,
    /// Counts issuances
    pub(crate) revision: Option<i64>,
    /// While an issuance is going on
    pub(crate) next_private_key_secret_name: Option<String>,
    /// Failures in a row
    pub(crate) failed_issuance_attempts: Option<u32>,
    /// Gone after a success
    pub(crate) last_failure_time: Option<Timestamp>,
}

/// A Certificate.
pub(crate) type CertificateItem = Item<CertificateBody, CertificateState>;

/// Of a CertificateRequest.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct RequestState {
    /// Approved, Denied, Ready, InvalidRequest
    pub(crate) conditions: Vec<Condition>,
    /// When it failed for good
    pub(crate) failure_time: Option<Timestamp>,
}

/// A CertificateRequest.
pub(crate) type RequestItem = Item<serde::de::IgnoredAny, RequestState>;

/// Of an Order.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct OrderBody {
    /// The names
    pub(crate) dns_names: Vec<String>,
}

/// Of an Order.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct OrderState {
    /// Empty, `pending`, `ready`, `processing`, `valid`, `invalid`, `expired`, `errored`
    pub(crate) state: String,
    /// Why, where cert-manager knows it from the order itself
    pub(crate) reason: String,
    /// At the ACME server; empty before it took the order
    pub(crate) url: String,
    /// When it failed for good
    pub(crate) failure_time: Option<Timestamp>,
}

/// An Order.
pub(crate) type OrderItem = Item<OrderBody, OrderState>;

/// Of a Challenge.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ChallengeBody {
    /// The name without `*.`
    pub(crate) dns_name: String,
    /// `HTTP-01` or `DNS-01`
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// Of the certificate's name with `*.`
    pub(crate) wildcard: bool,
    /// The solver that was picked
    pub(crate) solver: serde_json::Value,
    /// Whose solver
    pub(crate) issuer_ref: Reference,
}

/// Of a Challenge.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ChallengeState {
    /// As of an Order
    pub(crate) state: String,
    /// What it waits for, or why it failed
    pub(crate) reason: String,
    /// The file or TXT record was made
    pub(crate) presented: bool,
    /// cert-manager is at work on it
    pub(crate) processing: bool,
}

/// A Challenge.
pub(crate) type ChallengeItem = Item<ChallengeBody, ChallengeState>;

/// Of an Issuer or ClusterIssuer.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct IssuerBody {
    /// Of an ACME issuer
    pub(crate) acme: Option<AcmeBody>,
    /// Of an internal authority
    pub(crate) ca: Option<CaBody>,
}

/// Of an ACME issuer.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct AcmeBody {
    /// URL of the directory
    pub(crate) server: String,
    /// Contact
    pub(crate) email: String,
    /// All of them
    pub(crate) solvers: Vec<serde_json::Value>,
    /// Of an account that is bound to a customer's
    pub(crate) external_account_binding: Option<AccountBinding>,
}

/// How an account is bound.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct AccountBinding {
    /// The key
    pub(crate) key_secret_ref: KeyReference,
}

/// An entry of a Secret.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct KeyReference {
    /// Of the Secret
    pub(crate) name: String,
    /// Of the entry
    pub(crate) key: String,
}

/// Of an internal authority.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct CaBody {
    /// The key pair
    pub(crate) secret_name: String,
}

/// Of an Issuer or ClusterIssuer.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct IssuerState {
    /// Ready
    pub(crate) conditions: Vec<Condition>,
    /// Of an ACME issuer
    pub(crate) acme: Option<AccountState>,
}

/// An account at an ACME server.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AccountState {
    /// By which the server knows it; empty before it is registered
    pub(crate) uri: String,
}

/// An Issuer or ClusterIssuer.
pub(crate) type IssuerItem = Item<IssuerBody, IssuerState>;

impl IssuerItem {
    /// Its Ready condition, if that is about the present spec.
    pub(crate) fn ready(&self) -> Option<&Condition> {
        let ready = condition(&self.status.conditions, "Ready")?;
        let seen = ready.observed_generation.is_none_or(|seen| self.meta.generation.is_none_or(|now| seen >= now));
        seen.then_some(ready)
    }
}

impl CertificateItem {
    /// Names a Certificate as the API does.
    pub(crate) fn object(&self) -> ObjectRef {
        ObjectRef::new(API, "Certificate", self.meta.namespace.as_deref(), self.name())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn read(status: serde_json::Value) -> CertificateItem {
        let object = json!({"apiVersion": API, "kind": "Certificate", "metadata": {"name": "api", "namespace": "ffe"},
            "spec": {"secretName": "api-tls", "dnsNames": null}, "status": status});
        Item::read("Certificate", serde_json::from_value(object).unwrap())
    }

    #[test]
    fn what_is_missing_or_null_is_empty() {
        let item = read(
            json!({"conditions": [{"type": "Ready", "status": "True", "reason": null}], "revision": 3, "notAfter": null}),
        );
        assert_eq!(item.spec.secret_name, "api-tls");
        assert!(item.spec.dns_names.is_empty());
        assert!(condition(&item.status.conditions, "Ready").unwrap().holds());
        assert_eq!((item.status.revision, item.status.not_after), (Some(3), None));
        assert_eq!(item.title(), "Certificate ffe/api");
    }

    #[test]
    fn a_status_of_another_shape_is_none() {
        assert!(read(json!("odd")).status.conditions.is_empty());
        assert!(read(json!(null)).status.conditions.is_empty());
    }

    #[test]
    fn references_default_to_issuers_of_the_namespace() {
        let reference = |value| serde_json::from_value::<Reference>(value).unwrap().issuer();
        assert_eq!(reference(json!({"name": "a"})), Some(IssuerRef::issuer("a")));
        assert_eq!(reference(json!({"name": "a", "kind": "Odd"})), None);
    }
}
