//! Every workload of the release is ready, or it is known why not.

use ffe_cluster::ObjectRef;
use ffe_helm::manifest::Manifest;

use serde_json::Value as Json;

use crate::journal::Outcome;
use crate::phases::steady;
use crate::run::{Run, Stop};

/// Waits. What can never become ready fails at once.
///
/// # Errors
/// With the diagnosis of the first workload that fails.
pub(crate) async fn go(run: &mut Run) -> Result<Outcome, Stop> {
    let Some(release) = &run.after else { return Ok(Outcome::Skipped) };
    let manifest = Manifest::parse(&release.manifest)
        .map_err(|error| Stop::helm(&error.into(), "The release's record cannot be read"))?;
    let jobs = run.inputs.config.wait_for_jobs.known() == Some(&true);
    let workloads = workloads(&manifest, &run.inputs.namespace, jobs);
    if workloads.is_empty() {
        return Ok(Outcome::Skipped);
    }
    let runs_on = |kind: &str| matches!(kind, "Deployment" | "StatefulSet" | "DaemonSet" | "Pod");
    let all = manifest.workloads(&run.inputs.namespace);
    let unprobed = all.iter().any(|workload| runs_on(&workload.id.kind) && is_unprobed(&workload.pod_spec));
    run.cluster
        .wait_all(&workloads, &run.wait(run.inputs.timeout))
        .await
        .map_err(|error| Stop::cluster(&error, &format!("The release {} did not become ready", run.inputs.name)))?;
    if unprobed {
        steady::go(run, &workloads).await?;
    }
    Ok(Outcome::Succeeded)
}

/// Whether one of a pod's containers has no readiness probe.
fn is_unprobed(pod: &Json) -> bool {
    let containers = pod.get("containers").and_then(Json::as_array);
    containers.into_iter().flatten().any(|container| container.get("readinessProbe").is_none_or(Json::is_null))
}

/// The objects that are waited for.
pub(crate) fn workloads(manifest: &Manifest, namespace: &str, jobs: bool) -> Vec<ObjectRef> {
    manifest
        .workloads(namespace)
        .into_iter()
        .filter(|workload| match workload.id.kind.as_str() {
            "Deployment" | "StatefulSet" | "DaemonSet" | "Pod" => true,
            "Job" => jobs,
            _ => false,
        })
        .map(|workload| {
            let namespace = workload.id.namespace.as_deref().unwrap_or(namespace);
            ObjectRef::new(&workload.id.api_version, &workload.id.kind, Some(namespace), &workload.id.name)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::is_unprobed;

    #[test]
    fn a_container_without_a_readiness_probe_is_seen() {
        let probe = json!({ "httpGet": { "path": "/ready", "port": 8000 } });
        assert!(!is_unprobed(&json!({ "containers": [{ "name": "a", "readinessProbe": probe }] })));
        assert!(is_unprobed(&json!({ "containers": [{ "name": "a", "readinessProbe": probe }, { "name": "b" }] })));
        assert!(!is_unprobed(&json!({})));
    }
}
