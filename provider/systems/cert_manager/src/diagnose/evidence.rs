//! What is fetched for a diagnosis: the chain from the Certificate to its Challenges, and what stands
//! around it.

mod collect;

use ffe_cluster::ObjectRef;
use ffe_cluster::k8s_openapi::api::core::v1::{Event, Pod};
use ffe_cluster::k8s_openapi::api::networking::v1::Ingress;
use jiff::Timestamp;

use crate::install::Installation;
use crate::issuer::SecretKey;
use crate::model::{CertificateItem, ChallengeItem, Condition, IssuerItem, Item, OrderItem, RequestItem, condition};
use crate::names::IssuerRef;
pub(crate) use collect::{of_certificate, of_issuer};

/// Counts issuances, on each CertificateRequest.
pub(crate) const REVISION: &str = "cert-manager.io/certificate-revision";

/// Everything that a diagnosis is made of.
#[derive(Debug, Clone)]
pub(crate) struct Evidence {
    /// When it was fetched
    pub(crate) taken: Timestamp,
    /// The Certificate (or the issuer) that is asked about
    pub(crate) object: ObjectRef,
    /// None when there is none
    pub(crate) certificate: Option<CertificateItem>,
    /// Whom the certificate refers to
    pub(crate) issuer_ref: Option<IssuerRef>,
    /// None when there is none, or it could not be read
    pub(crate) issuer: Option<IssuerItem>,
    /// It could not be read
    pub(crate) issuer_unread: bool,
    /// Of the issuance that goes on, or failed last
    pub(crate) request: Option<RequestItem>,
    /// Of that request
    pub(crate) order: Option<OrderItem>,
    /// Of that order
    pub(crate) challenges: Vec<ChallengeItem>,
    /// Pods that answer the challenges
    pub(crate) solver_pods: Vec<Pod>,
    /// Ingresses that lead to them
    pub(crate) solver_ingresses: Vec<Ingress>,
    /// Names of the cluster's ingress classes; None when they were not asked for
    pub(crate) ingress_classes: Option<Vec<String>>,
    /// Entries of Secrets that the issuer reads and that are not there, with their namespace
    pub(crate) missing_secrets: Vec<(String, SecretKey)>,
    /// Of all objects of the chain
    pub(crate) events: Vec<Event>,
    /// Other Certificates that write the same Secret
    pub(crate) rivals: Vec<String>,
    /// cert-manager itself
    pub(crate) installation: Installation,
    /// What could not be looked at
    pub(crate) missing: Vec<String>,
}

impl Evidence {
    fn about(object: ObjectRef) -> Self {
        Self {
            taken: Timestamp::now(),
            object,
            certificate: None,
            issuer_ref: None,
            issuer: None,
            issuer_unread: false,
            request: None,
            order: None,
            challenges: Vec::new(),
            solver_pods: Vec::new(),
            solver_ingresses: Vec::new(),
            ingress_classes: None,
            missing_secrets: Vec::new(),
            events: Vec::new(),
            rivals: Vec::new(),
            installation: Installation::unseen("it was not looked for"),
            missing: Vec::new(),
        }
    }

    /// The Certificate's condition of this type.
    pub(crate) fn condition(&self, kind: &str) -> Option<&Condition> {
        condition(&self.certificate.as_ref()?.status.conditions, kind)
    }

    /// Events of the object with this UID.
    pub(crate) fn events_of<'a>(&'a self, uid: Option<&'a str>) -> impl Iterator<Item = &'a Event> {
        self.events.iter().filter(move |event| uid.is_some() && event.involved_object.uid.as_deref() == uid)
    }
}

/// Which issuance a request is for.
pub(crate) fn revision<S, T>(request: &Item<S, T>) -> Option<i64> {
    request.meta.annotations.as_ref()?.get(REVISION)?.parse().ok()
}
