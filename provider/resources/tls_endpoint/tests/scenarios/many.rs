//! Endpoints that lead to several services by path.

use serde_json::{Value as Json, json};
use tfplugin_testing::{Action, Told};

use crate::in_use::{at_gateway, expect_nothing_left, with, world};
use crate::visitor::Visitor;
use crate::world::{ENDPOINT, NAMESPACE, World, endpoint};

const NETWORKING: &str = "networking.k8s.io/v1";
const GATEWAY: &str = "gateway.networking.k8s.io/v1";
const HOST: &str = "api.example.com";

/// A backend below a path.
fn below(path: &str, service: &str) -> Json {
    json!({ "path": path, "service": service, "port": "8000" })
}

/// An endpoint with these backends.
fn several(base: &Json, backends: Json) -> Json {
    with(base, json!({ "backend": null, "backends": backends }))
}

/// The Services that an object leads to, by path.
fn leads(world: &World, kind: &str) -> Vec<(String, String)> {
    let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
    if kind == "Ingress" {
        let ingress = world.get(NETWORKING, kind, "api").unwrap();
        let rules = ingress["spec"]["rules"].as_array().unwrap();
        let paths = rules.iter().flat_map(|rule| rule["http"]["paths"].as_array().unwrap());
        return paths.map(|path| (text(&path["path"]), text(&path["backend"]["service"]["name"]))).collect();
    }
    let route = world.get(GATEWAY, kind, "api").unwrap();
    let rules = route["spec"]["rules"].as_array().unwrap().iter();
    rules.map(|rule| (text(&rule["matches"][0]["path"]["value"]), text(&rule["backendRefs"][0]["name"]))).collect()
}

fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter().map(|(path, service)| ((*path).to_owned(), (*service).to_owned())).collect()
}

#[tokio::test(start_paused = true)]
async fn backends_come_and_go_while_somebody_asks() {
    for (kind, base) in [("Ingress", endpoint(json!({}))), ("HTTPRoute", at_gateway("web"))] {
        let world = world();
        world.terraform().await.apply(ENDPOINT, "this", base.clone()).await.expect_ok();
        let (visitor, _asking) = Visitor::of(&world.api, HOST).await;
        let mut tf = world.watched(&visitor).await;
        tf.import(ENDPOINT, "this", "ffe/api", base.clone()).await.expect_action(Action::NoOp).expect_ok();
        // In the one form and the other, a second one added, another order, one exchanged, and back.
        for (backends, expected) in [
            (json!([below("/", "backend")]), pairs(&[("/", "backend")])),
            (json!([below("/", "backend"), below("/docs", "docs")]), pairs(&[("/", "backend"), ("/docs", "docs")])),
            (json!([below("/docs", "docs"), below("/", "backend")]), pairs(&[("/docs", "docs"), ("/", "backend")])),
            (json!([below("/docs", "other"), below("/", "backend")]), pairs(&[("/docs", "other"), ("/", "backend")])),
        ] {
            let config = several(&base, backends);
            tf.apply(ENDPOINT, "this", config.clone()).await.expect_ok();
            assert_eq!(leads(&world, kind), expected);
            visitor.expect_no_gap(kind);
            tf.assert_empty_plan(ENDPOINT, "this", config).await;
        }
        tf.apply(ENDPOINT, "this", base.clone()).await.expect_ok();
        assert_eq!(leads(&world, kind), pairs(&[("/", "backend")]));
        visitor.expect_no_gap(kind);
        assert_eq!(world.controllers.orders(), 1, "one host, one certificate");
        tf.destroy(ENDPOINT, "this").await.expect_ok();
        expect_nothing_left(&world, kind);
    }
}

#[tokio::test(start_paused = true)]
async fn both_hosts_and_plain_http_have_every_path_and_an_import_knows_them() {
    let world = World::new();
    let mut tf = world.terraform().await;
    let exact = json!({ "path": "/up", "path_type": "Exact", "service": "probe", "port": "http" });
    let base = endpoint(json!({ "hosts": [HOST, "b.example.com"], "security": { "ssl_redirect": false } }));
    let config = several(&base, json!([below("/", "backend"), exact]));
    tf.apply(ENDPOINT, "this", config.clone()).await.expect_ok();
    for name in ["api", "api-http"] {
        let ingress = world.get(NETWORKING, "Ingress", name).unwrap();
        for rule in ingress["spec"]["rules"].as_array().unwrap() {
            let paths = rule["http"]["paths"].as_array().unwrap();
            assert_eq!(paths.len(), 2, "{name}: {rule}");
            assert_eq!(
                (&paths[1]["pathType"], &paths[1]["backend"]["service"]["port"]["name"]),
                (&json!("Exact"), &json!("http"))
            );
        }
    }
    let mut other = world.terraform().await;
    other.import(ENDPOINT, "this", "ffe/api", config.clone()).await.expect_action(Action::NoOp).expect_ok();
    // Drift of one of them is put right.
    let ingress = ffe_cluster::ObjectRef::new(NETWORKING, "Ingress", Some(NAMESPACE), "api");
    world.api.edit(&ingress, |ingress| {
        ingress["spec"]["rules"][1]["http"]["paths"][1]["backend"]["service"]["name"] = json!("elsewhere");
    });
    tf.plan(ENDPOINT, "this", config.clone()).await.expect_action(Action::Update);
    tf.apply(ENDPOINT, "this", config.clone()).await.expect_ok();
    assert_eq!(leads(&world, "Ingress")[3].1, "probe");
    tf.assert_empty_plan(ENDPOINT, "this", config).await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_is_refused_in_the_plan() {
    let world = World::new();
    let mut tf = world.terraform().await;
    for (backends, path, said) in [
        (json!([below("/", "a"), below("/docs", "b"), below("/docs/", "c")]), "backends[2].path", "given twice"),
        (json!([below("/", "a"), below("/a//b", "b")]), "backends[1].path", "no blanks nor empty parts"),
    ] {
        let planned = tf.plan(ENDPOINT, "this", several(&endpoint(json!({})), backends)).await;
        planned.expect_error(path, said);
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_endpoint_for_a_host_is_refused_with_the_way_out_and_that_works() {
    for base in [endpoint(json!({})), at_gateway("web")] {
        let world = world();
        let mut tf = world.terraform().await;
        let second =
            with(&base, json!({ "name": "docs", "path": "/docs", "backend": { "service": "docs", "port": "8000" } }));
        tf.apply(ENDPOINT, "first", base.clone()).await.expect_ok();
        let refused = tf.plan(ENDPOINT, "second", second.clone()).await;
        refused.expect_error("hosts", "backends = [{ path = \"/\"");
        refused.expect_error("hosts", "ffe/api");
        // The same by one that gets the host later.
        let elsewhere = with(&second, json!({ "hosts": ["b.example.com"] }));
        tf.apply(ENDPOINT, "second", elsewhere).await.expect_ok();
        tf.plan(ENDPOINT, "second", second).await.expect_error("hosts", "ffe/api");
        // The way out.
        let both = several(&base, json!([below("/", "backend"), below("/docs", "docs")]));
        tf.apply(ENDPOINT, "first", both.clone()).await.expect_ok();
        tf.destroy(ENDPOINT, "second").await.expect_ok();
        // The API in memory keeps no books of whose the listeners of a Gateway are.
        if base["gateway"].is_null() {
            tf.assert_empty_plan(ENDPOINT, "first", both).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn two_new_endpoints_of_one_run_for_a_host_are_refused_before_either_is_made() {
    let world = World::new();
    let mut tf = world.terraform().await;
    let second = endpoint(json!({ "name": "docs", "path": "/docs" }));
    tf.plan(ENDPOINT, "first", endpoint(json!({}))).await.expect_ok();
    let refused = tf.plan(ENDPOINT, "second", second.clone()).await;
    refused.expect_error("hosts", "This run plans api.example.com for endpoint ffe/api as well");
    refused.expect_error("hosts", "backends = [{ path = \"/\"");
    // Another host, another class, and who says that they may.
    for more in [json!({ "hosts": ["b.example.com"] }), json!({ "ingress_class": "nginx" }), json!({ "adopt": true })] {
        let planned = tf.plan(ENDPOINT, "third", with(&second, with(&json!({ "name": "third" }), more.clone()))).await;
        let told = planned.diagnostics().iter().any(|one| one.summary.contains("Another endpoint serves"));
        assert!(!told, "{more}");
    }
}

/// What is replaced goes first: what takes its place is no second endpoint, also at another path.
#[tokio::test(start_paused = true)]
async fn an_endpoint_that_takes_the_place_of_one_is_no_second_one() {
    let world = world();
    let mut tf = world.terraform().await;
    tf.apply(ENDPOINT, "first", endpoint(json!({}))).await.expect_ok();
    let elsewhere = endpoint(json!({ "namespace": "web", "path": "/v1", "issuer": { "self_signed": {} } }));
    tf.plan(ENDPOINT, "first", elsewhere).await.expect_action(Action::Replace).expect_ok();
}

/// Two endpoints of before, which became one, in one apply each: the host's own is changed while the other one is there still.
#[tokio::test(start_paused = true)]
async fn an_endpoint_that_is_there_beside_another_one_can_be_changed() {
    let world = World::new();
    let mut tf = world.terraform().await;
    tf.apply(ENDPOINT, "first", endpoint(json!({}))).await.expect_ok();
    let docs = json!({ "name": "docs", "path": "/docs", "adopt": true });
    tf.apply(ENDPOINT, "second", endpoint(docs)).await.expect_ok();
    let both = several(&endpoint(json!({})), json!([below("/", "backend"), below("/docs", "docs")]));
    let changed = tf.apply(ENDPOINT, "first", both).await;
    changed.expect_ok();
    assert!(changed.diagnostics().iter().any(|one| one.summary == "Another route serves the same"));
}
