//! The definitions that the chart brings, applied before Helm deploys.

use std::time::Duration;

use ffe_cluster::kube::api::DynamicObject;
use ffe_cluster::{ApplyOptions, Cancel, Cluster, Error, ObjectRef};
use ffe_workloads::{Progress, WaitOptions, wait_for_ref};
use serde_json::Value as Json;

use crate::apply::run::Run;
use crate::apply::stop::Stop;
use crate::rendering::crds::{KIND, definition_changes};

/// How long the API server may take until it serves a new kind.
const ESTABLISHED: Duration = Duration::from_secs(60);

/// Applies them, and waits until the API server serves their kinds.
///
/// # Errors
/// When the cluster refuses, or does not come to serve one.
pub(crate) async fn apply(run: &Run) -> Result<(), Stop> {
    let failed = |error: &Error| Stop::cluster(error, "The chart's custom resource definitions cannot be applied");
    for one in definition_changes(&run.cluster, &run.inputs.config, &run.chart).await.map_err(|error| failed(&error))? {
        tracing::info!(name = one.name, replaced = one.fields.is_some(), "applying a custom resource definition");
        run.cluster.apply_value(&one.body, ApplyOptions::forced()).await.map_err(|error| failed(&error))?;
        established(&run.cluster, &one.body, &run.cancel).await.map_err(|error| failed(&error))?;
    }
    Ok(())
}

async fn established(cluster: &Cluster, body: &Json, cancel: &Cancel) -> Result<(), Error> {
    let object = ObjectRef::from_value(body)?;
    let what = format!("{KIND} {} to be served", object.name);
    let options = WaitOptions::new(ESTABLISHED, cancel.clone());
    wait_for_ref(cluster, &object, &what, &options, progress).await.map(drop)
}

fn progress(live: Option<&DynamicObject>) -> Progress {
    let Some(live) = live else { return Progress::Waiting("it is not there yet".to_owned()) };
    let conditions = live.data["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let is = |kind: &str, status: &str| conditions.iter().find(|one| one["type"] == kind && one["status"] == status);
    if is("Established", "True").is_some() {
        return Progress::Ready;
    }
    match is("NamesAccepted", "False") {
        Some(refused) => Progress::Failed(refused["message"].as_str().unwrap_or("its names are taken").to_owned()),
        None => Progress::Waiting("it is not established yet".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn live(status: Json) -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": KIND, "metadata": { "name": "things.x.example" },
            "spec": {}, "status": status,
        }))
        .unwrap()
    }

    #[test]
    fn a_kind_is_served_once_it_is_established() {
        let conditions = |kind: &str, status: &str| {
            live(json!({ "conditions": [{ "type": kind, "status": status, "message": "the name is taken" }] }))
        };
        assert!(matches!(progress(Some(&conditions("Established", "True"))), Progress::Ready));
        assert!(matches!(progress(Some(&conditions("Established", "False"))), Progress::Waiting(_)));
        assert!(
            matches!(progress(Some(&conditions("NamesAccepted", "False"))), Progress::Failed(text) if text.contains("taken"))
        );
        assert!(matches!(progress(None), Progress::Waiting(_)));
    }
}
