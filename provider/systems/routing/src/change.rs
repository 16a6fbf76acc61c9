//! A route that changes while it is in use: what serves goes on until what comes after it has shown that it serves too.
//! Pure: the live objects are given.

use ffe_cluster::Cluster;
use serde_json::{Value, json};

use crate::Resolved;
use crate::address::{Address, addresses, former_controller};
use crate::error::{Error, Result};
use crate::names::{NETWORKING, interim_name};
use crate::resolve::{by_name, served};
use crate::route::Route;
use crate::support::Dialect;

const LEGACY_CLASS: &str = "kubernetes.io/ingress.class";

/// What a route's main object says now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Serving {
    /// The class of an Ingress; None on a Gateway, and where the cluster's default class serves it
    pub class: Option<String>,
    /// The hosts that it serves
    pub hosts: Vec<String>,
    /// The Secret that it serves them with, where it says so itself
    pub secret_name: Option<String>,
}

impl Serving {
    /// Reads the main Ingress or HTTPRoute of an endpoint. On a Gateway the Secret is the one that our listener refers to.
    pub fn of(live: &Value, resolved: &Resolved) -> Self {
        if live["apiVersion"] != NETWORKING {
            let listener = match resolved {
                Resolved::Gateway(attachment) => attachment.ours.first().and_then(|ours| ours.secret.clone()),
                Resolved::Ingress(_) => None,
            };
            return Self { class: None, hosts: texts(&live["spec"]["hostnames"]), secret_name: listener };
        }
        let spec = &live["spec"];
        let class = spec["ingressClassName"].as_str().or(live["metadata"]["annotations"][LEGACY_CLASS].as_str());
        let rules = spec["rules"].as_array().into_iter().flatten();
        Self {
            class: class.map(str::to_owned),
            hosts: rules.filter_map(|rule| rule["host"].as_str().map(str::to_owned)).collect(),
            secret_name: spec["tls"][0]["secretName"].as_str().map(str::to_owned),
        }
    }
}

/// Who serves an Ingress until its class changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Former {
    /// What that class understands
    pub dialect: Dialect,
    /// Where it is reached; none where it does not say
    pub addresses: Vec<Address>,
}

impl Former {
    /// Who serves a live Ingress.
    ///
    /// # Errors
    /// As [`crate::served`]: nobody does, or there is no telling.
    pub async fn of(cluster: &Cluster, live: &Value, serving: &Serving) -> Result<Self> {
        let class = serving.class.as_deref();
        let served = match (served(cluster, class).await, class) {
            // An annotation need not name a class that exists.
            (Err(Error::NoSuchClass { .. }), Some(class)) if live["spec"]["ingressClassName"].is_null() => {
                by_name(class)
            }
            (found, _) => found?,
        };
        let dialect = served.dialect;
        // What a controller has written that is gone since says nothing of where this one is.
        let is_current = former_controller(live, &Resolved::Ingress(served)).is_none();
        Ok(Self { dialect, addresses: if is_current { addresses(live) } else { Vec::new() } })
    }

    /// Whether the same controller serves the new class too: a Traefik serves classes of its own and those of ingress-nginx. It
    /// holds two routes for the same hosts for equals, so that it is chance which of them answers. Controllers of their own
    /// are told apart by where they are reached; one that does not say so may be the same.
    pub fn is_the_same_as(&self, resolved: &Resolved, reached: &[String]) -> bool {
        let is_traefik = |dialect| matches!(dialect, Dialect::Traefik | Dialect::TraefikNginx);
        let is_here = |address: &Address| reached.contains(&address.to_string());
        is_traefik(self.dialect)
            && is_traefik(resolved.dialect())
            && (self.addresses.is_empty() || reached.is_empty() || self.addresses.iter().any(is_here))
    }
}

/// The route under a name of its own, for the time in which another class takes an Ingress over: the former class serves
/// the endpoint's own Ingress until this one is known to work.
pub fn interim(route: &Route) -> Route {
    Route { name: interim_name(&route.name), ..route.clone() }
}

/// Whether another class can serve an [`interim`] route beside the one that it is to take over. Traefik merges what serves
/// the same. Others refuse a second Ingress for a host (ingress-nginx), or give each an address of its own.
pub fn can_serve_beside(resolved: &Resolved) -> bool {
    matches!(resolved.dialect(), Dialect::Traefik | Dialect::TraefikNginx)
}

/// The wished objects with what those that are there still need: the ways to Gateways that are left, and the leave to
/// read a Secret that is served until the other one is there.
pub fn beside(wished: &[Value], live: &[Value]) -> Vec<Value> {
    let there = |wished: &Value| {
        live.iter()
            .find(|live| live["kind"] == wished["kind"] && live["metadata"]["name"] == wished["metadata"]["name"])
    };
    wished.iter().map(|wished| there(wished).map_or_else(|| wished.clone(), |live| joined(wished, live))).collect()
}

fn joined(wished: &Value, live: &Value) -> Value {
    let mut joined = wished.clone();
    match wished["kind"].as_str() {
        Some("ReferenceGrant") => {
            for field in ["from", "to"] {
                add(&mut joined["spec"][field], live["spec"][field].as_array().into_iter().flatten());
            }
        }
        Some("HTTPRoute") => {
            let parents = live["spec"]["parentRefs"].as_array().into_iter().flatten();
            let left = parents.filter(|parent| leads_elsewhere(parent, wished) && is_accepted(parent, live));
            add(&mut joined["spec"]["parentRefs"], left);
        }
        _ => {}
    }
    joined
}

fn add<'a>(list: &mut Value, more: impl Iterator<Item = &'a Value>) {
    let Some(list) = list.as_array_mut() else { return };
    for one in more {
        // the API server fills in what was left out, so that equal ones need not be the same
        let known = list
            .iter()
            .any(|known| ["namespace", "name", "kind", "sectionName"].iter().all(|field| known[*field] == one[*field]));
        if !known {
            list.push(one.clone());
        }
    }
}

/// Whether a parent of a live route is another Gateway than those of the wished one.
fn leads_elsewhere(parent: &Value, wished: &Value) -> bool {
    let own = &wished["metadata"]["namespace"];
    let place = |parent: &Value| {
        let namespace = if parent["namespace"].is_null() { own } else { &parent["namespace"] };
        json!([namespace, parent["name"]])
    };
    wished["spec"]["parentRefs"].as_array().is_none_or(|all| all.iter().all(|one| place(one) != place(parent)))
}

/// A Gateway that does not take the route is no way that anybody would miss.
fn is_accepted(parent: &Value, live: &Value) -> bool {
    let told = live["status"]["parents"].as_array().into_iter().flatten();
    let mut same =
        told.filter(|told| ["name", "sectionName"].iter().all(|field| told["parentRef"][*field] == parent[*field]));
    same.any(|told| {
        let mut conditions = told["conditions"].as_array().into_iter().flatten();
        conditions.any(|condition| condition["type"] == "Accepted" && condition["status"] == "True")
    })
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolve::Served;

    fn traefik() -> Resolved {
        Resolved::Ingress(Served { class: "traefik".to_owned(), controller: None, dialect: Dialect::Traefik })
    }

    fn route(parents: &Value, told: &Value) -> Value {
        json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": {"name": "api", "namespace": "ffe"}, "spec": {"parentRefs": parents, "hostnames": ["a.example"]},
            "status": {"parents": told}})
    }

    fn parent(namespace: &str, name: &str) -> Value {
        json!({"kind": "Gateway", "namespace": namespace, "name": name, "sectionName": "https"})
    }

    fn told(parent: &Value, accepted: &str) -> Value {
        json!({"parentRef": parent, "conditions": [{"type": "Accepted", "status": accepted}]})
    }

    #[test]
    fn an_ingress_says_its_class_its_hosts_and_its_secret() {
        let ingress = json!({"apiVersion": NETWORKING, "kind": "Ingress",
            "metadata": {"annotations": {LEGACY_CLASS: "old"}},
            "spec": {"rules": [{"host": "a.example"}, {"http": {}}, {"host": "b.example"}], "tls": [{"secretName": "tls"}]}});
        let serving = Serving::of(&ingress, &traefik());
        assert_eq!(serving.hosts, ["a.example", "b.example"]);
        assert_eq!((serving.class.as_deref(), serving.secret_name.as_deref()), (Some("old"), Some("tls")));
        assert_eq!(Serving::of(&json!({"apiVersion": NETWORKING}), &traefik()), Serving::default());
        assert_eq!(Serving::of(&route(&json!([]), &json!([])), &traefik()).hosts, ["a.example"]);
    }

    #[test]
    fn one_traefik_serves_two_classes_unless_they_are_reached_at_different_places() {
        let reached = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let (here, there) = (Address::Ip([192, 0, 2, 1].into()), Address::Hostname("lb.example.com".to_owned()));
        for (dialect, addresses, now, same) in [
            (Dialect::TraefikNginx, vec![here.clone()], reached(&["192.0.2.1"]), true),
            (Dialect::Traefik, vec![here.clone(), there.clone()], reached(&["lb.example.com"]), true),
            (Dialect::TraefikNginx, vec![here.clone()], reached(&["192.0.2.2"]), false),
            (Dialect::TraefikNginx, vec![], reached(&["192.0.2.2"]), true),
            (Dialect::TraefikNginx, vec![there.clone()], reached(&[]), true),
            (Dialect::IngressNginx, vec![here.clone()], reached(&["192.0.2.1"]), false),
            (Dialect::Other, vec![], reached(&[]), false),
        ] {
            let former = Former { dialect, addresses };
            assert_eq!(former.is_the_same_as(&traefik(), &now), same, "{former:?} {now:?}");
        }
        let other = Resolved::Ingress(Served { class: "kong".to_owned(), controller: None, dialect: Dialect::Other });
        assert!(!Former { dialect: Dialect::Traefik, addresses: vec![] }.is_the_same_as(&other, &[]));
    }

    #[test]
    fn a_route_keeps_the_gateways_that_take_it_and_no_others() {
        let (old, broken, new) = (parent("web", "old"), parent("web", "broken"), parent("web", "new"));
        let live = route(&json!([old, broken]), &json!([told(&old, "True"), told(&broken, "False")]));
        let wished = route(&json!([new]), &Value::Null);
        let all = beside(std::slice::from_ref(&wished), std::slice::from_ref(&live));
        assert_eq!(all[0]["spec"]["parentRefs"], json!([new, old]));
        // another listener of the same Gateway is not another way
        let same = route(&json!([{"namespace": "web", "name": "old", "sectionName": "other"}]), &Value::Null);
        assert_eq!(beside(std::slice::from_ref(&same), &[live]), [same]);
        assert_eq!(beside(std::slice::from_ref(&wished), &[]), [wished]);
    }

    #[test]
    fn a_grant_is_for_both_until_one_is_left() {
        let grant = |namespace: &str, secret: &str| {
            json!({"apiVersion": "gateway.networking.k8s.io/v1beta1", "kind": "ReferenceGrant", "metadata": {"name": "api-tls"},
                "spec": {"from": [{"kind": "Gateway", "namespace": namespace}], "to": [{"kind": "Secret", "name": secret}]}})
        };
        let all = beside(&[grant("new", "second")], &[grant("old", "first")]);
        assert_eq!(all[0]["spec"]["from"].as_array().map(Vec::len), Some(2));
        assert_eq!(all[0]["spec"]["to"].as_array().map(Vec::len), Some(2));
        assert_eq!(beside(&[grant("new", "second")], &[grant("new", "second")]), [grant("new", "second")]);
    }
}
