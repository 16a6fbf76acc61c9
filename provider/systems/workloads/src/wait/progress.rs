//! How far a workload has come: the rules of `kubectl rollout status`, and a little more.

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Namespace, PersistentVolumeClaim, Pod};
use kube::api::DynamicObject;

use crate::diagnose::Workload;

/// What a look at an object says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// As it should be
    Ready,
    /// Not yet; what is lacking
    Waiting(String),
    /// It will never be; why
    Failed(String),
}

/// How far a workload has come, by its own status alone.
pub fn progress(workload: &Workload) -> Progress {
    match workload {
        Workload::Deployment(object) => deployment(object),
        Workload::StatefulSet(object) => stateful_set(object),
        Workload::DaemonSet(object) => daemon_set(object),
        Workload::Job(object) => job(object),
        Workload::Pod(object) => pod(object),
        Workload::Claim(object) => claim(object),
        Workload::Unseen(_, why) => waiting(why),
    }
}

fn waiting(what: impl Into<String>) -> Progress {
    Progress::Waiting(what.into())
}

fn unobserved(generation: Option<i64>, observed: Option<i64>) -> bool {
    generation.is_some_and(|generation| observed.is_none_or(|observed| observed < generation))
}

const UNOBSERVED: &str = "its controller has not seen the change yet";

fn deployment(object: &Deployment) -> Progress {
    let status = object.status.clone().unwrap_or_default();
    if unobserved(object.metadata.generation, status.observed_generation) {
        return waiting(UNOBSERVED);
    }
    let wanted = object.spec.replicas.unwrap_or(1);
    let updated = status.updated_replicas.unwrap_or(0);
    let total = status.replicas.unwrap_or(0);
    let available = status.available_replicas.unwrap_or(0);
    if updated < wanted {
        waiting(format!("{updated} of {wanted} new pods made, {available} available"))
    } else if total > updated {
        let old = total - updated;
        waiting(format!("{old} old {} on the way out", if old == 1 { "pod is" } else { "pods are" }))
    } else if available < updated {
        waiting(format!("{available} of {updated} pods available"))
    } else {
        Progress::Ready
    }
}

fn stateful_set(object: &StatefulSet) -> Progress {
    let status = object.status.clone().unwrap_or_default();
    if unobserved(object.metadata.generation, status.observed_generation) {
        return waiting(UNOBSERVED);
    }
    let spec = &object.spec;
    let wanted = spec.replicas.unwrap_or(1);
    let ready = status.ready_replicas.unwrap_or(0);
    // counted since 1.25; a set with minReadySeconds is available later than ready
    let available = status.available_replicas.unwrap_or(ready);
    let strategy = spec.update_strategy.as_ref();
    let on_delete = strategy.and_then(|strategy| strategy.type_.as_deref()) == Some("OnDelete");
    let partition = strategy
        .and_then(|strategy| strategy.rolling_update.as_ref())
        .and_then(|rolling| rolling.partition)
        .unwrap_or(0);
    let to_update = (wanted - partition).max(0);
    let updated =
        if status.current_revision == status.update_revision { wanted } else { status.updated_replicas.unwrap_or(0) };
    if status.replicas != wanted {
        waiting(format!("{} of {wanted} pods made", status.replicas))
    } else if !on_delete && updated < to_update {
        waiting(format!("{updated} of {to_update} pods updated"))
    } else if ready < wanted || available < wanted {
        waiting(format!("{} of {wanted} pods available", ready.min(available)))
    } else {
        Progress::Ready
    }
}

fn daemon_set(object: &DaemonSet) -> Progress {
    let Some(status) = &object.status else { return waiting(UNOBSERVED) };
    if unobserved(object.metadata.generation, status.observed_generation) {
        return waiting(UNOBSERVED);
    }
    let strategy = object.spec.update_strategy.as_ref();
    let on_delete = strategy.and_then(|strategy| strategy.type_.as_deref()) == Some("OnDelete");
    let wanted = status.desired_number_scheduled;
    let updated = status.updated_number_scheduled.unwrap_or(0);
    let available = status.number_available.unwrap_or(0);
    if !on_delete && updated < wanted {
        waiting(format!("{updated} of {wanted} pods updated"))
    } else if available < wanted {
        waiting(format!("{available} of {wanted} pods available"))
    } else {
        Progress::Ready
    }
}

fn job(object: &Job) -> Progress {
    let status = object.status.clone().unwrap_or_default();
    for condition in status.conditions.iter().flatten().filter(|condition| condition.status == "True") {
        match condition.type_.as_str() {
            "Complete" => return Progress::Ready,
            "Failed" => {
                let message = condition.message.clone().or_else(|| condition.reason.clone());
                return Progress::Failed(message.unwrap_or_else(|| "the Job has failed".to_owned()));
            }
            "Suspended" => return waiting("it is suspended (spec.suspend)"),
            _ => {}
        }
    }
    let active = status.active.unwrap_or(0);
    if active == 0 {
        waiting("its pod has not been made yet")
    } else {
        waiting(format!("{active} {} at work", if active == 1 { "pod is" } else { "pods are" }))
    }
}

fn pod(object: &Pod) -> Progress {
    let status = object.status.clone().unwrap_or_default();
    let phase = status.phase.as_deref().unwrap_or("Pending");
    let ready =
        status.conditions.iter().flatten().any(|condition| condition.type_ == "Ready" && condition.status == "True");
    match phase {
        "Succeeded" => Progress::Ready,
        "Failed" => Progress::Failed(
            status.message.or(status.reason).unwrap_or_else(|| "its containers ended with an error".to_owned()),
        ),
        _ if ready => Progress::Ready,
        _ => waiting(format!("{phase}, not ready")),
    }
}

fn claim(object: &PersistentVolumeClaim) -> Progress {
    match object.status.as_ref().and_then(|status| status.phase.as_deref()) {
        Some("Bound") => Progress::Ready,
        Some("Lost") => Progress::Failed("the volume that it was bound to is gone".to_owned()),
        phase => waiting(format!("{}, not bound", phase.unwrap_or("Pending"))),
    }
}

/// Why an object that is being deleted is still there.
pub(super) fn held_by(found: &DynamicObject) -> String {
    if found.metadata.deletion_timestamp.is_none() {
        return "it has not been deleted".to_owned();
    }
    let kind = found.types.as_ref().map(|types| types.kind.as_str()).unwrap_or_default();
    let mut reasons: Vec<String> = Vec::new();
    if kind == "Namespace"
        && let Ok(namespace) = serde_json::to_value(found).and_then(serde_json::from_value::<Namespace>)
    {
        reasons.extend(ffe_cluster::namespace::remaining(&namespace));
    }
    let finalizers = found.metadata.finalizers.clone().unwrap_or_default();
    if !finalizers.is_empty() {
        reasons.push(format!("finalizers not done: {}", finalizers.join(", ")));
    }
    if kind == "PersistentVolumeClaim" && finalizers.iter().any(|name| name == "kubernetes.io/pvc-protection") {
        reasons.push("a pod still uses the claim".to_owned());
    }
    if reasons.is_empty() {
        let grace = found.metadata.deletion_grace_period_seconds.unwrap_or(0);
        reasons.push(if grace > 0 { format!("it has {grace} s to end") } else { "it is about to go".to_owned() });
    }
    reasons.join("; ")
}

#[cfg(test)]
mod tests;
