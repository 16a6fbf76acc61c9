//! The release back to its last verified revision; a first install is uninstalled.

mod claims;

use ffe_helm::binary::{RollbackRequest, UninstallRequest};
use ffe_helm::manifest::Manifest;
use ffe_helm::records::{RecordKey, Status};
use ffe_session::diagnostic;
use tfplugin::logging::redacted;
use tfplugin::{Diagnostic, Diagnostics};

use crate::apply::recover::recover_pending;
use crate::apply::run::{Made, Run};
use crate::apply::stop::Stop;
use crate::apply::{taken_over, uninstall};
use crate::journal::Outcome;
use crate::journal::helm_revision::HelmRevision;

/// Rolls back or uninstalls, as `remediation` says; `None`: the release was left as it is. `new` is the manifest of the version that
/// goes, and `in_place` says that this run has deployed nothing.
///
/// # Errors
/// When Helm fails.
pub(crate) async fn roll_back_or_uninstall(
    run: &mut Run,
    new: &Manifest,
    in_place: bool,
) -> Result<Option<Outcome>, Diagnostics> {
    // A run that has deployed nothing takes back nothing: only its checks may have failed. Unless what it found was deployed by a
    // run of ours that died.
    let stood = run.before.as_ref().map(|key| key.revision) == run.journal.stood_before();
    if in_place && stood {
        return Ok(None);
    }
    let strategy =
        run.inputs.config.remediation.known().and_then(|remediation| remediation.strategy.as_str().map(str::to_owned));
    match strategy.as_deref() {
        Some("none") => Ok(None),
        Some("uninstall") => uninstall(run).await.map(Some),
        _ => match rollback_target(run).await? {
            Target::Unchanged => Ok(None),
            Target::Revision(revision) => roll_back(run, revision, new).await.map(Some),
            Target::Nothing => uninstall(run).await.map(Some),
        },
    }
}

/// Where the way back leads.
enum Target {
    /// Nothing was deployed: the release is as it was.
    Unchanged,
    /// Helm's revision.
    Revision(u32),
    /// There is nothing to go back to.
    Nothing,
}

/// Whether there was a good release before this run. What an unfinished create of ours left is none, even if Helm calls it deployed.
fn was_good(run: &Run) -> bool {
    run.managed.is_some() || run.journal.is_complete() || run.journal.mark.adopted
}

/// Of what Helm has, the last verified revision. A release that was there before our runs (adopted, imported) goes back to the
/// newest of its revisions that was deployed. `None`: Helm has nothing to go back to.
pub(super) fn revision_to_go_back_to(run: &Run, history: &[RecordKey]) -> Option<u32> {
    let kept = |revision: &u32| history.iter().any(|key| key.revision == *revision);
    let ran = |key: &&RecordKey| matches!(key.status, Status::Deployed | Status::Superseded);
    let stood = run.journal.stood_before().filter(|_| was_good(run));
    let stood = stood.and_then(|stood| history.iter().rev().filter(|key| key.revision <= stood).find(ran));
    let before = run.before.as_ref().filter(|key| was_good(run) && key.status == Status::Deployed);
    run.journal.last_verified().filter(kept).or(stood.or(before).map(|key| key.revision).filter(kept))
}

/// The revision to go back to. A release that was there before our runs is never uninstalled.
async fn rollback_target(run: &Run) -> Result<Target, Diagnostics> {
    let history = run.kit.records.history_now(&run.inputs.namespace, &run.inputs.name).await;
    let history =
        history.map_err(|error| Diagnostics::error("The release's history cannot be read", error.to_string()))?;
    let Some(revision) = revision_to_go_back_to(run, &history) else {
        if was_good(run) {
            return Err(Diagnostics::error(
                "There is no revision to roll back to",
                format!(
                    "Helm has none of the release that was deployed before, and it is not uninstalled because it was there \
                     before. It was left as it is: look with helm history {} -n {}, and apply a version that works.",
                    run.inputs.name, run.inputs.namespace
                ),
            ));
        }
        return Ok(Target::Nothing);
    };
    let newest = history.last().is_some_and(|key| key.revision == revision && key.status == Status::Deployed);
    Ok(if newest { Target::Unchanged } else { Target::Revision(revision) })
}

/// Rolls back to a revision, without waiting for it; `new` is the manifest of the version that goes.
///
/// # Errors
/// When Helm fails.
pub(crate) async fn roll_back(run: &mut Run, revision: u32, new: &Manifest) -> Result<Outcome, Diagnostics> {
    tracing::info!(release = %run.inputs.name, revision, "rolling back");
    let old = manifest_at(run, revision).await.map_err(Stop::into_diagnostics)?;
    let helm = run.kit.helm.clone();
    recover_pending(run).await.map_err(Stop::into_diagnostics)?;
    let request = RollbackRequest {
        no_hooks: run.inputs.config.skip_hooks.known() == Some(&true),
        force_conflicts: true,
        ..RollbackRequest::new(&run.inputs.name, &run.inputs.namespace, revision, run.inputs.timeout)
    };
    spare(run, &old).await?;
    let mut done = helm.rollback(&request, &run.cancel).await;
    if done.as_ref().is_err_and(|error| !error.is_cancelled()) {
        // Too much hangs on it to give it up at once; and what a Helm that died has begun must not stay.
        tracing::warn!(release = %run.inputs.name, "helm rollback failed and is tried again");
        recover_pending(run).await.map_err(Stop::into_diagnostics)?;
        done = helm.rollback(&request, &run.cancel).await;
    }
    run.kit.records.invalidate(&run.inputs.namespace);
    if let Err(error) = done {
        let words = redacted(&error.to_string()).into_owned();
        match but_for_claims(run, &old, new, &words).await? {
            Some(warning) => run.warnings.push(warning),
            None => {
                return Err(Diagnostics::error(
                    format!("The release could not be rolled back to revision {revision}"),
                    error.with_advice(),
                ));
            }
        }
    }

    let history = run.kit.records.history_now(&run.inputs.namespace, &run.inputs.name).await;
    let history =
        history.map_err(|error| Diagnostics::error("The release's record cannot be read", error.to_string()))?;
    let Some(key) = history.into_iter().next_back() else { return Ok(Outcome::RolledBack) };
    run.note(|record| record.revision_after = Some(key.revision));
    let made = HelmRevision::require(&run.kit.records, &key).await?;
    run.made = Some(Made { key, revision: made });
    let problems = taken_over::give_back(run, &old).await;
    if problems.has_errors() { Err(problems) } else { Ok(Outcome::RolledBack) }
}

/// What a revision that Helm has to go back to has deployed.
async fn manifest_at(run: &Run, revision: u32) -> Result<Manifest, Stop> {
    let unreadable = |error: ffe_helm::Error| Stop::helm(&error, "The release's history cannot be read");
    let history = run.kit.records.history_now(&run.inputs.namespace, &run.inputs.name).await.map_err(unreadable)?;
    match history.iter().find(|key| key.revision == revision) {
        Some(key) => run.manifest_of(key).await,
        None => Err(Stop::failed(Diagnostic::error(
            format!("The release could not be rolled back to revision {revision}"),
            "Its record is gone: somebody else is at work on the release. Apply again once they have ended.",
        ))),
    }
}

/// What was there before the release is not Helm's to delete, where the manifest to go back to does not have it.
async fn spare(run: &Run, target: &Manifest) -> Result<(), Diagnostics> {
    if run.journal.content.taken_over.is_empty() {
        return Ok(());
    }
    let failed = |error: ffe_helm::Error| {
        Diagnostics::error("The release was not rolled back: its record cannot be rewritten", error.to_string())
    };
    let history = run.kit.records.history_now(&run.inputs.namespace, &run.inputs.name).await.map_err(failed)?;
    let Some(newest) = history.last() else { return Ok(()) };
    taken_over::spare(&run.kit.records, newest, &run.journal, target).await.map_err(failed)
}

/// The warning about a rollback that failed over nothing but a claim that cannot shrink.
async fn but_for_claims(
    run: &Run,
    old: &Manifest,
    new: &Manifest,
    words: &str,
) -> Result<Option<Diagnostic>, Diagnostics> {
    if !claims::is_about_claims(words) {
        return Ok(None);
    }
    let found = claims::all_but_claims(run, old, new, words).await;
    found.map_err(|error| diagnostic(&error, "What runs after the rollback cannot be looked at").into())
}

async fn uninstall(run: &mut Run) -> Result<Outcome, Diagnostics> {
    tracing::info!(release = %run.inputs.name, "uninstalling");
    let (namespace, name) = (run.inputs.namespace.clone(), run.inputs.name.clone());
    let request = UninstallRequest {
        no_hooks: run.inputs.config.skip_hooks.known() == Some(&true),
        wait: true,
        ..UninstallRequest::new(&name, &namespace, run.inputs.timeout)
    };
    uninstall::uninstall(run, &request).await.map_err(Stop::into_diagnostics)?;
    run.made = None;
    run.journal.forget_revisions();
    let problems = taken_over::give_back(run, &Manifest::default()).await;
    if problems.has_errors() { Err(problems) } else { Ok(Outcome::Uninstalled) }
}
