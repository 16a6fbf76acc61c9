//! Issuers of somebody else's, and those that are in another state.

use ffe_cluster::{Mark, Owner};
use serde_json::{Value as Json, json};
use tfplugin_testing::{Action, Told};

use crate::world::{API, ISSUER, World, acme, cluster_issuer, with};

fn theirs(more: Json) -> Json {
    let metadata = with(json!({ "name": "le" }), more);
    json!({ "apiVersion": API, "kind": "ClusterIssuer", "metadata": metadata, "spec": { "acme": {
        "server": ffe_cert_manager::LETSENCRYPT_STAGING, "email": "old@three-rivers-tech.com",
        "privateKeySecretRef": { "name": "their-key" }, "solvers": [{ "http01": { "ingress": { "ingressClassName": "nginx" } } }] } } })
}

fn like_theirs() -> Json {
    acme(json!({ "email": "old@three-rivers-tech.com", "private_key_secret": "their-key",
        "solvers": [{ "http01": { "ingress_class": "nginx" } }] }))
}

#[tokio::test(start_paused = true)]
async fn what_exists_is_refused_in_the_plan_unless_told() {
    let world = World::new();
    world.api.put(theirs(json!({})));
    let before = world.issuer("le").unwrap()["spec"].clone();
    let mut tf = world.terraform().await;
    let planned = tf.plan(ISSUER, "le", acme(json!({}))).await;
    planned.expect_error("name", "terraform import ffe_issuer.<name> le").expect_error("name", "adopt = true");

    let adopting = with(acme(json!({})), json!({ "adopt": true }));
    tf.apply(ISSUER, "le", adopting.clone()).await.expect_ok();
    assert_eq!(world.issuer("le").unwrap()["spec"]["acme"]["email"], "ops@three-rivers-tech.com");
    tf.assert_empty_plan(ISSUER, "le", adopting).await;

    // It stays when the resource goes, also while somebody uses it, and as it was.
    world.certificate("web", "ClusterIssuer", "le");
    tf.destroy(ISSUER, "le").await.expect_ok();
    let left = world.issuer("le").unwrap();
    assert_eq!(left["spec"], before);
    assert!(!left.to_string().contains("ffe.three-rivers.tech/"), "{left}");
}

#[tokio::test(start_paused = true)]
async fn an_import_of_somebody_elses_changes_nothing_in_the_cluster_at_first() {
    let world = World::new();
    world.api.put(theirs(json!({})));
    let before = world.issuer("le").unwrap()["spec"].clone();
    let mut tf = world.terraform().await;
    let imported = tf.import(ISSUER, "le", "le", like_theirs()).await;
    imported.expect_action(Action::Update).expect_ok();
    tf.apply(ISSUER, "le", like_theirs()).await.expect_ok();
    assert_eq!(world.issuer("le").unwrap()["spec"], before);
    tf.assert_empty_plan(ISSUER, "le", like_theirs()).await;

    // Destroyed right after an import, nothing is touched.
    let mut other = world.terraform().await;
    other.import(ISSUER, "le", "le", like_theirs()).await.expect_action(Action::NoOp).expect_ok();
    tf.destroy(ISSUER, "le").await.expect_ok();
    assert_eq!(world.issuer("le").unwrap()["spec"], before);
}

#[tokio::test(start_paused = true)]
async fn what_is_in_another_state_is_never_adopted() {
    let world = World::new();
    world.terraform().await.apply(ISSUER, "le", acme(json!({}))).await.expect_ok();
    let mut second = world.terraform().await;
    for config in [acme(json!({})), with(acme(json!({})), json!({ "adopt": true }))] {
        second.apply(ISSUER, "le", config).await.expect_error("name", "in another state");
    }
    second.import(ISSUER, "le", "le", acme(json!({}))).await.expect_action(Action::NoOp).expect_ok();
}

#[tokio::test(start_paused = true)]
async fn what_helm_would_delete_is_not_taken_over() {
    let world = World::new();
    let of_helm =
        json!({ "annotations": { "meta.helm.sh/release-name": "issuers", "meta.helm.sh/release-namespace": "cm" } });
    world.api.put(theirs(of_helm));
    let mut tf = world.terraform().await;
    let adopting = with(acme(json!({})), json!({ "adopt": true }));
    tf.apply(ISSUER, "le", adopting).await.expect_error("name", "is part of the Helm release cm/issuers");
    tf.import(ISSUER, "le", "le", acme(json!({}))).await.expect_error("name", "is part of the Helm release cm/issuers");
}

#[tokio::test(start_paused = true)]
async fn a_secret_of_somebody_elses_is_not_written_over() {
    let world = World::new();
    let secret = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "le-credentials", "namespace": "cm" },
        "data": { "theirs": "eA==" } });
    world.api.put(secret.clone());
    let mut tf = world.terraform().await;
    let token = acme(json!({ "solvers": [{ "dns01_cloudflare": { "api_token_wo": "t" } }] }));
    tf.apply(ISSUER, "le", token).await.expect_error("name", "Secret cm/le-credentials exists already");
    assert_eq!(world.secret("le-credentials").unwrap()["data"], secret["data"]);
    assert_eq!(world.names("ClusterIssuer"), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn of_two_that_make_it_at_once_one_wins_and_the_other_is_told() {
    let world = World::new();
    let other = Mark::complete(Owner::new("ffe_tls_endpoint", "ffe/api"), "their-run");
    let mut made = theirs(json!({}));
    other.write_value(&mut made);
    world.api.meanwhile("POST", "/clusterissuers", 0, move |api| api.put(made));
    let mut tf = world.terraform().await;
    tf.apply(ISSUER, "le", acme(json!({}))).await.expect_error("name", "It belongs to ffe_tls_endpoint ffe/api");
    assert_eq!(world.issuer("le").unwrap()["spec"]["acme"]["email"], "old@three-rivers-tech.com");
}

#[tokio::test(start_paused = true)]
async fn import_ids_are_names_of_issuers_that_exist() {
    let world = World::new();
    let mut tf = world.terraform().await;
    for (id, text) in [
        ("", "malformed"),
        ("a/b/c", "malformed"),
        ("/a", "malformed"),
        ("none", "There is no ClusterIssuer none"),
        ("ffe/none", "There is no Issuer ffe/none"),
    ] {
        tf.import(ISSUER, "le", id, acme(json!({}))).await.expect_error("", text);
    }
}

#[tokio::test(start_paused = true)]
async fn a_mark_that_was_taken_off_is_taken_back_and_the_issuer_stays_then() {
    let world = World::new();
    let mut tf = world.terraform().await;
    tf.apply(ISSUER, "le", acme(json!({}))).await.expect_ok();
    world.api.edit(&cluster_issuer("le"), |issuer| {
        issuer["metadata"]["annotations"] = json!({});
        issuer["metadata"]["labels"] = json!({});
    });
    tf.plan(ISSUER, "le", acme(json!({}))).await.expect_action(Action::Update);
    tf.apply(ISSUER, "le", acme(json!({}))).await.expect_ok();
    tf.assert_empty_plan(ISSUER, "le", acme(json!({}))).await;
    tf.destroy(ISSUER, "le").await.expect_ok();
    assert!(world.issuer("le").is_some());
}
