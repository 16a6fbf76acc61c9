//! What has no readiness probe counts as ready as soon as it runs, also when it ends with an error a moment later: so it
//! is watched for a while.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use ffe_cluster::diagnose::{Evidence, Patience, problems};
use ffe_cluster::k8s_openapi::api::core::v1::Pod;
use ffe_cluster::{Error, FailFast, ObjectRef};

use crate::run::{Run, Stop};

/// How long all containers must go on running, as long as the kubelet waits before it starts one again for the
/// second time.
const STEADY: Duration = Duration::from_secs(10);
const BETWEEN: Duration = Duration::from_secs(1);

/// Waits until the containers of the workloads have run for a while without being started again.
///
/// # Errors
/// When one of them is started again and again, with the diagnosis; when the time is over.
pub(crate) async fn go(run: &Run, workloads: &[ObjectRef]) -> Result<(), Stop> {
    let summary = format!("The release {} does not stay ready", run.inputs.name);
    let begun = Instant::now();
    let mut same: Option<(BTreeSet<Container>, Instant)> = None;
    loop {
        let mut seen = BTreeSet::new();
        for workload in workloads {
            let evidence = run.cluster.evidence(workload, 0, &run.redactor()).await;
            if is_crashing(&evidence) || begun.elapsed() > run.inputs.timeout {
                let diagnosis = run.cluster.diagnose(workload, &run.redactor()).await;
                return Err(Stop::cluster(&Error::Failed(Box::new(diagnosis)), &summary));
            }
            seen.extend(evidence.current_pods().into_iter().flat_map(containers));
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

/// Whether a container was started again too often.
fn is_crashing(evidence: &Evidence) -> bool {
    let too_many = FailFast::default().crash_restarts;
    problems(evidence).iter().any(|problem| matches!(problem.patience, Patience::Restarts(count) if count >= too_many))
}
