//! What has no readiness probe counts as ready as soon as it runs, also when it ends with an error a moment later: so it
//! is watched for a while. What wants no pod, and a pod that has done its work, is not.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use ffe_cluster::k8s_openapi::api::core::v1::Pod;
use ffe_cluster::{Error, ObjectRef};
use ffe_workloads::FailFast;
use ffe_workloads::{Evidence, Patience, Workload, diagnose, problems};

use crate::apply::run::Run;
use crate::apply::stop::Stop;

/// How long all containers must go on running, as long as the kubelet waits before it starts one again for the
/// second time.
const STEADY: Duration = Duration::from_secs(10);
const BETWEEN: Duration = Duration::from_secs(1);

/// Waits until the containers of the workloads have run for a while without being started again.
///
/// # Errors
/// When one of them is started again and again, with the diagnosis; when the time is over.
pub(crate) async fn watch(run: &Run, workloads: &[ObjectRef]) -> Result<(), Stop> {
    if workloads.is_empty() {
        return Ok(());
    }
    let summary = format!("The release {} does not stay ready", run.inputs.name);
    let begun = Instant::now();
    let mut same: Option<(BTreeSet<Container>, Instant)> = None;
    loop {
        let mut seen = BTreeSet::new();
        let mut wanted = false;
        for workload in workloads {
            let evidence = Evidence::collect(&run.cluster, workload, 0).await;
            if is_crashing(&evidence) || begun.elapsed() > run.inputs.timeout {
                let diagnosis = diagnose(&run.cluster, workload).await;
                return Err(Stop::cluster(&Error::from(&diagnosis), &summary));
            }
            wanted |= wants_pods(&evidence.workload);
            seen.extend(evidence.current_pods().into_iter().filter(|pod| !is_done(pod)).flat_map(containers));
        }
        if !wanted {
            return Ok(());
        }
        let runs = seen.iter().all(|container| container.running);
        let since =
            same.take().filter(|(known, _)| runs && *known == seen).map_or_else(Instant::now, |(_, since)| since);
        if runs && since.elapsed() >= STEADY {
            return Ok(());
        }
        same = Some((seen, since));
        tokio::select! {
            () = run.cancel.cancelled() => return Err(Stop::Cancelled),
            () = tokio::time::sleep(BETWEEN) => {}
        }
    }
}

/// One run of a container.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Container {
    pod: String,
    name: String,
    restarts: i32,
    running: bool,
}

fn containers(pod: &Pod) -> Vec<Container> {
    let name = pod.metadata.name.clone().unwrap_or_default();
    let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.as_deref()).unwrap_or_default();
    let one = |status: &ffe_cluster::k8s_openapi::api::core::v1::ContainerStatus| Container {
        pod: name.clone(),
        name: status.name.clone(),
        restarts: status.restart_count,
        running: status.state.as_ref().is_some_and(|state| state.running.is_some()),
    };
    statuses.iter().map(one).collect()
}

/// Whether there is a pod to watch, as far as is known: not with no replicas, nor on no node.
fn wants_pods(workload: &Workload) -> bool {
    match workload {
        Workload::Deployment(set) => set.spec.replicas != Some(0),
        Workload::StatefulSet(set) => set.spec.replicas != Some(0),
        Workload::DaemonSet(set) => set.status.as_ref().is_none_or(|status| status.desired_number_scheduled != 0),
        Workload::Pod(pod) => !is_done(pod),
        _ => true,
    }
}

fn is_done(pod: &Pod) -> bool {
    pod.status.as_ref().is_some_and(|status| status.phase.as_deref() == Some("Succeeded"))
}

/// Whether a container was started again too often.
fn is_crashing(evidence: &Evidence) -> bool {
    let too_many = FailFast::default().crash_restarts;
    problems(evidence).iter().any(|problem| matches!(problem.patience, Patience::Restarts(count) if count >= too_many))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::{Value as Json, from_value, json};

    fn deployment(spec: Json) -> Workload {
        let mut whole = json!({ "selector": {}, "template": {} });
        whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        Workload::Deployment(from_value(json!({ "metadata": { "name": "a" }, "spec": whole })).unwrap())
    }

    #[test]
    fn what_wants_no_pod_is_not_watched() {
        assert!(!wants_pods(&deployment(json!({ "replicas": 0 }))));
        assert!(wants_pods(&deployment(json!({ "replicas": 1 }))));
        // The API server fills in 1.
        assert!(wants_pods(&deployment(json!({}))));
        let set = |status: Json| {
            let whole = json!({ "metadata": {}, "spec": { "selector": {}, "template": {} }, "status": status });
            Workload::DaemonSet(from_value(whole).unwrap())
        };
        let nodes = |wanted: u32| json!({ "desiredNumberScheduled": wanted, "currentNumberScheduled": 0, "numberMisscheduled": 0, "numberReady": 0 });
        assert!(!wants_pods(&set(nodes(0))));
        assert!(wants_pods(&set(nodes(2))));
        assert!(wants_pods(&set(Json::Null)), "no status is not none");
        let unseen = Workload::Unseen(ObjectRef::new("apps/v1", "Deployment", Some("ffe"), "a"), "403".into());
        assert!(wants_pods(&unseen), "what cannot be read is not nothing");
        let pod =
            |phase: &str| Workload::Pod(from_value(json!({ "metadata": {}, "status": { "phase": phase } })).unwrap());
        assert!(!wants_pods(&pod("Succeeded")));
        assert!(wants_pods(&pod("Running")));
    }
}
