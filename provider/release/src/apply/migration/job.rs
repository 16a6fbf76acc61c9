//! The Job of a task.
//!
//! Its parts are containers in a row in one pod: all but the last are init containers, so no shell is needed in
//! the image and each has a log of its own. The pod runs as the workload's own pods do (user, groups, pull
//! secrets), made to meet the `restricted` Pod Security level.

use std::collections::BTreeMap;

use ffe_cluster::k8s_openapi::api::batch::v1::{Job, JobSpec};
use ffe_cluster::k8s_openapi::api::core::v1::{
    Capabilities, Container, EmptyDirVolumeSource, EnvFromSource, EnvVar, LocalObjectReference, PodSecurityContext,
    PodSpec, PodTemplateSpec, ResourceRequirements, SeccompProfile, SecretEnvSource, SecurityContext, Volume,
    VolumeMount,
};
use ffe_cluster::k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use ffe_cluster::k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use ffe_cluster::{Mark, MarkState};
use serde_json::Value as Json;
use tfplugin::Attr;

use crate::apply::migration::task::{Part, Task};
use crate::apply::run::Run;
use crate::settings::inputs::duration;
use crate::settings::model::{Amounts, Migration};

/// The value of `app.kubernetes.io/name` on the pods.
pub(crate) const POD_LABEL: &str = "ffe-migrate";
/// What keeps a mesh from adding a sidecar: before the sidecar runs the pod has no network, and the Job would not end with it.
const PLAIN_LABELS: [(&str, &str); 2] =
    [("sidecar.istio.io/inject", "false"), ("kuma.io/sidecar-injection", "disabled")];
const PLAIN_ANNOTATIONS: [(&str, &str); 3] = [
    ("sidecar.istio.io/inject", "false"),
    ("linkerd.io/inject", "disabled"),
    ("consul.hashicorp.com/connect-inject", "false"),
];

/// The Job of a task, named after it and the run.
pub(crate) fn build(run: &Run, settings: &Migration, image: &str, task: &Task) -> Job {
    let pod = workload_pod(run, image);
    let mut metadata = ObjectMeta {
        name: Some(task.job_name(&run.record().id)),
        namespace: Some(run.inputs.namespace.clone()),
        ..ObjectMeta::default()
    };
    let mark = Mark { state: MarkState::Complete, ..run.journal.mark.clone() };
    mark.write(&mut metadata);
    let mut labels = over(&PLAIN_LABELS, &settings.pod_labels);
    // By these its pods are told from the release's own.
    labels.insert("app.kubernetes.io/name".to_owned(), POD_LABEL.to_owned());
    labels.insert("app.kubernetes.io/instance".to_owned(), run.inputs.name.clone());
    let annotations = over(&PLAIN_ANNOTATIONS, &settings.pod_annotations);
    let one = |(part, command): &(Part, Vec<String>)| container(settings, image, &pod, part.name(), command.clone());
    let mut containers: Vec<Container> = task.parts.iter().map(one).collect();
    let last = containers.pop();
    Job {
        metadata,
        spec: Some(JobSpec {
            // A migration that failed is not tried again by itself: what it left is looked at first.
            backoff_limit: Some(0),
            active_deadline_seconds: i64::try_from(duration(&settings.timeout, 600).as_secs()).ok(),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels: Some(labels),
                    annotations: Some(annotations),
                    ..ObjectMeta::default()
                }),
                spec: Some(PodSpec {
                    restart_policy: Some("Never".to_owned()),
                    automount_service_account_token: Some(false),
                    enable_service_links: Some(false),
                    image_pull_secrets: parse(&pod, "imagePullSecrets").map(|list: Vec<LocalObjectReference>| list),
                    security_context: Some(pod_security(&pod)),
                    init_containers: Some(containers),
                    containers: last.into_iter().collect(),
                    volumes: Some(vec![Volume {
                        name: "tmp".to_owned(),
                        empty_dir: Some(EmptyDirVolumeSource::default()),
                        ..Volume::default()
                    }]),
                    ..PodSpec::default()
                }),
            },
            ..JobSpec::default()
        }),
        ..Job::default()
    }
}

/// What is set, over what holds by default.
fn over(defaults: &[(&str, &str)], set: &Attr<BTreeMap<String, Attr<String>>>) -> BTreeMap<String, String> {
    let defaults = defaults.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let set =
        set.known().into_iter().flatten().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
    defaults.chain(set).collect()
}

fn container(settings: &Migration, image: &str, pod: &Json, name: &str, command: Vec<String>) -> Container {
    let env = settings.env.known().into_iter().flatten();
    let same_image = |one: &&Json| one.get("image").and_then(Json::as_str) == Some(image);
    let workload = pod
        .get("containers")
        .and_then(Json::as_array)
        .and_then(|all| all.iter().find(same_image))
        .cloned()
        .unwrap_or_default();
    Container {
        name: name.to_owned(),
        image: Some(image.to_owned()),
        image_pull_policy: parse(&workload, "imagePullPolicy"),
        command: Some(command),
        working_dir: settings.working_dir.as_str().map(str::to_owned),
        env_from: settings.database_secret.as_str().map(|name| {
            vec![EnvFromSource {
                secret_ref: Some(SecretEnvSource { name: name.to_owned(), optional: None }),
                ..EnvFromSource::default()
            }]
        }),
        env: Some(
            env.map(|(name, value)| EnvVar {
                name: name.clone(),
                value: value.as_str().map(str::to_owned),
                ..EnvVar::default()
            })
            .collect(),
        ),
        resources: Some(resources(settings)),
        security_context: Some(container_security(&workload)),
        volume_mounts: Some(vec![VolumeMount {
            name: "tmp".to_owned(),
            mount_path: "/tmp".to_owned(),
            ..VolumeMount::default()
        }]),
        ..Container::default()
    }
}

/// The workload's own security context, with what `restricted` demands.
fn pod_security(pod: &Json) -> PodSecurityContext {
    let mut context: PodSecurityContext = parse(pod, "securityContext").unwrap_or_default();
    context.run_as_non_root = Some(true);
    context.seccomp_profile.get_or_insert_with(runtime_default);
    context
}

fn container_security(workload: &Json) -> SecurityContext {
    let mut context: SecurityContext = parse(workload, "securityContext").unwrap_or_default();
    context.allow_privilege_escalation = Some(false);
    context.run_as_non_root = Some(true);
    context.privileged = None;
    context.seccomp_profile.get_or_insert_with(runtime_default);
    context.capabilities = Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), add: None });
    context
}

fn runtime_default() -> SeccompProfile {
    SeccompProfile { type_: "RuntimeDefault".to_owned(), localhost_profile: None }
}

fn resources(settings: &Migration) -> ResourceRequirements {
    let amounts = |given: Option<&Amounts>, cpu: &str, memory: &str| {
        let pick = |attribute: Option<&Attr<String>>, default: &str| {
            Quantity(attribute.and_then(|text| text.as_str()).unwrap_or(default).to_owned())
        };
        BTreeMap::from([
            ("cpu".to_owned(), pick(given.map(|amounts| &amounts.cpu), cpu)),
            ("memory".to_owned(), pick(given.map(|amounts| &amounts.memory), memory)),
        ])
    };
    let given = settings.resources.known();
    ResourceRequirements {
        requests: Some(amounts(given.and_then(|given| given.requests.known()), "100m", "128Mi")),
        limits: Some(amounts(given.and_then(|given| given.limits.known()), "1", "512Mi")),
        ..ResourceRequirements::default()
    }
}

/// The pod specification of the workload that runs the image; null when there is none.
fn workload_pod(run: &Run, image: &str) -> Json {
    let workloads = run.manifest.as_ref().map(|manifest| manifest.workloads(&run.inputs.namespace)).unwrap_or_default();
    let runs =
        |workload: &&ffe_helm::manifest::Workload| workload.containers.iter().any(|container| container.image == image);
    let workload = workloads.iter().find(runs).or_else(|| workloads.first());
    workload.map(|workload| workload.pod_spec.clone()).unwrap_or_default()
}

fn parse<T: serde::de::DeserializeOwned>(json: &Json, key: &str) -> Option<T> {
    json.get(key).and_then(|value| serde_json::from_value(value.clone()).ok())
}
