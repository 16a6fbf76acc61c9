//! No pod of the new image is left: only then may the schema go back under it.
//!
//! After a rollback Kubernetes keeps the new pods until the old ones are ready, and an application that insists on its
//! own schema does not become ready before the schema is back. So the new pods are ended here, not waited for.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use ffe_cluster::k8s_openapi::api::apps::v1::ReplicaSet;
use ffe_cluster::k8s_openapi::api::core::v1::{Pod, PodSpec};
use ffe_cluster::k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use ffe_cluster::{DeleteOptions, Error, ObjectRef, Query};
use ffe_helm::manifest::Manifest;
use ffe_session::diagnostic;
use serde_json::json;
use tfplugin::Diagnostics;

use crate::migration::job::POD_LABEL;
use crate::run::Run;
use crate::way_back::schema_back;

const LIMIT: Duration = Duration::from_secs(120);

/// Ends the pods of the new image, if the schema has to go back.
///
/// # Errors
/// When pods of it stay.
pub(crate) async fn go(run: &mut Run) -> Result<(), Diagnostics> {
    if !schema_back::is_open(run) {
        return Ok(());
    }
    let images = new_images(run).await;
    clear(run, &images).await
}

/// Ends the release's pods that run one of the images, and what makes such pods. Those of others stay.
///
/// # Errors
/// When pods of it stay.
pub(crate) async fn clear(run: &Run, images: &BTreeSet<String>) -> Result<(), Diagnostics> {
    if images.is_empty() {
        return Ok(());
    }
    let failed = |error: Error| Diagnostics::from(diagnostic(&error, "The new pods could not be ended"));
    let started = Instant::now();
    loop {
        let left = end(run, images).await.map_err(failed)?;
        if left.is_empty() {
            return Ok(());
        }
        if started.elapsed() > LIMIT || run.cancel.is_cancelled() {
            return Err(Diagnostics::error(
                "Pods of the failed version are still running",
                format!("The schema was not taken back under them: {}.", left.join(", ")),
            ));
        }
        tracing::info!(pods = ?left, "waiting for the pods of the failed version to end");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// The images that only the failed version runs. Where the way back had nothing to do, what was there before still is.
async fn new_images(run: &Run) -> BTreeSet<String> {
    let namespace = run.inputs.namespace.as_str();
    let new = run.manifest.as_ref().map(|manifest| images(manifest, namespace)).unwrap_or_default();
    let before = match (&run.after, &run.before) {
        (None, Some(key)) => run.kit.records.open(key).await.ok().flatten(),
        _ => None,
    };
    let old = run.after.as_ref().or(before.as_ref()).and_then(|release| release.parsed_manifest().ok());
    new.difference(&old.map(|manifest| images(&manifest, namespace)).unwrap_or_default()).cloned().collect()
}

/// The images that a release's workloads run.
pub(crate) fn images(manifest: &Manifest, namespace: &str) -> BTreeSet<String> {
    let workloads = manifest.workloads(namespace).into_iter();
    workloads.flat_map(|workload| workload.containers.into_iter().map(|container| container.image)).collect()
}

fn runs(spec: Option<&PodSpec>, images: &BTreeSet<String>) -> bool {
    spec.is_some_and(|spec| {
        spec.containers.iter().any(|container| container.image.as_ref().is_some_and(|image| images.contains(image)))
    })
}

/// Whether Helm has written on it that it is the release's. The controller of Deployments hands that on to ReplicaSets.
fn is_releases(metadata: &ObjectMeta, run: &Run) -> bool {
    let written = |key: &str| metadata.annotations.as_ref().and_then(|all| all.get(key)).map(String::as_str);
    written("meta.helm.sh/release-name") == Some(run.inputs.name.as_str())
        && written("meta.helm.sh/release-namespace") == Some(run.inputs.namespace.as_str())
}

/// Whether a pod, or what has made it, is the release's: the same image may run in the namespace for others.
async fn made_for_release(run: &Run, pod: &ObjectMeta) -> Result<bool, Error> {
    let mut metadata = pod.clone();
    // A pod's maker, and the maker of that: a Deployment's ReplicaSet, a CronJob's Job.
    for _ in 0..3 {
        if is_releases(&metadata, run) {
            return Ok(true);
        }
        let owners = metadata.owner_references.unwrap_or_default();
        let Some(maker) = owners.into_iter().find(|owner| owner.controller == Some(true)) else { return Ok(false) };
        let object = ObjectRef::new(&maker.api_version, &maker.kind, Some(&run.inputs.namespace), &maker.name);
        let Some(found) = run.cluster.find_ref(&object).await? else { return Ok(false) };
        metadata = found.metadata;
    }
    Ok(false)
}

/// Scales down what makes such pods, deletes the rest, and says which are left.
async fn end(run: &Run, images: &BTreeSet<String>) -> Result<Vec<String>, Error> {
    let namespace = run.inputs.namespace.as_str();
    for set in run.cluster.list::<ReplicaSet>(Some(namespace), &Query::default()).await? {
        let spec = set.spec;
        let makes = runs(spec.template.and_then(|template| template.spec).as_ref(), images);
        if makes && spec.replicas.unwrap_or(1) > 0 && is_releases(&set.metadata, run) {
            let name = set.metadata.name.unwrap_or_default();
            tracing::info!(replica_set = %name, "scaling down the failed version");
            run.cluster.merge::<ReplicaSet>(Some(namespace), &name, &json!({ "spec": { "replicas": 0 } })).await?;
        }
    }
    let mut left = Vec::new();
    for pod in run.cluster.list::<Pod>(Some(namespace), &Query::default()).await? {
        let labels = pod.metadata.labels.as_ref();
        let ours = labels.and_then(|labels| labels.get("app.kubernetes.io/name")).is_some_and(|name| name == POD_LABEL);
        let ended =
            pod.status.and_then(|status| status.phase).is_some_and(|phase| phase == "Succeeded" || phase == "Failed");
        if ours || ended || !runs(pod.spec.as_ref(), images) || !made_for_release(run, &pod.metadata).await? {
            continue;
        }
        let name = pod.metadata.name.unwrap_or_default();
        if pod.metadata.deletion_timestamp.is_none() {
            let object = ObjectRef::of::<Pod>(Some(namespace), &name);
            run.cluster.delete(&object, &DeleteOptions::default()).await?;
        }
        left.push(name);
    }
    Ok(left)
}
