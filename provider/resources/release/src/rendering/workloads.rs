//! The workloads that a release consists of: what a run waits for.

use ffe_cluster::ObjectRef;
use ffe_helm::manifest::{Manifest, Workload};

/// The objects that are waited for.
pub(crate) fn workloads(manifest: &Manifest, namespace: &str, jobs: bool) -> Vec<ObjectRef> {
    let all = manifest.workloads(namespace).into_iter();
    let awaited = all.filter(|workload| goes_on(workload) || (jobs && workload.id.kind == "Job"));
    awaited.map(|workload| object(&workload, namespace)).collect()
}

/// Whether its pods are to run until somebody changes it.
pub(crate) fn goes_on(workload: &Workload) -> bool {
    matches!(workload.id.kind.as_str(), "Deployment" | "StatefulSet" | "DaemonSet" | "Pod")
}

/// Its full name.
pub(crate) fn object(workload: &Workload, namespace: &str) -> ObjectRef {
    let namespace = workload.id.namespace.as_deref().unwrap_or(namespace);
    ObjectRef::new(&workload.id.api_version, &workload.id.kind, Some(namespace), &workload.id.name)
}
