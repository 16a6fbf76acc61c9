#![allow(clippy::unwrap_used)]

use ffe_cluster_testing::FakeApi;
use serde_json::{Value, json};

use super::*;

const NAME: &str = "migrate";

fn job() -> Job {
    serde_json::from_value(json!({
        "metadata": {"name": NAME, "namespace": "default"},
        "spec": {"backoffLimit": 0, "selector": {"matchLabels": {"job": NAME}},
            "template": {"spec": {"containers": [{"name": "c", "image": "i"}]}}}}))
    .unwrap()
}

fn object() -> ObjectRef {
    ObjectRef::of::<Job>(Some("default"), NAME)
}

fn pod(state: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "migrate-x", "namespace": "default", "labels": {"job": NAME}},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]},
        "status": {"phase": "Running", "containerStatuses": [
            {"name": "c", "image": "i", "imageID": "", "ready": false, "restartCount": 0, "state": state}]}})
}

fn ended(exit_code: i32) -> Value {
    pod(json!({"terminated": {"exitCode": exit_code, "reason": "Error", "message": "{\"at\":\"hunter2\"}"}}))
}

fn condition(api: &FakeApi, kind: &str) {
    let conditions =
        json!([{"type": kind, "status": "True", "reason": "BackoffLimitExceeded", "message": "it has failed"}]);
    api.edit(&object(), |job| job["status"]["conditions"] = conditions);
}

fn options() -> JobOptions {
    let wait = WaitOptions::new(Duration::from_secs(60), Cancel::new());
    JobOptions { stream: false, ..JobOptions::new(wait) }
}

#[tokio::test(start_paused = true)]
async fn a_job_is_made_once_and_its_end_is_told() {
    let api = FakeApi::new();
    let cluster = api.cluster();
    api.answer("GET", "/pods/migrate-x/log", None, 200, "one\ntwo hunter2\n");
    let controller = api.clone();
    tokio::spawn(async move {
        while controller.get(&object()).is_none() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        controller.put(ended(0));
        condition(&controller, "Complete");
    });
    let outcome = run_job(&cluster, &job(), &options()).await.unwrap();
    assert!(outcome.succeeded && outcome.finished && !outcome.attached, "{outcome:?}");
    assert_eq!(outcome.exit_code, Some(0));
    assert_eq!(outcome.log, ["one", "two hunter2"]);
    assert_eq!(outcome.termination_message.as_deref(), Some("{\"at\":\"hunter2\"}"));
    assert_eq!(outcome.diagnosis, None);

    let again = run_job(&cluster, &job(), &options()).await.unwrap();
    assert!(again.succeeded && again.attached);
    assert_eq!(again.uid, outcome.uid);
    assert_eq!(api.count("POST", "/jobs"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_fails_is_an_outcome_with_a_diagnosis() {
    let api = FakeApi::new();
    api.put_object(&job());
    api.put(ended(4));
    condition(&api, "Failed");
    api.answer("GET", "/pods/migrate-x/log", None, 200, "relation does not exist\n");
    let outcome = run_job(&api.cluster(), &job(), &options()).await.unwrap();
    assert!(!outcome.succeeded && outcome.finished && outcome.attached, "{outcome:?}");
    assert_eq!(outcome.exit_code, Some(4));
    let text = outcome.diagnosis.unwrap().to_string();
    assert!(text.contains("exit code 4") && text.contains("| relation does not exist"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_its_own_containers_decides_when_a_sidecar_was_added() {
    for (code, text) in [(0, "done"), (4, "relation does not exist")] {
        let api = FakeApi::new();
        api.put_object(&job());
        let mut pod = ended(code);
        pod["spec"]["containers"].as_array_mut().unwrap().insert(0, json!({"name": "istio-proxy", "image": "p"}));
        pod["status"]["containerStatuses"].as_array_mut().unwrap().insert(
            0,
            json!({"name": "istio-proxy", "image": "p",
            "imageID": "", "ready": true, "restartCount": 0, "state": {"running": {}}}),
        );
        api.put(pod);
        api.edit(&object(), |job| job["status"]["active"] = json!(1));
        api.answer("GET", "/pods/migrate-x/log", None, 200, text);
        let outcome = run_job(&api.cluster(), &job(), &options()).await.unwrap();
        assert_eq!((outcome.succeeded, outcome.finished), (code == 0, false), "{outcome:?}");
        assert_eq!((outcome.exit_code, outcome.log), (Some(code), vec![text.to_owned()]));
        assert_eq!(outcome.diagnosis.is_some(), code != 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_sidecar_that_was_added_does_not_end_a_job_whose_own_container_runs() {
    let api = FakeApi::new();
    api.put_object(&job());
    let mut pod = pod(json!({"running": {}}));
    pod["spec"]["containers"].as_array_mut().unwrap().push(json!({"name": "istio-proxy", "image": "p"}));
    pod["status"]["containerStatuses"].as_array_mut().unwrap().push(json!({"name": "istio-proxy", "image": "p",
        "imageID": "", "ready": false, "restartCount": 0, "state": {"terminated": {"exitCode": 0}}}));
    api.put(pod);
    api.edit(&object(), |job| job["status"]["active"] = json!(1));
    let error = run_job(&api.cluster(), &job(), &options()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Timeout, "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_pod_cannot_come_up_is_given_up_and_left() {
    let api = FakeApi::new();
    api.put_object(&job());
    api.put(pod(json!({"waiting": {"reason": "InvalidImageName", "message": "no"}})));
    let outcome = run_job(&api.cluster(), &job(), &options()).await.unwrap();
    assert!(!outcome.succeeded && !outcome.finished, "{outcome:?}");
    assert_eq!(outcome.diagnosis.unwrap().reason, "InvalidImageName");
    assert!(api.get(&object()).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_failed_while_the_job_is_allowed_another_one_is_waited_for() {
    let api = FakeApi::new();
    api.put_object(&job());
    api.put(ended(1));
    api.edit(&object(), |job| job["status"]["active"] = json!(1));
    let error = run_job(&api.cluster(), &job(), &options()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Timeout, "{error}");
}

#[tokio::test(start_paused = true)]
async fn neither_timeout_nor_cancel_touches_the_job() {
    let api = FakeApi::new();
    let cluster = api.cluster();
    let error = run_job(&cluster, &job(), &options()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Timeout);
    assert!(error.explanation().is_some());
    let cancelled = options();
    cancelled.wait.cancel.cancel();
    assert_eq!(run_job(&cluster, &job(), &cancelled).await.unwrap_err().kind(), Kind::Cancelled);
    assert!(api.get(&object()).is_some());
    assert_eq!(api.count("DELETE", NAME), 0);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_vanishes_is_no_success() {
    let api = FakeApi::new();
    let thief = api.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(10)).await;
        thief.remove(&object());
    });
    let error = run_job(&api.cluster(), &job(), &options()).await.unwrap_err();
    assert!(error.to_string().contains("deleted while it was waited for"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn one_made_by_somebody_else_at_the_same_moment_is_attached_to() {
    let api = FakeApi::new();
    // the look before it finds nothing, the create meets it
    api.fail_with_details("GET", "/jobs/migrate", Some(1), 404, "NotFound", NAME);
    api.put_object(&job());
    api.put(ended(0));
    condition(&api, "Complete");
    let outcome = run_job(&api.cluster(), &job(), &options()).await.unwrap();
    assert!(outcome.attached && outcome.succeeded, "{outcome:?}");
}
