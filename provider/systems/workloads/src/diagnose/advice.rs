//! The next step, for each cause.

use super::evidence::{Evidence, Workload};
use super::problems::{Cause, Problem};

pub(super) fn advise(cause: Cause, problem: Option<&Problem>, evidence: &Evidence) -> String {
    let namespace = evidence.workload.object().namespace.unwrap_or_else(|| "default".to_owned());
    let text = match cause {
        Cause::ImageNotFound => {
            "Correct the image's name or tag, or push the image; then apply again.".to_owned()
        }
        Cause::InvalidImage => "Correct the image's name; then apply again.".to_owned(),
        Cause::ImageDenied => {
            "Give the pods a pull secret for this registry (imagePullSecrets, or on the service account), or correct the image's name."
                .to_owned()
        }
        Cause::ImagePull => {
            "See that the nodes can reach the image's registry; then apply again.".to_owned()
        }
        Cause::ContainerConfig => format!(
            "Make the Secret, ConfigMap or key that is missing in namespace {namespace}, or correct its name in the values; then apply again."
        ),
        Cause::Start => {
            "Correct the container's command and arguments, or build the image for the node's architecture; then apply again."
                .to_owned()
        }
        Cause::OutOfMemory => {
            "Raise the container's memory limit, or lower what the program uses (fewer workers); then apply again.".to_owned()
        }
        Cause::CrashLoop | Cause::JobFailed => {
            "The last lines of its log say why it ended; correct the program or its configuration, then apply again.".to_owned()
        }
        Cause::PodSecurity => {
            "Set the securityContext that the namespace's Pod Security level demands, or lower the environment's `pod_security`."
                .to_owned()
        }
        Cause::Quota => format!(
            "Raise the environment's `quota`, or lower replicas or resources; `kubectl describe resourcequota -n {namespace}` shows what is used."
        ),
        Cause::LimitRange => {
            format!("Set resources within what the LimitRange in namespace {namespace} allows; then apply again.")
        }
        Cause::Admission => {
            "Change what the policy objects to; when a webhook does not answer, see to its own pods first.".to_owned()
        }
        Cause::ServiceAccount => {
            format!("Make the service account in namespace {namespace}, or correct its name; then apply again.")
        }
        Cause::CreateRefused => "Change what the API server objects to; then apply again.".to_owned(),
        Cause::Provisioning => {
            "Name a storage class that exists and can provision (`kubectl get storageclass`); then apply again.".to_owned()
        }
        Cause::Mount => {
            "Make the Secret, ConfigMap or volume that is missing, or detach the volume from the node that still holds it."
                .to_owned()
        }
        Cause::Unschedulable => {
            "Lower the requests, add nodes, or correct node selector, affinity and tolerations; then apply again.".to_owned()
        }
        Cause::Probe => {
            "See why the program does not answer its probe: its log, its port and path, and what it depends on.".to_owned()
        }
        Cause::Deadline => {
            "See the events and the log above; then correct what keeps the pods from becoming ready.".to_owned()
        }
        Cause::Paused => "Resume the rollout (`kubectl rollout resume`), or remove spec.paused; then apply again.".to_owned(),
        Cause::Missing => "See whether something else deletes it, and apply again.".to_owned(),
        Cause::Unknown => format!("`kubectl describe` in namespace {namespace} shows more; a longer `timeout` may be what is needed."),
    };
    match stuck_pod(problem, evidence) {
        Some(pod) => format!(
            "{text} The StatefulSet replaces its pods in order and does not replace one that is broken: delete the pod {pod} once the correction is applied."
        ),
        None => text,
    }
}

/// A pod of an older revision that keeps a StatefulSet from rolling out the newer one.
fn stuck_pod(problem: Option<&Problem>, evidence: &Evidence) -> Option<String> {
    let Workload::StatefulSet(set) = &evidence.workload else { return None };
    let revision = set.status.as_ref()?.update_revision.as_deref()?;
    let object = &problem?.object;
    let pod = evidence.pods.iter().find(|pod| object.is("Pod", &pod.metadata))?;
    let own = super::evidence::label(&pod.metadata, "controller-revision-hash")?;
    (own != revision).then(|| object.name.clone())
}
