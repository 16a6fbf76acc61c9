//! What a plan spends of Let's Encrypt's limits: certificates for the very same names, certificates of a domain, accounts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use ffe_cert_manager::{API, IssuerKind, IssuerRef, certificate_ref};
use ffe_cluster::k8s_openapi::api::core::v1::Secret;
use ffe_cluster::kube::api::DynamicObject;
use ffe_cluster::{Cluster, Kind, ObjectRef, Query};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value as Json;
use tfplugin::{Diagnostic, Diagnostics, Path};

use crate::authority::Authority;
use crate::desired::find;
use crate::objects;
use crate::reissue;
use crate::spec::Spec;

/// Certificates for the very same names in a week (Let's Encrypt, "Duplicate Certificate").
const PER_WEEK: usize = 5;
const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Certificates of a registered domain in a week ("Certificates per Registered Domain").
const OF_A_DOMAIN: usize = 50;
/// Accounts that one address may register in three hours ("Account Registrations per IP Address").
const ACCOUNTS: usize = 10;
/// cert-manager's notes on a Secret: for which names, and by whom.
const ALT_NAMES: &str = "cert-manager.io/alt-names";
const ISSUER_NAME: &str = "cert-manager.io/issuer-name";
const ISSUER_KIND: &str = "cert-manager.io/issuer-kind";
const ISSUER_GROUP: &str = "cert-manager.io/issuer-group";

/// A warning about an endpoint that is to be destroyed, replaced or renamed, where its issuer is Let's Encrypt's own.
pub(crate) async fn warning(cluster: &Cluster, spec: &Spec, what: &str) -> Option<Diagnostic> {
    let names = &spec.names;
    if !Authority::find(cluster, spec).await.is_production() {
        return None;
    }
    let secret = &spec.certificate.secret_name;
    let seen = lately(cluster, spec).await;
    let after = if spec.keep_secret {
        format!(
            "The Secret {}/{secret} stays, so that an endpoint of the same namespace, secret_name, issuer and hosts orders \
             nothing; any other one orders anew. Where the same run destroys the namespace, it takes the Secret along.",
            names.namespace
        )
    } else {
        "keep_secret = false removes the certificate, so that making the endpoint again orders anew.".to_owned()
    };
    Some(Diagnostic::warning(
        format!("Endpoint {} with a certificate of Let's Encrypt is {what}", names.import_id()),
        format!("Let's Encrypt issues {PER_WEEK} certificates a week for the same names. {seen} {after}"),
    ))
}

async fn lately(cluster: &Cluster, spec: &Spec) -> String {
    match ffe_cert_manager::issuances(cluster, &spec.names.namespace, &spec.certificate.secret_name).await {
        Ok(seen) => {
            let now = Timestamp::now();
            let recent = seen.iter().filter_map(|one| one.created).filter(|at| now.duration_since(*at) < WEEK).count();
            format!("{recent} of them were asked for in the last seven days, as far as the cluster still shows it.")
        }
        Err(error) => format!("How many were asked for lately could not be seen: {error}"),
    }
}

/// What the endpoints of one run spend together: one of them alone does not show it.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<Counted>);

#[derive(Debug, Default)]
struct Counted {
    /// Endpoints that register an account.
    accounts: BTreeSet<String>,
    /// Endpoints that order, by the domain that they order for.
    orders: BTreeMap<String, BTreeSet<String>>,
    /// By endpoint: by what it is served, and its hosts.
    served: BTreeMap<String, (String, Vec<String>)>,
    /// Endpoints that go, or get another name.
    leaving: BTreeSet<String>,
}

impl Tally {
    /// Counts an account; says how many there are, once they are as many as the limit allows.
    fn account(&self, endpoint: &str) -> Option<usize> {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = counted.accounts.insert(endpoint.to_owned());
        (is_new && counted.accounts.len() == ACCOUNTS).then_some(ACCOUNTS)
    }

    /// An endpoint will serve these hosts at a class or Gateway; names another one that will too, and the host.
    pub(crate) fn serve(&self, endpoint: &str, place: &str, hosts: &[String]) -> Option<(String, String)> {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counted.leaving.remove(endpoint);
        let mut others = counted.served.iter().filter(|(other, (at, _))| *other != endpoint && at == place);
        let shared = |theirs: &[String]| hosts.iter().find(|host| theirs.contains(host)).cloned();
        let found = others.find_map(|(other, (_, theirs))| Some((other.clone(), shared(theirs)?)));
        // The one that is refused is not there.
        if found.is_none() {
            counted.served.insert(endpoint.to_owned(), (place.to_owned(), hosts.to_vec()));
        }
        found
    }

    /// An endpoint goes, or gets another name.
    pub(crate) fn leave(&self, endpoint: &str) {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counted.served.remove(endpoint);
        counted.leaving.insert(endpoint.to_owned());
    }

    /// Whether an endpoint goes in this run, as far as it is planned by now.
    pub(crate) fn is_leaving(&self, endpoint: Option<&str>) -> bool {
        let counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        endpoint.is_some_and(|endpoint| counted.leaving.contains(endpoint))
    }

    /// The same for an order, and each of its domains.
    fn order(&self, endpoint: &str, domains: BTreeSet<String>) -> Vec<String> {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut full = Vec::new();
        for domain in domains {
            let of_it = counted.orders.entry(domain.clone()).or_default();
            if of_it.insert(endpoint.to_owned()) && of_it.len() == OF_A_DOMAIN {
                full.push(domain);
            }
        }
        full
    }
}

/// What an apply spends, where its issuer is Let's Encrypt's own. `prior` is what the endpoint was; none for one that is made.
pub(crate) async fn foresee(cluster: &Cluster, tally: &Tally, prior: Option<&Spec>, spec: &Spec) -> Diagnostics {
    let mut told = Diagnostics::new();
    if !Authority::find(cluster, spec).await.is_production() {
        return told;
    }
    let id = spec.names.import_id();
    if registers(cluster, spec).await && tally.account(&id).is_some() {
        told.push(many_accounts());
    }
    let Some(why) = orders(cluster, prior, spec).await else { return told };
    for domain in tally.order(&id, domains(&spec.hosts)) {
        told.push(many_orders(&domain));
    }
    let others = duplicates(cluster, spec).await;
    // Whoever makes an endpoint knows that it orders; what is no news is that others have ordered the same.
    if prior.is_some() || !others.is_empty() {
        told.push(one_order(spec, why, &others, &lately(cluster, spec).await));
    }
    told
}

/// Whether an account is registered: the issuer is the endpoint's own, and there is no key for it yet. What may not be looked at
/// is taken for there.
async fn registers(cluster: &Cluster, spec: &Spec) -> bool {
    let Some(own) = &spec.own_issuer else { return false };
    let (Some(key), IssuerKind::Issuer) = (own.what.account_key_secret(), &spec.issuer.kind) else { return false };
    matches!(cluster.find::<Secret>(Some(&spec.names.namespace), key).await, Ok(None))
}

/// The attribute for which cert-manager orders; none where it does not.
async fn orders(cluster: &Cluster, prior: Option<&Spec>, spec: &Spec) -> Option<&'static str> {
    let (namespace, name) = (&spec.names.namespace, &spec.certificate.secret_name);
    if prior.is_some_and(|prior| reissue::is_another(prior, spec)) {
        return Some("issuer");
    }
    let there = find(cluster, &certificate_ref(namespace, name)).await.ok()?;
    let Some(there) = there else {
        let secret: Option<Secret> = cluster.find(Some(namespace), name).await.ok()?;
        return (!secret.is_some_and(|secret| is_for(&secret, spec))).then_some("secret_name");
    };
    let wished = objects::certificate(spec).ok()?.object;
    let (before, now) = (&there.data["spec"], &wished["spec"]);
    if names_of(before) != names_of(now) {
        Some("hosts")
    } else if reference(before) != Some(spec.issuer.clone()) {
        Some("issuer")
    } else if key_of(before) != key_of(now) {
        Some("certificate")
    } else {
        None
    }
}

fn names_of(certificate: &Json) -> BTreeSet<&str> {
    certificate["dnsNames"].as_array().into_iter().flatten().filter_map(Json::as_str).collect()
}

fn reference(certificate: &Json) -> Option<IssuerRef> {
    let reference = &certificate["issuerRef"];
    let kind = reference["kind"].as_str().unwrap_or(IssuerKind::Issuer.as_str());
    let kind = IssuerKind::of(reference["group"].as_str(), kind).ok()?;
    Some(IssuerRef { name: reference["name"].as_str()?.to_owned(), kind })
}

/// Algorithm and size, with cert-manager's defaults.
fn key_of(certificate: &Json) -> (&str, i64) {
    let key = &certificate["privateKey"];
    let algorithm = key["algorithm"].as_str().unwrap_or("RSA");
    let default = match algorithm {
        "RSA" => 2048,
        "ECDSA" => 256,
        _ => 0,
    };
    (algorithm, key["size"].as_i64().filter(|size| *size > 0).unwrap_or(default))
}

/// Whether cert-manager uses what is in a Secret that was kept.
fn is_for(secret: &Secret, spec: &Spec) -> bool {
    let note = |key: &str| secret.metadata.annotations.as_ref().and_then(|all| all.get(key)).map(String::as_str);
    let names: BTreeSet<&str> = note(ALT_NAMES).unwrap_or_default().split(',').collect();
    let hosts: BTreeSet<&str> = spec.hosts.iter().map(String::as_str).collect();
    let kind = IssuerKind::of(note(ISSUER_GROUP), note(ISSUER_KIND).unwrap_or_default());
    names == hosts && note(ISSUER_NAME) == Some(&spec.issuer.name) && kind.ok().as_ref() == Some(&spec.issuer.kind)
}

/// Other Certificates for exactly these names: they share a limit. Those that may not be looked at are not counted.
async fn duplicates(cluster: &Cluster, spec: &Spec) -> Vec<ObjectRef> {
    let list = |namespace| async move { cluster.list_ref(API, "Certificate", namespace, &Query::default()).await };
    let all = match list(None).await {
        Err(error) if error.kind() == Kind::Forbidden => list(Some(spec.names.namespace.as_str())).await,
        all => all,
    };
    let hosts: BTreeSet<&str> = spec.hosts.iter().map(String::as_str).collect();
    let own = certificate_ref(&spec.names.namespace, &spec.certificate.secret_name);
    let place = |one: &DynamicObject| {
        let name = one.metadata.name.as_deref().unwrap_or_default();
        ObjectRef::new(API, "Certificate", one.metadata.namespace.as_deref(), name)
    };
    let same = |one: &DynamicObject| names_of(&one.data["spec"]) == hosts;
    all.unwrap_or_default().iter().filter(|one| same(one)).map(place).filter(|one| *one != own).collect()
}

/// The domains that are registered, roughly: two labels. What is registered below more of them counts by itself, so that this
/// warns too early there, never too late.
fn domains(hosts: &[String]) -> BTreeSet<String> {
    let last_two = |host: &String| {
        let labels: Vec<&str> = host.rsplit('.').take(2).collect();
        labels.into_iter().rev().collect::<Vec<_>>().join(".")
    };
    hosts.iter().map(last_two).collect()
}

fn one_order(spec: &Spec, why: &'static str, others: &[ObjectRef], lately: &str) -> Diagnostic {
    let others = if others.is_empty() {
        String::new()
    } else {
        let list = others.iter().map(|one| format!("  {one}")).collect::<Vec<_>>().join("\n");
        format!(" These are for exactly the same names and count too:\n{list}")
    };
    Diagnostic::warning(
        format!("Endpoint {} orders a certificate of Let's Encrypt", spec.names.import_id()),
        format!("Let's Encrypt issues {PER_WEEK} certificates a week for the same names. {lately}{others}"),
    )
    .at(Path::attribute(why))
}

fn many_accounts() -> Diagnostic {
    Diagnostic::warning(
        format!("This run registers {ACCOUNTS} or more accounts at Let's Encrypt"),
        format!(
            "Each endpoint whose issuer has acme registers one, and Let's Encrypt allows {ACCOUNTS} from one address in three hours: the \
             next ones are refused. Make one ffe_issuer, and set issuer of the endpoints to its issuer_ref: they share one account."
        ),
    )
    .at(Path::attribute("issuer").child("acme"))
}

fn many_orders(domain: &str) -> Diagnostic {
    Diagnostic::warning(
        format!("This run orders {OF_A_DOMAIN} or more certificates for {domain}"),
        format!(
            "Let's Encrypt issues {OF_A_DOMAIN} new ones a week for a registered domain; the next ones are refused until then. Put hosts \
             together into one endpoint (up to 100), use a wildcard with DNS-01, or apply in parts."
        ),
    )
    .at(Path::attribute("hosts"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_endpoints_spend_together_is_told_once() {
        let tally = Tally::default();
        let told: Vec<usize> = (0..25).filter(|index| tally.account(&format!("ffe/s{index}")).is_some()).collect();
        assert_eq!(told, [9]);
        assert_eq!(tally.account("ffe/s9"), None, "planned once more");
        let of = |index: usize| tally.order(&format!("ffe/s{index}"), domains(&[format!("s{index}.a.example.com")]));
        let told: Vec<usize> = (0..120).filter(|index| !of(*index).is_empty()).collect();
        assert_eq!(told, [49]);
    }

    #[test]
    fn keys_have_defaults() {
        let key = |json: Json| key_of(&json).0.to_owned() + &key_of(&json).1.to_string();
        assert_eq!(
            key(serde_json::json!({})),
            key(serde_json::json!({ "privateKey": { "algorithm": "RSA", "size": 2048 } }))
        );
        assert_ne!(key(serde_json::json!({})), key(serde_json::json!({ "privateKey": { "size": 4096 } })));
        assert_eq!(domains(&["*.b.example.com".to_owned(), "example.com".to_owned()]).len(), 1);
    }
}
