//! What goes wrong, and how the next run goes on from there.

use serde_json::{Value as Json, json};
use tfplugin_testing::{Action, Told};

use crate::world::{ISSUER, NAMESPACE, World, acme, with};

#[tokio::test(start_paused = true)]
async fn a_create_that_does_not_get_ready_says_why_and_is_gone_on_with() {
    let world = World::new();
    world.accept(false);
    let mut tf = world.terraform().await;
    let failed = tf.apply(ISSUER, "le", acme(json!({}))).await;
    for part in ["External account binding required", "kubectl delete clusterissuer le", "The next apply finds them"] {
        failed.expect_error("acme", part);
    }
    assert_eq!(tf.state(ISSUER, "le"), Json::Null);
    // An import is not the way on.
    tf.import(ISSUER, "le", "le", acme(json!({}))).await.expect_error("", "is not finished");
    world.accept(true);
    tf.apply(ISSUER, "le", acme(json!({}))).await.expect_ok();
    tf.assert_empty_plan(ISSUER, "le", acme(json!({}))).await;
}

#[tokio::test(start_paused = true)]
async fn an_update_that_does_not_get_ready_is_not_over() {
    let world = World::new();
    let mut tf = world.terraform().await.without_refresh_check();
    tf.apply(ISSUER, "le", acme(json!({}))).await.expect_ok();
    world.accept(false);
    let moved = acme(json!({ "server": "https://acme.example.com/directory" }));
    tf.apply(ISSUER, "le", moved.clone()).await.expect_error("acme", "is not ready");
    let state = tf.state(ISSUER, "le");
    assert_eq!(state["acme"]["server"], "https://acme.example.com/directory", "it was written");
    assert_eq!(state["drifted"][0]["field"], "(not ready)");
    tf.refresh(ISSUER, "le").await.expect_warning("", "ClusterIssuer le is not ready");
    tf.plan(ISSUER, "le", moved.clone()).await.expect_action(Action::Update);
    world.accept(true);
    tf.apply(ISSUER, "le", moved.clone()).await.expect_ok();
    tf.assert_empty_plan(ISSUER, "le", moved).await;
}

#[tokio::test(start_paused = true)]
async fn without_cert_manager_it_is_said_what_to_install() {
    let world = World::bare();
    let mut tf = world.terraform().await;
    tf.plan(ISSUER, "le", acme(json!({}))).await.expect_action(Action::Create).expect_ok();
    tf.apply(ISSUER, "le", acme(json!({}))).await.expect_error("", "Install cert-manager");
}

#[tokio::test(start_paused = true)]
async fn without_its_namespace_an_issuer_is_not_made() {
    let world = World::new();
    let mut tf = world.terraform().await;
    let config = with(acme(json!({})), json!({ "kind": "Issuer", "namespace": "none" }));
    tf.apply(ISSUER, "le", config).await.expect_error("namespace", "The namespace none does not exist");
    let config = with(acme(json!({})), json!({ "kind": "Issuer", "namespace": NAMESPACE }));
    tf.apply(ISSUER, "le", config).await.expect_ok();
}

#[tokio::test(start_paused = true)]
async fn what_the_webhook_refuses_is_told_in_its_words() {
    let world = World::new();
    let words = "admission webhook \"webhook.cert-manager.io\" denied the request: spec.acme.solvers[0]: Invalid value";
    world.api.fail("POST", "/clusterissuers", None, 403, "Forbidden", words);
    let mut tf = world.terraform().await;
    tf.apply(ISSUER, "le", acme(json!({}))).await.expect_error("", "spec.acme.solvers[0]: Invalid value");
    assert_eq!(tf.state(ISSUER, "le"), Json::Null);
}

#[tokio::test(start_paused = true)]
async fn kinds_that_are_away_prove_nothing() {
    let world = World::new();
    let mut tf = world.terraform().await;
    tf.apply(ISSUER, "le", acme(json!({}))).await.expect_ok();
    let state = tf.state(ISSUER, "le");
    world.api.answer("GET", "/clusterissuers", None, 404, "404 page not found");
    tf.refresh(ISSUER, "le").await;
    assert_eq!(tf.state(ISSUER, "le"), state);
}
