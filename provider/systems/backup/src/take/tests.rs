#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use ffe_cluster::{Cancel, ObjectRef};
use ffe_cluster_testing::FakeApi;
use ffe_workloads::WaitOptions;
use serde_json::{Value, json};

use super::*;
use crate::error::Reason;
use crate::job::tests::request;

const TAKEN: &str = r#"{"outcome":"taken","backup":{"name":"shop-1","location":"pvc/dumps/shop/shop-1.dump","size_bytes":2048,"sha256":"ab","server_version":"15.18","taken_at":"2025-01-02T03:04:05Z","seconds":3},"pruned":0,"warning":"one is too old"}"#;

fn api() -> FakeApi {
    let api = FakeApi::new();
    api.put(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "ffe" } }));
    api
}

fn object() -> ObjectRef {
    ObjectRef::of::<Job>(Some("ffe"), "ffe-backup-run1")
}

/// Plays the Job controller: the pod ends with these words.
fn play(api: &FakeApi, exit_code: i32, message: &'static str) {
    let api = api.clone();
    tokio::spawn(async move {
        while api.get(&object()).is_none() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        end(&api, exit_code, message);
    });
}

fn end(api: &FakeApi, exit_code: i32, message: &str) {
    let labels = json!({ "job": "x" });
    let ended = json!({ "terminated": { "exitCode": exit_code, "reason": "Error", "message": message } });
    api.put(json!({ "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": "backup-x", "namespace": "ffe", "labels": labels },
        "spec": { "containers": [{ "name": "backup", "image": "i" }] },
        "status": { "phase": "Succeeded", "containerStatuses": [
            { "name": "backup", "image": "i", "imageID": "", "ready": false, "restartCount": 0, "state": ended }] } }));
    let condition = if exit_code == 0 { "Complete" } else { "Failed" };
    api.edit(&object(), |job: &mut Value| {
        job["spec"]["selector"] = json!({ "matchLabels": { "job": "x" } });
        job["status"]["conditions"] = json!([{ "type": condition, "status": "True", "reason": "r", "message": "m" }]);
    });
}

fn options() -> JobOptions {
    let wait = WaitOptions::new(Duration::from_secs(120), Cancel::new());
    JobOptions { stream: false, ..JobOptions::new(wait) }
}

#[tokio::test(start_paused = true)]
async fn a_backup_leaves_its_job_and_how_to_restore_it() {
    let api = api();
    play(&api, 0, TAKEN);
    let taken = take(&api.cluster(), &request(), &options()).await.unwrap();
    assert_eq!(taken.backup.name, "shop-1");
    assert_eq!(taken.warning.as_deref(), Some("one is too old"));
    assert!(!taken.attached && api.get(&object()).is_some());
    let map = ObjectRef::new("v1", "ConfigMap", Some("ffe"), "ffe-restore-shop");
    assert!(api.get(&map).unwrap()["data"]["job"].as_str().unwrap().contains("@BACKUP@"));

    let again = take(&api.cluster(), &request(), &options()).await.unwrap();
    assert!(again.attached);
    assert_eq!(again.backup, taken.backup);
    assert_eq!(api.count("POST", "/jobs"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failed_job_is_an_error_with_its_reason() {
    let api = api();
    play(&api, 1, r#"{"outcome":"failed","reason":"image_older","message":"pg_dump is version 14"}"#);
    match take(&api.cluster(), &request(), &options()).await {
        Err(Error::Failed(failure)) => {
            assert_eq!(failure.reason, Reason::ImageOlder);
            assert!(failure.diagnosis.is_some());
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_of_that_name_that_is_not_ours_or_took_another_backup_is_refused() {
    let api = api();
    api.put(
        json!({ "apiVersion": "batch/v1", "kind": "Job", "metadata": { "name": "ffe-backup-run1", "namespace": "ffe" },
        "spec": { "template": { "spec": { "containers": [{ "name": "c", "image": "i" }] } } } }),
    );
    end(&api, 0, TAKEN);
    let error = take(&api.cluster(), &request(), &options()).await.unwrap_err();
    assert!(matches!(error, Error::Invalid { field: "job_name", .. }), "{error}");

    let api = self::api();
    play(&api, 0, TAKEN);
    let other = crate::Request { backup_name: "shop-2".to_owned(), ..request() };
    let error = take(&api.cluster(), &other, &options()).await.unwrap_err();
    assert!(matches!(error, Error::Invalid { field: "job_name", .. }), "{error}");
}
