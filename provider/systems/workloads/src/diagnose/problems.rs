//! What is wrong, the most telling first, and how patient one may be with it.

use k8s_openapi::api::core::v1::Pod;

use super::evidence::{Evidence, Workload};
use super::{containers, events};
use ffe_cluster::ObjectRef;

/// What kind of trouble; in the order in which it explains the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// No such image, tag or digest, or it must not be pulled and is not on the node
    ImageNotFound,
    /// The image's name is none
    InvalidImage,
    /// The registry refuses
    ImageDenied,
    /// The container's configuration cannot be built: a Secret or ConfigMap, or a key of one, is missing
    ContainerConfig,
    /// The container's command cannot be started
    Start,
    /// Killed for memory
    OutOfMemory,
    /// Ends again and again
    CrashLoop,
    /// A Job's pod ended with an error
    JobFailed,
    /// A Pod Security level refuses the pod
    PodSecurity,
    /// A quota is used up, or demands limits that are not set
    Quota,
    /// A LimitRange refuses the pod
    LimitRange,
    /// An admission webhook or policy refuses the pod
    Admission,
    /// The service account does not exist
    ServiceAccount,
    /// The pod cannot be made for another reason
    CreateRefused,
    /// A volume cannot be provisioned
    Provisioning,
    /// A volume cannot be mounted
    Mount,
    /// No node takes the pod
    Unschedulable,
    /// The image cannot be pulled for now
    ImagePull,
    /// Running, and a probe fails
    Probe,
    /// The rollout made no progress for as long as the Deployment allows
    Deadline,
    /// The rollout is paused
    Paused,
    /// The object is not there
    Missing,
    /// None of these
    Unknown,
}

/// How long a problem may last before waiting on is pointless.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Patience {
    /// It cannot heal
    None,
    /// Started again so many times already: may heal until there were too many
    Restarts(i32),
    /// What is missing may be about to be made
    Config,
    /// Pods that end may free some
    Quota,
    /// Pods that end, or volumes that are being made
    Scheduling,
    /// A registry or a network that is away for a moment
    ImagePull,
    /// A Secret that something else is about to make, a volume that another node lets go
    Mount,
    /// A node has been asked for
    ScaleUp,
    /// Only time tells
    Forever,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What kind of trouble
    pub cause: Cause,
    /// The object that has it
    pub object: ObjectRef,
    /// The container of the pod that has it
    pub container: Option<String>,
    /// As Kubernetes says it: `ImagePullBackOff`
    pub reason: String,
    /// What is wrong, without naming the object
    pub message: String,
    /// How long to bear with it
    pub patience: Patience,
}

impl Problem {
    /// The whole sentence, with container and object, unless that is the one that is spoken of.
    pub fn sentence(&self, spoken_of: &ObjectRef) -> String {
        match &self.container {
            Some(container) => format!("container {container} of {}: {}", self.object, self.message),
            None if self.object == *spoken_of => self.message.clone(),
            None => format!("{}: {}", self.object, self.message),
        }
    }
}

/// Everything that is wrong; what cannot heal first, then what explains the most.
pub fn problems(evidence: &Evidence) -> Vec<Problem> {
    let mut found = Vec::new();
    for pod in evidence.current_pods() {
        containers::judge(pod, evidence, &mut found);
        judge_scheduling(pod, evidence, &mut found);
    }
    events::judge(evidence, &mut found);
    judge_workload(evidence, &mut found);
    // the pods of one workload mostly have the same trouble: once is enough
    found.sort_by(|a, b| {
        let hopeless = |problem: &Problem| !matches!(problem.patience, Patience::None | Patience::Restarts(_));
        hopeless(a).cmp(&hopeless(b)).then(a.cause.cmp(&b.cause)).then(a.patience.cmp(&b.patience))
    });
    let mut seen: Vec<(Cause, Option<String>, String)> = Vec::new();
    found.retain(|problem| {
        let key = (problem.cause, problem.container.clone(), problem.message.clone());
        let new = !seen.contains(&key);
        if new {
            seen.push(key);
        }
        new
    });
    found
}

fn judge_scheduling(pod: &Pod, evidence: &Evidence, found: &mut Vec<Problem>) {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    let refused = conditions.iter().find(|condition| {
        condition.type_ == "PodScheduled"
            && condition.status == "False"
            && condition.reason.as_deref() == Some("Unschedulable")
    });
    let Some(refused) = refused else { return };
    let scaling = events::of(evidence, pod.metadata.uid.as_deref())
        .any(|event| event.reason.as_deref() == Some("TriggeredScaleUp"));
    found.push(Problem {
        cause: Cause::Unschedulable,
        object: ObjectRef::to(pod),
        container: None,
        reason: "Unschedulable".to_owned(),
        message: format!("no node takes the pod: {}", refused.message.as_deref().unwrap_or("no reason given")),
        patience: if scaling { Patience::ScaleUp } else { Patience::Scheduling },
    });
}

fn judge_workload(evidence: &Evidence, found: &mut Vec<Problem>) {
    let object = evidence.workload.object();
    let mut add = |cause, reason: &str, message: String, patience| {
        found.push(Problem {
            cause,
            object: object.clone(),
            container: None,
            reason: reason.to_owned(),
            message,
            patience,
        });
    };
    match &evidence.workload {
        Workload::Deployment(deployment) => {
            if deployment.spec.paused == Some(true) {
                add(Cause::Paused, "Paused", "the rollout is paused (spec.paused)".to_owned(), Patience::None);
            }
            let conditions =
                deployment.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
            for condition in conditions {
                let message = condition.message.clone().unwrap_or_default();
                match (condition.type_.as_deref(), condition.status.as_deref(), condition.reason.as_deref()) {
                    (Some("Progressing"), Some("False"), Some("ProgressDeadlineExceeded")) if evidence.observed() => {
                        add(Cause::Deadline, "ProgressDeadlineExceeded", message, Patience::None);
                    }
                    (Some("ReplicaFailure"), Some("True"), reason) if current_replica_failure(evidence) => {
                        let (cause, patience) = events::judge_refusal(&message);
                        add(cause, reason.unwrap_or("FailedCreate"), message, patience);
                    }
                    _ => {}
                }
            }
        }
        Workload::Job(job) => {
            let conditions = job.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
            let failed = conditions.iter().find(|condition| condition.type_ == "Failed" && condition.status == "True");
            if let Some(failed) = failed {
                let reason = failed.reason.as_deref().unwrap_or("Failed");
                let message = failed.message.clone().unwrap_or_else(|| "the Job has failed".to_owned());
                add(Cause::JobFailed, reason, message, Patience::None);
            }
        }
        Workload::Claim(claim) if claim.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Lost") => {
            add(Cause::Provisioning, "Lost", "the volume that it was bound to is gone".to_owned(), Patience::None);
        }
        Workload::Unseen(_, why) => add(Cause::Missing, "Missing", why.clone(), Patience::Scheduling),
        _ => {}
    }
}

/// A Deployment keeps the condition of an older ReplicaSet for a moment.
fn current_replica_failure(evidence: &Evidence) -> bool {
    if !evidence.observed() {
        return false;
    }
    let Some(current) = evidence.current_replica_set() else { return evidence.replica_sets.is_empty() };
    let conditions = current.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    conditions.iter().any(|condition| {
        condition.type_.as_deref() == Some("ReplicaFailure") && condition.status.as_deref() == Some("True")
    })
}
