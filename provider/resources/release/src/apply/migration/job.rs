//! The Job of a task.
//!
//! Its parts are containers in a row in one pod: all but the last are init containers, so no shell is needed in
//! the image and each has a log of its own. The pod runs as the workload's own pods do (user, groups, pull
//! secrets), made to meet the `restricted` Pod Security level.

use std::collections::BTreeMap;

use ffe_cluster::k8s_openapi::api::batch::v1::Job;
use ffe_cluster::k8s_openapi::api::core::v1::{
    Container, EnvVar, LocalObjectReference, PodSpec, PodTemplateSpec, ResourceRequirements,
};
use ffe_cluster::k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use ffe_cluster::k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use ffe_cluster::{Mark, MarkState};
use ffe_workloads::{every_key_of, one_shot_job};
use serde_json::Value as Json;
use tfplugin::Attr;

use crate::apply::migration::migrator::Migrator;
use crate::apply::migration::task::{Part, Task};
use crate::apply::run::Run;
use crate::settings::inputs::duration;
use crate::settings::model::{Amounts, Migration};

/// The value of `app.kubernetes.io/name` on the pods.
pub(crate) const POD_LABEL: &str = "ffe-migrate";

/// The Job of a task, named after it and the run.
pub(crate) fn build(run: &Run, migrator: &Migrator, task: &Task) -> Job {
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
    let template = PodTemplateSpec {
        metadata: Some(ObjectMeta { labels: Some(labels), annotations: Some(annotations), ..ObjectMeta::default() }),
        spec: Some(PodSpec {
            image_pull_secrets: parse(&pod, "imagePullSecrets").map(|list: Vec<LocalObjectReference>| list),
            security_context: parse(&pod, "securityContext"),
            init_containers: Some(containers),
            containers: last.into_iter().collect(),
            ..PodSpec::default()
        }),
    };
    one_shot_job(metadata, duration(&settings.timeout, 600), template)
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
