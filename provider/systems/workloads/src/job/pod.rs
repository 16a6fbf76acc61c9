//! The pods of our own Jobs: what holds for each of them, whatever it does.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::{
    Capabilities, Container, EmptyDirVolumeSource, EnvFromSource, PodSecurityContext, PodTemplateSpec,
    ResourceRequirements, SeccompProfile, SecretEnvSource, SecurityContext, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// What keeps a mesh from adding a sidecar: before the sidecar runs the pod has no network, and the Job would not end with it.
const NO_SIDECAR_LABELS: [(&str, &str); 2] =
    [("sidecar.istio.io/inject", "false"), ("kuma.io/sidecar-injection", "disabled")];
const NO_SIDECAR_ANNOTATIONS: [(&str, &str); 3] = [
    ("sidecar.istio.io/inject", "false"),
    ("linkerd.io/inject", "disabled"),
    ("consul.hashicorp.com/connect-inject", "false"),
];
/// What a container may use, where nothing is said: requested, and at most.
const REQUESTS: [(&str, &str); 2] = [("cpu", "100m"), ("memory", "128Mi")];
const LIMITS: [(&str, &str); 2] = [("cpu", "1"), ("memory", "512Mi")];
const SCRATCH: &str = "tmp";

/// A Job that runs a pod once, and no longer than `deadline`.
///
/// The pod meets the Pod Security level `restricted`, whatever its security contexts say. It has no token of a service account,
/// scratch space in `/tmp`, and bounds for what it uses. No mesh adds a sidecar, unless the pod's own labels and annotations
/// say so.
#[must_use]
pub fn one_shot_job(metadata: ObjectMeta, deadline: Duration, mut pod: PodTemplateSpec) -> Job {
    let meta = pod.metadata.get_or_insert_default();
    add(meta.labels.get_or_insert_default(), &NO_SIDECAR_LABELS);
    add(meta.annotations.get_or_insert_default(), &NO_SIDECAR_ANNOTATIONS);
    let spec = pod.spec.get_or_insert_default();
    spec.restart_policy = Some("Never".to_owned());
    spec.automount_service_account_token = Some(false);
    spec.enable_service_links = Some(false);
    restrict_pod(spec.security_context.get_or_insert_default());
    let scratch = EmptyDirVolumeSource::default();
    let scratch = Volume { name: SCRATCH.to_owned(), empty_dir: Some(scratch), ..Volume::default() };
    spec.volumes.get_or_insert_default().insert(0, scratch);
    for container in spec.init_containers.iter_mut().flatten().chain(&mut spec.containers) {
        complete(container);
    }
    Job {
        metadata,
        spec: Some(JobSpec {
            // One that failed is not tried again by itself: its caller looks first at what it has left.
            backoff_limit: Some(0),
            active_deadline_seconds: i64::try_from(deadline.as_secs().max(1)).ok(),
            template: pod,
            ..JobSpec::default()
        }),
        ..Job::default()
    }
}

/// Every key of a Secret as an environment variable.
#[must_use]
pub fn every_key_of(secret: &str) -> Vec<EnvFromSource> {
    vec![EnvFromSource {
        secret_ref: Some(SecretEnvSource { name: secret.to_owned(), optional: None }),
        ..EnvFromSource::default()
    }]
}

/// Adds what is not set.
fn add(set: &mut BTreeMap<String, String>, defaults: &[(&str, &str)]) {
    for (name, value) in defaults {
        set.entry((*name).to_owned()).or_insert_with(|| (*value).to_owned());
    }
}

fn restrict_pod(context: &mut PodSecurityContext) {
    context.run_as_non_root = Some(true);
    context.seccomp_profile.get_or_insert_with(runtime_default);
}

fn complete(container: &mut Container) {
    restrict_container(container.security_context.get_or_insert_default());
    let resources = container.resources.get_or_insert_with(ResourceRequirements::default);
    bound(&mut resources.requests, &REQUESTS);
    bound(&mut resources.limits, &LIMITS);
    let mount = VolumeMount { name: SCRATCH.to_owned(), mount_path: "/tmp".to_owned(), ..VolumeMount::default() };
    container.volume_mounts.get_or_insert_default().insert(0, mount);
}

fn restrict_container(context: &mut SecurityContext) {
    context.allow_privilege_escalation = Some(false);
    context.run_as_non_root = Some(true);
    context.privileged = None;
    context.seccomp_profile.get_or_insert_with(runtime_default);
    context.capabilities = Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), add: None });
}

fn runtime_default() -> SeccompProfile {
    SeccompProfile { type_: "RuntimeDefault".to_owned(), localhost_profile: None }
}

fn bound(amounts: &mut Option<BTreeMap<String, Quantity>>, defaults: &[(&str, &str)]) {
    let amounts = amounts.get_or_insert_default();
    for (name, amount) in defaults {
        amounts.entry((*name).to_owned()).or_insert_with(|| Quantity((*amount).to_owned()));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Value, json};

    use super::*;

    fn pod(template: &Value) -> Value {
        let template = serde_json::from_value(template.clone()).unwrap();
        let job = one_shot_job(ObjectMeta::default(), Duration::from_secs(5), template);
        let job = serde_json::to_value(job).unwrap();
        assert_eq!((&job["spec"]["backoffLimit"], &job["spec"]["activeDeadlineSeconds"]), (&json!(0), &json!(5)));
        job["spec"]["template"].clone()
    }

    #[test]
    fn it_is_restricted_whatever_is_given() {
        let given = json!({ "spec": {
            "securityContext": { "runAsNonRoot": false, "runAsUser": 1001 },
            "initContainers": [{ "name": "a", "securityContext": {
                "privileged": true, "allowPrivilegeEscalation": true, "capabilities": { "add": ["NET_ADMIN"] } } }],
            "containers": [{ "name": "b" }],
        } });
        let spec = pod(&given)["spec"].clone();
        let profile = json!({ "type": "RuntimeDefault" });
        let expected = json!({ "runAsNonRoot": true, "runAsUser": 1001, "seccompProfile": profile });
        assert_eq!(spec["securityContext"], expected);
        for container in [&spec["initContainers"][0], &spec["containers"][0]] {
            let expected = json!({ "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] },
                "runAsNonRoot": true, "seccompProfile": profile });
            assert_eq!(container["securityContext"], expected);
            assert_eq!(container["volumeMounts"], json!([{ "name": "tmp", "mountPath": "/tmp" }]));
        }
        assert_eq!((&spec["automountServiceAccountToken"], &spec["restartPolicy"]), (&json!(false), &json!("Never")));
        assert_eq!(spec["volumes"], json!([{ "name": "tmp", "emptyDir": {} }]));
    }

    #[test]
    fn amounts_that_are_set_count_and_the_others_have_defaults() {
        let given =
            json!({ "spec": { "containers": [{ "name": "a", "resources": { "limits": { "memory": "2Gi" } } }] } });
        let resources = pod(&given)["spec"]["containers"][0]["resources"].clone();
        assert_eq!(resources["requests"], json!({ "cpu": "100m", "memory": "128Mi" }));
        assert_eq!(resources["limits"], json!({ "cpu": "1", "memory": "2Gi" }));
    }

    #[test]
    fn no_mesh_adds_a_sidecar_unless_the_pod_says_so() {
        let given = json!({ "metadata": { "labels": { "sidecar.istio.io/inject": "true", "team": "a" } },
            "spec": { "containers": [] } });
        let meta = pod(&given)["metadata"].clone();
        let labels = json!({ "sidecar.istio.io/inject": "true", "kuma.io/sidecar-injection": "disabled", "team": "a" });
        assert_eq!(meta["labels"], labels);
        assert_eq!(meta["annotations"]["linkerd.io/inject"], "disabled");
    }
}
