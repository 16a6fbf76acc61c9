//! Traefik: two Ingresses and the Middlewares that they name.
//!
//! A router of Traefik is either for TLS or not, and which entry point ends TLS by itself is the administrator's
//! choice that no API shows. So there is an Ingress with `router.tls` for HTTPS and another one for plain HTTP,
//! without names of entry points, which differ too. Where the entry point for HTTPS makes every router a TLS router
//! (as in k3s and the Helm chart), the second Ingress appears there as well, with the same rule; it therefore carries
//! the same Middlewares, after the redirect. That one lets HTTPS pass, so that it cannot loop, and neither can a
//! request get around the headers and the limit.
//!
//! HTTP-01 keeps working: the solver's Ingress has no Middleware, and its rule is longer, which Traefik serves first.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::ingress;
use crate::names::{Role, TRAEFIK, middleware_reference, object_name};
use crate::route::{Middleware, Route, Security};

/// The Middlewares of an Ingress, in the order in which a request meets them.
pub(crate) const MIDDLEWARES: &str = "traefik.ingress.kubernetes.io/router.middlewares";
/// Makes the routers of an Ingress TLS routers.
pub(crate) const TLS: &str = "traefik.ingress.kubernetes.io/router.tls";

/// Which router comes first.
pub(crate) const PRIORITY: &str = "traefik.ingress.kubernetes.io/router.priority";

pub(super) fn objects(route: &Route, class: &str) -> Vec<Value> {
    let mut middlewares: Vec<(Role, Value)> = Vec::new();
    if route.security.ssl_redirect {
        middlewares.push((Role::Redirect, json!({"redirectScheme": {"scheme": "https", "permanent": true}})));
    }
    // before the limit, so that a refusal carries the headers too
    if let Some(headers) = headers(&route.security) {
        middlewares.push((Role::Headers, json!({"headers": headers})));
    }
    if let Some(requests) = route.security.limit() {
        let limit = json!({"average": requests, "period": "1m", "burst": requests});
        middlewares.push((Role::RateLimit, json!({"rateLimit": limit})));
    }
    let chain = |with: &dyn Fn(Role) -> bool| {
        let names: Vec<String> = middlewares
            .iter()
            .filter(|(role, _)| with(*role))
            .map(|(role, _)| middleware_reference(&route.namespace, &object_name(&route.name, *role)))
            // behind ours, so that nobody is asked for a password over plain HTTP, and a limit is one of tries as well
            .chain(route.middlewares.iter().map(Middleware::reference))
            .collect();
        (!names.is_empty()).then(|| names.join(","))
    };
    let mut secure = BTreeMap::from([(TLS, "true".to_owned())]);
    secure.extend(chain(&|role| role != Role::Redirect).map(|chain| (MIDDLEWARES, chain)));
    let plain = BTreeMap::from_iter(chain(&|_| true).map(|chain| (MIDDLEWARES, chain)));

    let mut objects: Vec<Value> = middlewares.iter().map(|(role, spec)| middleware(route, *role, spec)).collect();
    objects.push(ingress(route, class, Role::Main, secure));
    objects.push(ingress(route, class, Role::Http, plain));
    objects
}

fn middleware(route: &Route, role: Role, spec: &Value) -> Value {
    let mut meta = json!({"name": object_name(&route.name, role), "namespace": route.namespace});
    if !route.labels.is_empty() {
        meta["labels"] = json!(route.labels);
    }
    json!({"apiVersion": TRAEFIK, "kind": "Middleware", "metadata": meta, "spec": spec})
}

fn headers(security: &Security) -> Option<Map<String, Value>> {
    let mut headers = Map::new();
    if let Some(seconds) = security.hsts() {
        headers.insert("stsSeconds".to_owned(), seconds.into());
        if security.hsts_subdomains {
            headers.insert("stsIncludeSubdomains".to_owned(), true.into());
        }
        // Behind a proxy that ends TLS the request comes as plain HTTP, and Traefik would leave the header out. The
        // blunt way (forceSTSHeader) would send it over plain HTTP to everybody; X-Forwarded-Proto is exact, and
        // Traefik itself sets it unless a proxy that it trusts did.
        headers.insert("sslProxyHeaders".to_owned(), json!({"X-Forwarded-Proto": "https"}));
    }
    if let Some(value) = &security.frame_options {
        headers.insert("customFrameOptionsValue".to_owned(), value.clone().into());
    }
    if let Some(value) = &security.content_security_policy {
        headers.insert("contentSecurityPolicy".to_owned(), value.clone().into());
    }
    if security.content_type_nosniff {
        headers.insert("contentTypeNosniff".to_owned(), true.into());
    }
    (!headers.is_empty()).then_some(headers)
}
