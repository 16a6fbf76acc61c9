//! The Job of a task.
//!
//! Its parts are containers in a row in one pod: all but the last are init containers, so no shell is needed in
//! the image and each has a log of its own. The pod runs as the workload's own pods do (user, groups, pull
//! secrets, service account, nodes), made to meet the `restricted` Pod Security level.

use std::collections::BTreeMap;

use ffe_cluster::k8s_openapi::api::batch::v1::Job;
use ffe_cluster::k8s_openapi::api::core::v1::{
    Container, EnvVar, PodSpec, PodTemplateSpec, ResourceRequirements, SecretVolumeSource, Volume, VolumeMount,
};
use ffe_cluster::k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use ffe_cluster::k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use ffe_cluster::{Mark, MarkState};
use ffe_workloads::{every_key_of, one_shot_job};
use serde_json::Value as Json;
use tfplugin::Attr;

use crate::apply::migration::migrator::Migrator;
use crate::apply::migration::placement::{self, Account};
use crate::apply::migration::task::{Part, Task};
use crate::apply::run::Run;
use crate::settings::inputs::duration;
use crate::settings::model::{Amounts, Migration};

/// The value of `app.kubernetes.io/name` on the pods.
pub(crate) const POD_LABEL: &str = "ffe-migrate";
/// Where the keys of the database's Secret are files too, as in a backup's pod: certificates that the connection names.
const DATABASE_FILES: &str = "/database";

/// The Job of a task, named after it and the run.
pub(crate) fn build(run: &Run, migrator: &Migrator, task: &Task, account: Account) -> Job {
    let (settings, image) = (&migrator.settings, migrator.image.as_str());
    let pod = migrator.pod_spec();
    let mut metadata = ObjectMeta {
        name: Some(task.job_name(&run.record().id)),
        namespace: Some(run.inputs.namespace.clone()),
        ..ObjectMeta::default()
    };
    let mark = Mark { state: MarkState::Complete, ..run.journal.mark.clone() };
    mark.write(&mut metadata);
    let mut labels = set(&settings.pod_labels);
    // By these its pods are told from the release's own.
    labels.insert("app.kubernetes.io/name".to_owned(), POD_LABEL.to_owned());
    labels.insert("app.kubernetes.io/instance".to_owned(), run.inputs.name.clone());
    let annotations = set(&settings.pod_annotations);
    let one = |(part, command): &(Part, Vec<String>)| container(settings, image, &pod, part.name(), command.clone());
    let mut containers: Vec<Container> = task.parts.iter().map(one).collect();
    let last = containers.pop();
    let mut spec = PodSpec {
        service_account_name: account.name,
        image_pull_secrets: account.pull_secrets,
        security_context: parse(&pod, "securityContext"),
        init_containers: Some(containers),
        containers: last.into_iter().collect(),
        volumes: settings.database_secret.as_str().map(|secret| vec![files_of(secret, &pod)]),
        ..PodSpec::default()
    };
    placement::run_where(&pod, &mut spec);
    let template = PodTemplateSpec {
        metadata: Some(ObjectMeta { labels: Some(labels), annotations: Some(annotations), ..ObjectMeta::default() }),
        spec: Some(spec),
    };
    one_shot_job(metadata, duration(&settings.timeout, 600), template)
}

/// The keys of the database's Secret as files, for a pod of this workload. With an `fsGroup` they are that group's alone, as libpq wants
/// it of a private key; without one only what everybody may read can be read at all.
fn files_of(secret: &str, pod: &Json) -> Volume {
    let has_group = pod.pointer("/securityContext/fsGroup").is_some_and(|group| !group.is_null());
    let source = SecretVolumeSource {
        secret_name: Some(secret.to_owned()),
        default_mode: Some(if has_group { 0o440 } else { 0o444 }),
        optional: Some(true),
        ..SecretVolumeSource::default()
    };
    Volume { name: "database".to_owned(), secret: Some(source), ..Volume::default() }
}

/// What is set.
fn set(attribute: &Attr<BTreeMap<String, Attr<String>>>) -> BTreeMap<String, String> {
    let set = attribute.known().into_iter().flatten();
    set.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
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
        env_from: settings.database_secret.as_str().map(every_key_of),
        env: Some(
            env.map(|(name, value)| EnvVar {
                name: name.clone(),
                value: value.as_str().map(str::to_owned),
                ..EnvVar::default()
            })
            .collect(),
        ),
        resources: Some(resources(settings)),
        security_context: parse(&workload, "securityContext"),
        volume_mounts: settings.database_secret.as_str().map(|_| {
            let (name, mount_path) = ("database".to_owned(), DATABASE_FILES.to_owned());
            vec![VolumeMount { name, mount_path, read_only: Some(true), ..VolumeMount::default() }]
        }),
        ..Container::default()
    }
}

/// The amounts that are set; the others have defaults.
fn resources(settings: &Migration) -> ResourceRequirements {
    let amounts = |given: &Amounts| -> BTreeMap<String, Quantity> {
        let both = [("cpu", given.cpu.as_str()), ("memory", given.memory.as_str())];
        both.into_iter().filter_map(|(name, amount)| Some((name.to_owned(), Quantity(amount?.to_owned())))).collect()
    };
    let given = settings.resources.known();
    ResourceRequirements {
        requests: given.and_then(|given| given.requests.known()).map(amounts),
        limits: given.and_then(|given| given.limits.known()).map(amounts),
        ..ResourceRequirements::default()
    }
}

fn parse<T: serde::de::DeserializeOwned>(json: &Json, key: &str) -> Option<T> {
    json.get(key).and_then(|value| serde_json::from_value(value.clone()).ok())
}
