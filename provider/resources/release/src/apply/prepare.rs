//! A run before it takes its leases: nothing is written yet.

use std::sync::Arc;
use std::time::Instant;

use ffe_cluster::{Cluster, Kind};
use ffe_helm::chart::Chart;
use ffe_notify::Notifier;
use ffe_session::{CancelGuard, HelmKit, diagnostic, new_run_id};
use tfplugin::{Diagnostic, Diagnostics, Path};

use crate::drift::correct::Correction;
use crate::rendering::promise::Promise;
use crate::rendering::render::chart_diagnostic;
use crate::settings::inputs::Inputs;
use crate::state::seen::Seen;

/// What the plan has said that the run keeps to.
#[derive(Debug)]
pub(crate) struct Planned {
    /// What changes, as actions and objects; `None` where the plan could not know it.
    pub changes: Option<Vec<(String, String)>>,
    /// What will be rendered, to be compared again before anything changes; `None` where the plan could not know it.
    pub promise: Option<Promise>,
    /// The revisions that are undone, each with what is dropped; `None` where the plan could not know them.
    pub undone: Option<Vec<String>>,
    /// Whether the run is to put drift right.
    pub correction: Correction,
}

/// What a run is begun with: the namespace is there, and the chart was found.
pub(crate) struct Prepared {
    /// Names the run, unless it goes on with one that was interrupted.
    pub id: String,
    /// The configuration.
    pub inputs: Inputs,
    /// The chart.
    pub chart: Arc<Chart>,
    /// What the plan has said.
    pub planned: Planned,
    /// The release in Terraform's state; `None`: the state has none.
    pub managed: Option<Seen>,
    /// The cluster.
    pub cluster: Cluster,
    /// Helm.
    pub kit: Arc<HelmKit>,
    /// Whom notices go to.
    pub notifier: Notifier,
    /// When it began.
    pub started: Instant,
    /// Follows Terraform's wish to stop.
    pub guard: CancelGuard,
}

/// Prepares a run.
///
/// # Errors
/// When the namespace does not exist, or the chart cannot be fetched.
pub(crate) async fn prepare(
    (cluster, kit): (Cluster, Arc<HelmKit>),
    inputs: Inputs,
    planned: Planned,
    managed: Option<Seen>,
    notifier: Notifier,
    guard: CancelGuard,
) -> Result<Prepared, Diagnostics> {
    require_namespace(&cluster, &inputs.namespace).await?;
    let chart =
        kit.charts.resolve(&inputs.chart, &guard.token()).await.map_err(|error| chart_diagnostic(&inputs, &error))?;
    let started = Instant::now();
    Ok(Prepared { id: new_run_id(), inputs, chart, planned, managed, cluster, kit, notifier, started, guard })
}

async fn require_namespace(cluster: &Cluster, namespace: &str) -> Result<(), Diagnostics> {
    match cluster.namespace(namespace).await {
        Ok(Some(_)) => Ok(()),
        Ok(None) => Err(Diagnostic::error(
            format!("The namespace {namespace} does not exist"),
            format!(
                "On {}. Make it first, or refer to ffe_environment's namespace so that it is made before the release.",
                cluster.server()
            ),
        )
        .at(Path::attribute("namespace"))
        .into()),
        // Who may not read namespaces may still deploy into one.
        Err(error) if error.kind() == Kind::Forbidden => Ok(()),
        Err(error) => Err(diagnostic(&error, "The namespace cannot be looked at").into()),
    }
}
