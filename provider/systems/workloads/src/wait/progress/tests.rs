#![allow(clippy::unwrap_used)]
use serde_json::{Value, json};

use super::*;

fn of(kind: &str, mut object: Value) -> Progress {
    object["metadata"]["name"] = json!("a");
    let selector = json!({"matchLabels": {"app": "a"}});
    let template = json!({"spec": {"containers": []}});
    if ["Deployment", "StatefulSet", "DaemonSet", "Job"].contains(&kind) {
        object["spec"]["template"] = template;
        object["spec"]["selector"] = selector;
    }
    progress(&match kind {
        "Deployment" => Workload::Deployment(serde_json::from_value(object).unwrap()),
        "StatefulSet" => Workload::StatefulSet(serde_json::from_value(object).unwrap()),
        "DaemonSet" => Workload::DaemonSet(serde_json::from_value(object).unwrap()),
        "Job" => Workload::Job(serde_json::from_value(object).unwrap()),
        "Pod" => Workload::Pod(serde_json::from_value(object).unwrap()),
        _ => Workload::Claim(serde_json::from_value(object).unwrap()),
    })
}

fn is_waiting(progress: &Progress, what: &str) {
    assert!(matches!(progress, Progress::Waiting(text) if text.contains(what)), "{progress:?} for {what}");
}

#[test]
fn deployments() {
    let with = |status: Value| {
        of("Deployment", json!({"metadata": {"generation": 2}, "spec": {"replicas": 3}, "status": status}))
    };
    is_waiting(&with(json!({})), "has not seen");
    is_waiting(
        &with(json!({"observedGeneration": 1, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3})),
        "has not seen",
    );
    is_waiting(
        &with(json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 1, "availableReplicas": 3})),
        "1 of 3 new",
    );
    is_waiting(
        &with(json!({"observedGeneration": 2, "replicas": 4, "updatedReplicas": 3, "availableReplicas": 4})),
        "1 old",
    );
    is_waiting(
        &with(json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 2})),
        "2 of 3",
    );
    assert_eq!(
        with(json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3})),
        Progress::Ready
    );
    assert_eq!(
        of(
            "Deployment",
            json!({"metadata": {"generation": 1}, "spec": {"replicas": 0}, "status": {"observedGeneration": 1}})
        ),
        Progress::Ready
    );
}

#[test]
fn stateful_sets() {
    let with = |spec: Value, status: Value| {
        of("StatefulSet", json!({"metadata": {"generation": 1}, "spec": spec, "status": status}))
    };
    let all = json!({"observedGeneration": 1, "replicas": 2, "readyReplicas": 2, "availableReplicas": 2,
        "currentRevision": "a", "updateRevision": "a"});
    assert_eq!(with(json!({"replicas": 2}), all.clone()), Progress::Ready);
    let mut updating = all.clone();
    updating["updateRevision"] = json!("b");
    updating["updatedReplicas"] = json!(1);
    is_waiting(&with(json!({"replicas": 2}), updating.clone()), "1 of 2 pods updated");
    let partitioned =
        json!({"replicas": 2, "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}});
    assert_eq!(with(partitioned, updating.clone()), Progress::Ready);
    assert_eq!(with(json!({"replicas": 2, "updateStrategy": {"type": "OnDelete"}}), updating), Progress::Ready);
    let mut one = all.clone();
    one["readyReplicas"] = json!(1);
    is_waiting(&with(json!({"replicas": 2}), one), "1 of 2 pods available");
    is_waiting(&with(json!({"replicas": 3}), all), "2 of 3 pods made");
}

#[test]
fn daemon_sets() {
    let with = |updated: i32, available: i32| {
        of(
            "DaemonSet",
            json!({"metadata": {"generation": 1}, "status": {"observedGeneration": 1, "desiredNumberScheduled": 2,
            "currentNumberScheduled": 2, "numberMisscheduled": 0, "numberReady": available,
            "updatedNumberScheduled": updated, "numberAvailable": available}}),
        )
    };
    is_waiting(&with(1, 2), "1 of 2 pods updated");
    is_waiting(&with(2, 1), "1 of 2 pods available");
    assert_eq!(with(2, 2), Progress::Ready);
    is_waiting(&of("DaemonSet", json!({"metadata": {"generation": 1}})), "has not seen");
}

#[test]
fn jobs_pods_and_claims() {
    let job = |status: Value| of("Job", json!({"status": status}));
    is_waiting(&job(json!({})), "has not been made");
    is_waiting(&job(json!({"active": 1})), "1 pod is at work");
    is_waiting(&job(json!({"conditions": [{"type": "Complete", "status": "False"}]})), "has not been made");
    assert_eq!(job(json!({"conditions": [{"type": "Complete", "status": "True"}]})), Progress::Ready);
    assert_eq!(
        job(json!({"conditions": [{"type": "Failed", "status": "True", "reason": "DeadlineExceeded"}]})),
        Progress::Failed("DeadlineExceeded".into())
    );
    let pod = |status: Value| of("Pod", json!({"status": status}));
    is_waiting(&pod(json!({"phase": "Running"})), "Running, not ready");
    assert_eq!(pod(json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]})), Progress::Ready);
    assert_eq!(pod(json!({"phase": "Succeeded"})), Progress::Ready);
    assert!(matches!(pod(json!({"phase": "Failed"})), Progress::Failed(_)));
    let claim = |phase: &str| of("PersistentVolumeClaim", json!({"status": {"phase": phase}}));
    is_waiting(&claim("Pending"), "not bound");
    assert_eq!(claim("Bound"), Progress::Ready);
    assert!(matches!(claim("Lost"), Progress::Failed(_)));
}

#[test]
fn what_holds_an_object_that_is_being_deleted() {
    let with = |object: Value| held_by(&serde_json::from_value(object).unwrap());
    assert_eq!(with(json!({"metadata": {"name": "a"}})), "it has not been deleted");
    assert_eq!(
        with(
            json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "a", "deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["x/y"]}})
        ),
        "finalizers not done: x/y"
    );
    let claim = with(json!({"kind": "PersistentVolumeClaim", "apiVersion": "v1", "metadata": {"name": "a",
        "deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["kubernetes.io/pvc-protection"]}}));
    assert!(claim.contains("a pod still uses the claim"), "{claim}");
    let namespace = with(json!({"kind": "Namespace", "apiVersion": "v1",
        "metadata": {"name": "a", "deletionTimestamp": "2026-01-01T00:00:00Z"},
        "status": {"conditions": [{"type": "NamespaceContentRemaining", "status": "True", "message": "pods. has 1 resource instances"}]}}));
    assert_eq!(namespace, "pods. has 1 resource instances");
}
