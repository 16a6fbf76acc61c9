//! What was fetched about a workload, and which of it concerns the present revision.

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, PersistentVolumeClaim, Pod};
use kube::api::ObjectMeta;

use super::LogTail;
use ffe_cluster::ObjectRef;

/// The object that is waited for or diagnosed.
#[derive(Debug, Clone, PartialEq)]
pub enum Workload {
    /// apps/v1
    Deployment(Box<Deployment>),
    /// apps/v1
    StatefulSet(Box<StatefulSet>),
    /// apps/v1
    DaemonSet(Box<DaemonSet>),
    /// batch/v1
    Job(Box<Job>),
    /// v1
    Pod(Box<Pod>),
    /// v1
    Claim(Box<PersistentVolumeClaim>),
    /// Not there, not readable, or of another kind; why, in words
    Unseen(ObjectRef, String),
}

/// Everything that a diagnosis is made from.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// The object itself
    pub workload: Workload,
    /// Of a Deployment
    pub replica_sets: Vec<ReplicaSet>,
    /// All that the workload's selector matches
    pub pods: Vec<Pod>,
    /// Those that the pods mount
    pub claims: Vec<PersistentVolumeClaim>,
    /// Of all of these objects
    pub events: Vec<Event>,
    /// Of containers that failed; redacted
    pub logs: Vec<LogTail>,
    /// What could not be read, and why
    pub missing: Vec<String>,
    /// When it was fetched
    pub taken: Timestamp,
}

impl Workload {
    /// Its name.
    pub fn object(&self) -> ObjectRef {
        match self {
            Self::Deployment(object) => ObjectRef::to(object.as_ref()),
            Self::StatefulSet(object) => ObjectRef::to(object.as_ref()),
            Self::DaemonSet(object) => ObjectRef::to(object.as_ref()),
            Self::Job(object) => ObjectRef::to(object.as_ref()),
            Self::Pod(object) => ObjectRef::to(object.as_ref()),
            Self::Claim(object) => ObjectRef::to(object.as_ref()),
            Self::Unseen(object, _) => object.clone(),
        }
    }

    /// Its metadata, where it was seen.
    pub fn meta(&self) -> Option<&ObjectMeta> {
        Some(match self {
            Self::Deployment(object) => &object.metadata,
            Self::StatefulSet(object) => &object.metadata,
            Self::DaemonSet(object) => &object.metadata,
            Self::Job(object) => &object.metadata,
            Self::Pod(object) => &object.metadata,
            Self::Claim(object) => &object.metadata,
            Self::Unseen(..) => return None,
        })
    }
}

impl Evidence {
    /// With nothing but the object.
    pub fn of(workload: Workload, taken: Timestamp) -> Self {
        Self {
            workload,
            replica_sets: Vec::new(),
            pods: Vec::new(),
            claims: Vec::new(),
            events: Vec::new(),
            logs: Vec::new(),
            missing: Vec::new(),
            taken,
        }
    }

    /// Whether its controller has taken up the present content. Until then all that is seen belongs to
    /// the content before, which may well be broken: this one may be its correction.
    pub fn observed(&self) -> bool {
        let observed = match &self.workload {
            Workload::Deployment(set) => set.status.as_ref().map(|status| status.observed_generation),
            Workload::StatefulSet(set) => set.status.as_ref().map(|status| status.observed_generation),
            Workload::DaemonSet(set) => set.status.as_ref().map(|status| status.observed_generation),
            _ => return true,
        };
        let wanted = self.workload.meta().and_then(|meta| meta.generation);
        wanted.is_none_or(|wanted| observed.flatten().is_some_and(|observed| observed >= wanted))
    }

    /// The ReplicaSet that a Deployment is rolling out.
    pub(crate) fn current_replica_set(&self) -> Option<&ReplicaSet> {
        let Workload::Deployment(deployment) = &self.workload else { return None };
        if !self.observed() {
            return None;
        }
        let revision = annotation(&deployment.metadata, REVISION)?;
        self.replica_sets.iter().find(|set| annotation(&set.metadata, REVISION) == Some(revision))
    }

    /// Pods whose state says something about the revision that is being rolled out: none that are
    /// being deleted, and none of older revisions, which are on their way out.
    pub fn current_pods(&self) -> Vec<&Pod> {
        if !self.observed() {
            return Vec::new();
        }
        let alive = self.pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none());
        match &self.workload {
            Workload::Deployment(_) => {
                let current = self.current_replica_set().and_then(|set| set.metadata.uid.as_deref());
                // where ReplicaSets cannot be read any pod may be a current one
                let unknown = self.replica_sets.is_empty();
                alive.filter(|pod| unknown || (current.is_some() && owner_uid(&pod.metadata) == current)).collect()
            }
            Workload::StatefulSet(set) => {
                let status = set.status.as_ref();
                let revision = status.and_then(|status| status.update_revision.as_deref());
                // in order, an old pod that is broken keeps the new revision from being rolled out
                let ordered = set.spec.pod_management_policy.as_deref() != Some("Parallel");
                alive
                    .filter(|pod| {
                        ordered || revision.is_none() || label(&pod.metadata, "controller-revision-hash") == revision
                    })
                    .collect()
            }
            Workload::DaemonSet(set) => {
                let generation = annotation(&set.metadata, "deprecated.daemonset.template.generation");
                alive
                    .filter(|pod| generation.is_none() || label(&pod.metadata, "pod-template-generation") == generation)
                    .collect()
            }
            _ => alive.collect(),
        }
    }

    /// When the workload's content was last written, by the server's clock: events from before that
    /// tell of an older content.
    pub fn changed(&self) -> Option<Timestamp> {
        let meta = self.workload.meta()?;
        let written = meta
            .managed_fields
            .iter()
            .flatten()
            .filter(|entry| entry.subresource.as_deref().unwrap_or_default().is_empty())
            .filter_map(|entry| entry.time.as_ref().map(|time| time.0))
            .max();
        written.or(meta.creation_timestamp.as_ref().map(|time| time.0))
    }
}

const REVISION: &str = "deployment.kubernetes.io/revision";

pub(super) fn annotation<'a>(meta: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    meta.annotations.as_ref()?.get(key).map(String::as_str)
}

pub(super) fn label<'a>(meta: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    meta.labels.as_ref()?.get(key).map(String::as_str)
}

/// UID of the controller that owns an object.
pub(super) fn owner_uid(meta: &ObjectMeta) -> Option<&str> {
    meta.owner_references.as_ref()?.iter().find(|owner| owner.controller == Some(true)).map(|owner| owner.uid.as_str())
}
