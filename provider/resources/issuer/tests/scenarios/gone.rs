//! The end: not before those who use it.

use serde_json::json;
use tfplugin_testing::{Action, Told};

use crate::world::{ISSUER, NAMESPACE, World, acme, with};

#[tokio::test(start_paused = true)]
async fn it_is_not_destroyed_while_certificates_refer_to_it() {
    for (kind, config) in [
        ("ClusterIssuer", acme(json!({}))),
        ("Issuer", with(acme(json!({})), json!({ "kind": "Issuer", "namespace": NAMESPACE }))),
    ] {
        let world = World::new();
        let mut tf = world.terraform().await;
        tf.apply(ISSUER, "le", config).await.expect_ok();
        world.certificate("other", if kind == "Issuer" { "ClusterIssuer" } else { "Issuer" }, "le");
        let user = world.certificate("web", kind, "le");
        let refused = tf.destroy(ISSUER, "le").await;
        refused.expect_error("", "1 certificate refer to it").expect_error("", "Certificate ffe/web");
        assert_eq!(world.names(kind), ["le"]);
        world.api.remove(&user);
        tf.destroy(ISSUER, "le").await.expect_ok();
        assert_eq!(world.names(kind), Vec::<String>::new());
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_known_is_not_nothing() {
    let world = World::new();
    let mut tf = world.terraform().await;
    tf.apply(ISSUER, "le", acme(json!({}))).await.expect_ok();
    world.api.fail("GET", "/certificates", None, 403, "Forbidden", "no");
    tf.destroy(ISSUER, "le").await.expect_error("", "whether certificates refer to it is not known");
    assert!(world.issuer("le").is_some());
    world.api.heal();
    tf.destroy(ISSUER, "le").await.expect_ok();
}

#[tokio::test(start_paused = true)]
async fn a_replacement_is_told_how_to_come_without_a_gap() {
    let world = World::new();
    let mut tf = world.terraform().await;
    tf.apply(ISSUER, "le", acme(json!({}))).await.expect_ok();
    let renamed = with(acme(json!({})), json!({ "name": "other" }));
    let planned = tf.plan(ISSUER, "le", renamed.clone()).await;
    planned.expect_action(Action::Replace).expect_silence();
    world.certificate("web", "ClusterIssuer", "le");
    tf.plan(ISSUER, "le", renamed.clone()).await.expect_warning("name", "create_before_destroy = true");
    tf.apply(ISSUER, "le", renamed).await.expect_error("", "create_before_destroy = true");
}

#[tokio::test(start_paused = true)]
async fn another_authority_under_the_same_name_says_who_is_concerned() {
    let world = World::new();
    let mut tf = world.terraform().await;
    tf.apply(ISSUER, "le", acme(json!({}))).await.expect_ok();
    let production = acme(json!({ "server": "letsencrypt" }));
    tf.plan(ISSUER, "le", production.clone()).await.expect_silence();
    world.certificate("web", "ClusterIssuer", "le");
    tf.plan(ISSUER, "le", production).await.expect_warning("", "Certificate ffe/web");
    tf.plan(ISSUER, "le", acme(json!({ "email": "tls@three-rivers-tech.com" }))).await.expect_silence();
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_already_is_no_error() {
    let world = World::new();
    let mut tf = world.terraform().await.without_refresh_check();
    let token = acme(json!({ "solvers": [{ "dns01_cloudflare": { "api_token_wo": "t" } }] }));
    tf.apply(ISSUER, "le", token.clone()).await.expect_ok();
    world.certificate("web", "ClusterIssuer", "le");
    world.api.remove(&crate::world::cluster_issuer("le"));
    // As long as its Secret is there, the state knows of it.
    let planned = tf.plan(ISSUER, "le", token.clone()).await;
    planned.expect_action(Action::Update);
    tf.apply(ISSUER, "le", token).await.expect_ok();
    assert!(world.issuer("le").is_some());
    world.api.remove(&crate::world::cluster_issuer("le"));
    tf.destroy(ISSUER, "le").await.expect_ok();
    assert!(world.secret("le-credentials").is_none());
}
