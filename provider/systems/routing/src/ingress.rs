//! Ingresses: the same skeleton for each class, and what each class reads beside it.

mod nginx;
mod traefik;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::names::{NETWORKING, Role, object_name};
use crate::route::{Port, Route, Rule};
use crate::support::Dialect;

pub(crate) use nginx::{
    BURST as NGINX_BURST, FORCE_REDIRECT as NGINX_FORCE_REDIRECT, LIMIT as NGINX_LIMIT, PROTOCOL as NGINX_PROTOCOL,
    REDIRECT as NGINX_REDIRECT, protocol as nginx_protocol,
};
pub(crate) use traefik::{MIDDLEWARES as TRAEFIK_MIDDLEWARES, PRIORITY as TRAEFIK_PRIORITY, TLS as TRAEFIK_TLS};

/// The objects of a route that an IngressClass serves, in the order in which they are to be applied.
pub(crate) fn objects(route: &Route, class: &str, dialect: Dialect) -> Vec<Value> {
    match dialect {
        Dialect::Traefik => traefik::objects(route, class),
        Dialect::IngressNginx | Dialect::TraefikNginx => {
            vec![ingress(route, class, Role::Main, nginx::annotations(route, dialect))]
        }
        Dialect::Gateway | Dialect::Other => vec![ingress(route, class, Role::Main, BTreeMap::new())],
    }
}

/// An Ingress for all hosts of the route; the main one brings the certificate.
fn ingress(route: &Route, class: &str, role: Role, annotations: BTreeMap<&str, String>) -> Value {
    let hosts = route.distinct_hosts();
    let paths: Vec<Value> = route.rules.iter().map(path).collect();
    let rules: Vec<Value> = hosts.iter().map(|host| json!({"host": host, "http": {"paths": paths}})).collect();
    let mut spec = json!({"ingressClassName": class, "rules": rules});
    if role == Role::Main {
        spec["tls"] = json!([{"hosts": hosts, "secretName": route.secret_name}]);
    }
    json!({
        "apiVersion": NETWORKING,
        "kind": "Ingress",
        "metadata": metadata(route, role, annotations),
        "spec": spec,
    })
}

fn path(rule: &Rule) -> Value {
    json!({
        "path": rule.path,
        "pathType": rule.path_type.as_str(),
        "backend": {"service": {"name": rule.backend.service, "port": match &rule.backend.port {
            Port::Number(number) => json!({"number": number}),
            Port::Name(name) => json!({"name": name}),
        }}},
    })
}

/// Metadata with the route's labels and annotations; ours win.
pub(crate) fn metadata(route: &Route, role: Role, annotations: BTreeMap<&str, String>) -> Value {
    let mut meta = json!({"name": object_name(&route.name, role), "namespace": route.namespace});
    let given = route.annotations.iter().filter(|(key, _)| crate::route::why_refused(key).is_none());
    // Over plain HTTP the solver of HTTP-01 must stay before us: its rule is longer, which a priority would outdo.
    let given = given.filter(|(key, _)| role != Role::Http || *key != TRAEFIK_PRIORITY);
    let mut all: Map<String, Value> = given.map(|(key, value)| (key.clone(), Value::from(value.clone()))).collect();
    all.extend(annotations.into_iter().map(|(key, value)| (key.to_owned(), Value::from(value))));
    if !route.labels.is_empty() {
        meta["labels"] = json!(route.labels);
    }
    if !all.is_empty() {
        meta["annotations"] = Value::Object(all);
    }
    meta
}
