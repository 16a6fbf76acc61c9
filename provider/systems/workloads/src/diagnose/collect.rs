//! Fetching evidence.

use ffe_cluster::{Cluster, Error, ObjectRef, Query, Result};
use futures::future::join_all;
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, PersistentVolumeClaim, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::Selector;

use super::evidence::{Evidence, Workload, owner_uid};
use super::{LOG_LINES, LogTail};
use crate::logs::tail_log;

/// Logs of more containers than this would be the same again.
const CONTAINERS: usize = 3;

impl Workload {
    /// Reads the object itself.
    pub(crate) async fn read(cluster: &Cluster, object: &ObjectRef) -> Result<Self> {
        let namespace = object.namespace.as_deref();
        let name = object.name.as_str();
        let gone = || Workload::Unseen(object.clone(), "it does not exist".to_owned());
        Ok(match object.kind.as_str() {
            "Deployment" => cluster
                .find::<Deployment>(namespace, name)
                .await?
                .map_or_else(gone, |found| Workload::Deployment(Box::new(found))),
            "StatefulSet" => cluster
                .find::<StatefulSet>(namespace, name)
                .await?
                .map_or_else(gone, |found| Workload::StatefulSet(Box::new(found))),
            "DaemonSet" => cluster
                .find::<DaemonSet>(namespace, name)
                .await?
                .map_or_else(gone, |found| Workload::DaemonSet(Box::new(found))),
            "Job" => {
                cluster.find::<Job>(namespace, name).await?.map_or_else(gone, |found| Workload::Job(Box::new(found)))
            }
            "Pod" => {
                cluster.find::<Pod>(namespace, name).await?.map_or_else(gone, |found| Workload::Pod(Box::new(found)))
            }
            "PersistentVolumeClaim" => cluster
                .find::<PersistentVolumeClaim>(namespace, name)
                .await?
                .map_or_else(gone, |found| Workload::Claim(Box::new(found))),
            kind => {
                return Err(Error::Malformed {
                    what: object.to_string(),
                    message: format!("a {kind} has no rollout to wait for"),
                });
            }
        })
    }
}

impl Evidence {
    /// Everything about a workload, with the last `lines` log lines of its failing containers (0:
    /// none). What cannot be read is noted in the evidence.
    pub async fn collect(cluster: &Cluster, workload: &ObjectRef, lines: usize) -> Self {
        let seen = match Workload::read(cluster, workload).await {
            Ok(seen) => seen,
            Err(error) => Workload::Unseen(workload.clone(), error.to_string()),
        };
        Self::collect_of(cluster, seen, lines).await
    }

    /// What surrounds an object that has been read.
    pub(crate) async fn collect_of(cluster: &Cluster, workload: Workload, lines: usize) -> Self {
        let object = workload.object();
        let namespace = object.namespace.clone();
        let namespace = namespace.as_deref();
        let mut evidence = Self::of(workload, Timestamp::now());
        let uid = evidence.workload.meta().and_then(|meta| meta.uid.clone());

        match &evidence.workload {
            Workload::Pod(pod) => evidence.pods = vec![pod.as_ref().clone()],
            Workload::Claim(claim) => evidence.claims = vec![claim.as_ref().clone()],
            other => {
                if let Some(selector) = pod_selector(other) {
                    let query = Query::labels(selector);
                    let pods = note(cluster.list::<Pod>(namespace, &query).await, "pods", &mut evidence.missing);
                    if matches!(evidence.workload, Workload::Deployment(_)) {
                        let sets = cluster.list::<ReplicaSet>(namespace, &query).await;
                        let sets = note(sets, "replica sets", &mut evidence.missing);
                        evidence.replica_sets =
                            sets.into_iter().filter(|set| owner_uid(&set.metadata) == uid.as_deref()).collect();
                    }
                    evidence.pods = pods;
                }
            }
        }
        evidence.collect_claims(cluster, namespace).await;
        evidence.collect_events(cluster, namespace).await;
        if lines > 0 {
            let tails = evidence.collect_logs(cluster, lines.max(LOG_LINES)).await;
            for tail in tails {
                match tail {
                    Ok(tail) if !evidence.logs.iter().any(|known| known.lines == tail.lines) => {
                        evidence.logs.push(tail)
                    }
                    Ok(_) => {}
                    Err(error) => evidence.missing.push(error.to_string()),
                }
            }
        }
        evidence
    }

    async fn collect_claims(&mut self, cluster: &Cluster, namespace: Option<&str>) {
        let mut names: Vec<String> = self
            .current_pods()
            .iter()
            .filter(|pod| pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Pending"))
            .filter_map(|pod| pod.spec.as_ref())
            .flat_map(|spec| spec.volumes.iter().flatten())
            .filter_map(|volume| volume.persistent_volume_claim.as_ref())
            .map(|claim| claim.claim_name.clone())
            .collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let found = cluster.find::<PersistentVolumeClaim>(namespace, &name).await;
            self.claims.extend(note(found, "persistent volume claims", &mut self.missing));
        }
    }

    /// Warnings of the whole namespace in one list, and all events of claims that are pending: what
    /// is wrong with those is told in Normal ones.
    async fn collect_events(&mut self, cluster: &Cluster, namespace: Option<&str>) {
        let uids: Vec<String> = [self.workload.meta()]
            .into_iter()
            .flatten()
            .chain(self.current_replica_set().map(|set| &set.metadata))
            .chain(self.current_pods().into_iter().map(|pod| &pod.metadata))
            .chain(self.claims.iter().map(|claim| &claim.metadata))
            .filter_map(|meta| meta.uid.clone())
            .collect();
        let warnings = cluster.list::<Event>(namespace, &Query::fields("type=Warning")).await;
        let mut events = note(warnings, "events", &mut self.missing);
        let pending = |phase: Option<&str>| phase == Some("Pending");
        let told_normally: Vec<String> = self
            .claims
            .iter()
            .filter(|claim| pending(claim.status.as_ref().and_then(|status| status.phase.as_deref())))
            .map(|claim| ("FailedBinding", &claim.metadata))
            .chain(
                self.current_pods()
                    .into_iter()
                    .filter(|pod| pending(pod.status.as_ref().and_then(|status| status.phase.as_deref())))
                    .filter(|pod| pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_none()))
                    .map(|pod| ("TriggeredScaleUp", &pod.metadata)),
            )
            .filter_map(|(reason, meta)| Some(format!("reason={reason},involvedObject.uid={}", meta.uid.as_ref()?)))
            .take(CONTAINERS)
            .collect();
        for fields in told_normally {
            let found = cluster.list::<Event>(namespace, &Query::fields(fields)).await;
            events.extend(note(found, "events", &mut self.missing));
        }
        self.events = events
            .into_iter()
            .filter(|event| event.involved_object.uid.as_ref().is_some_and(|uid| uids.contains(uid)))
            .collect();
        self.missing.dedup();
    }

    async fn collect_logs(&self, cluster: &Cluster, lines: usize) -> Vec<Result<LogTail>> {
        let mut wanted = Vec::new();
        // what a Job that does not end is doing shows in its log only
        let endless = matches!(self.workload, Workload::Job(_));
        for pod in self.current_pods() {
            let Some(status) = &pod.status else { continue };
            let init = status.init_container_statuses.iter().flatten();
            for container in init.chain(status.container_statuses.iter().flatten()) {
                let state = container.state.as_ref();
                let ended = state.and_then(|state| state.terminated.as_ref());
                let running = state.is_some_and(|state| state.running.is_some());
                let fine = (container.ready && !endless) || ended.is_some_and(|ended| ended.exit_code == 0);
                // a container that waits to be started again has logged in the run before
                let previous = container.restart_count > 0 && ended.is_none();
                if !fine && (running || ended.is_some() || previous) {
                    wanted.push((pod, container.name.clone(), previous && !running));
                    if previous && running {
                        wanted.push((pod, container.name.clone(), true));
                    }
                }
            }
        }
        wanted.truncate(CONTAINERS);
        join_all(wanted.into_iter().map(|(pod, container, previous)| async move {
            let namespace = pod.metadata.namespace.clone().unwrap_or_default();
            let name = pod.metadata.name.clone().unwrap_or_default();
            let lines = tail_log(cluster, &namespace, &name, Some(&container), lines, previous).await?;
            Ok(LogTail { pod: name, container, previous, lines })
        }))
        .await
    }
}

/// The label selector of a workload's pods.
pub(crate) fn pod_selector(workload: &Workload) -> Option<String> {
    let selector: &LabelSelector = match workload {
        Workload::Deployment(object) => &object.spec.selector,
        Workload::StatefulSet(object) => &object.spec.selector,
        Workload::DaemonSet(object) => &object.spec.selector,
        Workload::Job(object) => object.spec.as_ref()?.selector.as_ref()?,
        _ => return None,
    };
    Selector::try_from(selector.clone()).ok().map(|selector| selector.to_string())
}

/// Keeps the reason why something could not be read.
fn note<T: Default>(result: Result<T>, what: &str, missing: &mut Vec<String>) -> T {
    result.unwrap_or_else(|error| {
        missing.push(format!("{what} ({error})"));
        T::default()
    })
}
