//! Diagnoses of what a real cluster showed: the fixtures were recorded from Kubernetes 1.36, without
//! what does not matter here.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use super::*;
use crate::wait::FailFast;

fn evidence_from(mut recorded: Value) -> Evidence {
    let workload = recorded["workload"].take();
    let workload = match workload["kind"].as_str().unwrap() {
        "Deployment" => Workload::Deployment(serde_json::from_value(workload).unwrap()),
        "StatefulSet" => Workload::StatefulSet(serde_json::from_value(workload).unwrap()),
        "Job" => Workload::Job(serde_json::from_value(workload).unwrap()),
        other => unreachable!("no fixture is a {other}"),
    };
    Evidence {
        workload,
        replica_sets: serde_json::from_value(recorded["replicaSets"].take()).unwrap(),
        pods: serde_json::from_value(recorded["pods"].take()).unwrap(),
        claims: serde_json::from_value(recorded["claims"].take()).unwrap(),
        events: serde_json::from_value(recorded["events"].take()).unwrap(),
        logs: Vec::new(),
        missing: Vec::new(),
        taken: recorded["taken"].as_str().unwrap().parse().unwrap(),
    }
}

macro_rules! recorded {
    ($name:literal) => {
        serde_json::from_str::<Value>(include_str!(concat!("fixtures/", $name, ".json"))).unwrap()
    };
}

/// The main problem's cause, and after how long the usual patience with it ends.
fn verdict(recorded: Value) -> Option<(Cause, Option<Duration>)> {
    let problems = problems(&evidence_from(recorded));
    problems.first().map(|first| (first.cause, FailFast::default().grace(first.patience)))
}

#[test]
fn causes_and_patience() {
    let at_once = Some(Duration::ZERO);
    let usual = FailFast::default();
    let cases = [
        (recorded!("image_never_pull"), Cause::ImageNotFound, at_once),
        (recorded!("image_name"), Cause::InvalidImage, at_once),
        (recorded!("image_no_such_host"), Cause::ImagePull, Some(usual.image_pull)),
        (recorded!("crash_loop"), Cause::CrashLoop, at_once),
        (recorded!("no_command"), Cause::Start, at_once),
        (recorded!("out_of_memory"), Cause::OutOfMemory, at_once),
        (recorded!("missing_secret"), Cause::ContainerConfig, Some(usual.config)),
        (recorded!("missing_volume"), Cause::Mount, Some(usual.mount)),
        (recorded!("unschedulable"), Cause::Unschedulable, Some(usual.scheduling)),
        (recorded!("storage_class"), Cause::Provisioning, at_once),
        (recorded!("quota"), Cause::Quota, Some(usual.quota)),
        (recorded!("pod_security"), Cause::PodSecurity, at_once),
        (recorded!("service_account"), Cause::ServiceAccount, Some(usual.config)),
        (recorded!("probe"), Cause::Probe, None),
        (recorded!("job"), Cause::JobFailed, at_once),
    ];
    for (recorded, cause, grace) in cases {
        let name = recorded["workload"]["metadata"]["name"].clone();
        assert_eq!(verdict(recorded), Some((cause, grace)), "{name}");
    }
    assert_eq!(verdict(recorded!("good")), None);
}

#[test]
fn the_whole_text() {
    let mut crash = evidence_from(recorded!("crash_loop"));
    crash.logs.push(LogTail {
        pod: "crash-5f556ff5dd-g8bqx".to_owned(),
        container: "c".to_owned(),
        previous: true,
        lines: vec!["connecting to postgresql://u:(redacted)@db/x".to_owned(), "boom".to_owned()],
    });
    crash.missing.push("persistent volume claims (forbidden)".to_owned());
    insta::assert_snapshot!("crash_loop", Diagnosis::of(&crash));
    insta::assert_snapshot!("storage_class", Diagnosis::of(&evidence_from(recorded!("storage_class"))));
    insta::assert_snapshot!("pod_security", Diagnosis::of(&evidence_from(recorded!("pod_security"))));
    insta::assert_snapshot!("image_no_such_host", Diagnosis::of(&evidence_from(recorded!("image_no_such_host"))));
}

#[test]
fn a_registry_that_knows_no_such_image_is_hopeless_and_one_that_is_away_is_not() {
    let with = |message: &str| {
        let mut recorded = recorded!("image_no_such_host");
        recorded["events"] = json!([]);
        recorded["pods"][0]["status"]["containerStatuses"][0]["state"] =
            json!({"waiting": {"reason": "ErrImagePull", "message": message}});
        verdict(recorded).unwrap()
    };
    let at_once = Some(Duration::ZERO);
    assert_eq!(
        with("rpc error: code = NotFound desc = docker.io/library/x:1: not found"),
        (Cause::ImageNotFound, at_once)
    );
    assert_eq!(with("manifest unknown: manifest tagged by \"9\" is not found"), (Cause::ImageNotFound, at_once));
    assert_eq!(
        with("pull access denied, repository does not exist or may require authorization"),
        (Cause::ImageDenied, at_once)
    );
    let away = Some(FailFast::default().image_pull);
    assert_eq!(with("dial tcp 10.0.0.1:443: connect: connection refused"), (Cause::ImagePull, away));
    assert_eq!(with("received unexpected HTTP status: 503 Service Unavailable"), (Cause::ImagePull, away));
}

#[test]
fn why_a_pull_failed_is_taken_from_its_event_when_the_container_does_not_say() {
    let mut recorded = recorded!("image_no_such_host");
    recorded["pods"][0]["status"]["containerStatuses"][0]["state"] =
        json!({"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image \"ffe-nosuch:9.9\""}});
    let diagnosis = Diagnosis::of(&evidence_from(recorded));
    assert!(diagnosis.message.contains("no such host"), "{}", diagnosis.message);
}

#[test]
fn a_few_restarts_are_borne_with() {
    let with = |restarts: i32| {
        let mut recorded = recorded!("crash_loop");
        recorded["pods"][0]["status"]["containerStatuses"][0]["restartCount"] = json!(restarts);
        verdict(recorded).unwrap().1
    };
    assert_eq!(with(2), None);
    assert_eq!(with(3), Some(Duration::ZERO));
}

#[test]
fn pods_of_the_revision_before_do_not_count() {
    let mut recorded = recorded!("crash_loop");
    let mut older = recorded["replicaSets"][0].clone();
    // the crashing pods belong to the older of two ReplicaSets now
    recorded["replicaSets"][0]["metadata"]["uid"] = json!("newer");
    recorded["replicaSets"][0]["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!("2");
    recorded["workload"]["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!("2");
    older["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!("1");
    recorded["replicaSets"].as_array_mut().unwrap().push(older);
    assert_eq!(verdict(recorded), None);
}

#[test]
fn a_pod_on_its_way_out_does_not_count() {
    let mut recorded = recorded!("crash_loop");
    recorded["pods"][0]["metadata"]["deletionTimestamp"] = json!("2026-11-21T05:25:00Z");
    assert_eq!(verdict(recorded), None);
}

#[test]
fn a_node_that_has_been_asked_for_is_waited_for() {
    let mut recorded = recorded!("unschedulable");
    let mut event = recorded["events"][0].clone();
    event["reason"] = json!("TriggeredScaleUp");
    event["type"] = json!("Normal");
    recorded["events"].as_array_mut().unwrap().push(event);
    assert_eq!(verdict(recorded), Some((Cause::Unschedulable, Some(FailFast::default().scale_up))));
}

#[test]
fn a_refusal_of_older_content_is_no_refusal_of_this_one() {
    let mut recorded = recorded!("quota");
    recorded["workload"]["metadata"]["managedFields"] = json!([
        {"manager": "terraform-provider-ffe", "operation": "Apply", "time": "2026-11-21T05:26:00Z"},
        {"manager": "kube-controller-manager", "operation": "Update", "subresource": "status", "time": "2026-11-21T05:27:00Z"}]);
    assert_eq!(verdict(recorded), None);
    let mut long_ago = recorded!("quota");
    long_ago["taken"] = json!("2026-11-21T06:00:00Z");
    assert_eq!(verdict(long_ago), None);
}

#[test]
fn refusals_by_the_api_server() {
    let cases = [
        ("pods \"a\" is forbidden: exceeded quota: q, requested: pods=1", Cause::Quota, Patience::Quota),
        ("pods \"a\" is forbidden: failed quota: q: must specify limits.cpu for: c", Cause::Quota, Patience::None),
        ("pods \"a\" is forbidden: [maximum memory usage per Container is 1Gi]", Cause::LimitRange, Patience::None),
        ("admission webhook \"x\" denied the request: no", Cause::Admission, Patience::None),
        ("Internal error occurred: failed calling webhook \"x\"", Cause::Admission, Patience::ImagePull),
        ("Pod \"a\" is invalid: spec.containers[0].image: Required value", Cause::CreateRefused, Patience::None),
        ("something new", Cause::CreateRefused, Patience::Scheduling),
    ];
    for (message, cause, patience) in cases {
        assert_eq!(events::judge_refusal(message), (cause, patience), "{message}");
    }
}

#[test]
fn an_old_pod_that_blocks_an_ordered_stateful_set_is_named() {
    let mut recorded = recorded!("storage_class");
    recorded["claims"] = json!([]);
    recorded["workload"]["status"]["updateRevision"] = json!("noclass-newer");
    let diagnosis = Diagnosis::of(&evidence_from(recorded));
    assert_eq!(diagnosis.cause, Cause::Unschedulable);
    assert!(diagnosis.advice.contains("delete the pod noclass-0"), "{}", diagnosis.advice);
}

#[test]
fn an_init_container_is_a_container() {
    let mut recorded = recorded!("missing_secret");
    let status = recorded["pods"][0]["status"]["containerStatuses"].take();
    recorded["pods"][0]["status"]["initContainerStatuses"] = status;
    assert_eq!(verdict(recorded).unwrap().0, Cause::ContainerConfig);
}

#[test]
fn a_pod_that_the_node_evicted_says_so() {
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"name": "a", "namespace": "ffe"},
        "status": {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}}))
    .unwrap();
    let mut evidence = Evidence::of(Workload::Pod(Box::new(pod.clone())), Timestamp::UNIX_EPOCH);
    evidence.pods.push(pod);
    let diagnosis = Diagnosis::of(&evidence);
    assert_eq!(diagnosis.reason, "Evicted");
    assert!(diagnosis.message.contains("low on resource"), "{}", diagnosis.message);
}

#[test]
fn without_a_problem_it_says_what_is_waited_for() {
    let mut recorded = recorded!("good");
    recorded["workload"]["status"]["availableReplicas"] = json!(0);
    let diagnosis = Diagnosis::of(&evidence_from(recorded));
    assert_eq!((diagnosis.cause, diagnosis.message.as_str()), (Cause::Unknown, "0 of 1 pods available"));
}

#[test]
fn what_is_wrong_with_the_content_before_does_not_count_against_its_correction() {
    for mut recorded in [recorded!("crash_loop"), recorded!("pod_security"), recorded!("storage_class")] {
        recorded["claims"] = json!([]);
        let generation = recorded["workload"]["metadata"]["generation"].as_i64().unwrap();
        recorded["workload"]["metadata"]["generation"] = json!(generation + 1);
        let name = recorded["workload"]["metadata"]["name"].clone();
        assert_eq!(verdict(recorded), None, "{name}");
    }
}

#[test]
fn a_rollout_past_its_deadline_is_over() {
    let mut recorded = recorded!("good");
    let conditions = json!([{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out"}]);
    recorded["workload"]["status"]["conditions"] = conditions;
    assert_eq!(verdict(recorded), Some((Cause::Deadline, Some(Duration::ZERO))));
}
