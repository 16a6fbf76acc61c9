//! Helm installs or upgrades: the one that has rendered what was looked at in preflight, and otherwise another. Waiting is not Helm's: the next phase waits and knows why something is not ready.

mod definitions;

use ffe_cluster::ObjectRef;
use ffe_helm::binary::{Cause, DeployRequest, Deployment, Done, Held, Helm};
use ffe_helm::chart::Chart;
use tfplugin::{Diagnostic, Diagnostics};

use crate::apply::run::{Run, Stop};
use crate::apply::taken_over;
use crate::journal::Outcome;
use crate::journal::ownership::description;
use crate::rendering::crds;
use crate::rendering::render::{RENDERING, not_rendered};

/// Deploys, and reads the record that Helm has written.
///
/// # Errors
/// When Helm fails, with what its hooks have said.
pub(crate) async fn go(run: &mut Run) -> Result<Outcome, Stop> {
    let Some(chart) = run.chart.clone() else { return Ok(Outcome::Skipped) };
    definitions::apply(run, &chart).await?;
    if run.in_place {
        tracing::info!("the release is as wanted already; no new revision is made");
        observe(run).await?;
        return Ok(Outcome::Skipped);
    }
    taken_over::note(run).await?;
    let deployed = match run.held.take().filter(Held::waits) {
        Some(held) => match held.go_on(&run.cancel).await {
            // Nothing was done: it begins anew, upon what is there now.
            Err(error) if error.failure().is_some_and(|failure| failure.cause == Cause::Outrun) => {
                tracing::warn!(release = %run.inputs.name, "somebody else has made a revision meanwhile");
                start(run, &chart).await
            }
            deployed => deployed,
        },
        None => start(run, &chart).await,
    };
    run.kit.records.invalidate(&run.inputs.namespace);
    if let Err(error) = deployed {
        if error.is_cancelled() {
            return Err(Stop::Cancelled);
        }
        return Err(Stop::Failed(failure(run, &error).await));
    }
    observe(run).await?;
    Ok(Outcome::Succeeded)
}

/// Starts the Helm that will deploy, up to where it would write, where it stops there.
///
/// # Errors
/// When the chart does not render, or Helm refuses to deploy it.
pub(crate) async fn hold(run: &Run, chart: &Chart) -> Result<Option<Held>, Stop> {
    let description = description(&run.record().id);
    let (helm, request) = (helm(run), request(run, chart, &description));
    match helm.hold(deployment(run), &request, RENDERING, &run.cancel).await {
        Ok(held) => Ok(held),
        Err(error) if error.is_cancelled() => Err(Stop::Cancelled),
        // Rendering alone knows more of such a chart.
        Err(error) if error.failure().is_some_and(|failure| failure.cause == Cause::UnknownKind) => Ok(None),
        Err(error) => Err(Stop::failed(not_rendered(&run.inputs, &error))),
    }
}

/// Deploys by a Helm of its own.
async fn start(run: &Run, chart: &Chart) -> ffe_helm::Result<Done> {
    let description = description(&run.record().id);
    let (helm, request) = (helm(run), request(run, chart, &description));
    match deployment(run) {
        Deployment::Install => helm.install(&request, &run.cancel).await,
        Deployment::Upgrade => helm.upgrade(&request, &run.cancel).await,
    }
}

fn helm(run: &Run) -> Helm {
    run.kit.helm.with_secrets(run.inputs.helm_secrets())
}

fn deployment(run: &Run) -> Deployment {
    if run.before.is_some() { Deployment::Upgrade } else { Deployment::Install }
}

fn request<'a>(run: &'a Run, chart: &'a Chart, description: &'a str) -> DeployRequest<'a> {
    let inputs = &run.inputs;
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

/// Reads the newest record.
async fn observe(run: &mut Run) -> Result<(), Stop> {
    let unreadable = |error: ffe_helm::Error| Stop::helm(&error, "The release's record cannot be read");
    let history = run.kit.records.history_now(&run.inputs.namespace, &run.inputs.name).await.map_err(unreadable)?;
    let Some(key) = history.into_iter().next_back() else {
        return Err(Stop::failed(Diagnostic::error(
            "Helm reported success and left no release record",
            "The record may be kept by another storage driver: see helm.driver of the provider.",
        )));
    };
    let release = run.kit.records.open(&key).await.map_err(unreadable)?;
    run.note(|record| record.revision_after = Some(key.revision));
    run.journal.content.first_deployed = release.as_ref().and_then(|release| release.first_deployed);
    run.after = release;
    run.after_key = Some(key);
    Ok(())
}

/// Helm's error, and for hooks that failed what they have said.
async fn failure(run: &Run, error: &ffe_helm::Error) -> Diagnostics {
    // Preflight may have learned of secrets that the waiting Helm was not told of.
    let redactor = run.redactor();
    let said = redactor.clean(&error.to_string());
    let mut detail = said.clone();
    let hooks = run.manifest.as_ref().map(|manifest| manifest.hooks.as_slice()).unwrap_or_default();
    for hook in hooks.iter().filter(|hook| hook.object.id.kind == "Job" && said.contains(&hook.object.id.name)) {
        let id = &hook.object.id;
        let namespace = id.namespace.clone().unwrap_or_else(|| run.inputs.namespace.clone());
        let object = ObjectRef::new(&id.api_version, &id.kind, Some(&namespace), &id.name);
        detail.push_str(&format!("\n\n{}", run.cluster.diagnose(&object, &redactor).await));
    }
    // A diagnosis ends with the next step itself.
    if detail == said {
        detail = redactor.clean(&error.with_advice());
    }
    Diagnostic::error(format!("Helm could not deploy the release {}", run.inputs.name), detail).into()
}
