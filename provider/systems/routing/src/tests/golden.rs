//! Golden files: all objects of each class, and what its plan warns of.

use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{api, everything, gateway, on_gateway, resolved, route};
use crate::gateway::listeners;
use crate::{
    Attachment, Backend, BackendTls, Dialect, GatewayRef, Middleware, PathType, Port, Protocol, Resolved, Route, Rule,
    Security, Served, http01, leftovers, names, objects, warnings,
};

/// Objects, warnings and solver as one text.
fn told(route: &Route, resolved: &Resolved) -> String {
    let mut text = String::new();
    for object in objects(route, resolved) {
        let _ = writeln!(text, "---\n{}", serde_norway::to_string(&object).unwrap().trim_end());
    }
    if let Resolved::Gateway(attachment) = resolved
        && let Some(patch) = listeners(route, attachment)
    {
        let _ = writeln!(
            text,
            "--- # applied under a field manager of its own\n{}",
            serde_norway::to_string(&patch).unwrap().trim_end()
        );
    }
    let _ = writeln!(text, "=== HTTP-01\n{}", http01(resolved).to_value());
    for warning in warnings(route, resolved) {
        let _ = writeln!(text, "=== warning\n{warning}");
    }
    text
}

fn ingress(dialect: Dialect, class: &str, controller: &str) -> Resolved {
    Resolved::Ingress(Served { class: class.to_owned(), controller: Some(controller.to_owned()), dialect })
}

#[tokio::test]
async fn traefik() {
    let route = route("traefik");
    insta::assert_snapshot!(told(&route, &resolved(&api(), &route).await));
}

#[tokio::test]
async fn traefik_without_any_setting() {
    let mut route = Route { security: Security::default(), ..route("traefik") };
    route.rules[0].path = "/api".to_owned();
    route.rules[0].backend.port = Port::Name("http".to_owned());
    insta::assert_snapshot!(told(&route, &resolved(&api(), &route).await));
}

#[tokio::test]
async fn ingress_nginx() {
    let mut route = route("nginx");
    route.labels.insert("team".to_owned(), "engine".to_owned());
    route.annotations.insert("note".to_owned(), "kept".to_owned());
    insta::assert_snapshot!(told(&route, &resolved(&api(), &route).await));
}

/// Two backends, of which one speaks something else, and what others have made for all requests.
fn several(route: Route, protocol: Option<Protocol>) -> Route {
    let docs = Backend { protocol, ..Backend::new("docs", 9000) };
    let mut route = route;
    route.rules.push(Rule { path_type: PathType::Exact, ..Rule::new("/docs", docs) });
    route.labels.insert("team".to_owned(), "engine".to_owned());
    route.annotations.insert("note".to_owned(), "kept".to_owned());
    route
}

#[tokio::test]
async fn traefik_with_several_backends_and_middlewares() {
    let mut route = several(route("traefik"), Some(Protocol::H2c));
    route.middlewares =
        vec![Middleware::new("ffe", "login"), Middleware::new("infra", "audit"), Middleware::new("ffe", "office@file")];
    insta::assert_snapshot!(told(&route, &resolved(&api(), &route).await));
}

#[tokio::test]
async fn a_priority_is_for_https_so_that_the_solver_stays_before_it() {
    let mut route = route("traefik");
    let (priority, entry_points) =
        ("traefik.ingress.kubernetes.io/router.priority", "traefik.ingress.kubernetes.io/router.entrypoints");
    for key in [priority, entry_points] {
        route.annotations.insert(key.to_owned(), "7".to_owned());
    }
    let made = objects(&route, &resolved(&api(), &route).await);
    let has = |name: &str, key: &str| {
        let object = made.iter().find(|object| object["kind"] == "Ingress" && object["metadata"]["name"] == name);
        object.unwrap()["metadata"]["annotations"][key] == "7"
    };
    assert!(has("api", priority) && !has("api-http", priority));
    assert!(has("api", entry_points) && has("api-http", entry_points), "what is for inside only is so by HTTP too");
    assert_eq!(route.problems(), []);
    assert!(several(route, None).problems()[0].message.contains("equals"));
}

#[tokio::test]
async fn ingress_nginx_with_several_backends_of_https() {
    let mut route = several(route("nginx"), Some(Protocol::Https));
    route.rules[0].backend.protocol = Some(Protocol::Https);
    route.annotations.insert("nginx.ingress.kubernetes.io/auth-url".to_owned(), "https://login.example.com".to_owned());
    insta::assert_snapshot!(told(&route, &resolved(&api(), &route).await));
}

#[tokio::test]
async fn gateway_with_several_backends_middlewares_and_tls_behind_it() {
    let api = api();
    api.put(gateway(
        json!([{"name": "web", "protocol": "HTTP", "port": 8000, "allowedRoutes": {"namespaces": {"from": "All"}}}]),
    ));
    let mut route = several(on_gateway("infra", true), Some(Protocol::Https));
    route.middlewares = vec![Middleware::new("ffe", "login")];
    route.security.ssl_redirect = false;
    route.backend_tls =
        Some(BackendTls { hostname: "docs.internal".to_owned(), ca_config_map: Some("authority".to_owned()) });
    insta::assert_snapshot!(told(&route, &resolved(&api, &route).await));
}

#[tokio::test]
async fn traefik_for_ingress_nginx() {
    let mut route = route("nginx");
    route.rules[0].path_type = PathType::ImplementationSpecific;
    insta::assert_snapshot!(told(&route, &ingress(Dialect::TraefikNginx, "nginx", "k8s.io/ingress-nginx")));
}

#[tokio::test]
async fn any_other_class() {
    let route = route("haproxy");
    insta::assert_snapshot!(told(&route, &resolved(&api(), &route).await));
}

#[tokio::test]
async fn gateway_with_listeners_of_ours() {
    let api = api();
    api.put(gateway(
        json!([{"name": "web", "protocol": "HTTP", "port": 8000, "allowedRoutes": {"namespaces": {"from": "All"}}}]),
    ));
    let route = on_gateway("infra", true);
    insta::assert_snapshot!(told(&route, &resolved(&api, &route).await));
}

#[tokio::test]
async fn gateway_of_the_same_namespace_with_the_secret_and_no_redirect() {
    let api = api();
    let mut own = gateway(json!([
        {"name": "plain", "protocol": "HTTP", "port": 80},
        {"name": "secure", "protocol": "HTTPS", "port": 443, "hostname": "*.example.com",
            "tls": {"certificateRefs": [{"name": "api-tls"}]}},
    ]));
    own["metadata"]["namespace"] = json!("ffe");
    api.put(own);
    let mut route = on_gateway("ffe", false);
    route.rules[0].path_type = PathType::Exact;
    route.security.ssl_redirect = false;
    insta::assert_snapshot!(told(&route, &resolved(&api, &route).await));
}

#[tokio::test]
async fn gateway_without_plain_http() {
    let api = api();
    api.put(gateway(json!([{"name": "other", "protocol": "HTTPS", "port": 8443, "hostname": "other.com",
        "tls": {"certificateRefs": [{"name": "other"}]}}])));
    let route = Route { security: Security { ssl_redirect: true, ..Security::default() }, ..on_gateway("infra", true) };
    insta::assert_snapshot!(told(&route, &resolved(&api, &route).await));
}

#[tokio::test]
async fn a_controller_that_lists_what_it_can_is_believed() {
    let api = api();
    let class = ffe_cluster::ObjectRef::new("gateway.networking.k8s.io/v1", "GatewayClass", None, "traefik");
    let http =
        json!([{"name": "http", "protocol": "HTTP", "port": 80, "allowedRoutes": {"namespaces": {"from": "All"}}}]);
    api.put(gateway(http));
    let route = on_gateway("infra", true);
    let mut attributes = Vec::new();
    for features in
        [json!([]), json!([{"name": "HTTPRouteSchemeRedirect"}]), json!(["HTTPRouteResponseHeaderModification"])]
    {
        api.edit(&class, |class| class["status"] = json!({"supportedFeatures": features}));
        let warnings = warnings(&route, &resolved(&api, &route).await);
        attributes.push(warnings.iter().map(|warning| warning.attribute.replace("security.", "")).collect::<Vec<_>>());
    }
    let headers =
        ["hsts_max_age", "hsts_subdomains", "frame_options", "content_security_policy", "content_type_nosniff"];
    assert_eq!(attributes[0], ["requests_per_minute"], "who says nothing is trusted");
    assert_eq!(attributes[1], [headers.as_slice(), &["requests_per_minute"]].concat());
    assert_eq!(attributes[2], ["ssl_redirect", "requests_per_minute"]);
}

#[tokio::test]
async fn what_is_not_wished_is_left_over() {
    let mut route = route("traefik");
    let resolved = resolved(&api(), &route).await;
    let text = |route: &Route| -> Vec<String> {
        leftovers(route, &objects(route, &resolved)).iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        text(&route),
        [
            "HTTPRoute ffe/api",
            "HTTPRoute ffe/api-http",
            "ReferenceGrant ffe/api-tls",
            "BackendTLSPolicy ffe/api-backend-tls",
        ]
    );
    route.security = Security { content_type_nosniff: true, ..Security::default() };
    assert_eq!(text(&route)[..2], ["Middleware ffe/api-redirect", "Middleware ffe/api-rate-limit"]);
    assert_eq!(names("ffe", "api").len(), 9);
}

/// Whatever the settings, and whatever annotations somebody hands in.
fn any_route() -> impl Strategy<Value = Route> {
    let settings = (any::<bool>(), any::<Option<u64>>(), any::<bool>(), any::<bool>(), any::<Option<u32>>());
    let key = "(nginx.ingress.kubernetes.io/|cert-manager.io/)?[a-z-]{0,8}(server-snippet|configuration-snippet)?";
    let annotations = proptest::collection::btree_map(key, "[ -~]{0,12}", 0..4);
    (settings, annotations, "[a-z][a-z0-9-]{0,61}[a-z0-9]").prop_map(|(settings, annotations, name)| {
        let (ssl_redirect, hsts_max_age, hsts_subdomains, headers, requests_per_minute) = settings;
        let all = everything();
        let security = Security {
            ssl_redirect,
            hsts_max_age,
            hsts_subdomains,
            frame_options: all.frame_options.filter(|_| headers),
            content_security_policy: all.content_security_policy.filter(|_| headers),
            content_type_nosniff: headers,
            requests_per_minute,
        };
        Route { security, annotations, name, ..route("any") }
    })
}

fn on_any_listener() -> Attachment {
    Attachment {
        gateway: GatewayRef { namespace: "infra".to_owned(), name: "web".to_owned(), manage_listener: true },
        class: "any".to_owned(),
        controller: None,
        http: vec!["http".to_owned()],
        https: vec!["https".to_owned()],
        ours: Vec::new(),
        missing: Vec::new(),
        backend_ports: vec![8000],
    }
}

fn annotations(object: &Value) -> impl Iterator<Item = &String> {
    object["metadata"]["annotations"].as_object().into_iter().flatten().map(|(key, _)| key)
}

proptest! {
    #[test]
    fn no_object_has_a_snippet_nor_asks_for_a_certificate_and_every_name_is_known(route in any_route()) {
        let classes = [Dialect::Traefik, Dialect::IngressNginx, Dialect::TraefikNginx, Dialect::Other];
        let mut places: Vec<Resolved> = classes.into_iter().map(|dialect| ingress(dialect, "any", "any")).collect();
        places.push(Resolved::Gateway(on_any_listener()));
        let known = names(&route.namespace, &route.name);
        for place in places {
            for object in objects(&route, &place) {
                for key in annotations(&object) {
                    prop_assert!(!key.contains("snippet") && !key.contains("cert-manager.io/"), "{}", key);
                }
                prop_assert!(known.contains(&ffe_cluster::ObjectRef::from_value(&object).unwrap()));
            }
        }
    }

    #[test]
    fn middlewares_that_are_named_are_made(route in any_route()) {
        let objects = objects(&route, &ingress(Dialect::Traefik, "any", "any"));
        let made: Vec<String> = objects
            .iter()
            .filter(|object| object["kind"] == "Middleware")
            .map(|object| format!("{}-{}@kubernetescrd", route.namespace, object["metadata"]["name"].as_str().unwrap()))
            .collect();
        let mut named: Vec<&str> = Vec::new();
        for object in &objects {
            let chain = object["metadata"]["annotations"]["traefik.ingress.kubernetes.io/router.middlewares"].as_str();
            named.extend(chain.into_iter().flat_map(|chain| chain.split(',')));
        }
        prop_assert!(named.iter().all(|name| made.iter().any(|made| made == name)), "{:?} of {:?}", named, made);
        prop_assert!(made.iter().all(|made| named.contains(&made.as_str())), "{:?} of {:?}", named, made);
    }
}
