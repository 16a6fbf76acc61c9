//! Waits of all kinds, against the API in memory.
#![allow(clippy::unwrap_used)]

use ffe_cluster::DeleteOptions;
use ffe_cluster_testing::FakeApi;
use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::{Value, json};

use super::*;

fn map(name: &str, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}, "data": data})
}

fn named(name: &str) -> ObjectRef {
    ObjectRef::of::<ConfigMap>(Some("default"), name)
}

#[tokio::test(start_paused = true)]
async fn a_delete_that_is_held_up_says_by_what() {
    let api = FakeApi::new();
    let cluster = api.cluster();
    api.put(map("a", json!({})));
    api.edit(&named("a"), |object| object["metadata"]["finalizers"] = json!(["x.y/z"]));
    let wait = WaitOptions::new(Duration::from_secs(20), Cancel::new());
    cluster.delete(&named("a"), &DeleteOptions::default()).await.unwrap();
    let error = wait_deleted(&cluster, &named("a"), None, &wait).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Timeout);
    assert!(error.to_string().contains("x.y/z"), "{error}");
    api.remove(&named("a"));
    wait_deleted(&cluster, &named("a"), None, &wait).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn waits_bear_with_an_api_server_that_is_away_and_stop_on_request() {
    let api = FakeApi::new();
    let cluster = api.cluster();
    api.put(map("a", json!({"ready": "no"})));
    api.fail("GET", "/configmaps/a", Some(3), 503, "ServiceUnavailable", "starting");
    let cancel = Cancel::new();
    let wait = WaitOptions::new(Duration::from_secs(60), cancel.clone());
    let is_ready = |found: Option<&ConfigMap>| match found
        .and_then(|found| found.data.as_ref()?.get("ready").map(String::as_str))
    {
        Some("yes") => Progress::Ready,
        Some("never") => Progress::Failed("it says never".to_owned()),
        other => Progress::Waiting(format!("it says {other:?}")),
    };
    let error = wait_for(&cluster, Some("default"), "a", "a to be ready", &wait, is_ready).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Timeout);
    assert!(error.to_string().contains("it says Some(\"no\")"), "{error}");

    api.edit(&named("a"), |object| object["data"]["ready"] = json!("never"));
    let error = wait_for(&cluster, Some("default"), "a", "a to be ready", &wait, is_ready).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Failed);

    api.edit(&named("a"), |object| object["data"]["ready"] = json!("yes"));
    let found = wait_for(&cluster, Some("default"), "a", "a to be ready", &wait, is_ready).await.unwrap();
    assert!(found.is_some());

    api.edit(&named("a"), |object| object["data"]["ready"] = json!("no"));
    cancel.cancel();
    let error = wait_for(&cluster, Some("default"), "a", "a to be ready", &wait, is_ready).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Cancelled);
}
