//! What is made for each class: golden files, and the support table held against them.
#![allow(clippy::unwrap_used, clippy::panic)]

mod golden;
mod table;

use ffe_cluster_testing::FakeApi;
use serde_json::{Value, json};

use crate::{Backend, Class, GatewayRef, Resolved, Route, Security, resolve};

/// Everything that can be asked for.
pub(crate) fn everything() -> Security {
    Security {
        ssl_redirect: true,
        hsts_max_age: Some(31_536_000),
        hsts_subdomains: true,
        frame_options: Some("DENY".to_owned()),
        content_security_policy: Some("default-src 'self'; frame-ancestors 'none'".to_owned()),
        content_type_nosniff: true,
        requests_per_minute: Some(100),
    }
}

/// A route of an IngressClass with all settings.
pub(crate) fn route(class: &str) -> Route {
    let backend = Backend::new("finance-feedback-engine", 8000);
    let hosts = ["ffe.example.com", "api.ffe.example.com"];
    let mut route = Route::new("ffe", "api", hosts, "api-tls", backend, Class::Ingress(Some(class.to_owned())));
    route.security = everything();
    route
}

/// The same on the Gateway `web` of a namespace.
pub(crate) fn on_gateway(namespace: &str, manage_listener: bool) -> Route {
    let gateway = GatewayRef { namespace: namespace.to_owned(), name: "web".to_owned(), manage_listener };
    Route { class: Class::Gateway(gateway), ..route("") }
}

/// The Gateway `infra/web` with these listeners.
pub(crate) fn gateway(listeners: Value) -> Value {
    json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
        "metadata": {"name": "web", "namespace": "infra"},
        "spec": {"gatewayClassName": "traefik", "listeners": listeners}})
}

/// An API that serves the kinds of Traefik and of the Gateway API, with classes.
pub(crate) fn api() -> FakeApi {
    let api = FakeApi::new();
    api.register("networking.k8s.io/v1", "IngressClass", "ingressclasses", false);
    api.register("traefik.io/v1alpha1", "Middleware", "middlewares", true);
    for (kind, plural, namespaced) in
        [("Gateway", "gateways", true), ("HTTPRoute", "httproutes", true), ("GatewayClass", "gatewayclasses", false)]
    {
        api.register("gateway.networking.k8s.io/v1", kind, plural, namespaced);
    }
    api.register("gateway.networking.k8s.io/v1beta1", "ReferenceGrant", "referencegrants", true);
    for namespace in ["ffe", "infra", "other"] {
        api.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": {"stage": namespace}}}));
    }
    class(&api, "traefik", "traefik.io/ingress-controller", json!({}));
    class(&api, "nginx", "k8s.io/ingress-nginx", json!({"app.kubernetes.io/name": "ingress-nginx"}));
    class(&api, "haproxy", "haproxy.org/ingress-controller", json!({}));
    api.put(
        json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": {"name": "traefik"},
        "spec": {"controllerName": "traefik.io/gateway-controller"}}),
    );
    api
}

/// Puts an IngressClass there.
pub(crate) fn class(api: &FakeApi, name: &str, controller: &str, labels: Value) {
    api.put(json!({"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass",
        "metadata": {"name": name, "labels": labels}, "spec": {"controller": controller}}));
}

pub(crate) async fn resolved(api: &FakeApi, route: &Route) -> Resolved {
    resolve(&api.cluster(), route).await.unwrap()
}
