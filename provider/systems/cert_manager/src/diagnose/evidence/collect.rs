//! Fetching evidence: what may not be read is noted, and never ends it.

use ffe_cluster::k8s_openapi::api::core::v1::{Event, Pod, Secret};
use ffe_cluster::k8s_openapi::api::networking::v1::{Ingress, IngressClass};
use ffe_cluster::{Cluster, Error, Kind, ObjectRef, Query};

use super::{Evidence, revision};
use crate::diagnose::solver::Solver;
use crate::install::installation;
use crate::issuer::SecretKey;
use crate::model::{CertificateItem, ChallengeItem, Condition, IssuerItem, Item, OrderItem, RequestItem, condition};
use crate::names::{ACME_API, API, IssuerKind, IssuerRef, certificate_ref, owned_by};

/// The label that cert-manager finds its solver pods and Ingresses by.
const SOLVER: &str = "acme.cert-manager.io/http01-solver=true";

/// Fetches, and notes what it could not.
struct Collector<'a> {
    cluster: &'a Cluster,
    evidence: Evidence,
}

/// Everything about a Certificate. Never fails: what could not be read stands in `missing`.
pub(crate) async fn of_certificate(cluster: &Cluster, namespace: &str, name: &str) -> Evidence {
    let object = certificate_ref(namespace, name);
    let mut collector = Collector { cluster, evidence: Evidence::about(object.clone()) };
    if !collector.installed().await {
        return collector.evidence;
    }
    collector.evidence.certificate = collector.find(&object).await;
    let Some(certificate) = collector.evidence.certificate.clone() else { return collector.evidence };
    if let Some(issuer) = certificate.spec.issuer_ref.issuer().filter(|issuer| !issuer.kind.is_external()) {
        collector.issuer(&issuer, namespace).await;
    }
    collector.chain(namespace, &certificate).await;
    collector.solvers(namespace).await;
    collector.rivals(namespace, &certificate).await;
    collector.events(namespace).await;
    collector.evidence
}

/// Everything about an issuer.
pub(crate) async fn of_issuer(cluster: &Cluster, issuer: &IssuerRef, namespace: &str) -> Evidence {
    let mut collector = Collector { cluster, evidence: Evidence::about(issuer.object(namespace)) };
    if !collector.installed().await {
        return collector.evidence;
    }
    collector.issuer(issuer, namespace).await;
    // those of a ClusterIssuer are kept in the namespace "default"
    let home = if issuer.kind == IssuerKind::Issuer { namespace } else { "default" };
    collector.events(home).await;
    collector.evidence
}

impl Collector<'_> {
    fn note(&mut self, error: &Error) {
        self.evidence.missing.push(error.to_string());
    }

    async fn installed(&mut self) -> bool {
        match installation(self.cluster).await {
            Ok(found) => self.evidence.installation = found,
            Err(error) => self.evidence.missing.push(error.to_string()),
        }
        self.evidence.installation.is_installed()
    }

    async fn find<S, T>(&mut self, object: &ObjectRef) -> Option<Item<S, T>>
    where
        S: Default + serde::de::DeserializeOwned,
        T: Default + serde::de::DeserializeOwned,
    {
        match self.cluster.find_ref(object).await {
            Ok(found) => found.map(|found| Item::read(&object.kind, found)),
            Err(error) => {
                self.note(&error);
                None
            }
        }
    }

    async fn list<S, T>(&mut self, api: &str, kind: &str, namespace: &str) -> Vec<Item<S, T>>
    where
        S: Default + serde::de::DeserializeOwned,
        T: Default + serde::de::DeserializeOwned,
    {
        match self.cluster.list_ref(api, kind, Some(namespace), &Query::default()).await {
            Ok(found) => found.into_iter().map(|found| Item::read(kind, found)).collect(),
            Err(error) => {
                self.note(&error);
                Vec::new()
            }
        }
    }

    async fn issuer(&mut self, issuer: &IssuerRef, namespace: &str) {
        let unread = self.evidence.missing.len();
        let found: Option<IssuerItem> = self.find(&issuer.object(namespace)).await;
        self.evidence.issuer_unread = self.evidence.missing.len() > unread;
        self.evidence.issuer_ref = Some(issuer.clone());
        if let Some(found) = &found
            && found.ready().is_none_or(|ready| !ready.holds())
        {
            self.secrets(found, issuer, namespace).await;
        }
        self.evidence.issuer = found;
    }

    /// Which of the Secrets that the issuer reads are missing.
    async fn secrets(&mut self, found: &IssuerItem, issuer: &IssuerRef, namespace: &str) {
        let home = match &issuer.kind {
            IssuerKind::Issuer => Some(namespace.to_owned()),
            IssuerKind::ClusterIssuer => self.evidence.installation.cluster_resource_namespace.clone(),
            IssuerKind::External { .. } => None,
        };
        let Some(home) = home else { return };
        for wanted in wanted_secrets(found) {
            match self.cluster.find::<Secret>(Some(&home), &wanted.name).await {
                Ok(secret) => {
                    let there = secret.is_some_and(|secret| {
                        secret.data.is_some_and(|data| data.get(&wanted.key).is_some_and(|value| !value.0.is_empty()))
                    });
                    if !there {
                        self.evidence.missing_secrets.push((home.clone(), wanted));
                    }
                }
                Err(error) if error.kind() == Kind::Forbidden => {}
                Err(error) => self.note(&error),
            }
        }
    }

    /// CertificateRequest → Order → Challenges, each the newest that the one before owns.
    async fn chain(&mut self, namespace: &str, certificate: &CertificateItem) {
        let requests: Vec<RequestItem> = self.list(API, "CertificateRequest", namespace).await;
        self.evidence.request = current(requests, certificate);
        let Some(request) = self.evidence.request.clone() else { return };
        let orders: Vec<OrderItem> = self.list(ACME_API, "Order", namespace).await;
        self.evidence.order =
            orders.into_iter().filter(|order| owned_by(&order.meta, request.uid())).max_by_key(Item::created);
        let Some(order) = self.evidence.order.clone() else { return };
        let challenges: Vec<ChallengeItem> = self.list(ACME_API, "Challenge", namespace).await;
        self.evidence.challenges =
            challenges.into_iter().filter(|challenge| owned_by(&challenge.meta, order.uid())).collect();
    }

    async fn solvers(&mut self, namespace: &str) {
        if !self.evidence.challenges.iter().any(|challenge| challenge.spec.kind == "HTTP-01") {
            return;
        }
        let query = Query::labels(SOLVER);
        let ours = |meta: &ffe_cluster::kube::api::ObjectMeta, challenges: &[ChallengeItem]| {
            challenges.iter().any(|challenge| owned_by(meta, challenge.uid()))
        };
        match self.cluster.list::<Pod>(Some(namespace), &query).await {
            Ok(mut pods) => {
                pods.retain(|pod| ours(&pod.metadata, &self.evidence.challenges));
                self.evidence.solver_pods = pods;
            }
            Err(error) => self.note(&error),
        }
        match self.cluster.list::<Ingress>(Some(namespace), &query).await {
            Ok(mut ingresses) => {
                ingresses.retain(|ingress| ours(&ingress.metadata, &self.evidence.challenges));
                self.evidence.solver_ingresses = ingresses;
            }
            Err(error) => self.note(&error),
        }
        // not all may look at these, and then nothing is concluded
        if let Ok(classes) = self.cluster.list::<IngressClass>(None, &Query::default()).await {
            let names = classes.into_iter().filter_map(|class| class.metadata.name).collect();
            self.evidence.ingress_classes = Some(names);
        }
    }

    /// Of several Certificates for one Secret only the oldest is issued.
    async fn rivals(&mut self, namespace: &str, certificate: &CertificateItem) {
        if condition(&certificate.status.conditions, "Ready").is_some_and(Condition::holds) {
            return;
        }
        let all: Vec<CertificateItem> = self.list(API, "Certificate", namespace).await;
        self.evidence.rivals = all
            .iter()
            .filter(|other| other.spec.secret_name == certificate.spec.secret_name && other.uid() != certificate.uid())
            .map(Item::title)
            .collect();
    }

    async fn events(&mut self, namespace: &str) {
        let evidence = &self.evidence;
        let mut uids: Vec<String> = Vec::new();
        let mut known = |uid: Option<&str>| uids.extend(uid.map(str::to_owned));
        known(evidence.certificate.as_ref().and_then(Item::uid));
        known(evidence.issuer.as_ref().and_then(Item::uid));
        known(evidence.request.as_ref().and_then(Item::uid));
        known(evidence.order.as_ref().and_then(Item::uid));
        evidence.challenges.iter().for_each(|challenge| known(challenge.uid()));
        evidence.solver_pods.iter().for_each(|pod| known(pod.metadata.uid.as_deref()));
        match self.cluster.list::<Event>(Some(namespace), &Query::default()).await {
            Ok(mut events) => {
                events.retain(|event| {
                    event.involved_object.uid.as_ref().is_some_and(|uid| uids.iter().any(|known| known == uid))
                });
                self.evidence.events = events;
            }
            Err(error) => self.note(&error),
        }
    }
}

/// The request of the issuance that goes on or failed last: of the revision after the present one. One
/// that failed before the present issuance began is on its way out.
fn current(requests: Vec<RequestItem>, certificate: &CertificateItem) -> Option<RequestItem> {
    let next = certificate.status.revision.unwrap_or(0) + 1;
    let issuing = condition(&certificate.status.conditions, "Issuing").filter(|issuing| issuing.holds());
    let began = issuing.and_then(|issuing| issuing.last_transition_time);
    requests
        .into_iter()
        .filter(|request| owned_by(&request.meta, certificate.uid()) && revision(request) == Some(next))
        .filter(|request| match (request.status.failure_time, began) {
            (Some(failed), Some(began)) => failed >= began,
            _ => true,
        })
        .max_by_key(Item::created)
}

/// What the issuer's own spec says that it reads.
fn wanted_secrets(issuer: &IssuerItem) -> Vec<SecretKey> {
    let mut wanted = Vec::new();
    if let Some(ca) = &issuer.spec.ca {
        wanted.push(SecretKey::new(&ca.secret_name, "tls.crt"));
        wanted.push(SecretKey::new(&ca.secret_name, "tls.key"));
    }
    let account = issuer.spec.acme.iter().filter_map(|acme| acme.external_account_binding.as_ref());
    wanted.extend(account.map(|account| SecretKey::new(&account.key_secret_ref.name, &account.key_secret_ref.key)));
    for solver in issuer.spec.acme.iter().flat_map(|acme| &acme.solvers) {
        wanted.extend(Solver::of(solver).secret);
    }
    wanted
}
