//! Whose a pod is: the release's, by what Helm has written on it or on what has made it. Labels are the chart's own business.

use ffe_cluster::kube::api::ObjectMeta;
use ffe_cluster::{Error, ObjectRef};

use crate::apply::run::Run;
use crate::journal::remains::is_of;

/// Whether Helm has written on it that it is the release's. The controller of Deployments hands that on to ReplicaSets.
pub(crate) fn is_releases(metadata: &ObjectMeta, run: &Run) -> bool {
    is_of(metadata, &run.inputs.namespace, &run.inputs.name)
}

/// For whom a pod was made: the same image may run in the namespace for others.
pub(crate) enum MadeFor {
    /// The release's, or that of something that is.
    Release,
    /// Somebody else.
    Others,
    /// What has made it is gone, and Kubernetes ends it: whose it was cannot be told any more.
    Unknown,
}

/// For whom a pod was made, by itself or by what has made it.
///
/// # Errors
/// When what has made it cannot be looked at.
pub(crate) async fn made_for(run: &Run, pod: &ObjectMeta) -> Result<MadeFor, Error> {
    let mut metadata = pod.clone();
    // A pod's maker, and the maker of that: a Deployment's ReplicaSet, a CronJob's Job.
    for _ in 0..3 {
        if is_releases(&metadata, run) {
            return Ok(MadeFor::Release);
        }
        let owners = metadata.owner_references.unwrap_or_default();
        let Some(maker) = owners.into_iter().find(|owner| owner.controller == Some(true)) else {
            return Ok(MadeFor::Others);
        };
        let object = ObjectRef::new(&maker.api_version, &maker.kind, Some(&run.inputs.namespace), &maker.name);
        let Some(found) = run.cluster.find_ref(&object).await? else { return Ok(MadeFor::Unknown) };
        metadata = found.metadata;
    }
    Ok(MadeFor::Others)
}
