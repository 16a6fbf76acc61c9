//! Who else serves the same, against the API in memory.
#![allow(clippy::unwrap_used)]

use ffe_cluster_testing::FakeApi;
use serde_json::json;

use super::*;
use crate::objects;
use crate::tests::{api, gateway, on_gateway, resolved, route};

fn ingress(namespace: &str, name: &str, class: &str, host: &str, path: &str, labels: Value) -> Value {
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"ingressClassName": class, "rules": [{"host": host, "http": {"paths": [
            {"path": path, "pathType": "Prefix", "backend": {"service": {"name": "x", "port": {"number": 80}}}}]}}]}})
}

async fn found(api: &FakeApi, route: &Route) -> Vec<String> {
    let resolved = resolved(api, route).await;
    let found = conflicts(&api.cluster(), route, &resolved).await.unwrap();
    found.iter().map(|conflict| format!("{}{conflict}", if conflict.fatal { "! " } else { "" })).collect()
}

#[tokio::test]
async fn the_same_host_and_path_of_another_ingress_is_a_conflict() {
    let (api, route) = (api(), route("traefik"));
    let resolved = resolved(&api, &route).await;
    for own in objects(&route, &resolved) {
        api.put(own);
    }
    assert!(found(&api, &route).await.is_empty());

    let solver = json!({"acme.cert-manager.io/http01-solver": "true"});
    api.put(ingress("ffe", "solver", "traefik", "ffe.example.com", "/", solver));
    api.put(ingress("other", "path", "traefik", "ffe.example.com", "/admin", json!({})));
    api.put(ingress("other", "host", "traefik", "www.example.com", "/", json!({})));
    assert!(found(&api, &route).await.is_empty());

    api.put(ingress(
        "other",
        "chart",
        "traefik",
        "ffe.example.com",
        "/",
        json!({"app.kubernetes.io/managed-by": "Helm"}),
    ));
    api.put(ingress("other", "old", "haproxy", "api.ffe.example.com", "/", json!({})));
    assert_eq!(
        found(&api, &route).await,
        [
            "! Ingress other/chart already serves ffe.example.com/ (managed by Helm)",
            "Ingress other/old already serves api.ffe.example.com/, by another class: which of the two answers \
                depends on where DNS leads",
        ]
    );
    let all = conflicts(&api.cluster(), &route, &resolved).await.unwrap();
    assert!(all[0].advice().contains("ingress.enabled = false"), "{}", all[0].advice());
}

#[tokio::test]
async fn paths_are_the_same_with_and_without_a_slash_at_the_end_but_not_of_another_type() {
    let api = api();
    let mut route = route("traefik");
    route.rules[0].path = "/api".to_owned();
    api.put(ingress("other", "a", "traefik", "ffe.example.com", "/api/", json!({})));
    assert_eq!(found(&api, &route).await.len(), 1);
    route.rules[0].path_type = PathType::Exact;
    assert!(found(&api, &route).await.is_empty());
}

/// Another endpoint's.
fn marked(mut object: Value, endpoint: &str) -> Value {
    let owner = ffe_cluster::Owner::new("ffe_tls_endpoint", endpoint);
    Mark::complete(owner, "run").write_value(&mut object);
    object
}

#[tokio::test]
async fn two_endpoints_for_one_host_are_a_conflict_at_whatever_path() {
    let (api, mut route) = (api(), route("traefik"));
    for (name, class) in [("docs", "traefik"), ("docs-http", "traefik"), ("elsewhere", "haproxy")] {
        let ingress = ingress("other", name, class, "ffe.example.com", "/docs", json!({}));
        api.put(marked(ingress, &format!("other/{}", name.trim_end_matches("-http"))));
    }
    assert_eq!(
        found(&api, &route).await,
        [
            "! Ingress other/docs already serves ffe.example.com/docs, for endpoint other/docs: a host has one certificate, \
                and each of the two endpoints would have its own",
            "Ingress other/elsewhere already serves ffe.example.com/docs, for endpoint other/elsewhere, by another class: \
                which of the two answers depends on where DNS leads",
        ]
    );
    let resolved = resolved(&api, &route).await;
    let advice = conflicts(&api.cluster(), &route, &resolved).await.unwrap()[0].advice();
    assert!(advice.contains("backends = [{ path = \"/\"") && advice.contains("{ path = \"/docs\""), "{advice}");
    // One of several paths is enough to be the same.
    route.rules.push(crate::Rule::new("/docs/", crate::Backend::new("docs", 80)));
    let both = found(&api, &route).await;
    assert!(both[0].starts_with("! Ingress other/docs already serves ffe.example.com/docs (managed by"), "{both:?}");
}

#[tokio::test]
async fn two_endpoints_for_one_host_at_one_gateway_are_a_conflict_whatever_their_listeners() {
    let (api, route) = (api(), on_gateway("infra", true));
    api.put(gateway(json!([{"name": "other", "protocol": "HTTPS", "port": 443, "hostname": "x.example.com"}])));
    for (name, gateway) in [("docs", "web"), ("far", "elsewhere")] {
        let http_route = json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": {"name": name, "namespace": "other"},
            "spec": {"parentRefs": [{"name": gateway, "namespace": "infra", "sectionName": "of-its-own"}],
                "hostnames": ["ffe.example.com"], "rules": [{"matches": [{"path": {"type": "PathPrefix", "value": "/docs"}}]}]}});
        api.put(marked(http_route, &format!("other/{name}")));
    }
    let told = found(&api, &route).await;
    assert!(told[0].starts_with("! HTTPRoute other/docs already serves ffe.example.com/docs"), "{told:?}");
    assert!(told[1].starts_with("HTTPRoute other/far"), "{told:?}");
}

#[tokio::test]
async fn routes_on_the_same_gateway_are_conflicts() {
    let (api, route) = (api(), on_gateway("infra", true));
    api.put(gateway(
        json!([{"name": "http", "protocol": "HTTP", "port": 80, "allowedRoutes": {"namespaces": {"from": "All"}}}]),
    ));
    let http_route = |name: &str, parent: Value, rules: Value| {
        api.put(json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": {"name": name, "namespace": "infra"},
            "spec": {"parentRefs": [parent], "hostnames": ["ffe.example.com"], "rules": rules}}));
    };
    http_route("whole", json!({"name": "web"}), json!([{}]));
    http_route(
        "elsewhere",
        json!({"name": "other", "namespace": "infra"}),
        json!([{"matches": [{"path": {"value": "/"}}]}]),
    );
    http_route(
        "deeper",
        json!({"name": "web"}),
        json!([{"matches": [{"path": {"type": "PathPrefix", "value": "/x"}}]}]),
    );
    assert_eq!(
        found(&api, &route).await,
        [
            "HTTPRoute infra/elsewhere already serves ffe.example.com/, by another class: which of the two answers \
                depends on where DNS leads",
            "! HTTPRoute infra/whole already serves ffe.example.com/",
        ]
    );
}

#[tokio::test]
async fn with_leave_for_one_namespace_only_that_one_is_looked_at() {
    let (api, route) = (api(), route("traefik"));
    api.put(ingress("ffe", "near", "traefik", "ffe.example.com", "/", json!({})));
    api.put(ingress("other", "far", "traefik", "ffe.example.com", "/", json!({})));
    api.fail("GET", "/v1/ingresses", None, 403, "Forbidden", "no");
    api.fail("GET", "/v1/httproutes", None, 403, "Forbidden", "no");
    assert_eq!(found(&api, &route).await, ["! Ingress ffe/near already serves ffe.example.com/"]);
    api.heal();
    api.fail("GET", "/v1/ingresses", None, 500, "InternalError", "no");
    let resolved = resolved(&api, &route).await;
    assert!(conflicts(&api.cluster(), &route, &resolved).await.is_err());
}
