//! What is said of a certificate: in every refresh, and by the data source.

use ffe_cluster::ObjectRef;
use serde_json::json;
use tfplugin_testing::{Action, Told};

use crate::world::{ENDPOINT, NAMESPACE, World, endpoint};

const API: &str = "cert-manager.io/v1";

fn certificate() -> ObjectRef {
    ObjectRef::new(API, "Certificate", Some(NAMESPACE), "api-tls")
}

#[tokio::test(start_paused = true)]
async fn a_certificate_that_was_not_renewed_in_time_is_a_warning_and_no_change() {
    let world = World::new();
    let mut tf = world.terraform().await;
    tf.apply(ENDPOINT, "this", endpoint(json!({}))).await.expect_ok();
    world.api.edit(&certificate(), |one| one["status"]["renewalTime"] = json!("2026-01-05T00:00:00Z"));
    let read = tf.refresh(ENDPOINT, "this").await;
    read.expect_ok().expect_warning("", "should have been renewed at 2026-01-05T00:00:00Z");
    assert_eq!(read.after["certificate_status"]["renewal_time"], "2026-01-05T00:00:00Z");
    tf.plan(ENDPOINT, "this", endpoint(json!({}))).await.expect_action(Action::NoOp).expect_ok();
}

#[tokio::test(start_paused = true)]
async fn a_renewal_is_told_and_changes_nothing() {
    let world = World::new();
    let mut tf = world.terraform().await;
    tf.apply(ENDPOINT, "this", endpoint(json!({}))).await.expect_ok();
    let before = tf.state(ENDPOINT, "this")["certificate_status"]["fingerprint_sha256"].clone();
    // Somebody deletes the Secret, and cert-manager issues anew.
    world.api.remove(&ObjectRef::new("v1", "Secret", Some(NAMESPACE), "api-tls"));
    world.api.edit(&certificate(), |one| one["status"] = json!({}));
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    tf.plan(ENDPOINT, "this", endpoint(json!({}))).await.expect_action(Action::NoOp).expect_ok();
    assert_ne!(tf.state(ENDPOINT, "this")["certificate_status"]["fingerprint_sha256"], before);
}

#[tokio::test(start_paused = true)]
async fn the_data_source_tells_of_any_certificate_and_never_its_key() {
    let world = World::new();
    let mut tf = world.terraform().await.canary("PRIVATE KEY");
    tf.apply(ENDPOINT, "this", endpoint(json!({}))).await.expect_ok();
    let asked = json!({ "namespace": NAMESPACE, "name": "api-tls" });
    let data = tf.data("ffe_certificate", asked.clone()).await;
    data.expect_silence();
    assert_eq!(data.result["sans"], json!(["api.example.com"]));
    assert_eq!((&data.result["ready"], &data.result["diagnosis"]), (&json!(true), &json!(null)));
    assert_eq!(data.result["secret_name"], "api-tls");
    assert!(data.result["certificate_pem"].as_str().unwrap().contains("BEGIN CERTIFICATE"));
    assert!(!data.result.to_string().contains("PRIVATE KEY"));

    world.controllers.issue(false);
    world.api.edit(&certificate(), |one| {
        one["status"]["conditions"][0] =
            json!({ "type": "Ready", "status": "False", "reason": "Expired", "message": "it has expired" });
    });
    let data = tf.data("ffe_certificate", asked).await;
    data.expect_ok();
    assert_eq!(data.result["ready"], false);
    for part in ["cause", "sentence", "remedy"] {
        assert!(data.result["diagnosis"][part].as_str().is_some_and(|text| !text.is_empty()), "{part}");
    }

    let none = tf.data("ffe_certificate", json!({ "namespace": NAMESPACE, "name": "none" })).await;
    none.expect_error("name", "There is no certificate ffe/none");
    world.api.fail("GET", "/certificates/api-tls", None, 403, "Forbidden", "no");
    let refused = tf.data("ffe_certificate", json!({ "namespace": NAMESPACE, "name": "api-tls" })).await;
    refused.expect_error("", "kubectl auth can-i");
}
