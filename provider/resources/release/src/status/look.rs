//! Reads it all: journal, Helm's newest record, workloads.

use std::collections::BTreeSet;

use ffe_cluster::k8s_openapi::api::core::v1::{Pod, Secret};
use ffe_cluster::{Cluster, ObjectRef, Query};
use ffe_helm::records::Records;
use ffe_workloads::Progress;
use ffe_workloads::progress;
use ffe_workloads::{Diagnosis, Evidence, Workload};
use futures::StreamExt;

use super::{ObjectStatus, Phase, Revision, Run, Status};
use crate::journal::{JOURNAL_PREFIX, Journal, Outcome, PhaseRecord, RunRecord, SECRET_TYPE};
use crate::rendering::workloads::workloads;
use crate::state::outputs::duration;

/// Workloads that are looked at at the same time.
const AT_ONCE: usize = 8;
/// Log lines of a container that is not well.
const LOG_LINES: usize = 20;

/// Every release in a namespace that Helm or a journal knows.
///
/// # Errors
/// A list failed.
pub async fn names(cluster: &Cluster, records: &Records, namespace: &str) -> ffe_helm::Result<BTreeSet<String>> {
    let mut names = records.names_now(namespace).await?;
    let journals = Query::fields(format!("type={SECRET_TYPE}"));
    for found in cluster.list_metadata::<Secret>(Some(namespace), &journals).await? {
        names.extend(found.name.and_then(|name| name.strip_prefix(JOURNAL_PREFIX).map(str::to_owned)));
    }
    Ok(names)
}

/// A release; `None` where neither Helm nor a journal knows it.
///
/// # Errors
/// Helm's records cannot be listed.
pub async fn look(
    cluster: &Cluster,
    records: &Records,
    namespace: &str,
    name: &str,
) -> ffe_helm::Result<Option<Status>> {
    let mut unknown = Vec::new();
    let newest = records.history_now(namespace, name).await?.pop();
    let release = match &newest {
        None => None,
        Some(key) => records.open(key).await.unwrap_or_else(|error| {
            unknown.push(format!("Helm's revision {}: {error}", key.revision));
            None
        }),
    };
    let journal = Journal::find(cluster, namespace, name).await.unwrap_or_else(|error| {
        unknown.push(error.to_string());
        None
    });
    if newest.is_none() && journal.is_none() && unknown.is_empty() {
        return Ok(None);
    }
    let run = journal.as_ref().and_then(|journal| journal.content.runs.last());
    let manifest = release.as_ref().map(|release| release.parsed_manifest());
    let mut objects = match manifest {
        Some(Ok(manifest)) => workloads(&manifest, namespace, true),
        Some(Err(error)) => {
            unknown.push(format!("the manifest of Helm's newest revision: {error}"));
            Vec::new()
        }
        None => Vec::new(),
    };
    // A Job that is removed when it has done its work is no news once the run is over.
    if let Some(run) = run.filter(|run| run.finished.is_none()) {
        objects.extend(run.jobs.iter().map(|job| ObjectRef::new("batch/v1", "Job", Some(namespace), job)));
    }
    let looks = futures::stream::iter(objects).map(|object| look_at(cluster, object)).buffered(AT_ONCE);
    Ok(Some(Status {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        revision: release.map(|release| Revision {
            revision: release.revision,
            status: release.status.to_string(),
            chart: format!("{}-{}", release.chart.name, release.chart.version),
            app_version: release.app_version().map(str::to_owned),
        }),
        run: run.map(run_status),
        objects: looks.collect().await,
        unknown,
    }))
}

async fn look_at(cluster: &Cluster, object: ObjectRef) -> ObjectStatus {
    let evidence = Evidence::collect(cluster, &object, LOG_LINES).await;
    let (ready, waiting_for) = match (&evidence.workload, progress(&evidence.workload)) {
        (Workload::Unseen(..), Progress::Waiting(why) | Progress::Failed(why)) => (None, Some(why)),
        (_, Progress::Ready) => (Some(true), None),
        (_, Progress::Waiting(what) | Progress::Failed(what)) => (Some(false), Some(what)),
    };
    let restarts = restarts(&evidence);
    let diagnosis = (ready == Some(false)).then(|| Diagnosis::of(&evidence).to_string());
    ObjectStatus {
        kind: object.kind,
        namespace: object.namespace,
        name: object.name,
        ready,
        waiting_for,
        restarts,
        diagnosis,
    }
}

fn restarts(evidence: &Evidence) -> i32 {
    let of = |pod: &&Pod| {
        let status = pod.status.as_ref();
        let containers = status.and_then(|status| status.container_statuses.as_deref()).unwrap_or_default();
        containers.iter().map(|container| container.restart_count).sum::<i32>()
    };
    evidence.current_pods().iter().map(of).sum()
}

fn run_status(record: &RunRecord) -> Run {
    Run {
        id: record.id.clone(),
        outcome: record.outcome.word().to_owned(),
        going_back: record.unwinding,
        started: record.started.clone(),
        finished: record.finished.clone(),
        phases: record.phases.iter().map(phase).collect(),
        schema_before: record.schema_before.clone(),
        schema_after: record.schema_after.clone(),
    }
}

fn phase(page: &PhaseRecord) -> Phase {
    Phase {
        name: page.name.clone(),
        outcome: page.outcome.word().to_owned(),
        started: page.started.clone(),
        duration: (page.outcome != Outcome::Running).then(|| duration(page.seconds)),
    }
}
