//! No pod of the failed version is left: only then may the schema go back under it.
//!
//! After a rollback Kubernetes keeps the new pods until the old ones are ready, and an application that insists on its
//! own schema does not become ready before the schema is back. So the new pods are ended here, not waited for. They are known
//! by an image that only the failed version runs; and where both run the same one (a tag that moves, another value), by the
//! revision of the workload that they were made for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use ffe_cluster::k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use ffe_cluster::k8s_openapi::api::core::v1::{Pod, PodSpec};
use ffe_cluster::k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use ffe_cluster::{DeleteOptions, Error, ObjectRef, Query};
use ffe_helm::manifest::Manifest;
use ffe_session::diagnostic;
use serde_json::json;
use tfplugin::Diagnostics;

use crate::apply::made_for::{MadeFor, is_releases, made_for};
use crate::apply::migration::job::POD_LABEL;
use crate::apply::migration::migrator::Migrator;
use crate::apply::run::Run;
use crate::apply::stop::Stop;
use crate::apply::way_back::schema_back;
use crate::journal::Outcome;

const LIMIT: Duration = Duration::from_secs(120);

/// What the failed version runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Version {
    /// Images that the version that comes back does not run.
    own: BTreeSet<String>,
    /// Images that both run.
    shared: BTreeSet<String>,
}

impl Version {
    /// Of a version with these images; `kept` are those of the version that comes back.
    pub(crate) fn new(images: BTreeSet<String>, kept: &BTreeSet<String>) -> Version {
        Version {
            own: images.difference(kept).cloned().collect(),
            shared: images.intersection(kept).cloned().collect(),
        }
    }

    fn is_nothing(&self) -> bool {
        self.own.is_empty() && self.shared.is_empty()
    }
}

/// Ends the pods of the failed version, if the schema has to go back; `release` is what the way back has made of the release.
///
/// # Errors
/// When pods of it stay.
pub(crate) async fn end_failed_version(
    run: &mut Run,
    migrator: &Migrator,
    new: &Manifest,
    release: Option<Outcome>,
) -> Result<(), Diagnostics> {
    if !schema_back::can_go_back(run, migrator, release).await {
        return Ok(());
    }
    let version = failed_version(run, new, release).await?;
    end_pods(run, &version).await
}

/// Ends the release's pods of a version, and what makes such pods. Those of others stay.
///
/// # Errors
/// When pods of it stay.
pub(crate) async fn end_pods(run: &Run, version: &Version) -> Result<(), Diagnostics> {
    if version.is_nothing() {
        return Ok(());
    }
    let failed = |error: Error| Diagnostics::from(diagnostic(&error, "The new pods could not be ended"));
    let started = Instant::now();
    loop {
        run.check_leases().map_err(Stop::into_diagnostics)?;
        let left = end_once(run, version).await.map_err(failed)?;
        if left.is_empty() {
            return Ok(());
        }
        if started.elapsed() > LIMIT || run.cancel.is_cancelled() {
            return Err(Diagnostics::error(
                "Pods of the newer version are still running",
                format!("The schema was not taken back under them: {}.", left.join(", ")),
            ));
        }
        tracing::info!(pods = ?left, "waiting for the pods of the newer version to end");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// What the failed version runs. Where the way back had nothing to do, what was there before still is.
async fn failed_version(run: &Run, new: &Manifest, release: Option<Outcome>) -> Result<Version, Diagnostics> {
    let namespace = run.inputs.namespace.as_str();
    let kept = match release {
        Some(Outcome::Uninstalled) => BTreeSet::new(),
        _ => {
            let old = run.deployed_now().await.map_err(Stop::into_diagnostics)?;
            old.map(|manifest| images(&manifest, namespace)).unwrap_or_default()
        }
    };
    Ok(Version::new(images(new, namespace), &kept))
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

/// The release's workloads, and at which revision each is now.
#[derive(Default)]
struct Revisions {
    /// By the workload's UID: the label or annotation that its pods or ReplicaSets have, and its present value.
    now: BTreeMap<String, (&'static str, String)>,
    /// Workloads whose change Kubernetes has not seen yet.
    unseen: Vec<String>,
}

const OF_REPLICA_SETS: &str = "deployment.kubernetes.io/revision";
const OF_STATEFUL_SETS: &str = "controller-revision-hash";
const OF_DAEMON_SETS: &str = "pod-template-generation";

impl Revisions {
    async fn list(run: &Run) -> Result<Revisions, Error> {
        let namespace = Some(run.inputs.namespace.as_str());
        let mut revisions = Revisions::default();
        for one in run.cluster.list::<Deployment>(namespace, &Query::default()).await? {
            let now = annotation(&one.metadata, OF_REPLICA_SETS);
            // One that is paused from the beginning gets no revision, and has no pods.
            if now.is_none() && one.spec.paused == Some(true) {
                continue;
            }
            let seen = one.status.and_then(|status| status.observed_generation);
            revisions.note(run, "Deployment", &one.metadata, seen, OF_REPLICA_SETS, now);
        }
        for one in run.cluster.list::<StatefulSet>(namespace, &Query::default()).await? {
            let status = one.status.unwrap_or_default();
            revisions.note(
                run,
                "StatefulSet",
                &one.metadata,
                status.observed_generation,
                OF_STATEFUL_SETS,
                status.update_revision,
            );
        }
        for one in run.cluster.list::<DaemonSet>(namespace, &Query::default()).await? {
            let seen = one.status.and_then(|status| status.observed_generation);
            let now = annotation(&one.metadata, "deprecated.daemonset.template.generation");
            revisions.note(run, "DaemonSet", &one.metadata, seen, OF_DAEMON_SETS, now);
        }
        Ok(revisions)
    }

    fn note(
        &mut self,
        run: &Run,
        kind: &str,
        metadata: &ObjectMeta,
        seen: Option<i64>,
        key: &'static str,
        now: Option<String>,
    ) {
        if !is_releases(metadata, run) {
            return;
        }
        // Without its revision nothing can be told of its pods: Kubernetes has not come to it yet.
        match (metadata.uid.clone(), now) {
            (Some(uid), Some(now)) if seen.unwrap_or(0) >= metadata.generation.unwrap_or(0) => {
                self.now.insert(uid, (key, now));
            }
            _ => self.unseen.push(format!("{kind}/{}", metadata.name.as_deref().unwrap_or_default())),
        }
    }

    /// Whether something was made for another revision of its workload than the present one.
    fn is_past(&self, made: &ObjectMeta) -> bool {
        let Some(maker) = made.owner_references.iter().flatten().find(|owner| owner.controller == Some(true)) else {
            return false;
        };
        let Some((key, now)) = self.now.get(&maker.uid) else { return false };
        let label = made.labels.as_ref().and_then(|all| all.get(*key)).cloned();
        label.or_else(|| annotation(made, key)).is_some_and(|made_for| made_for != *now)
    }
}

fn annotation(metadata: &ObjectMeta, key: &str) -> Option<String> {
    metadata.annotations.as_ref().and_then(|all| all.get(key)).cloned()
}

/// Scales down what makes such pods, deletes the rest, and says which are left.
async fn end_once(run: &Run, version: &Version) -> Result<Vec<String>, Error> {
    let namespace = run.inputs.namespace.as_str();
    let revisions = if version.shared.is_empty() { Revisions::default() } else { Revisions::list(run).await? };
    let mut past = BTreeSet::new();
    for set in run.cluster.list::<ReplicaSet>(Some(namespace), &Query::default()).await? {
        if !is_releases(&set.metadata, run) {
            continue;
        }
        let template = set.spec.template.and_then(|template| template.spec);
        let is_past = revisions.is_past(&set.metadata) && runs(template.as_ref(), &version.shared);
        if is_past {
            past.extend(set.metadata.uid.clone());
        }
        if (is_past || runs(template.as_ref(), &version.own)) && set.spec.replicas.unwrap_or(1) > 0 {
            let name = set.metadata.name.unwrap_or_default();
            tracing::info!(replica_set = %name, "scaling down the failed version");
            run.cluster.merge::<ReplicaSet>(Some(namespace), &name, &json!({ "spec": { "replicas": 0 } })).await?;
        }
    }
    let mut left = revisions.unseen.clone();
    for pod in run.cluster.list::<Pod>(Some(namespace), &Query::default()).await? {
        let labels = pod.metadata.labels.as_ref();
        let ours = labels.and_then(|labels| labels.get("app.kubernetes.io/name")).is_some_and(|name| name == POD_LABEL);
        let ended =
            pod.status.and_then(|status| status.phase).is_some_and(|phase| phase == "Succeeded" || phase == "Failed");
        if ours || ended {
            continue;
        }
        let maker = pod.metadata.owner_references.iter().flatten().find(|owner| owner.controller == Some(true));
        // Of a Job it cannot be told which version has made it; where nothing but the same images runs, it may be the failed one.
        let of_job = version.own.is_empty() && maker.is_some_and(|maker| maker.kind == "Job");
        let is_past =
            maker.is_some_and(|maker| past.contains(&maker.uid)) || revisions.is_past(&pod.metadata) || of_job;
        let failed = runs(pod.spec.as_ref(), &version.own) || (is_past && runs(pod.spec.as_ref(), &version.shared));
        if !failed {
            continue;
        }
        let ours = match made_for(run, &pod.metadata).await? {
            MadeFor::Release => true,
            MadeFor::Unknown => false,
            MadeFor::Others => continue,
        };
        let name = pod.metadata.name.unwrap_or_default();
        if ours && pod.metadata.deletion_timestamp.is_none() {
            let object = ObjectRef::of::<Pod>(Some(namespace), &name);
            run.cluster.delete(&object, &DeleteOptions::default()).await?;
        }
        left.push(name);
    }
    Ok(left)
}
