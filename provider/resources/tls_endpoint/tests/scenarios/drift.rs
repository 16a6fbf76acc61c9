//! What others change: what is drift, and what is none.

use ffe_cluster::ObjectRef;
use serde_json::{Value as Json, json};
use tfplugin_testing::{Action, Told};

use crate::world::{ENDPOINT, NAMESPACE, World, endpoint};

const MIDDLEWARES: &str = "traefik.ingress.kubernetes.io/router.middlewares";

fn object(api_version: &str, kind: &str, name: &str) -> ObjectRef {
    ObjectRef::new(api_version, kind, Some(NAMESPACE), name)
}

fn ingress() -> ObjectRef {
    object("networking.k8s.io/v1", "Ingress", "api")
}

fn certificate() -> ObjectRef {
    object("cert-manager.io/v1", "Certificate", "api-tls")
}

/// What somebody does to an object.
type Edit = fn(&mut Json);

/// Somebody's changes of fields that the endpoint sets.
fn changes() -> Vec<(ObjectRef, &'static str, &'static str, Edit)> {
    vec![
        (
            ingress(),
            "/ingresses/api",
            "metadata.annotations[\"traefik.ingress.kubernetes.io/router.middlewares\"]",
            |live| {
                live["metadata"]["annotations"][MIDDLEWARES] = json!("platform-auth@kubernetescrd");
            },
        ),
        (ingress(), "/ingresses/api", "spec.rules[0].http.paths[0].backend.service.name", |live| {
            live["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["name"] = json!("proxy");
        }),
        (certificate(), "/certificates/api-tls", "metadata.labels[\"app.kubernetes.io/part-of\"]", |live| {
            live["metadata"]["labels"]["app.kubernetes.io/part-of"] = json!("platform");
        }),
        (certificate(), "/certificates/api-tls", "spec.dnsNames", |live| {
            live["spec"]["dnsNames"].as_array_mut().unwrap().push(json!("more.example.com"));
        }),
        (
            object("monitoring.coreos.com/v1", "PrometheusRule", "api-certificate"),
            "/prometheusrules/api-certificate",
            "spec.groups[0].name",
            |live| live["spec"]["groups"][0]["name"] = json!("platform"),
        ),
    ]
}

#[tokio::test(start_paused = true)]
async fn what_a_webhook_makes_of_it_is_no_drift_and_what_somebody_writes_is() {
    for (named, path, field, change) in changes() {
        let world = World::new();
        let mut tf = world.terraform().await;
        let config = endpoint(json!({}));
        tf.apply(ENDPOINT, "this", config.clone()).await.expect_ok();
        world.api.edit(&named, change);
        let planned = tf.plan(ENDPOINT, "this", config.clone()).await;
        planned.expect_action(Action::Update);
        assert_eq!(planned.before["drifted"][0]["field"], field, "{planned}");
        // Nobody can tell what becomes of it: it is compared as it is written.
        world.api.fail("PATCH", path, None, 403, "Forbidden", "no");
        tf.plan(ENDPOINT, "this", config.clone()).await.expect_action(Action::Update);
        world.api.heal();
        // A webhook would make it so again.
        world.api.answer("PATCH", path, None, 200, &world.api.get(&named).unwrap().to_string());
        tf.assert_empty_plan(ENDPOINT, "this", config.clone()).await;
        world.api.heal();
        tf.apply(ENDPOINT, "this", config.clone()).await.expect_ok();
        tf.assert_empty_plan(ENDPOINT, "this", config).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_others_may_change_is_no_drift() {
    let rules = [
        json!({ "kind": "Ingress", "paths": ["/metadata/annotations/traefik.ingress.kubernetes.io~1router.middlewares"] }),
        json!({ "kind": "Ingress", "name": "api", "paths": ["/spec/rules/0/http"] }),
        json!({ "paths": ["/metadata/labels"] }),
        json!({ "name": "api-tls" }),
        json!({ "kind": "PrometheusRule" }),
    ];
    for ((named, path, field, change), rule) in changes().into_iter().zip(rules) {
        let world = World::new();
        let mut tf = world.terraform().await;
        let config = endpoint(json!({ "drift": { "ignore": [rule] } }));
        tf.apply(ENDPOINT, "this", config.clone()).await.expect_ok();
        tf.assert_empty_plan(ENDPOINT, "this", config.clone()).await;
        world.api.edit(&named, change);
        let asked = world.api.count("PATCH", path);
        tf.assert_empty_plan(ENDPOINT, "this", config.clone()).await;
        assert_eq!(world.api.count("PATCH", path), asked, "{rule}: nothing has to be asked for it");
        // Beside it everything counts.
        let strict = endpoint(json!({}));
        tf.apply(ENDPOINT, "this", strict.clone()).await.expect_ok();
        world.api.edit(&named, change);
        let planned = tf.plan(ENDPOINT, "this", strict).await;
        planned.expect_action(Action::Update);
        assert_eq!(planned.before["drifted"][0]["field"], field, "{rule}: {planned}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_is_drift_unless_the_whole_object_is_left_to_others() {
    for (rule, counts) in [
        (json!({ "kind": "PrometheusRule" }), false),
        (json!({ "kind": "PrometheusRule", "paths": ["/spec"] }), true),
        (json!({ "kind": "PrometheusRule", "name": "other" }), true),
    ] {
        let world = World::new();
        let mut tf = world.terraform().await;
        let config = endpoint(json!({ "drift": { "ignore": [rule] } }));
        tf.apply(ENDPOINT, "this", config.clone()).await.expect_ok();
        world.api.remove(&object("monitoring.coreos.com/v1", "PrometheusRule", "api-certificate"));
        let planned = tf.plan(ENDPOINT, "this", config).await;
        planned.expect_action(if counts { Action::Update } else { Action::NoOp });
    }
}

#[tokio::test(start_paused = true)]
async fn listeners_may_be_left_to_others_too() {
    let world = World::new();
    world.api.put(json!({ "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass",
        "metadata": { "name": "traefik" }, "spec": { "controllerName": "traefik.io/gateway-controller" } }));
    world.api.put(json!({ "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
        "metadata": { "name": "shared", "namespace": NAMESPACE }, "spec": { "gatewayClassName": "traefik", "listeners": [
            { "name": "http", "port": 80, "protocol": "HTTP" }] } }));
    let gateway = json!({ "name": "shared", "manage_listener": true });
    let config = |more: Json| {
        let mut config = endpoint(json!({ "ingress_class": null, "gateway": gateway }));
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        config
    };
    let mut tf = world.terraform().await;
    tf.apply(ENDPOINT, "this", config(json!({}))).await.expect_ok();
    let shared = object("gateway.networking.k8s.io/v1", "Gateway", "shared");
    let change = |live: &mut Json| {
        live["spec"]["listeners"].as_array_mut().unwrap().last_mut().unwrap()["tls"]["certificateRefs"][0]["name"] =
            json!("other")
    };
    world.api.edit(&shared, change);
    tf.plan(ENDPOINT, "this", config(json!({}))).await.expect_action(Action::Update);
    let ignoring = config(json!({ "drift": { "ignore": [{ "kind": "Gateway", "paths": ["/spec/listeners"] }] } }));
    tf.apply(ENDPOINT, "this", ignoring.clone()).await.expect_ok();
    world.api.edit(&shared, change);
    tf.assert_empty_plan(ENDPOINT, "this", ignoring).await;
}
