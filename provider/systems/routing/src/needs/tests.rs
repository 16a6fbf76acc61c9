//! What is refused, and what is missed, against the API in memory.
#![allow(clippy::unwrap_used)]

use ffe_cluster_testing::FakeApi;
use serde_json::json;

use super::*;
use crate::tests::{api, class, gateway, on_gateway, resolved, route};

fn told(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(|problem| format!("{}: {}", problem.attribute, problem.message)).collect()
}

async fn refused(api: &FakeApi, route: &Route) -> Vec<String> {
    told(&refusals(route, &resolved(api, route).await))
}

async fn missed(api: &FakeApi, route: &Route) -> Vec<String> {
    told(&unmet(&api.cluster(), route, &resolved(api, route).await).await.unwrap())
}

fn speaking(mut route: Route, protocol: Protocol) -> Route {
    route.rules[0].backend.protocol = Some(protocol);
    route
}

fn service(api: &FakeApi, annotations: Value, port: Value) {
    api.put(json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "finance-feedback-engine", "namespace": "ffe", "annotations": annotations}, "spec": {"ports": [port]}}));
}

#[tokio::test]
async fn a_class_that_has_no_way_for_a_protocol_refuses_it_by_name() {
    let api = api();
    class(&api, "as-nginx", "k8s.io/ingress-nginx", json!({"app.kubernetes.io/name": "traefik"}));
    for (class, protocol, attribute) in [
        ("traefik", Protocol::Grpc, ""),
        ("nginx", Protocol::Https, ""),
        ("nginx", Protocol::Grpc, ""),
        ("nginx", Protocol::H2c, "backend.protocol"),
        ("as-nginx", Protocol::H2c, ""),
        ("haproxy", Protocol::Http, ""),
        ("haproxy", Protocol::Https, "backend.protocol"),
    ] {
        let found = refused(&api, &speaking(route(class), protocol)).await;
        assert_eq!(found.is_empty(), attribute.is_empty(), "{class} {protocol:?}: {found:?}");
        assert!(found.iter().all(|one| one.starts_with(attribute) && one.contains(protocol.as_str())), "{found:?}");
    }
}

#[tokio::test]
async fn one_ingress_of_nginx_has_one_protocol() {
    let api = api();
    let mut mixed = speaking(route("nginx"), Protocol::Https);
    mixed.rules.push(crate::Rule::new("/docs", Backend::new("docs", 80)));
    let found = refused(&api, &mixed).await;
    assert!(
        found.len() == 1 && found[0].starts_with("backends[1].protocol: ingress-nginx takes one protocol"),
        "{found:?}"
    );
    mixed.rules[1].backend.protocol = Some(Protocol::Https);
    assert!(refused(&api, &mixed).await.is_empty());
    mixed.rules.iter_mut().for_each(|rule| rule.backend.protocol = None);
    mixed.rules[1].backend.protocol = Some(Protocol::Http);
    assert!(refused(&api, &mixed).await.is_empty(), "what is not said is HTTP");
    mixed.class = Class::Ingress(Some("traefik".to_owned()));
    mixed.rules[0].backend.protocol = Some(Protocol::Https);
    assert!(refused(&api, &mixed).await.is_empty(), "Traefik goes by each Service");
}

#[tokio::test]
async fn middlewares_are_named_where_there_are_some() {
    let api = api();
    api.put(gateway(json!([])));
    let theirs = |route: Route, one: Middleware| Route { middlewares: vec![one], ..route };
    let login = Middleware::new("ffe", "login");
    let of_envoy =
        Middleware { group: "gateway.envoyproxy.io".to_owned(), kind: "HTTPRouteFilter".to_owned(), ..login.clone() };
    for (route, one, said) in [
        (route("traefik"), login.clone(), ""),
        (route("traefik"), Middleware::new("infra", "login"), ""),
        (route("traefik"), Middleware::new("ffe", "login@file"), ""),
        (route("traefik"), of_envoy.clone(), "knows Middlewares of traefik.io"),
        (route("nginx"), login.clone(), "put them into annotations"),
        (route("haproxy"), login.clone(), "say it by annotations"),
        (on_gateway("infra", true), login.clone(), ""),
        (on_gateway("infra", true), of_envoy, ""),
        (on_gateway("infra", true), Middleware::new("infra", "login"), "make it in ffe"),
        (on_gateway("infra", true), Middleware::new("ffe", "login@file"), "make it in ffe"),
    ] {
        let found = refused(&api, &theirs(route, one.clone())).await;
        assert_eq!(found.is_empty(), said.is_empty(), "{one}: {found:?}");
        assert!(found.iter().all(|one| one.starts_with("middlewares[0]: ") && one.contains(said)), "{found:?}");
    }
}

#[tokio::test]
async fn a_middleware_that_is_not_there_is_named_and_one_that_may_not_be_read_is_not_missed() {
    let api = api();
    let mut route = route("traefik");
    route.middlewares =
        vec![Middleware::new("ffe", "login"), Middleware::new("infra", "audit"), Middleware::new("ffe", "office@file")];
    api.put(json!({"apiVersion": TRAEFIK, "kind": "Middleware", "metadata": {"name": "login", "namespace": "ffe"}, "spec": {}}));
    let found = missed(&api, &route).await;
    assert!(
        found.len() == 1 && found[0].starts_with("middlewares[1]: Middleware infra/audit does not exist"),
        "{found:?}"
    );
    api.fail("GET", "/namespaces/infra/middlewares/audit", None, 403, "Forbidden", "no");
    assert!(missed(&api, &route).await.is_empty());
    api.heal();
    api.fail("GET", "/namespaces/infra/middlewares/audit", None, 500, "InternalError", "no");
    let resolved = resolved(&api, &route).await;
    assert!(unmet(&api.cluster(), &route, &resolved).await.is_err());
}

#[tokio::test]
async fn what_traefik_takes_a_service_to_speak_is_compared() {
    let h2c = json!({ SCHEME: "h2c" });
    let https = json!({ SCHEME: "https" });
    let plain = json!({"name": "http", "port": 8000});
    let named = json!({"name": "https-api", "port": 8000});
    for (annotations, port, protocol, spoken) in [
        (json!({}), plain.clone(), Protocol::Http, ""),
        (json!({}), plain.clone(), Protocol::Https, "speaks http to Service ffe/finance-feedback-engine at port 8000"),
        (json!({}), named.clone(), Protocol::Https, ""),
        (json!({}), named.clone(), Protocol::Http, "speaks https"),
        (https.clone(), plain.clone(), Protocol::Https, ""),
        (h2c.clone(), named.clone(), Protocol::H2c, ""),
        (h2c.clone(), plain.clone(), Protocol::Grpc, ""),
        (https.clone(), plain.clone(), Protocol::Grpc, ""),
        (
            json!({}),
            plain.clone(),
            Protocol::Grpc,
            "--overwrite traefik.ingress.kubernetes.io/service.serversscheme=h2c",
        ),
        (https, plain, Protocol::H2c, "speaks https"),
    ] {
        let api = api();
        let route = speaking(route("traefik"), protocol);
        assert!(missed(&api, &route).await.is_empty(), "a Service that is not there yet says nothing");
        service(&api, annotations.clone(), port.clone());
        let found = missed(&api, &route).await;
        assert_eq!(found.is_empty(), spoken.is_empty(), "{annotations} {port} {protocol:?}: {found:?}");
        assert!(found.iter().all(|one| one.starts_with("backend.protocol: ") && one.contains(spoken)), "{found:?}");
    }
}

#[tokio::test]
async fn a_gateway_is_told_what_a_service_speaks_by_its_port_and_by_policies() {
    let api = api();
    api.put(gateway(json!([])));
    let on = |protocol| speaking(on_gateway("infra", true), protocol);
    for (app_protocol, protocol, good) in [
        (json!("kubernetes.io/h2c"), Protocol::H2c, true),
        (json!("kubernetes.io/h2c"), Protocol::Grpc, true),
        (json!(null), Protocol::H2c, false),
        (json!("http"), Protocol::Http, true),
        (json!("kubernetes.io/h2c"), Protocol::Http, false),
    ] {
        service(&api, json!({}), json!({"port": 8000, "appProtocol": app_protocol}));
        let found = missed(&api, &on(protocol)).await;
        assert_eq!(found.is_empty(), good, "{app_protocol} {protocol:?}: {found:?}");
        assert!(found.iter().all(|one| one.contains("set appProtocol: ")), "{found:?}");
    }
    let found = missed(&api, &on(Protocol::Https)).await;
    assert!(found[0].contains("does not serve that kind") && found[0].contains("1.4"), "{found:?}");
    api.register(GATEWAY, "BackendTLSPolicy", "backendtlspolicies", true);
    let found = missed(&api, &on(Protocol::Https)).await;
    assert!(found[0].contains("Set backend_tls"), "{found:?}");
    let trusting = Route {
        backend_tls: Some(crate::BackendTls { hostname: "engine".to_owned(), ca_config_map: None }),
        ..on(Protocol::Https)
    };
    assert!(missed(&api, &trusting).await.is_empty());
    assert!(refused(&api, &trusting).await.is_empty());
    api.put(
        json!({"apiVersion": GATEWAY, "kind": "BackendTLSPolicy", "metadata": {"name": "theirs", "namespace": "ffe"},
        "spec": {"targetRefs": [{"kind": "Service", "name": "finance-feedback-engine"}]}}),
    );
    assert!(missed(&api, &on(Protocol::Https)).await.is_empty());
    let by_ingress = Route { class: Class::Ingress(Some("traefik".to_owned())), ..trusting };
    assert!(refused(&api, &by_ingress).await[0].contains("ServersTransport"));
}
