//! A release as a list of phases, and beside it the way back.
//!
//! The list is the order; a failed phase stops it, and the way back runs its entries that apply from that
//! phase on.

use tfplugin::{Diagnostic, Diagnostics};

use crate::apply::migration::names;
use crate::apply::phases::{backup, deploy, lock, migrate, notify, preflight, record, rollout, verify};
use crate::apply::run::{Run, Stop};
use crate::apply::start::recover_pending;
use crate::apply::way_back::{old_rollout, pods_gone, release_back, schema_back};
use crate::journal::Outcome;

/// The way forward.
pub(crate) const PHASES: [Phase; 9] = [
    Phase::Lock,
    Phase::Preflight,
    Phase::Backup,
    Phase::Migrate,
    Phase::Deploy,
    Phase::Rollout,
    Phase::Verify,
    Phase::Record,
    Phase::Notify,
];

/// A step of the way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Undo {
    /// The release to its last verified revision, without waiting for it; a first install is uninstalled.
    ReleaseBack,
    /// No pod of the new image is left.
    PodsGone,
    /// The schema to the recorded revision, with the new image.
    SchemaBack,
    /// The old version is ready again.
    OldRollout,
}

/// The way back: each entry with the phase from whose failure on it applies.
pub(crate) const WAY_BACK: [(Undo, Phase); 4] = [
    (Undo::ReleaseBack, Phase::Deploy),
    (Undo::PodsGone, Phase::Deploy),
    (Undo::SchemaBack, Phase::Migrate),
    (Undo::OldRollout, Phase::Migrate),
];

impl Phase {
    async fn go(self, run: &mut Run) -> Result<Outcome, Stop> {
        match self {
            Phase::Lock => lock::go(run).await,
            Phase::Preflight => preflight::go(run).await,
            Phase::Backup => backup::go(run).await,
            Phase::Migrate => migrate::go(run).await,
            Phase::Deploy => deploy::go(run).await,
            Phase::Rollout => rollout::go(run).await,
            Phase::Verify => verify::go(run).await,
            Phase::Record => record::go(run).await,
            Phase::Notify => {
                notify::ended(run, Outcome::Succeeded, None).await;
                Ok(Outcome::Succeeded)
            }
        }
    }
}

impl Undo {
    async fn go(self, run: &mut Run) -> Result<(), Diagnostics> {
        match self {
            Undo::ReleaseBack => release_back::go(run).await,
            Undo::PodsGone => pods_gone::go(run).await,
            Undo::SchemaBack => schema_back::go(run).await,
            Undo::OldRollout => old_rollout::go(run).await,
        }
    }
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct End {
    /// The outcome in the journal.
    pub outcome: Outcome,
    /// Errors and warnings.
    pub diagnostics: Diagnostics,
}

/// Runs the phases, and the way back if one fails.
pub(crate) async fn go(run: &mut Run) -> End {
    let mut end = forward(run).await;
    end.diagnostics.extend(run.let_go().await);
    end
}

async fn forward(run: &mut Run) -> End {
    let retries = run.inputs.config.remediation.known().and_then(|remediation| remediation.retries.known().copied());
    let mut retries = retries.unwrap_or(0);
    let mut next = 0;
    while let Some(phase) = PHASES.get(next).copied() {
        // Once it is recorded the release is what was asked for, whatever the user wishes now.
        if run.cancel.is_cancelled() && phase != Phase::Notify {
            return interrupted(run, phase).await;
        }
        match step(run, phase).await {
            Ok(()) => next += 1,
            Err(Stop::LeaseLost) => return lost(run, phase, Diagnostics::new()),
            // What fails behind a lost lease fails because of it.
            Err(Stop::Failed(diagnostics)) if run.check_leases().is_err() => return lost(run, phase, diagnostics),
            Err(Stop::Cancelled) => return interrupted(run, phase).await,
            // Tried again from the deployment on: what came before it is done, a migration above all.
            Err(Stop::Failed(diagnostics)) if phase >= Phase::Deploy && retries > 0 => {
                retries -= 1;
                tracing::warn!(%diagnostics, retries, "phase {} failed and is tried again", phase.name());
                next = PHASES.iter().position(|one| *one == Phase::Deploy).unwrap_or(next);
                if let Err(stop) = run.look_again().await {
                    return back(run, phase, stop.into_diagnostics()).await;
                }
            }
            // Without the lock nothing was done, and nothing may be written.
            Err(Stop::Failed(diagnostics)) if phase == Phase::Lock => {
                return End { outcome: Outcome::Failed, diagnostics };
            }
            // It goes on with one that died further on: nothing of that is undone because it cannot be gone on with now.
            Err(Stop::Failed(diagnostics)) if phase < Phase::Migrate && run.record().has_begun(Phase::Migrate) => {
                return not_resumed(run, phase, diagnostics).await;
            }
            Err(Stop::Failed(diagnostics)) => return back(run, phase, diagnostics).await,
        }
    }
    End { outcome: Outcome::Succeeded, diagnostics: std::mem::take(&mut run.warnings) }
}

async fn step(run: &mut Run, phase: Phase) -> Result<(), Stop> {
    if phase == Phase::Lock || phase == Phase::Notify {
        // The one opens the journal's page itself, the other comes when the page is closed.
        Box::pin(phase.go(run)).await?;
        if phase == Phase::Lock {
            notify::started(run).await;
        }
        return Ok(());
    }
    // Nothing is done that is not written down first; once it is deployed, only what comes of it is.
    let begun = run.begin(phase).await;
    if phase <= Phase::Deploy {
        begun?;
    }
    let result = Box::pin(phase.go(run)).await;
    if result.is_err() {
        run.held = None;
    }
    let outcome = match &result {
        Ok(outcome) => *outcome,
        Err(Stop::Cancelled | Stop::LeaseLost) => Outcome::Interrupted,
        Err(Stop::Failed(_)) => Outcome::Failed,
    };
    // The phase's own error counts more than one of writing it down.
    let written = run.end(phase, outcome).await;
    result.map(|_| ())?;
    match written {
        // What is deployed is not taken back because of the journal: the record phase tries again.
        Err(Stop::Failed(why)) if phase >= Phase::Deploy => {
            tracing::warn!(%why, "the end of the phase {} was not written down", phase.name());
            Ok(())
        }
        written => written,
    }
}

/// The end of a run that has lost a lease: somebody else may be at work, so nothing is undone, written or told any more.
fn lost(run: &mut Run, phase: Phase, mut diagnostics: Diagnostics) -> End {
    let errors = Stop::LeaseLost.into_diagnostics().into_iter().map(|error| {
        Diagnostic::error(error.summary, format!("It was in the phase {}. {}", phase.name(), error.detail))
    });
    diagnostics.extend(errors.collect::<Diagnostics>());
    diagnostics.extend(std::mem::take(&mut run.warnings));
    End { outcome: Outcome::Interrupted, diagnostics }
}

async fn interrupted(run: &mut Run, phase: Phase) -> End {
    if run.check_leases().is_err() {
        return lost(run, phase, Diagnostics::new());
    }
    if phase == Phase::Lock {
        let text = "It was stopped while waiting for its turn. Nothing was changed.";
        let summary = format!("The release {} was interrupted", run.inputs.name);
        return End { outcome: Outcome::Interrupted, diagnostics: Diagnostics::error(summary, text) };
    }
    let mut diagnostics = std::mem::take(&mut run.warnings);
    diagnostics.push(Diagnostic::error(
        format!("The release {} was interrupted", run.inputs.name),
        format!(
            "It was stopped in the phase {}. Nothing was undone; what is done is in the journal, and the next apply goes on \
             from there.",
            phase.name()
        ),
    ));
    let cause = Some((phase, "Stopped by the user.".to_owned()));
    close(run, Outcome::Interrupted, Outcome::Interrupted, cause, diagnostics).await
}

/// Writes the end of a run down and tells it, as `told`; warnings come last.
async fn close(
    run: &mut Run,
    outcome: Outcome,
    told: Outcome,
    cause: Option<(Phase, String)>,
    mut diagnostics: Diagnostics,
) -> End {
    diagnostics.extend(run.finish(outcome).await);
    notify::ended(run, told, cause).await;
    diagnostics.extend(std::mem::take(&mut run.warnings));
    End { outcome, diagnostics }
}

/// What a notice says of a failure: its first error.
fn cause(failed: Phase, diagnostics: &Diagnostics) -> Option<(Phase, String)> {
    let error = diagnostics.iter().find(|one| one.is_error())?;
    Some((failed, format!("{}\n{}", error.summary, error.detail)))
}

/// The end of a run that could not go on with what an earlier attempt had begun: it stays open, for the next one.
async fn not_resumed(run: &mut Run, failed: Phase, mut diagnostics: Diagnostics) -> End {
    let cause = cause(failed, &diagnostics);
    let reached = run.record().phases.iter().rev().map(|page| page.name.as_str()).find(|name| *name != failed.name());
    diagnostics.push(Diagnostic::warning(
        format!("State of release {}/{} after the failure", run.inputs.namespace, run.inputs.name),
        format!(
            "The phase {} failed. An earlier attempt of this run was interrupted after it had got as far as the phase {}; \
             what it did is still there. The next apply goes on with it, or takes it back. What was done is in the Secret \
             ffe-journal.{} of the namespace.",
            failed.name(),
            reached.unwrap_or(Phase::Migrate.name()),
            run.inputs.name
        ),
    ));
    close(run, Outcome::Interrupted, Outcome::Failed, cause, diagnostics).await
}

async fn back(run: &mut Run, failed: Phase, mut diagnostics: Diagnostics) -> End {
    run.note(|record| record.unwinding = true);
    match run.save().await {
        Ok(()) => {}
        Err(Stop::LeaseLost) => return lost(run, failed, diagnostics),
        Err(stop) => diagnostics.extend(stop.into_diagnostics()),
    }
    let mut broken_off = false;
    let mut release_lost = false;
    // What a Helm that died has begun is not somebody else's, for the next run to wait for.
    // A first install is uninstalled, record and all.
    if failed >= Phase::Deploy
        && (run.before.is_some() || run.inputs.leaves_failed())
        && let Err(stop) = recover_pending(run).await
    {
        diagnostics.extend(stop.into_diagnostics());
    }
    for (undo, from) in WAY_BACK {
        if failed < from || (undo == Undo::OldRollout && run.cancel.is_cancelled()) {
            continue;
        }
        if run.check_leases().is_err() {
            return lost(run, failed, diagnostics);
        }
        tracing::info!(release = %run.inputs.name, "way back: {undo:?}");
        if let Err(more) = Box::pin(undo.go(run)).await {
            diagnostics.extend(more);
            if run.check_leases().is_err() {
                return lost(run, failed, diagnostics);
            }
            broken_off = run.cancel.is_cancelled();
            // Without the old release there is nothing for the rest to stand on; and under pods of the new one the schema
            // stays as it is.
            release_lost = undo == Undo::ReleaseBack;
            if release_lost || undo == Undo::PodsGone || broken_off {
                break;
            }
        }
    }
    let outcome = if broken_off { Outcome::Interrupted } else { run.release_back.unwrap_or(Outcome::Failed) };
    let cause = cause(failed, &diagnostics);
    diagnostics.push(aftermath(run, failed, outcome, release_lost));
    close(run, outcome, outcome, cause, diagnostics).await
}

/// What is left after a failure: the user must not have to guess.
fn aftermath(run: &Run, failed: Phase, outcome: Outcome, release_lost: bool) -> Diagnostic {
    let release = format!("{}/{}", run.inputs.namespace, run.inputs.name);
    let schema = match (&run.record().schema_before, &run.record().schema_after) {
        (Some(before), Some(after)) if before == after => {
            format!(" The database's schema is at {}, as before.", names(after))
        }
        (Some(before), Some(after)) => {
            format!(" The database's schema stays at {} (it was at {} before this run).", names(after), names(before))
        }
        (Some(before), None) if run.record().has_begun(Phase::Migrate) => format!(
            " The database's schema was at {} before this run; where it is now is not known, so it was not moved.",
            names(before)
        ),
        (Some(before), None) => format!(" The database's schema was at {} before this run.", names(before)),
        _ => String::new(),
    };
    let text = match (outcome, failed) {
        (Outcome::Interrupted, _) => "The way back was interrupted before its end; the next apply goes on from there.",
        (Outcome::RolledBack, _) => "It was rolled back to the last revision that passed its checks.",
        (Outcome::Uninstalled, _) if run.was_managed => {
            "It has been uninstalled, as remediation.strategy says; the next apply installs it again."
        }
        (Outcome::Uninstalled, _) => {
            "It was the first install and has been uninstalled; the next apply installs it again."
        }
        _ if release_lost => {
            "The way back failed as well: what runs now may be of either version. Apply again, which goes on with it, or look \
             with helm history."
        }
        (_, Phase::Lock | Phase::Preflight | Phase::Backup | Phase::Migrate) => {
            "The deployment was not started; what ran before runs on."
        }
        _ if run.in_place => "It was not touched by this run and runs on.",
        (_, Phase::Deploy) if run.inputs.leaves_failed() => {
            "What Helm had done when it failed was left, as remediation.strategy says: some objects may be of the new version."
        }
        (_, Phase::Deploy) => "No new revision was made; what ran before runs on.",
        _ => "It was left as it is.",
    };
    let backup = match &run.record().backup {
        Some(backup) => format!(" The backup that was taken is kept at {}.", backup.location),
        None => String::new(),
    };
    // A create that failed leaves no state, whatever it leaves in the cluster.
    let left = !run.was_managed && run.after.is_some() && outcome == Outcome::Failed;
    let stateless = if left {
        format!(
            " It is not in Terraform's state; the next apply goes on with it. To remove it: helm uninstall {} -n {}.",
            run.inputs.name, run.inputs.namespace
        )
    } else {
        String::new()
    };
    Diagnostic::warning(
        format!("State of release {release} after the failure"),
        format!(
            "The phase {} failed. {text}{stateless}{schema}{backup} What was done is in the Secret ffe-journal.{} of the namespace.",
            failed.name(),
            run.inputs.name
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_that_of_the_story() {
        assert!(PHASES.is_sorted());
        assert_eq!(
            PHASES.map(Phase::name),
            ["lock", "preflight", "backup", "migrate", "deploy", "rollout", "verify", "record", "notify"]
        );
    }

    #[test]
    fn nothing_is_undone_before_something_was_done() {
        assert!(WAY_BACK.iter().all(|(_, from)| *from >= Phase::Migrate));
    }
}
