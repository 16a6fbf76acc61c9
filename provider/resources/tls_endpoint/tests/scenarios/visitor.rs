//! Somebody who asks for a host all the time: after each write, and between them. Who serves it is what a controller would
//! make of the objects; what a controller has not known for a while does not serve yet, and what it has lost is lost at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ffe_cluster::ObjectRef;
use ffe_cluster_testing::FakeApi;
use serde_json::Value as Json;
use tokio::time::Instant;

use crate::world::Background;

/// For how long a controller gathers what it hears before it counts.
const GATHERS: Duration = Duration::from_secs(2);

/// The visitor; copies are the same one.
#[derive(Clone)]
pub(crate) struct Visitor {
    api: FakeApi,
    host: String,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    /// Ways that would serve, and since when.
    since: BTreeMap<String, Instant>,
    looks: usize,
    gaps: Vec<String>,
}

impl Visitor {
    /// Asks for a host that is served, from now on for as long as the task is held.
    pub(crate) async fn of(api: &FakeApi, host: &str) -> (Visitor, Background) {
        let visitor = Visitor { api: api.clone(), host: host.to_owned(), seen: Arc::default() };
        visitor.note();
        tokio::time::sleep(GATHERS * 2).await;
        visitor.expect_no_gap("before anything changes");
        let always = visitor.clone();
        let task = tokio::spawn(async move {
            loop {
                always.look("nothing");
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        });
        (visitor, Background(task))
    }

    /// Learns which ways there are.
    fn note(&self) -> usize {
        let (ways, now) = (ways(&self.api, &self.host), Instant::now());
        let mut seen = self.seen.lock().unwrap();
        seen.since.retain(|way, _| ways.contains(way));
        for way in ways {
            seen.since.entry(way).or_insert(now);
        }
        seen.since.values().filter(|since| now.duration_since(**since) >= GATHERS).count()
    }

    /// Asks, after something that was done.
    pub(crate) fn look(&self, after: &str) {
        let serving = self.note();
        let mut seen = self.seen.lock().unwrap();
        seen.looks += 1;
        if serving == 0 {
            let ways = seen.since.keys().cloned().collect::<Vec<_>>().join(", ");
            seen.gaps.push(format!("after {after}: [{ways}]"));
        }
    }

    /// It was always served.
    pub(crate) fn expect_no_gap(&self, what: &str) {
        self.look(what);
        let seen = self.seen.lock().unwrap();
        let first: Vec<&String> = seen.gaps.iter().take(3).collect();
        assert!(first.is_empty(), "{what}: {} of {} looks failed, first {first:#?}", seen.gaps.len(), seen.looks);
    }

    /// How often it was not served.
    pub(crate) fn gaps(&self) -> usize {
        self.seen.lock().unwrap().gaps.len()
    }

    /// How often it was asked.
    pub(crate) fn looks(&self) -> usize {
        self.seen.lock().unwrap().looks
    }
}

fn ways(api: &FakeApi, host: &str) -> BTreeSet<String> {
    let all = api.all();
    let mut ways = BTreeSet::new();
    for object in &all {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        match object["kind"].as_str() {
            Some("Ingress") if serves_by_tls(&all, object, host) => {
                ways.insert(format!("Ingress {name} of {}", object["spec"]["ingressClassName"]));
            }
            Some("HTTPRoute") if names(&object["spec"]["hostnames"]).any(|one| one == host) => {
                for parent in object["spec"]["parentRefs"].as_array().into_iter().flatten() {
                    if listens(api, &all, parent, host) {
                        ways.insert(format!("HTTPRoute {name} at {} {}", parent["name"], parent["sectionName"]));
                    }
                }
            }
            _ => {}
        }
    }
    ways
}

fn names(list: &Json) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Json::as_str)
}

fn serves_by_tls(all: &[Json], ingress: &Json, host: &str) -> bool {
    let rules = ingress["spec"]["rules"].as_array().into_iter().flatten();
    let tls = ingress["spec"]["tls"].as_array().into_iter().flatten();
    let mut secrets = tls.filter(|tls| names(&tls["hosts"]).any(|one| one == host)).map(|tls| &tls["secretName"]);
    let middlewares = &ingress["metadata"]["annotations"]["traefik.ingress.kubernetes.io/router.middlewares"];
    let mut middlewares = middlewares.as_str().into_iter().flat_map(|all| all.split(','));
    rules.into_iter().any(|rule| rule["host"] == host)
        && secrets.any(|secret| is_for(all, secret, host))
        && middlewares.all(|one| {
            let name = one.trim_start_matches("ffe-").trim_end_matches("@kubernetescrd");
            all.iter().any(|object| object["kind"] == "Middleware" && object["metadata"]["name"] == name)
        })
}

/// A Secret with a certificate for the host.
fn is_for(all: &[Json], secret: &Json, host: &str) -> bool {
    let is = |object: &&Json| object["kind"] == "Secret" && object["metadata"]["name"] == *secret;
    let asked = all.iter().find(is).map(|found| &found["metadata"]["annotations"]["test/asked"]);
    asked.and_then(Json::as_str).is_some_and(|asked| asked.contains(&format!("\"{host}\"")))
}

/// A listener for HTTPS that may read its Secret.
fn listens(api: &FakeApi, all: &[Json], parent: &Json, host: &str) -> bool {
    let (namespace, name) =
        (parent["namespace"].as_str().unwrap_or("ffe"), parent["name"].as_str().unwrap_or_default());
    let gateway = ObjectRef::new("gateway.networking.k8s.io/v1", "Gateway", Some(namespace), name);
    let Some(gateway) = api.get(&gateway) else { return false };
    let mut listeners = gateway["spec"]["listeners"].as_array().into_iter().flatten();
    listeners.any(|listener| {
        let secret = &listener["tls"]["certificateRefs"][0]["name"];
        listener["name"] == parent["sectionName"]
            && listener["protocol"] == "HTTPS"
            && listener["hostname"] == host
            && is_for(all, secret, host)
            && all.iter().any(|grant| {
                let of = |field: &str, key: &str, wanted: &Json| {
                    grant["spec"][field].as_array().into_iter().flatten().any(|one| one[key] == *wanted)
                };
                grant["kind"] == "ReferenceGrant"
                    && of("from", "namespace", &namespace.into())
                    && of("to", "name", secret)
            })
    })
}
