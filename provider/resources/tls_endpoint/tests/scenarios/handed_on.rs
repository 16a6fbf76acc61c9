//! Annotations, labels, middlewares and protocols: what is handed on to the route, and what is refused.

use ffe_cluster::ObjectRef;
use serde_json::{Value as Json, json};
use tfplugin_testing::{Action, Told};

use crate::in_use::{at_gateway, expect_nothing_left, with, world};
use crate::visitor::Visitor;
use crate::world::{ENDPOINT, NAMESPACE, World, endpoint};

const NETWORKING: &str = "networking.k8s.io/v1";
const GATEWAY: &str = "gateway.networking.k8s.io/v1";
const TRAEFIK: &str = "traefik.io/v1alpha1";
const HOST: &str = "api.example.com";
const CHAIN: &str = "traefik.ingress.kubernetes.io/router.middlewares";
const AUTH_URL: &str = "nginx.ingress.kubernetes.io/auth-url";

fn middleware(world: &World, name: &str) -> ObjectRef {
    world.api.put(json!({ "apiVersion": TRAEFIK, "kind": "Middleware",
        "metadata": { "name": name, "namespace": NAMESPACE }, "spec": { "basicAuth": { "secret": "users" } } }));
    ObjectRef::new(TRAEFIK, "Middleware", Some(NAMESPACE), name)
}

fn through(names: &[&str]) -> Json {
    json!({ "middlewares": names.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>() })
}

fn ingress(world: &World, name: &str) -> Json {
    world.get(NETWORKING, "Ingress", name).unwrap()
}

fn chain(world: &World, name: &str) -> String {
    ingress(world, name)["metadata"]["annotations"][CHAIN].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(start_paused = true)]
async fn middlewares_come_and_go_while_somebody_asks() {
    let (world, base) = (world(), endpoint(json!({})));
    let (login, audit) = (middleware(&world, "login"), middleware(&world, "audit"));
    world.terraform().await.apply(ENDPOINT, "this", base.clone()).await.expect_ok();
    let before = chain(&world, "api");
    let (visitor, _asking) = Visitor::of(&world.api, HOST).await;
    let mut tf = world.watched(&visitor).await;
    tf.import(ENDPOINT, "this", "ffe/api", base.clone()).await.expect_ok();
    for (names, behind) in [
        (&["login"][..], ",ffe-login@kubernetescrd"),
        (&["audit", "login", "office@file"], ",ffe-audit@kubernetescrd,ffe-login@kubernetescrd,office@file"),
        (&["audit"], ",ffe-audit@kubernetescrd"),
    ] {
        let config = with(&base, through(names));
        tf.apply(ENDPOINT, "this", config.clone()).await.expect_ok();
        assert_eq!(chain(&world, "api"), format!("{before}{behind}"));
        assert!(chain(&world, "api-http").ends_with(behind), "nobody gets around it by HTTP");
        tf.assert_empty_plan(ENDPOINT, "this", config).await;
    }
    visitor_sees_files(&visitor);
    // The state of before goes on, and nothing of somebody else's goes.
    tf.apply(ENDPOINT, "this", base).await.expect_ok();
    assert_eq!(chain(&world, "api"), before);
    tf.destroy(ENDPOINT, "this").await.expect_ok();
    assert!(world.api.get(&login).is_some() && world.api.get(&audit).is_some());
    world.api.remove(&login);
    world.api.remove(&audit);
    expect_nothing_left(&world, "middlewares");
}

/// The visitor of these tests knows middlewares of the cluster alone, so that one of a file is a gap to him and no other is.
fn visitor_sees_files(visitor: &Visitor) {
    let gaps = visitor.gaps();
    assert!(gaps > 0, "with one of a file he was not served");
    visitor.look("the file's is gone");
    assert_eq!(visitor.gaps(), gaps, "without it he is");
}

#[tokio::test(start_paused = true)]
async fn a_middleware_that_is_not_there_is_a_warning_of_the_plan_and_an_error_of_the_apply() {
    for base in [endpoint(json!({})), at_gateway("web")] {
        let world = world();
        let mut tf = world.terraform().await;
        let config = with(&base, through(&["login"]));
        let planned = tf.plan(ENDPOINT, "this", config.clone()).await;
        planned.expect_ok();
        let said = planned.diagnostics().to_string();
        assert!(said.contains("Middleware ffe/login does not exist"), "{said}");
        let writes = world.writes();
        tf.apply(ENDPOINT, "this", config.clone())
            .await
            .expect_error("middlewares[0]", "Middleware ffe/login does not exist");
        assert_eq!((world.names("Ingress"), world.names("HTTPRoute")), (vec![], vec![]));
        assert!(world.writes() <= writes + 2, "the lease alone");
        let login = middleware(&world, "login");
        tf.apply(ENDPOINT, "this", config.clone()).await.expect_ok();
        tf.assert_empty_plan(ENDPOINT, "this", config).await;
        // One that is taken away later is said, and not a change: it is not the endpoint's to make.
        world.api.remove(&login);
        let other = with(&base, json!({ "middlewares": [{ "name": "login" }], "labels": { "team": "a" } }));
        let planned = tf.plan(ENDPOINT, "this", other).await;
        assert!(planned.diagnostics().to_string().contains("does not exist"), "{}", planned.diagnostics());
    }
}

#[tokio::test(start_paused = true)]
async fn at_a_gateway_they_are_filters_of_the_routes() {
    let world = world();
    middleware(&world, "login");
    let mut tf = world.terraform().await;
    let of_envoy = json!({ "group": "gateway.envoyproxy.io", "kind": "HTTPRouteFilter", "name": "audit" });
    let config = with(&at_gateway("web"), json!({ "middlewares": [{ "name": "login" }, of_envoy] }));
    tf.apply(ENDPOINT, "this", config.clone()).await.expect_ok();
    let route = world.get(GATEWAY, "HTTPRoute", "api").unwrap();
    let filters = route["spec"]["rules"][0]["filters"].as_array().unwrap();
    let refs: Vec<&Json> = filters.iter().map(|filter| &filter["extensionRef"]).filter(|one| !one.is_null()).collect();
    assert_eq!(
        refs,
        [
            &json!({ "group": "traefik.io", "kind": "Middleware", "name": "login" }),
            &json!({ "group": "gateway.envoyproxy.io", "kind": "HTTPRouteFilter", "name": "audit" }),
        ]
    );
    let elsewhere = with(&at_gateway("web"), json!({ "middlewares": [{ "name": "login", "namespace": "infra" }] }));
    tf.plan(ENDPOINT, "this", elsewhere).await.expect_error("middlewares[0]", "make it in ffe");
}

#[tokio::test(start_paused = true)]
async fn annotations_and_labels_are_those_of_the_route_and_drift_of_them_is_seen() {
    for (kind, base) in [("Ingress", endpoint(json!({}))), ("HTTPRoute", at_gateway("web"))] {
        let world = world();
        let mut tf = world.terraform().await;
        let more = json!({ "annotations": { "example.com/team": "engine" }, "labels": { "cost-center": "7" } });
        let config = with(&base, more);
        tf.apply(ENDPOINT, "this", config.clone()).await.expect_ok();
        let api = if kind == "Ingress" { NETWORKING } else { GATEWAY };
        for name in ["api", "api-http"] {
            let meta = world.get(api, kind, name).unwrap()["metadata"].clone();
            assert_eq!(meta["annotations"]["example.com/team"], "engine", "{name}");
            assert_eq!(meta["labels"]["cost-center"], "7", "{name}");
            assert_eq!(meta["labels"]["app.kubernetes.io/managed-by"], "terraform-provider-ffe", "{name}");
        }
        world.api.edit(&ObjectRef::new(api, kind, Some(NAMESPACE), "api"), |route| {
            route["metadata"]["annotations"]["example.com/team"] = json!("other");
        });
        let planned = tf.plan(ENDPOINT, "this", config.clone()).await;
        planned.expect_action(Action::Update);
        tf.apply(ENDPOINT, "this", config.clone()).await.expect_ok();
        assert_eq!(world.get(api, kind, "api").unwrap()["metadata"]["annotations"]["example.com/team"], "engine");
        let ignoring = with(
            &config,
            json!({ "drift": { "ignore": [{ "kind": kind,
            "paths": ["/metadata/annotations/example.com~1team"] }] } }),
        );
        tf.apply(ENDPOINT, "this", ignoring.clone()).await.expect_ok();
        world.api.edit(&ObjectRef::new(api, kind, Some(NAMESPACE), "api"), |route| {
            route["metadata"]["annotations"]["example.com/team"] = json!("other");
        });
        tf.assert_empty_plan(ENDPOINT, "this", ignoring).await;
        tf.destroy(ENDPOINT, "this").await.expect_ok();
        expect_nothing_left(&world, kind);
    }
}

#[tokio::test(start_paused = true)]
async fn what_contradicts_the_endpoint_is_refused_in_the_plan() {
    let world = World::new();
    let mut tf = world.terraform().await;
    for key in [
        "cert-manager.io/cluster-issuer",
        "kubernetes.io/tls-acme",
        "nginx.ingress.kubernetes.io/configuration-snippet",
        "ffe.three-rivers.tech/resource",
        "kubernetes.io/ingress.class",
        CHAIN,
    ] {
        let config = endpoint(json!({ "annotations": { key: "x" } }));
        tf.plan(ENDPOINT, "this", config).await.expect_error("annotations", key);
    }
    for (more, at, said) in [
        (json!({ "labels": { "app.kubernetes.io/managed-by": "me" } }), "labels", "set by the provider"),
        (json!({ "middlewares": [{ "name": "api-headers" }] }), "middlewares[0].name", "comes by itself"),
        (json!({ "backend_tls": { "hostname": "x" } }), "backend_tls", "there is none"),
        (through(&["login"]).as_object().unwrap().clone().into(), "", ""),
    ] {
        let planned = tf.plan(ENDPOINT, "this", endpoint(more)).await;
        if said.is_empty() {
            planned.expect_ok()
        } else {
            planned.expect_error(at, said)
        };
    }
    let nginx = with(&endpoint(json!({ "ingress_class": "nginx" })), through(&["login"]));
    tf.plan(ENDPOINT, "this", nginx).await.expect_error("middlewares[0]", "auth-url");
}

fn service(world: &World, name: &str, annotations: Json, port: Json) {
    world.api.put(json!({ "apiVersion": "v1", "kind": "Service",
        "metadata": { "name": name, "namespace": NAMESPACE, "annotations": annotations }, "spec": { "ports": [port] } }));
}

fn speaking(base: &Json, protocol: &str) -> Json {
    with(base, json!({ "backend": { "service": "backend", "port": "8000", "protocol": protocol } }))
}

#[tokio::test(start_paused = true)]
async fn what_a_controller_cannot_speak_is_refused_and_what_a_service_does_not_say_is_told() {
    let world = World::new();
    let mut tf = world.terraform().await;
    let of = |class: &str| endpoint(json!({ "ingress_class": class }));
    tf.plan(ENDPOINT, "this", speaking(&of("nginx"), "H2C")).await.expect_error("backend.protocol", "ingress-nginx");
    // Traefik goes by the Service, which may change in the same run.
    let config = speaking(&of("traefik"), "H2C");
    let planned = tf.plan(ENDPOINT, "this", config.clone()).await;
    planned.expect_ok();
    let remedy = "kubectl annotate service --namespace ffe backend --overwrite \
        traefik.ingress.kubernetes.io/service.serversscheme=h2c";
    assert!(planned.diagnostics().to_string().contains(remedy), "{}", planned.diagnostics());
    tf.apply(ENDPOINT, "this", config.clone()).await.expect_error("backend.protocol", remedy);
    let scheme = json!({ "traefik.ingress.kubernetes.io/service.serversscheme": "h2c" });
    service(&world, "backend", scheme, json!({ "port": 8000 }));
    tf.apply(ENDPOINT, "this", config.clone()).await.expect_ok();
    tf.assert_empty_plan(ENDPOINT, "this", config).await;
    let touched = world.api.seen().into_iter().any(|seen| seen.method != "GET" && seen.path.contains("/services/"));
    assert!(!touched, "a Service is the user's");
}

#[tokio::test(start_paused = true)]
async fn the_protocol_is_an_annotation_with_nginx_and_changes_in_place() {
    let world = World::new();
    let mut tf = world.terraform().await;
    let base = endpoint(json!({ "ingress_class": "nginx" }));
    let told = |world: &World| {
        ingress(world, "api")["metadata"]["annotations"]["nginx.ingress.kubernetes.io/backend-protocol"].clone()
    };
    for protocol in ["HTTPS", "GRPC", "HTTP"] {
        tf.apply(ENDPOINT, "this", speaking(&base, protocol)).await.expect_ok();
        assert_eq!(told(&world), protocol);
        tf.assert_empty_plan(ENDPOINT, "this", speaking(&base, protocol)).await;
    }
    let mixed = json!({ "backend": null, "backends": [
        { "path": "/", "service": "backend", "port": "8000" },
        { "path": "/api", "service": "backend", "port": "8000", "protocol": "HTTPS" },
    ] });
    tf.plan(ENDPOINT, "this", with(&base, mixed)).await.expect_error("backends[0].protocol", "one protocol");
}

#[tokio::test(start_paused = true)]
async fn a_gateway_is_told_whom_to_trust_by_a_policy_of_the_endpoint() {
    let world = world();
    let mut tf = world.terraform().await;
    let base = at_gateway("web");
    let without = speaking(&base, "HTTPS");
    tf.apply(ENDPOINT, "this", without.clone()).await.expect_error("backend.protocol", "does not serve that kind");
    world.api.register(GATEWAY, "BackendTLSPolicy", "backendtlspolicies", true);
    tf.apply(ENDPOINT, "this", without).await.expect_error("backend.protocol", "Set backend_tls");
    let trusting = |more: Json| with(&speaking(&base, "HTTPS"), json!({ "backend_tls": more }));
    let config = trusting(json!({ "hostname": "backend.internal", "ca_config_map": "authority" }));
    tf.apply(ENDPOINT, "this", config.clone()).await.expect_ok();
    let validation = |world: &World| {
        world.get(GATEWAY, "BackendTLSPolicy", "api-backend-tls").unwrap()["spec"]["validation"].clone()
    };
    assert_eq!(validation(&world)["caCertificateRefs"][0]["name"], "authority");
    tf.assert_empty_plan(ENDPOINT, "this", config).await;
    let system = trusting(json!({ "hostname": "backend.internal" }));
    tf.apply(ENDPOINT, "this", system.clone()).await.expect_ok();
    assert_eq!(validation(&world)["wellKnownCACertificates"], "System");
    // Somebody takes it away, and it comes back; with HTTP it goes.
    world.api.remove(&ObjectRef::new(GATEWAY, "BackendTLSPolicy", Some(NAMESPACE), "api-backend-tls"));
    tf.plan(ENDPOINT, "this", system.clone()).await.expect_action(Action::Update);
    tf.apply(ENDPOINT, "this", system.clone()).await.expect_ok();
    assert_eq!(world.names("BackendTLSPolicy"), ["api-backend-tls"]);
    tf.apply(ENDPOINT, "this", base).await.expect_ok();
    assert_eq!(world.names("BackendTLSPolicy"), Vec::<String>::new());
    tf.apply(ENDPOINT, "this", system).await.expect_ok();
    tf.destroy(ENDPOINT, "this").await.expect_ok();
    assert_eq!(world.names("BackendTLSPolicy"), Vec::<String>::new());
    expect_nothing_left(&world, "backend_tls");
}

/// An ingress of somebody else's, with all that an endpoint can say now.
fn theirs(world: &World, class: &str, annotations: Json) -> Json {
    let path = |path: &str, service: &str| json!({ "path": path, "pathType": "Prefix", "backend": { "service": { "name": service, "port": { "number": 8000 } } } });
    let ingress = json!({ "apiVersion": NETWORKING, "kind": "Ingress",
        "metadata": { "name": "api", "namespace": NAMESPACE, "annotations": annotations, "labels": { "team": "theirs" } },
        "spec": { "ingressClassName": class, "tls": [{ "hosts": [HOST], "secretName": "theirs" }],
            "rules": [{ "host": HOST, "http": { "paths": [path("/", "backend"), path("/docs", "docs")] } }] } });
    world.api.put(ingress.clone());
    ingress
}

fn as_theirs(class: &str, more: Json) -> Json {
    let backend = |path: &str, service: &str| json!({ "path": path, "service": service, "port": "8000" });
    let both = json!({ "ingress_class": class, "secret_name": "theirs", "backend": null,
        "backends": [backend("/", "backend"), backend("/docs", "docs")] });
    with(&endpoint(both), more)
}

#[tokio::test(start_paused = true)]
async fn an_ingress_with_paths_middlewares_and_annotations_is_taken_over_as_it_is_and_given_back() {
    let world = World::new();
    middleware(&world, "login");
    let names = "ffe-login@kubernetescrd,infra-audit@kubernetescrd,office@file";
    let before = theirs(
        &world,
        "traefik",
        json!({ CHAIN: names, "example.com/team": "theirs",
        "traefik.ingress.kubernetes.io/router.tls": "true" }),
    );
    world.api.put(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "infra" } }));
    world.api.put(json!({ "apiVersion": TRAEFIK, "kind": "Middleware", "metadata": { "name": "audit", "namespace": "infra" }, "spec": {} }));
    let mut tf = world.terraform().await;
    let all = json!([{ "name": "login" }, { "name": "audit", "namespace": "infra" }, { "name": "office@file" }]);
    let config = as_theirs("traefik", json!({ "middlewares": all, "annotations": { "example.com/team": "theirs" } }));
    let imported = tf.import(ENDPOINT, "this", "ffe/api", config.clone()).await;
    imported.expect_ok();
    let said = imported.diagnostics().to_string();
    assert!(!said.contains("does more than"), "nothing is lost: {said}");
    tf.apply(ENDPOINT, "this", config.clone()).await.expect_ok();
    let now = ingress(&world, "api");
    assert_eq!(now["spec"]["rules"], before["spec"]["rules"]);
    assert_eq!(now["metadata"]["annotations"][CHAIN], names, "the same, in the same order");
    tf.assert_empty_plan(ENDPOINT, "this", config.clone()).await;
    // Changed while it is ours, and given back as it was.
    let changed = as_theirs("traefik", json!({ "annotations": { "example.com/team": "ours" } }));
    let told = tf.plan(ENDPOINT, "this", changed.clone()).await;
    told.expect_ok();
    tf.apply(ENDPOINT, "this", changed).await.expect_ok();
    assert_eq!(ingress(&world, "api")["metadata"]["annotations"]["example.com/team"], "ours");
    tf.destroy(ENDPOINT, "this").await.expect_ok();
    let after = ingress(&world, "api");
    for field in ["spec", "metadata"] {
        for key in ["rules", "tls", "ingressClassName", "annotations"] {
            if !before[field][key].is_null() {
                assert_eq!(after[field][key], before[field][key], "{field}.{key}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_middleware_that_the_configuration_does_not_name_is_said_to_be_lost() {
    let world = World::new();
    middleware(&world, "login");
    theirs(&world, "traefik", json!({ CHAIN: "ffe-login@kubernetescrd" }));
    let mut tf = world.terraform().await;
    let config = as_theirs("traefik", json!({ "adopt": true }));
    let planned = tf.plan(ENDPOINT, "this", config.clone()).await;
    let said = planned.diagnostics().to_string();
    assert!(said.contains("Middleware ffe/login; to keep it, name it in middlewares"), "{said}");
    assert!(!said.contains("path /docs"), "the configuration has it: {said}");
    let planned = tf.plan(ENDPOINT, "this", with(&config, through(&["login"]))).await;
    assert!(!planned.diagnostics().to_string().contains("does more than the endpoint"), "{}", planned.diagnostics());
}

#[tokio::test(start_paused = true)]
async fn an_ingress_of_nginx_is_imported_with_its_protocol_and_its_annotations_stay() {
    let world = World::new();
    theirs(
        &world,
        "nginx",
        json!({ "nginx.ingress.kubernetes.io/backend-protocol": "HTTPS", AUTH_URL: "https://login.example.com" }),
    );
    let mut tf = world.terraform().await;
    let mut config = as_theirs("nginx", json!({}));
    for index in 0..2 {
        config["backends"][index]["protocol"] = json!("HTTPS");
    }
    let imported = tf.import(ENDPOINT, "this", "ffe/api", config.clone()).await;
    imported.expect_ok();
    tf.apply(ENDPOINT, "this", config.clone()).await.expect_ok();
    let annotations = ingress(&world, "api")["metadata"]["annotations"].clone();
    assert_eq!(annotations["nginx.ingress.kubernetes.io/backend-protocol"], "HTTPS");
    assert_eq!(annotations[AUTH_URL], "https://login.example.com", "what nobody speaks of stays");
    tf.assert_empty_plan(ENDPOINT, "this", config).await;
}
