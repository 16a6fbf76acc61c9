//! Helm installs or upgrades: the Helm that has rendered what preflight looked at, and otherwise another. Helm does not wait: the next
//! phase does, and knows why something is not ready.

mod definitions;

use ffe_cluster::ObjectRef;
use ffe_helm::binary::{Cause, Held};
use ffe_helm::manifest::Manifest;
use tfplugin::logging::redacted;
use tfplugin::{Diagnostic, Diagnostics};

use crate::apply::phases::preflight::{Checked, Deployer};
use crate::apply::run::{Made, Run};
use crate::apply::stop::Stop;
use crate::apply::{deployment, taken_over};
use crate::journal::Outcome;
use crate::journal::helm_revision::HelmRevision;

/// How often a record that is replaced while it is read is looked for.
const READINGS: u32 = 3;

/// What is deployed, as Helm's record has it.
#[derive(Debug)]
pub(crate) struct Deployed {
    /// What Helm has applied.
    pub manifest: Manifest,
}

/// Deploys, and reads the record that Helm has written.
///
/// # Errors
/// When Helm fails, with what its hooks have said.
pub(crate) async fn deploy(run: &mut Run, checked: &Checked, deployer: Deployer) -> Result<(Outcome, Deployed), Stop> {
    definitions::apply(run).await?;
    let held = match deployer {
        Deployer::Nobody => {
            tracing::info!("the release is as wanted already; no new revision is made");
            return Ok((Outcome::Skipped, read_record(run).await?));
        }
        Deployer::Held(held) => Some(held).filter(Held::waits),
        Deployer::Another => None,
    };
    taken_over::note(run, &checked.manifest).await?;
    let deployed = match held {
        Some(held) => match held.go_on(&run.cancel).await {
            // Nothing was done: it begins anew, upon what is there now.
            Err(error) if error.failure().is_some_and(|failure| failure.cause == Cause::Outrun) => {
                tracing::warn!(release = %run.inputs.name, "somebody else has made a revision meanwhile");
                deployment::by_another_helm(run, &checked.promise).await?
            }
            deployed => deployed,
        },
        None => deployment::by_another_helm(run, &checked.promise).await?,
    };
    run.kit.records.invalidate(&run.inputs.namespace);
    if let Err(error) = deployed {
        if error.is_cancelled() {
            return Err(Stop::Cancelled);
        }
        return Err(Stop::Failed(failure(run, &checked.manifest, &error).await));
    }
    Ok((Outcome::Succeeded, read_record(run).await?))
}

/// Reads the newest record, and notes it in the journal.
async fn read_record(run: &mut Run) -> Result<Deployed, Stop> {
    let unreadable = |error: ffe_helm::Error| Stop::helm(&error, "The release's record cannot be read");
    let (namespace, name) = (run.inputs.namespace.as_str(), run.inputs.name.as_str());
    for _ in 0..READINGS {
        let history = run.kit.records.history_now(namespace, name).await.map_err(unreadable)?;
        let Some(key) = history.into_iter().next_back() else {
            return Err(Stop::failed(Diagnostic::error(
                "Helm reported success and left no release record",
                "The record may be kept by another storage driver: see helm.driver of the provider.",
            )));
        };
        let Some(revision) = HelmRevision::open(&run.kit.records, &key).await.map_err(Stop::failed)? else { continue };
        run.note(|record| record.revision_after = Some(key.revision));
        run.journal.content.first_deployed = revision.release.first_deployed;
        let manifest = revision.manifest.clone();
        run.made = Some(Made { key, revision });
        return Ok(Deployed { manifest });
    }
    Err(Stop::failed(Diagnostic::error(
        "The release's record cannot be read",
        "It is replaced again and again: somebody else is at work on the release.",
    )))
}

/// Helm's error, and for hooks that failed what they have said.
async fn failure(run: &Run, manifest: &Manifest, error: &ffe_helm::Error) -> Diagnostics {
    // Preflight may have learned of secrets since the waiting Helm was started.
    let said = redacted(&error.to_string()).into_owned();
    let mut detail = said.clone();
    let named = |hook: &&ffe_helm::manifest::Hook| {
        hook.object.id.kind == "Job" && said.contains(&*redacted(&hook.object.id.name))
    };
    for hook in manifest.hooks.iter().filter(named) {
        let id = &hook.object.id;
        let namespace = id.namespace.clone().unwrap_or_else(|| run.inputs.namespace.clone());
        let object = ObjectRef::new(&id.api_version, &id.kind, Some(&namespace), &id.name);
        detail.push_str(&format!("\n\n{}", ffe_workloads::diagnose(&run.cluster, &object).await));
    }
    // A diagnosis ends with the next step itself.
    if detail == said {
        detail = error.with_advice();
    }
    Diagnostic::error(format!("Helm could not deploy the release {}", run.inputs.name), detail).into()
}
