//! The Job that migrates.
//!
//! Three containers in a row in one pod: what the schema is before, the migration, what it is after. They run
//! one after the other because the first two are init containers, so no shell is needed in the image and each
//! has a log of its own. The pod runs as the workload's own pods do (user, groups, pull secrets), made to meet
//! the `restricted` Pod Security level.

use std::collections::BTreeMap;

use ffe_cluster::Query;
use ffe_cluster::k8s_openapi::api::batch::v1::{Job, JobSpec};
use ffe_cluster::k8s_openapi::api::core::v1::{
    Capabilities, Container, EmptyDirVolumeSource, EnvFromSource, EnvVar, LocalObjectReference, Pod,
    PodSecurityContext, PodSpec, PodTemplateSpec, ResourceRequirements, SeccompProfile, SecretEnvSource,
    SecurityContext, Volume, VolumeMount,
};
use ffe_cluster::k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use ffe_cluster::k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use ffe_cluster::{Mark, MarkState};
use serde_json::Value as Json;
use tfplugin::Attr;

use crate::inputs::duration;
use crate::model::{Amounts, Migration};
use crate::run::Run;

/// Reads the schema revision before.
pub(crate) const BEFORE: &str = "before";
/// Migrates.
pub(crate) const MIGRATE: &str = "migrate";
/// Reads the schema revision after.
pub(crate) const AFTER: &str = "after";

/// The Job, named after the run.
pub(crate) fn build(run: &Run, settings: &Migration, image: &str) -> Job {
    let name = format!("ffe-migrate-{}", run.record().id);
    let pod = workload_pod(run, image);
    let mut metadata =
        ObjectMeta { name: Some(name), namespace: Some(run.inputs.namespace.clone()), ..ObjectMeta::default() };
    let mark = Mark { state: MarkState::Complete, ..run.journal.mark.clone() };
    mark.write(&mut metadata);
    let labels = BTreeMap::from([
        ("app.kubernetes.io/name".to_owned(), "ffe-migrate".to_owned()),
        ("app.kubernetes.io/instance".to_owned(), run.inputs.name.clone()),
    ]);
    let mut containers: Vec<Container> =
        commands(settings).into_iter().map(|(name, command)| container(settings, image, &pod, name, command)).collect();
    let last = containers.pop();
    Job {
        metadata,
        spec: Some(JobSpec {
            // A migration that failed is not tried again by itself: what it left is looked at first.
            backoff_limit: Some(0),
            active_deadline_seconds: i64::try_from(duration(&settings.timeout, 600).as_secs()).ok(),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta { labels: Some(labels), ..ObjectMeta::default() }),
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

/// The commands in order; the last is the pod's own container.
fn commands(settings: &Migration) -> Vec<(&'static str, Vec<String>)> {
    let list = |attribute: &Attr<Vec<Attr<String>>>| -> Option<Vec<String>> {
        attribute.known().map(|words| words.iter().filter_map(|word| word.as_str().map(str::to_owned)).collect())
    };
    if settings.engine.as_str() == Some("alembic") {
        let alembic = |arguments: &[&str]| {
            let config = settings.config.as_str().map(|path| ["-c", path]);
            let words = ["alembic"].into_iter().chain(config.into_iter().flatten()).chain(arguments.iter().copied());
            words.map(str::to_owned).collect::<Vec<String>>()
        };
        let target = settings.target.as_str().unwrap_or("head");
        return vec![
            (BEFORE, alembic(&["current"])),
            (MIGRATE, alembic(&["upgrade", target])),
            (AFTER, alembic(&["current"])),
        ];
    }
    let upgrade = list(&settings.upgrade_command).unwrap_or_default();
    match list(&settings.current_command) {
        Some(current) => vec![(BEFORE, current.clone()), (MIGRATE, upgrade), (AFTER, current)],
        None => vec![(MIGRATE, upgrade)],
    }
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

/// The log of each container that has one.
pub(crate) async fn logs(run: &Run, job: &str, lines: usize) -> BTreeMap<String, Vec<String>> {
    let mut logs = BTreeMap::new();
    let query = Query::labels(format!("batch.kubernetes.io/job-name={job}"));
    let pods = match run.cluster.list::<Pod>(Some(&run.inputs.namespace), &query).await {
        Ok(pods) => pods,
        Err(error) => {
            tracing::warn!(%error, "the migration's pods cannot be listed");
            return logs;
        }
    };
    for pod in pods {
        let name = pod.metadata.name.unwrap_or_default();
        let status = pod.status.unwrap_or_default();
        let ran =
            status.init_container_statuses.into_iter().flatten().chain(status.container_statuses.into_iter().flatten());
        for container in
            ran.filter(|container| container.state.as_ref().is_some_and(|state| state.terminated.is_some()))
        {
            let tail = run
                .cluster
                .tail_log(&run.inputs.namespace, &name, Some(&container.name), lines, false, &run.redactor())
                .await;
            match tail {
                Ok(lines) => {
                    logs.insert(container.name, lines);
                }
                Err(error) => tracing::warn!(%error, container = %container.name, "a log cannot be read"),
            }
        }
    }
    logs
}
