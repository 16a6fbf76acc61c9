//! The Gateway API: HTTPRoutes, the grant for the Secret, and our listeners on somebody's Gateway.

mod attach;
mod conditions;
mod survey;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::ingress::metadata;
use crate::names::{GATEWAY, GRANT, Role, object_name};
use crate::route::{GatewayRef, PathType, Protocol, Route, Rule};

pub use attach::{attach, detach, try_attach};
pub(crate) use conditions::{Verdict, judge_gateway, judge_listeners, judge_route};
pub(crate) use survey::survey;

/// What a Gateway has for a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// The Gateway
    pub gateway: GatewayRef,
    /// Its GatewayClass
    pub class: String,
    /// The controller of that class; None when the class does not exist
    pub controller: Option<Controller>,
    /// Listeners for plain HTTP that let the route in
    pub http: Vec<String>,
    /// Listeners for HTTPS that the route hangs on: ours, or those that have the Secret already
    pub https: Vec<String>,
    /// Listeners that are ours to add
    pub ours: Vec<OurListener>,
    /// Hosts for which no listener of the Gateway will do, without `manage_listener`
    pub missing: Vec<MissingListener>,
    /// The numbers of the backends' ports, in the order of the route's rules: a route on a Gateway knows no names
    pub backend_ports: Vec<u16>,
}

/// Who serves a GatewayClass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Controller {
    /// `spec.controllerName`; empty when the class may not be read
    pub name: String,
    /// What it says that it can do beyond the core, `HTTPRouteResponseHeaderModification`; None when it says nothing
    pub features: Option<Vec<String>>,
}

impl Controller {
    /// Reads a GatewayClass.
    pub(crate) fn of_class(class: &Value) -> Self {
        let name = class.pointer("/spec/controllerName").and_then(Value::as_str).unwrap_or_default().to_owned();
        // objects with a name since 1.2, texts before
        let text = |feature: &Value| feature["name"].as_str().or(feature.as_str()).map(str::to_owned);
        let features = class.pointer("/status/supportedFeatures").and_then(Value::as_array);
        let features: Vec<String> = features.into_iter().flatten().filter_map(text).collect();
        Self { name, features: Some(features).filter(|features| !features.is_empty()) }
    }

    /// Whether it says what it can do, and this is not among it.
    pub fn lacks(&self, feature: &str) -> bool {
        self.features.as_ref().is_some_and(|features| !features.iter().any(|known| known == feature))
    }
}

/// A listener that we add to a Gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OurListener {
    /// Its name, which a route refers to
    pub name: String,
    /// Its host
    pub host: String,
    /// Its port
    pub port: u16,
    /// The Secret of the route's namespace that it refers to now, where it is there
    pub secret: Option<String>,
}

/// What a Gateway lacks, when its listeners are not ours to manage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingListener {
    /// The host that is not served with the Secret
    pub host: String,
    /// The listener that comes nearest, and what it lacks
    pub nearest: Option<String>,
}

/// The objects of a route on a Gateway, in the order in which they are to be applied.
pub(crate) fn objects(route: &Route, attachment: &Attachment) -> Vec<Value> {
    let mut objects = Vec::new();
    if attachment.gateway.namespace != route.namespace {
        objects.push(grant(route, &attachment.gateway));
    }
    objects.extend(backend_tls(route));
    objects.push(http_route(route, attachment, Role::Main, &attachment.https, served(route, attachment, true)));
    // a route without a listener would be refused as a whole
    if !attachment.http.is_empty() {
        let plain = if route.security.ssl_redirect { redirected(route) } else { served(route, attachment, false) };
        objects.push(http_route(route, attachment, Role::Http, &attachment.http, plain));
    }
    objects
}

/// What server-side apply is to put into the Gateway; None when it is not ours to touch.
pub(crate) fn listeners(route: &Route, attachment: &Attachment) -> Option<Value> {
    if attachment.ours.is_empty() {
        return None;
    }
    let namespaces = json!({"from": "Selector",
        "selector": {"matchLabels": {"kubernetes.io/metadata.name": route.namespace}}});
    let listeners: Vec<Value> = attachment
        .ours
        .iter()
        .map(|ours| {
            json!({
                "name": ours.name, "hostname": ours.host, "port": ours.port, "protocol": "HTTPS",
                // group and kind are written out: not every controller knows that they have defaults
                "tls": {"mode": "Terminate", "certificateRefs": [
                    {"group": "", "kind": "Secret", "name": route.secret_name, "namespace": route.namespace}]},
                "allowedRoutes": {"namespaces": namespaces},
            })
        })
        .collect();
    let gateway = &attachment.gateway;
    Some(json!({"apiVersion": GATEWAY, "kind": "Gateway",
        "metadata": {"name": gateway.name, "namespace": gateway.namespace}, "spec": {"listeners": listeners}}))
}

fn http_route(route: &Route, attachment: &Attachment, role: Role, sections: &[String], rules: Vec<Value>) -> Value {
    let gateway = &attachment.gateway;
    let parents: Vec<Value> = sections
        .iter()
        .map(|section| {
            json!({"group": "gateway.networking.k8s.io", "kind": "Gateway",
                "namespace": gateway.namespace, "name": gateway.name, "sectionName": section})
        })
        .collect();
    json!({
        "apiVersion": GATEWAY, "kind": "HTTPRoute",
        "metadata": metadata(route, role, BTreeMap::new()),
        "spec": {"parentRefs": parents, "hostnames": route.distinct_hosts(), "rules": rules},
    })
}

fn served(route: &Route, attachment: &Attachment, secure: bool) -> Vec<Value> {
    let headers: Vec<Value> =
        route.security.headers(secure).into_iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    let mut filters = Vec::new();
    if !headers.is_empty() {
        filters.push(json!({"type": "ResponseHeaderModifier", "responseHeaderModifier": {"set": headers}}));
    }
    filters.extend(route.middlewares.iter().map(
        |one| json!({"type": "ExtensionRef", "extensionRef": {"group": one.group, "kind": one.kind, "name": one.name}}),
    ));
    let rule = |(rule, port): (&Rule, &u16)| {
        let mut served = Map::from_iter([("matches".to_owned(), matches(rule))]);
        if !filters.is_empty() {
            served.insert("filters".to_owned(), json!(filters));
        }
        let backend = json!({"group": "", "kind": "Service", "name": rule.backend.service, "port": port, "weight": 1});
        served.insert("backendRefs".to_owned(), json!([backend]));
        Value::Object(served)
    };
    route.rules.iter().zip(&attachment.backend_ports).map(rule).collect()
}

/// Only our own paths are redirected: others may serve theirs of the same host. The challenge of HTTP-01 is a longer
/// match, which comes first.
fn redirected(route: &Route) -> Vec<Value> {
    let rule = |rule: &Rule| {
        json!({"matches": matches(rule), "filters": [
            // 308 is not in the standard channel
            {"type": "RequestRedirect", "requestRedirect": {"scheme": "https", "statusCode": 301}}]})
    };
    route.rules.iter().map(rule).collect()
}

fn matches(rule: &Rule) -> Value {
    let kind = if rule.path_type == PathType::Exact { "Exact" } else { "PathPrefix" };
    json!([{"path": {"type": kind, "value": rule.path}}])
}

/// Whom the Gateway trusts behind the Services that speak TLS.
fn backend_tls(route: &Route) -> Option<Value> {
    let trust = route.backend_tls.as_ref()?;
    let mut services: Vec<&str> = Vec::new();
    for backend in route.rules.iter().map(|rule| &rule.backend) {
        if backend.protocol == Some(Protocol::Https) && !services.contains(&backend.service.as_str()) {
            services.push(&backend.service);
        }
    }
    let targets: Vec<Value> =
        services.iter().map(|service| json!({"group": "", "kind": "Service", "name": service})).collect();
    let mut validation = json!({"hostname": trust.hostname});
    match &trust.ca_config_map {
        Some(name) => {
            validation["caCertificateRefs"] = json!([{"group": "", "kind": "ConfigMap", "name": name}]);
        }
        None => validation["wellKnownCACertificates"] = json!("System"),
    }
    let mut meta = json!({"name": object_name(&route.name, Role::BackendTls), "namespace": route.namespace});
    if !route.labels.is_empty() {
        meta["labels"] = json!(route.labels);
    }
    (!targets.is_empty()).then(|| {
        json!({"apiVersion": GATEWAY, "kind": "BackendTLSPolicy", "metadata": meta,
            "spec": {"targetRefs": targets, "validation": validation}})
    })
}

/// Lets Gateways of one other namespace read one Secret.
fn grant(route: &Route, gateway: &GatewayRef) -> Value {
    let mut meta = json!({"name": object_name(&route.name, Role::Grant), "namespace": route.namespace});
    if !route.labels.is_empty() {
        meta["labels"] = json!(route.labels);
    }
    json!({"apiVersion": GRANT, "kind": "ReferenceGrant", "metadata": meta, "spec": {
        "from": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": gateway.namespace}],
        "to": [{"group": "", "kind": "Secret", "name": route.secret_name}]}})
}
