//! The deployment of a run, as Helm is asked for it: by the Helm that preflight holds, or by one that is started later.

use ffe_helm::binary::{Cause, DeployRequest, Deployment, Done, Held, Helm};

use crate::apply::run::Run;
use crate::apply::stop::Stop;
use crate::journal::ownership::description;
use crate::rendering::crds;
use crate::rendering::render::{RENDERING, not_rendered};

/// Starts the Helm that will deploy, up to where it would write, where it stops there.
///
/// # Errors
/// When the chart does not render, or Helm refuses to deploy it.
pub(crate) async fn hold(run: &Run) -> Result<Option<Held>, Stop> {
    let description = description(&run.record().id);
    let (helm, request) = (helm(run), request(run, &description));
    match helm.hold(deployment(run), &request, RENDERING, &run.cancel).await {
        Ok(held) => Ok(held),
        Err(error) if error.is_cancelled() => Err(Stop::Cancelled),
        // Rendering alone knows more of such a chart.
        Err(error) if error.failure().is_some_and(|failure| failure.cause == Cause::UnknownKind) => Ok(None),
        Err(error) => Err(Stop::failed(not_rendered(&run.inputs, &error))),
    }
}

/// Deploys by a Helm that is started now.
pub(crate) async fn by_another_helm(run: &Run) -> ffe_helm::Result<Done> {
    let description = description(&run.record().id);
    let (helm, request) = (helm(run), request(run, &description));
    match deployment(run) {
        Deployment::Install => helm.install(&request, &run.cancel).await,
        Deployment::Upgrade => helm.upgrade(&request, &run.cancel).await,
    }
}

fn helm(run: &Run) -> Helm {
    run.kit.helm.clone()
}

fn deployment(run: &Run) -> Deployment {
    if run.before.is_some() { Deployment::Upgrade } else { Deployment::Install }
}

fn request<'a>(run: &'a Run, description: &'a str) -> DeployRequest<'a> {
    let (inputs, chart) = (&run.inputs, &*run.chart);
    let config = &inputs.config;
    DeployRequest {
        description: Some(description),
        // The record phase prunes, and spares the revision to go back to.
        max_history: 0,
        // Definitions are there already: see `crds`. What else lies in that folder is Helm's to make.
        skip_crds: config.crds.as_str() == Some("skip") || crds::only_definitions(chart),
        no_hooks: config.skip_hooks.known() == Some(&true),
        take_ownership: config.take_ownership.known() == Some(&true),
        // What is applied is what is there afterwards, whoever wrote a field meanwhile; so it is with Helm 3 anyway.
        force_conflicts: true,
        // Over the records that `helm uninstall --keep-history` leaves; any other release of that name is not installed.
        replace: run.before.is_none(),
        ..DeployRequest::new(&inputs.name, &inputs.namespace, &chart.path, &inputs.values, inputs.timeout)
    }
}
