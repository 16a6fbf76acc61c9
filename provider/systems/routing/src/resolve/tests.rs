//! Who serves what, against the API in memory.
#![allow(clippy::unwrap_used, clippy::panic)]

use ffe_cluster::ObjectRef;
use ffe_cluster_testing::FakeApi;
use serde_json::json;

use super::*;
use crate::Port;
use crate::tests::{api, class, gateway, on_gateway, resolved, route};

async fn dialect(api: &FakeApi, class: &str) -> Dialect {
    served(&api.cluster(), Some(class)).await.unwrap().dialect
}

async fn refused(api: &FakeApi, route: &Route) -> Error {
    resolve(&api.cluster(), route).await.unwrap_err()
}

#[tokio::test]
async fn the_controller_of_a_class_decides_not_its_name() {
    let api = api();
    class(&api, "public", "traefik.io/ingress-controller", json!({}));
    assert_eq!(dialect(&api, "public").await, Dialect::Traefik);
    assert_eq!(dialect(&api, "haproxy").await, Dialect::Other);
    assert_eq!(dialect(&api, "nginx").await, Dialect::IngressNginx);
}

#[tokio::test]
async fn who_speaks_the_dialect_of_nginx_shows_in_labels_or_pods() {
    let api = api();
    class(&api, "nginx", "k8s.io/ingress-nginx", json!({}));
    // no pod of ingress-nginx anywhere, and Traefik has a class of its own
    assert_eq!(dialect(&api, "nginx").await, Dialect::TraefikNginx);
    api.put(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "c", "namespace": "other",
        "labels": {"app.kubernetes.io/name": "ingress-nginx"}}}));
    assert_eq!(dialect(&api, "nginx").await, Dialect::IngressNginx);
    class(&api, "nginx", "k8s.io/ingress-nginx", json!({"app.kubernetes.io/name": "traefik"}));
    assert_eq!(dialect(&api, "nginx").await, Dialect::TraefikNginx);

    // alone, it is what it says
    let api = FakeApi::new();
    api.register("networking.k8s.io/v1", "IngressClass", "ingressclasses", false);
    class(&api, "nginx", "k8s.io/ingress-nginx", json!({}));
    assert_eq!(dialect(&api, "nginx").await, Dialect::IngressNginx);
    api.fail("GET", "/pods", None, 403, "Forbidden", "no");
    assert_eq!(dialect(&api, "nginx").await, Dialect::IngressNginx);
}

#[tokio::test]
async fn a_class_that_is_not_there_is_refused_with_those_that_are() {
    let api = api();
    let error = refused(&api, &route("ngnix")).await;
    let text = error.to_string();
    assert!(text.contains("\"ngnix\"") && text.contains("traefik (traefik.io/ingress-controller)"), "{text}");
    assert_eq!(error.attribute().as_deref(), Some("ingress_class"));

    let empty = FakeApi::new();
    empty.register("networking.k8s.io/v1", "IngressClass", "ingressclasses", false);
    assert!(refused(&empty, &route("nginx")).await.to_string().contains("there is no IngressClass at all"));
}

#[tokio::test]
async fn no_class_means_the_one_default() {
    let api = api();
    let mut route = route("");
    route.class = Class::Ingress(None);
    let error = refused(&api, &route).await;
    assert!(error.to_string().contains("has no default IngressClass"), "{error}");

    let mark = |name: &str| {
        let object = ObjectRef::new("networking.k8s.io/v1", "IngressClass", None, name);
        api.edit(&object, |class| class["metadata"]["annotations"] = json!({DEFAULT_CLASS: "true"}));
    };
    mark("haproxy");
    let Resolved::Ingress(found) = resolved(&api, &route).await else { panic!("it is an Ingress") };
    assert_eq!((found.class.as_str(), found.dialect), ("haproxy", Dialect::Other));
    mark("traefik");
    let error = refused(&api, &route).await.to_string();
    assert!(error.contains("more than one (haproxy, traefik)"), "{error}");
}

#[tokio::test]
async fn without_leave_to_read_classes_the_name_has_to_do() {
    let api = api();
    api.fail("GET", "/ingressclasses", None, 403, "Forbidden", "no");
    let found = served(&api.cluster(), Some("traefik")).await.unwrap();
    assert_eq!(found, Served { class: "traefik".to_owned(), controller: None, dialect: Dialect::Traefik });
    let told = crate::warnings(&route("traefik"), &Resolved::Ingress(found));
    assert!(told.iter().any(|warning| warning.attribute == "ingress_class"), "{told:?}");
    assert!(served(&api.cluster(), None).await.is_err());
    api.heal();
    api.fail("GET", "/ingressclasses", None, 500, "InternalError", "no");
    assert!(served(&api.cluster(), Some("traefik")).await.is_err());
}

#[tokio::test]
async fn what_is_not_installed_is_said_before_anything_is_made() {
    let api = FakeApi::new();
    api.register("networking.k8s.io/v1", "IngressClass", "ingressclasses", false);
    class(&api, "traefik", "traefik.io/ingress-controller", json!({}));
    let error = refused(&api, &route("traefik")).await;
    assert!(error.to_string().contains("does not serve Middleware"), "{error}");
    assert!(error.advice().unwrap().contains("kubernetesCRD"));
    assert!(inspect(&api.cluster(), &route("traefik")).await.is_ok());
    // nothing needs a Middleware
    let bare = Route { security: crate::Security::default(), ..route("traefik") };
    assert!(resolve(&api.cluster(), &bare).await.is_ok());

    let error = refused(&api, &on_gateway("infra", true)).await;
    assert!(error.to_string().contains("does not serve Gateway"), "{error}");
}

#[tokio::test]
async fn a_gateway_that_is_not_there_is_refused_with_those_that_are() {
    let api = api();
    api.put(gateway(json!([])));
    let mut route = on_gateway("infra", true);
    route.class = Class::Gateway(GatewayRef { namespace: "ffe".into(), name: "web".into(), manage_listener: true });
    let error = refused(&api, &route).await;
    assert_eq!(error.to_string(), "there is no Gateway ffe/web in the cluster; there are: infra/web");
}

#[tokio::test]
async fn a_listener_that_is_missing_is_named_with_its_secret() {
    let api = api();
    api.put(gateway(json!([{"name": "wild", "protocol": "HTTPS", "port": 443, "hostname": "*.example.com",
        "tls": {"certificateRefs": [{"name": "wild"}]}, "allowedRoutes": {"namespaces": {"from": "All"}}}])));
    let error = refused(&api, &on_gateway("infra", false)).await;
    assert_eq!(
        error.to_string(),
        "Gateway infra/web has no HTTPS listener that serves ffe.example.com, api.ffe.example.com with Secret \
            ffe/api-tls"
    );
    let advice = error.advice().unwrap();
    assert!(advice.contains("manage_listener = true") && advice.contains("listener \"wild\""), "{advice}");
    // a refresh goes on
    let Resolved::Gateway(found) = inspect(&api.cluster(), &on_gateway("infra", false)).await.unwrap() else {
        panic!("it is a Gateway")
    };
    assert_eq!(found.missing.len(), 2);
    assert_eq!(found.controller.map(|controller| controller.name).as_deref(), Some("traefik.io/gateway-controller"));
}

#[tokio::test]
async fn a_port_by_name_becomes_a_number() {
    let api = api();
    api.put(gateway(json!([])));
    let mut route = on_gateway("infra", true);
    route.rules[0].backend.port = Port::Name("http".to_owned());
    assert!(refused(&api, &route).await.to_string().contains("does not exist yet"));
    api.put(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "finance-feedback-engine", "namespace": "ffe"},
        "spec": {"ports": [{"name": "metrics", "port": 9100}, {"name": "http", "port": 8000}]}}));
    let Resolved::Gateway(found) = resolved(&api, &route).await else { panic!("it is a Gateway") };
    assert_eq!(found.backend_ports, [8000]);
    route.rules[0].backend.port = Port::Name("web".to_owned());
    let error = refused(&api, &route).await;
    assert!(error.to_string().contains("it has 9100 (metrics), 8000 (http)"), "{error}");
    assert_eq!(error.attribute(), Some("backend.port".to_owned()));
}
