//! The release back to its last verified revision; a first install is uninstalled.

use ffe_cluster::Kind;
use ffe_helm::binary::{RollbackRequest, UninstallRequest};
use ffe_helm::manifest::Manifest;
use ffe_helm::records::Status;
use ffe_session::diagnostic;
use tfplugin::{Diagnostic, Diagnostics};

use crate::journal::Outcome;
use crate::phases::rollout::workloads;
use crate::run::Run;

/// Rolls back or uninstalls, as `remediation` says.
///
/// # Errors
/// When Helm fails, or the old revision does not become ready: it is then said what the state is.
pub(crate) async fn go(run: &mut Run) -> Result<Outcome, Diagnostics> {
    let strategy =
        run.inputs.config.remediation.known().and_then(|remediation| remediation.strategy.as_str().map(str::to_owned));
    match strategy.as_deref() {
        Some("none") => Ok(Outcome::Skipped),
        Some("uninstall") => uninstall(run).await,
        _ => match target(run).await? {
            Some(revision) => rollback(run, revision).await,
            None => uninstall(run).await,
        },
    }
}

/// The last verified revision if Helm still has it; else the one before this run if that was deployed (an adopted
/// release); else none: there is nothing to go back to.
async fn target(run: &Run) -> Result<Option<u32>, Diagnostics> {
    let history = run.kit.records.history_now(&run.inputs.namespace, &run.inputs.name).await;
    let history =
        history.map_err(|error| Diagnostics::error("The release's history cannot be read", error.to_string()))?;
    let kept = |revision: &u32| history.iter().any(|key| key.revision == *revision);
    // What an unfinished create of ours left is nothing to go back to, even if Helm calls it deployed.
    let was_good = run.journal.is_complete() || run.journal.mark.adopted;
    let before = run.before.as_ref().filter(|key| was_good && key.status == Status::Deployed).map(|key| key.revision);
    Ok(run.journal.last_verified().filter(kept).or(before.filter(kept)))
}

async fn rollback(run: &mut Run, revision: u32) -> Result<Outcome, Diagnostics> {
    tracing::info!(release = %run.inputs.name, revision, "rolling back");
    let helm = run.kit.helm.with_secrets(run.inputs.helm_secrets());
    crate::start::recover_pending(run, true).await.map_err(|stop| match stop {
        crate::run::Stop::Failed(errors) => errors,
        crate::run::Stop::Cancelled => cancelled(),
    })?;
    let request = RollbackRequest {
        no_hooks: run.inputs.config.skip_hooks.known() == Some(&true),
        ..RollbackRequest::new(&run.inputs.name, &run.inputs.namespace, revision, run.inputs.timeout)
    };
    let done = helm.rollback(&request, &run.cancel).await;
    run.kit.records.invalidate(&run.inputs.namespace);
    done.map_err(|error| {
        Diagnostics::error(format!("The release could not be rolled back to revision {revision}"), error.to_string())
    })?;

    let history = run.kit.records.history_now(&run.inputs.namespace, &run.inputs.name).await;
    let history =
        history.map_err(|error| Diagnostics::error("The release's record cannot be read", error.to_string()))?;
    let Some(key) = history.into_iter().next_back() else { return Ok(Outcome::RolledBack) };
    run.note(|record| record.revision_after = Some(key.revision));
    let release = run.kit.records.open(&key).await;
    let release =
        release.map_err(|error| Diagnostics::error("The release's record cannot be read", error.to_string()))?;
    run.after_key = Some(key);
    if let Some(release) = release {
        let manifest = Manifest::parse(&release.manifest)
            .map_err(|error| Diagnostics::error("The release's record cannot be read", error.to_string()))?;
        run.after = Some(release);
        let objects = workloads(&manifest, &run.inputs.namespace, false);
        if let Err(error) = run.cluster.wait_all(&objects, &run.wait(run.inputs.timeout)).await {
            return Err(match error.kind() {
                Kind::Cancelled => cancelled(),
                _ => diagnostic(
                    &error,
                    &format!("The release was rolled back to revision {revision}, which does not become ready"),
                )
                .into(),
            });
        }
    }
    Ok(Outcome::RolledBack)
}

async fn uninstall(run: &mut Run) -> Result<Outcome, Diagnostics> {
    tracing::info!(release = %run.inputs.name, "uninstalling");
    let helm = run.kit.helm.with_secrets(run.inputs.helm_secrets());
    let request = UninstallRequest {
        no_hooks: run.inputs.config.skip_hooks.known() == Some(&true),
        wait: true,
        ..UninstallRequest::new(&run.inputs.name, &run.inputs.namespace, run.inputs.timeout)
    };
    let done = helm.uninstall(&request, &run.cancel).await;
    run.kit.records.invalidate(&run.inputs.namespace);
    done.map_err(|error| Diagnostics::error("The failed release could not be uninstalled", error.to_string()))?;
    run.after = None;
    run.after_key = None;
    run.note(|record| record.revision_after = None);
    Ok(Outcome::Uninstalled)
}

fn cancelled() -> Diagnostics {
    Diagnostic::error("The way back was interrupted", "The next apply goes on from what the journal says.").into()
}
