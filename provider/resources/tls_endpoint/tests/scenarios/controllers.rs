//! Who plays the controllers: Traefik gives addresses, cert-manager makes issuers ready and issues certificates.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ffe_cluster::ObjectRef;
use ffe_cluster_testing::FakeApi;
use rcgen::{CertificateParams, CertifiedIssuer, DnType, KeyPair};
use serde_json::{Value as Json, json};

use crate::world::{ADDRESS, Background, OTHER_ADDRESS};

const API: &str = "cert-manager.io/v1";

/// Who signs, unless it is somebody else.
const AUTHORITY: &str = "Test Authority";

/// The players; they stop with this.
pub(crate) struct Controllers {
    _player: Background,
    orders: Arc<AtomicUsize>,
    issues: Arc<AtomicBool>,
    addresses: Arc<AtomicBool>,
    issuer: Arc<Mutex<String>>,
}

impl Controllers {
    pub(crate) fn start(api: FakeApi) -> Controllers {
        let (orders, issues) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(true)));
        let (counted, willing) = (Arc::clone(&orders), Arc::clone(&issues));
        let addresses = Arc::new(AtomicBool::new(true));
        let reached = Arc::clone(&addresses);
        let issuer = Arc::new(Mutex::new(AUTHORITY.to_owned()));
        let signs = Arc::clone(&issuer);
        let player = tokio::spawn(async move {
            loop {
                let reached = reached.load(Ordering::SeqCst);
                for object in &api.all() {
                    let signs = signs.lock().unwrap().clone();
                    play(&api, object, (reached, willing.load(Ordering::SeqCst)), &counted, &signs);
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        });
        Controllers { _player: Background(player), orders, issues, addresses, issuer }
    }

    /// How many certificates were ordered.
    pub(crate) fn orders(&self) -> usize {
        self.orders.load(Ordering::SeqCst)
    }

    /// The same while it is counted.
    pub(crate) fn counter(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.orders)
    }

    /// Whether the ingress controller says where it is reached.
    pub(crate) fn give_addresses(&self, gives: bool) {
        self.addresses.store(gives, Ordering::SeqCst);
    }

    /// Who signs from now on, and is no authority that stands in the Secret.
    pub(crate) fn sign_as(&self, issuer: &str) {
        issuer.clone_into(&mut self.issuer.lock().unwrap());
    }

    /// Whether cert-manager is at work.
    pub(crate) fn issue(&self, issues: bool) {
        self.issues.store(issues, Ordering::SeqCst);
    }
}

/// Where a class is reached: each controller is somewhere else.
fn address_of(class: &Json) -> &'static str {
    if class == "nginx" { OTHER_ADDRESS } else { ADDRESS }
}

/// cert-manager's Certificates for an Ingress with its annotations: made, kept as they are asked for, and taken away when the
/// Ingress names another Secret.
fn make_what_annotations_ask(api: &FakeApi, ingress: &Json) {
    let Some(issuer) = ingress["metadata"]["annotations"]["cert-manager.io/issuer"].as_str() else { return };
    let (uid, namespace) = (&ingress["metadata"]["uid"], ingress["metadata"]["namespace"].as_str().unwrap());
    let certificate = |name: &str| ObjectRef::new(API, "Certificate", Some(namespace), name);
    let all = ingress["spec"]["tls"].as_array().cloned().unwrap_or_default();
    let is_its = |object: &Json| object["metadata"]["ownerReferences"][0]["uid"] == *uid;
    for tls in &all {
        let name = tls["secretName"].as_str().unwrap();
        match api.get(&certificate(name)) {
            None => api.put(json!({ "apiVersion": API, "kind": "Certificate",
                "metadata": { "name": name, "namespace": namespace, "ownerReferences": [{ "kind": "Ingress",
                    "apiVersion": "networking.k8s.io/v1", "name": ingress["metadata"]["name"], "uid": uid, "controller": true }] },
                "spec": { "secretName": name, "dnsNames": tls["hosts"], "usages": ["digital signature"],
                    "issuerRef": { "group": "cert-manager.io", "kind": "Issuer", "name": issuer } } })),
            Some(there) if is_its(&there)
                && (there["spec"]["issuerRef"]["name"] != issuer || there["spec"]["dnsNames"] != tls["hosts"]) =>
            {
                api.edit(&certificate(name), |there| {
                    there["spec"]["issuerRef"]["name"] = json!(issuer);
                    there["spec"]["dnsNames"] = tls["hosts"].clone();
                });
            }
            Some(_) => {}
        }
    }
    for other in api.all().iter().filter(|other| other["kind"] == "Certificate" && is_its(other)) {
        if !all.iter().any(|tls| tls["secretName"] == other["spec"]["secretName"]) {
            api.remove(&certificate(other["metadata"]["name"].as_str().unwrap()));
        }
    }
}

fn play(api: &FakeApi, object: &Json, (reached, issues): (bool, bool), orders: &AtomicUsize, issuer: &str) {
    let Ok(named) = ObjectRef::from_value(object) else { return };
    match named.kind.as_str() {
        "Ingress" => {
            let of_class =
                json!({ "loadBalancer": { "ingress": [{ "ip": address_of(&object["spec"]["ingressClassName"]) }] } });
            if reached && object["status"] != of_class {
                let manager =
                    if object["spec"]["ingressClassName"] == "nginx" { "nginx-ingress-controller" } else { "traefik" };
                api.edit(&named, |ingress| {
                    ingress["status"] = of_class;
                    ingress["metadata"]["managedFields"] = json!([{ "manager": manager, "subresource": "status" }]);
                });
            }
            make_what_annotations_ask(api, object);
        }
        "Gateway" => serve_gateway(api, &named, object),
        "HTTPRoute" if !is_taken(object) => {
            let generation = object["metadata"]["generation"].clone();
            let parents = object["spec"]["parentRefs"].as_array().into_iter().flatten();
            let parents: Vec<Json> = parents
                .map(|parent| {
                    json!({ "parentRef": parent, "controllerName": "traefik.io/gateway-controller",
                    "conditions": [condition("Accepted", &generation), condition("ResolvedRefs", &generation)] })
                })
                .collect();
            api.edit(&named, |route| route["status"] = json!({ "parents": parents }));
        }
        "Issuer" | "ClusterIssuer" if !is_current(object) => {
            let generation = object["metadata"]["generation"].clone();
            api.edit(&named, |issuer| {
                issuer["status"] = json!({ "conditions": [{ "type": "Ready", "status": "True",
                    "reason": "Ready", "observedGeneration": generation }] });
                // One account for each key at each server.
                if let Some(server) = issuer["spec"]["acme"]["server"].as_str() {
                    let key = issuer["spec"]["acme"]["privateKeySecretRef"]["name"].as_str().unwrap_or_default();
                    issuer["status"]["acme"] = json!({ "uri": format!("{server}/acct/{key}") });
                }
            });
        }
        "Certificate" if issues && (!is_current(object) || is_issuing(object)) => {
            issue(api, &named, object, orders, issuer);
        }
        _ => {}
    }
}

fn condition(kind: &str, generation: &Json) -> Json {
    json!({ "type": kind, "status": "True", "reason": kind, "observedGeneration": generation })
}

/// Whether all parents of a route as it is now have taken it.
fn is_taken(route: &Json) -> bool {
    let told = route["status"]["parents"].as_array().into_iter().flatten().map(|told| &told["parentRef"]);
    told.eq(route["spec"]["parentRefs"].as_array().into_iter().flatten())
        && route["status"]["parents"][0]["conditions"][0]["observedGeneration"] == route["metadata"]["generation"]
}

/// A Gateway is reached, and all of its listeners are programmed.
fn serve_gateway(api: &FakeApi, named: &ObjectRef, gateway: &Json) {
    let generation = &gateway["metadata"]["generation"];
    if gateway["status"]["conditions"][0]["observedGeneration"] == *generation {
        return;
    }
    let of_it = ["Accepted", "Programmed", "ResolvedRefs"].map(|kind| condition(kind, generation));
    let listeners = gateway["spec"]["listeners"].as_array().into_iter().flatten();
    let listeners: Vec<Json> = listeners
        .map(|one| json!({ "name": one["name"], "conditions": of_it, "attachedRoutes": 0, "supportedKinds": [] }))
        .collect();
    api.edit(named, |gateway| {
        gateway["status"] = json!({ "conditions": of_it, "listeners": listeners,
            "addresses": [{ "type": "IPAddress", "value": ADDRESS }] });
    });
}

fn is_current(object: &Json) -> bool {
    let ready = of_type(object, "Ready");
    ready.is_some_and(|ready| ready["observedGeneration"] == object["metadata"]["generation"])
}

/// Whether somebody has it issued again.
fn is_issuing(object: &Json) -> bool {
    of_type(object, "Issuing").is_some_and(|issuing| issuing["status"] == "True")
}

fn of_type<'a>(object: &'a Json, kind: &str) -> Option<&'a Json> {
    object["status"]["conditions"].as_array().into_iter().flatten().find(|one| one["type"] == kind)
}

/// Issues, or finds that what is in the Secret is good for what is asked.
fn issue(api: &FakeApi, named: &ObjectRef, certificate: &Json, orders: &AtomicUsize, issuer: &str) {
    let namespace = named.namespace.as_deref().unwrap();
    let secret = ObjectRef::new("v1", "Secret", Some(namespace), certificate["spec"]["secretName"].as_str().unwrap());
    let (names, asks) = (&certificate["spec"]["dnsNames"], &certificate["spec"]["issuerRef"]);
    let asked = json!([names, asks["group"], asks["kind"], asks["name"]]).to_string();
    let revision = certificate["status"]["revision"].as_i64().unwrap_or(0) + 1;
    let there = api.get(&secret);
    if is_issuing(certificate) || there.is_none_or(|secret| secret["metadata"]["annotations"]["test/asked"] != asked) {
        orders.fetch_add(1, Ordering::SeqCst);
        let hosts: Vec<String> = serde_json::from_value(certificate["spec"]["dnsNames"].clone()).unwrap();
        let Pair { chain, key, authority } = pair_by(issuer, &hosts);
        let mut data = json!({ "tls.crt": STANDARD.encode(chain), "tls.key": STANDARD.encode(key) });
        if issuer == AUTHORITY {
            data["ca.crt"] = json!(STANDARD.encode(authority));
        }
        api.put(json!({ "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
            "metadata": { "name": secret.name, "namespace": namespace,
                "annotations": { "cert-manager.io/certificate-name": named.name, "test/asked": asked } },
            "data": data }));
        api.put(json!({ "apiVersion": "cert-manager.io/v1", "kind": "CertificateRequest",
            "metadata": { "name": format!("{}-{revision}", named.name), "namespace": namespace,
                "annotations": { "cert-manager.io/certificate-name": named.name,
                    "cert-manager.io/certificate-revision": revision.to_string() },
                "creationTimestamp": jiff::Timestamp::now().to_string(),
                "ownerReferences": [{ "apiVersion": "cert-manager.io/v1", "kind": "Certificate", "controller": true,
                    "name": named.name, "uid": certificate["metadata"]["uid"] }] },
            "spec": { "issuerRef": certificate["spec"]["issuerRef"] },
            "status": { "conditions": [{ "type": "Ready", "status": "True", "reason": "Issued" }] } }));
    }
    let generation = certificate["metadata"]["generation"].clone();
    api.edit(named, |certificate| {
        certificate["status"] = json!({
            "conditions": [{ "type": "Ready", "status": "True", "reason": "Ready", "observedGeneration": generation,
                "message": "Certificate is up to date and has not expired" }],
            "notBefore": "2026-01-01T00:00:00Z", "notAfter": "2126-01-01T00:00:00Z",
            "renewalTime": "2125-12-01T00:00:00Z", "revision": revision,
        });
    });
}

/// A certificate, its key, and the authority's certificate; PEM.
pub(crate) struct Pair {
    pub(crate) chain: String,
    pub(crate) key: String,
    pub(crate) authority: String,
}

/// A certificate for these hosts by an authority of its own.
pub(crate) fn pair(hosts: &[String]) -> Pair {
    pair_by(AUTHORITY, hosts)
}

/// The same by an authority of this name.
pub(crate) fn pair_by(issuer: &str, hosts: &[String]) -> Pair {
    let mut params = CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, issuer);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut leaf = CertificateParams::new(hosts.to_vec()).unwrap();
    leaf.distinguished_name.push(DnType::CommonName, "endpoint");
    let leaf = leaf.signed_by(&key, &authority).unwrap();
    Pair { chain: leaf.pem(), key: key.serialize_pem(), authority: authority.pem() }
}
