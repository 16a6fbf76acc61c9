//! Every workload of the release is ready, or it is known why not.

mod steady;

use ffe_cluster::ObjectRef;
use ffe_helm::manifest::Manifest;
use ffe_workloads::wait_all;
use serde_json::Value as Json;

use crate::apply::phases::deploy::Deployed;
use crate::apply::run::Run;
use crate::apply::stop::Stop;
use crate::journal::Outcome;
use crate::rendering::workloads::{goes_on, object, workloads};

/// Waits. What can never become ready fails at once.
///
/// # Errors
/// With the diagnosis of the first workload that fails.
pub(crate) async fn wait_until_ready(run: &Run, deployed: &Deployed) -> Result<Outcome, Stop> {
    let manifest = &deployed.manifest;
    let jobs = run.inputs.config.wait_for_jobs.known() == Some(&true);
    let workloads = workloads(manifest, &run.inputs.namespace, jobs);
    if workloads.is_empty() {
        return Ok(Outcome::Skipped);
    }
    wait_all(&run.cluster, &workloads, &run.wait(run.inputs.timeout))
        .await
        .map_err(|error| Stop::cluster(&error, &format!("The release {} did not become ready", run.inputs.name)))?;
    steady::watch(run, &unprobed(manifest, &run.inputs.namespace)).await?;
    Ok(Outcome::Succeeded)
}

/// The workloads whose readiness says little: one of their containers has no readiness probe, and they are to go on running.
fn unprobed(manifest: &Manifest, namespace: &str) -> Vec<ObjectRef> {
    let all = manifest.workloads(namespace).into_iter();
    let unprobed = all.filter(|workload| goes_on(workload) && is_unprobed(&workload.pod_spec));
    unprobed.map(|workload| object(&workload, namespace)).collect()
}

/// Whether one of a pod's containers has no readiness probe.
fn is_unprobed(pod: &Json) -> bool {
    let containers = pod.get("containers").and_then(Json::as_array);
    containers.into_iter().flatten().any(|container| container.get("readinessProbe").is_none_or(Json::is_null))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn a_container_without_a_readiness_probe_is_seen() {
        let probe = json!({ "httpGet": { "path": "/ready", "port": 8000 } });
        assert!(!is_unprobed(&json!({ "containers": [{ "name": "a", "readinessProbe": probe }] })));
        assert!(is_unprobed(&json!({ "containers": [{ "name": "a", "readinessProbe": probe }, { "name": "b" }] })));
        assert!(!is_unprobed(&json!({})));
    }

    #[test]
    fn only_what_has_no_probe_and_goes_on_is_watched() {
        let manifest = |kind: &str, name: &str, containers: Json| {
            let pod = json!({ "containers": containers });
            let spec = if kind == "Pod" { pod } else { json!({ "template": { "spec": pod } }) };
            let group = match kind {
                "Pod" => "v1",
                "Job" => "batch/v1",
                _ => "apps/v1",
            };
            json!({ "apiVersion": group, "kind": kind, "metadata": { "name": name }, "spec": spec }).to_string()
        };
        let probed = json!([{ "name": "a", "readinessProbe": { "tcpSocket": { "port": 1 } } }]);
        let plain = json!([{ "name": "a" }]);
        let text = [
            manifest("Deployment", "probed", probed.clone()),
            manifest("StatefulSet", "plain", plain.clone()),
            manifest("DaemonSet", "probed-too", probed),
            manifest("Pod", "bare", plain.clone()),
            manifest("Job", "once", plain),
        ];
        let manifest = Manifest::parse(&text.join("\n---\n")).unwrap();
        let names = |objects: Vec<ObjectRef>| objects.into_iter().map(|object| object.name).collect::<Vec<_>>();
        assert_eq!(names(unprobed(&manifest, "ffe")), ["plain", "bare"]);
        assert_eq!(names(workloads(&manifest, "ffe", false)), ["probed", "plain", "probed-too", "bare"]);
        assert_eq!(names(workloads(&manifest, "ffe", true)).last().map(String::as_str), Some("once"));
    }
}
