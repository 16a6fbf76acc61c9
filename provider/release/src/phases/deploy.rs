//! Helm installs or upgrades. Waiting is not Helm's: the next phase waits and knows why something is not ready.

use ffe_cluster::ObjectRef;
use ffe_helm::binary::DeployRequest;
use tfplugin::{Diagnostic, Diagnostics};

use crate::crds;
use crate::journal::Outcome;
use crate::ownership::description;
use crate::run::{Run, Stop};
use crate::taken_over;

/// Deploys, and reads the record that Helm has written.
///
/// # Errors
/// When Helm fails, with what its hooks have said.
pub(crate) async fn go(run: &mut Run) -> Result<Outcome, Stop> {
    let Some(chart) = run.chart.clone() else { return Ok(Outcome::Skipped) };
    crds::go(run, &chart).await?;
    if run.in_place {
        tracing::info!("the release is as wanted already; no new revision is made");
        observe(run).await?;
        return Ok(Outcome::Skipped);
    }
    taken_over::note(run).await?;
    let config = &run.inputs.config;
    let description = description(&run.record().id);
    let inputs = &run.inputs;
    let request = DeployRequest {
        description: Some(&description),
        // The record phase prunes, and spares the revision to go back to.
        max_history: 0,
        skip_crds: config.crds.as_str() == Some("skip"),
        no_hooks: config.skip_hooks.known() == Some(&true),
        take_ownership: config.take_ownership.known() == Some(&true),
        // What is applied is what is there afterwards, whoever wrote a field meanwhile; so it is with Helm 3 anyway.
        force_conflicts: true,
        // Over the records that `helm uninstall --keep-history` leaves; any other release of that name is not installed.
        replace: run.before.is_none(),
        ..DeployRequest::new(&inputs.name, &inputs.namespace, &chart.path, &inputs.values, inputs.timeout)
    };
    let helm = run.kit.helm.with_secrets(run.inputs.helm_secrets());
    let deployed = match run.before {
        Some(_) => helm.upgrade(&request, &run.cancel).await,
        None => helm.install(&request, &run.cancel).await,
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
    let said = error.to_string();
    let mut detail = said.clone();
    let hooks = run.manifest.as_ref().map(|manifest| manifest.hooks.as_slice()).unwrap_or_default();
    for hook in hooks.iter().filter(|hook| hook.object.id.kind == "Job" && said.contains(&hook.object.id.name)) {
        let id = &hook.object.id;
        let namespace = id.namespace.clone().unwrap_or_else(|| run.inputs.namespace.clone());
        let object = ObjectRef::new(&id.api_version, &id.kind, Some(&namespace), &id.name);
        detail.push_str(&format!("\n\n{}", run.cluster.diagnose(&object, &run.redactor()).await));
    }
    // A diagnosis ends with the next step itself.
    if detail == said {
        detail = error.with_advice();
    }
    Diagnostic::error(format!("Helm could not deploy the release {}", run.inputs.name), detail).into()
}
