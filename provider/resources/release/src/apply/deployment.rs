//! The deployment of a run, as Helm is asked for it: by the Helm that preflight holds, or by one that is started later.

use ffe_helm::binary::{Cause, DeployRequest, Deployment, Done, Held, Helm};
use ffe_helm::manifest::Manifest;

use crate::apply::run::Run;
use crate::apply::stop::Stop;
use crate::journal::ownership::description;
use crate::rendering::crds;
use crate::rendering::promise::{Promise, not_as_checked};
use crate::rendering::render::{RENDERING, not_rendered, render};

/// Starts the Helm that will deploy, up to where it would write, where it stops there.
///
/// # Errors
/// When the chart does not render, or Helm refuses to deploy it.
pub(crate) async fn hold(run: &Run) -> Result<Option<Held>, Stop> {
    match start(run).await {
        Ok(held) => Ok(held),
        Err(error) if error.is_cancelled() => Err(Stop::Cancelled),
        Err(error) => Err(Stop::failed(not_rendered(&run.inputs, &error))),
    }
}

/// `None` where Helm would not begin with its record, or the chart brings kinds that are not known yet: rendering alone knows more of
/// such a chart.
async fn start(run: &Run) -> ffe_helm::Result<Option<Held>> {
    let description = description(&run.record().id);
    let (helm, request) = (helm(run), request(run, &description));
    match helm.hold(deployment(run), &request, RENDERING, &run.cancel).await {
        Err(error) if error.failure().is_some_and(|failure| failure.cause == Cause::UnknownKind) => Ok(None),
        held => held,
    }
}

/// Deploys by a Helm that is started now. What it renders is compared with what preflight has looked at, before it writes anything:
/// what a chart looks up may have changed since.
///
/// # Errors
/// When it renders something else: then it has deployed nothing.
pub(crate) async fn by_another_helm(run: &Run, checked: &Promise) -> Result<ffe_helm::Result<Done>, Stop> {
    let held = match start(run).await {
        Ok(held) => held,
        Err(error) => return Ok(Err(error)),
    };
    if let Some(held) = held {
        compare(run, checked, held.manifest())?;
        return Ok(held.go_on(&run.cancel).await);
    }
    let rendered = render(&run.cluster, &run.kit, &run.inputs, &run.chart, run.before.is_some(), &run.cancel).await;
    compare(run, checked, &rendered.map_err(Stop::Failed)?)?;
    let description = description(&run.record().id);
    let (helm, request) = (helm(run), request(run, &description));
    Ok(match deployment(run) {
        Deployment::Install => helm.install(&request, &run.cancel).await,
        Deployment::Upgrade => helm.upgrade(&request, &run.cancel).await,
    })
}

fn compare(run: &Run, checked: &Promise, manifest: &Manifest) -> Result<(), Stop> {
    let broken = checked.broken_by(&run.chart.digest, manifest, &run.inputs.namespace);
    let release = format!("{}/{}", run.inputs.namespace, run.inputs.name);
    if broken.is_empty() { Ok(()) } else { Err(Stop::failed(not_as_checked(&release, &broken))) }
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
