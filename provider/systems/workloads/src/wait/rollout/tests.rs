#![allow(clippy::unwrap_used)]

use std::time::Duration;

use ffe_cluster::{Cancel, Kind};
use ffe_cluster_testing::FakeApi;
use serde_json::{Value, json};

use super::*;
use crate::diagnose::Patience;
use crate::wait::{wait_all, wait_rollout};

fn problem(cause: Cause, patience: Patience, pod: &str) -> Problem {
    Problem {
        cause,
        object: ObjectRef::new("v1", "Pod", Some("ffe"), pod),
        container: None,
        reason: "R".to_owned(),
        message: "m".to_owned(),
        patience,
    }
}

fn options() -> WaitOptions {
    WaitOptions::new(Duration::from_secs(600), Cancel::new())
}

#[test]
fn what_cannot_heal_is_hopeless_at_once() {
    let found = [problem(Cause::ImageNotFound, Patience::None, "a")];
    assert_eq!(Bearing::default().hopeless(&found, &options(), Instant::now()), Some(&found[0]));
}

#[test]
fn what_may_heal_is_borne_with_for_as_long_as_the_options_say() {
    let mut bearing = Bearing::default();
    let start = Instant::now();
    let found = [problem(Cause::Unschedulable, Patience::Scheduling, "a")];
    let grace = options().fail_fast.scheduling;
    assert_eq!(bearing.hopeless(&found, &options(), start), None);
    assert_eq!(bearing.hopeless(&found, &options(), start + grace / 2), None);
    assert_eq!(bearing.hopeless(&found, &options(), start + grace), Some(&found[0]));
}

#[test]
fn what_went_away_and_came_again_is_new() {
    let mut bearing = Bearing::default();
    let start = Instant::now();
    let found = [problem(Cause::Unschedulable, Patience::Scheduling, "a")];
    let grace = options().fail_fast.scheduling;
    assert_eq!(bearing.hopeless(&found, &options(), start), None);
    assert_eq!(bearing.hopeless(&[], &options(), start + grace / 2), None);
    assert_eq!(bearing.hopeless(&found, &options(), start + grace), None);
    // and the trouble of another pod is not the trouble of this one
    let other = [problem(Cause::Unschedulable, Patience::Scheduling, "b")];
    assert_eq!(bearing.hopeless(&other, &options(), start + grace * 2), None);
}

#[test]
fn nothing_is_hopeless_when_told_so() {
    let found =
        [problem(Cause::ImageNotFound, Patience::None, "a"), problem(Cause::CrashLoop, Patience::Restarts(99), "b")];
    let options = WaitOptions { fail_fast: crate::wait::FailFast::never(), ..options() };
    assert_eq!(Bearing::default().hopeless(&found, &options, Instant::now()), None);
}

#[test]
fn the_state_tells_of_the_worst_trouble() {
    let workload = ObjectRef::new("apps/v1", "Deployment", Some("ffe"), "a");
    let found = [problem(Cause::Unschedulable, Patience::Scheduling, "p")];
    assert_eq!(describe("0 of 1", &found, &workload), "0 of 1; Pod ffe/p: m");
    assert_eq!(describe("0 of 1", &[], &workload), "0 of 1");
}

fn deployment(available: i32) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default", "annotations": {"deployment.kubernetes.io/revision": "1"}},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": {"spec": {"containers": []}}},
        "status": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": available}})
}

fn web() -> ObjectRef {
    ObjectRef::new("apps/v1", "Deployment", Some("default"), "web")
}

#[tokio::test(start_paused = true)]
async fn a_rollout_ends_when_its_pods_are_available() {
    let api = FakeApi::new();
    api.put(deployment(0));
    let controller = api.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(20)).await;
        controller.edit(&web(), |object| object["status"]["availableReplicas"] = json!(1));
    });
    wait_rollout(&api.cluster(), &web(), &options()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_rollout_that_cannot_come_up_ends_with_the_cause_events_and_log() {
    let api = FakeApi::new();
    api.put(deployment(0));
    api.put(json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "web-1", "namespace": "default", "uid": "pod-1", "labels": {"app": "web"}},
        "spec": {"containers": []},
        "status": {"phase": "Running", "containerStatuses": [{"name": "c", "image": "i", "imageID": "", "ready": false,
            "restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}}}]}}));
    api.put(json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e", "namespace": "default"},
        "type": "Warning", "reason": "BackOff", "message": "Back-off restarting failed container", "count": 5,
        "involvedObject": {"kind": "Pod", "name": "web-1", "namespace": "default", "uid": "pod-1"}}));
    api.answer("GET", "/pods/web-1/log", None, 200, "cannot connect to postgresql://u:hunter2@db\n");
    let error = wait_rollout(&api.cluster(), &web(), &options()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Failed);
    let text = error.to_string();
    for said in [
        "exit code 1",
        "Back-off restarting failed container (5 times)",
        "| cannot connect to postgresql://u:(redacted)@db",
    ] {
        assert!(text.contains(said), "{said} in {text}");
    }
    assert!(text.contains("CrashLoopBackOff"), "{text}");
    let log = api.seen().into_iter().find(|seen| seen.path.ends_with("/log")).unwrap();
    assert!(log.query.contains("previous=true") && log.query.contains("tailLines="), "{}", log.query);
}

#[tokio::test(start_paused = true)]
async fn a_rollout_that_takes_too_long_says_what_it_lacked() {
    let api = FakeApi::new();
    api.put(deployment(0));
    let error = wait_rollout(&api.cluster(), &web(), &options()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Timeout);
    assert!(error.to_string().contains("within 10m: 0 of 1 pods available"), "{error}");
    assert!(error.explanation().is_some());
}

#[tokio::test(start_paused = true)]
async fn the_first_failure_ends_waiting_for_several() {
    let api = FakeApi::new();
    api.put(deployment(0));
    api.put(json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j", "namespace": "default"},
        "spec": {"template": {"spec": {"containers": []}}},
        "status": {"conditions": [{"type": "Failed", "status": "True", "message": "it has failed"}]}}));
    let job = ObjectRef::new("batch/v1", "Job", Some("default"), "j");
    let error = wait_all(&api.cluster(), &[web(), job.clone()], &options()).await.unwrap_err();
    assert_eq!((error.kind(), error.object()), (Kind::Failed, Some(&job)));
}

#[tokio::test(start_paused = true)]
async fn one_that_may_not_look_is_told_so_at_once() {
    let api = FakeApi::new();
    api.fail("GET", "/deployments/web", None, 403, "Forbidden", "deployments.apps is forbidden");
    let error = wait_rollout(&api.cluster(), &web(), &options()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Forbidden);
}
