//! A release as a list of phases ([`go_forward`]), and beside it the way back ([`WAY_BACK`]). A run that deploys an older version
//! migrates, which is to say takes the schema back, once that is deployed; and has a way back of its own ([`WAY_TO_THE_NEWER`]).
//!
//! Each phase takes what those before it have handed on. A phase that fails ends the list, and the way back takes the steps that
//! apply from that phase on.

use tfplugin::{Diagnostic, Diagnostics};

use crate::apply::going_back;
use crate::apply::migration::names;
use crate::apply::phases::preflight::{Checked, Deployer};
use crate::apply::phases::record::Recorded;
use crate::apply::phases::{backup, deploy, lock, migrate, notify, preflight, record, rollout, verify};
use crate::apply::prepare::Prepared;
use crate::apply::recover::{begin_attempt, recover_pending};
use crate::apply::run::Run;
use crate::apply::stop::Stop;
use crate::apply::way_back::{old_rollout, pods_gone, release_back, schema_back};
use crate::journal::{Outcome, Phase};

/// Runs a phase, written down before and after; what it hands on.
macro_rules! phase {
    ($run:ident, $phase:expr, $work:expr) => {{
        begin($run, $phase).await?;
        // Boxed: the futures of a run would not fit on a small stack.
        let result = Box::pin($work).await;
        end($run, $phase, result).await?
    }};
}

/// What the phases have handed on, as far as the run has come.
#[derive(Default)]
struct Reached {
    /// What preflight has found.
    checked: Option<Checked>,
    /// This run deploys nothing: the release was as wanted already.
    in_place: bool,
    /// Whether the journal says how it ended.
    recorded: Option<Recorded>,
}

/// The way forward. What is handed on is kept in `reached` too, for the way back and for the state.
///
/// # Errors
/// With the phase that did not go on, and why.
async fn go_forward(run: &mut Run, reached: &mut Reached) -> Result<(), (Phase, Stop)> {
    use Phase::{Backup, Deploy, Migrate, Preflight, Record, Rollout, Verify};
    let Reached { checked, in_place, recorded } = reached;

    let (found, mut deployer) = phase!(run, Preflight, preflight::check(run));
    *in_place = matches!(deployer, Deployer::Nobody);
    let checked: &Checked = checked.insert(found);
    phase!(run, Backup, backup::take(run, checked));
    if checked.goes_back.is_none() {
        phase!(run, Migrate, migrate::migrate(run, checked));
    }
    let mut retries = retries(run);
    let deployed = loop {
        let attempt: Result<_, (Phase, Stop)> = async {
            let deployed = phase!(run, Deploy, deploy::deploy(run, checked, deployer));
            if let Some(back) = &checked.goes_back {
                phase!(run, Migrate, going_back::schema::take_back(run, &checked.manifest, back));
            }
            phase!(run, Rollout, rollout::wait_until_ready(run, &deployed));
            phase!(run, Verify, verify::check(run, &deployed));
            Ok(deployed)
        }
        .await;
        match attempt {
            Ok(deployed) => break deployed,
            // Tried again from the deployment on: what came before it is done, a migration above all.
            Err((phase, Stop::Failed(why))) if retries > 0 && phase != Migrate && run.check_leases().is_ok() => {
                retries -= 1;
                tracing::warn!(%why, retries, "phase {} failed and is tried again", phase.name());
                begin_attempt(run).await.map_err(|stop| (phase, Stop::Failed(stop.into_diagnostics())))?;
                (deployer, *in_place) = (Deployer::Another, false);
            }
            Err(stopped) => return Err(stopped),
        }
    };
    *recorded = Some(phase!(run, Record, record::record(run, checked, &deployed)));
    // Once it is recorded the release is what was asked for, whatever the user wishes now.
    notify::ended(run, Outcome::Succeeded, None).await;
    Ok(())
}

/// A step of the way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Undo {
    /// The release to its last verified revision, without waiting for it; a first install is uninstalled.
    ReleaseBack,
    /// No pod of the new image is left.
    PodsGone,
    /// The schema to the recorded revision, with the new image.
    SchemaBack,
    /// The schema to where the version that ran before has it, with that one's image.
    SchemaAhead,
    /// The old version is ready again.
    OldRollout,
}

/// The way back: each step with the phase from whose failure on it applies.
const WAY_BACK: [(Undo, Phase); 5] = [
    (Undo::ReleaseBack, Phase::Deploy),
    (Undo::PodsGone, Phase::Deploy),
    (Undo::SchemaBack, Phase::Migrate),
    (Undo::SchemaAhead, Phase::Deploy),
    (Undo::OldRollout, Phase::Migrate),
];

/// The way back of a run that deploys an older version: to the newer one, which has run before.
const WAY_TO_THE_NEWER: [(Undo, Phase); 3] =
    [(Undo::ReleaseBack, Phase::Migrate), (Undo::SchemaAhead, Phase::Migrate), (Undo::OldRollout, Phase::Migrate)];

/// How a run ended.
pub(crate) struct Ended {
    /// The outcome in the journal.
    pub outcome: Outcome,
    /// Errors and warnings.
    pub diagnostics: Diagnostics,
    /// The run.
    pub run: Run,
    /// What preflight has found, if the run came so far.
    pub checked: Option<Checked>,
    recorded: Option<Recorded>,
}

impl Ended {
    /// The release is in, and the journal does not say so yet.
    pub(crate) fn is_unrecorded(&self) -> bool {
        self.recorded == Some(Recorded::NotYet)
    }
}

/// Runs the phases, and the way back if one fails.
///
/// # Errors
/// When the run could not begin: nothing was changed.
pub(crate) async fn carry_out(prepared: Prepared) -> Result<Ended, Diagnostics> {
    let name = prepared.inputs.name.clone();
    let mut run = Box::pin(lock::begin_run(prepared)).await.map_err(|stop| not_begun(&name, stop))?;
    notify::started(&mut run).await;
    let mut reached = Reached::default();
    let (outcome, mut diagnostics) = match go_forward(&mut run, &mut reached).await {
        Ok(()) => (Outcome::Succeeded, std::mem::take(&mut run.warnings)),
        Err((phase, stop)) => Box::pin(stopped(&mut run, &reached, phase, stop)).await,
    };
    diagnostics.extend(run.give_leases_back().await);
    let Reached { checked, recorded, .. } = reached;
    Ok(Ended { outcome, diagnostics, run, checked, recorded })
}

/// What a phase comes to: its outcome, and what it hands on.
trait Passed {
    type HandedOn;

    fn parts(self) -> (Outcome, Self::HandedOn);
}

impl Passed for Outcome {
    type HandedOn = ();

    fn parts(self) -> (Outcome, ()) {
        (self, ())
    }
}

impl<T> Passed for (Outcome, T) {
    type HandedOn = T;

    fn parts(self) -> (Outcome, T) {
        self
    }
}

async fn begin(run: &mut Run, phase: Phase) -> Result<(), (Phase, Stop)> {
    if run.cancel.is_cancelled() {
        return Err((phase, Stop::Cancelled));
    }
    // Nothing is done that is not written down first; once it is deployed, only what comes of it is.
    match run.begin_phase(phase).await {
        Err(stop) if phase <= Phase::Deploy => Err((phase, stop)),
        _ => Ok(()),
    }
}

async fn end<P: Passed>(run: &mut Run, phase: Phase, result: Result<P, Stop>) -> Result<P::HandedOn, (Phase, Stop)> {
    let result = result.map(Passed::parts);
    let outcome = match &result {
        Ok((outcome, _)) => *outcome,
        Err(Stop::Cancelled | Stop::LeaseLost) => Outcome::Interrupted,
        Err(Stop::Failed(_)) => Outcome::Failed,
    };
    // The phase's own error counts more than one of writing it down.
    let written = run.end_phase(phase, outcome).await;
    let (_, handed_on) = result.map_err(|stop| (phase, stop))?;
    match written {
        // What is deployed is not taken back because of the journal: the record phase tries again.
        Err(Stop::Failed(why)) if phase >= Phase::Deploy => {
            tracing::warn!(%why, "the end of the phase {} was not written down", phase.name());
            Ok(handed_on)
        }
        Err(stop) => Err((phase, stop)),
        Ok(()) => Ok(handed_on),
    }
}

fn retries(run: &Run) -> i64 {
    let remediation = run.inputs.config.remediation.known();
    remediation.and_then(|remediation| remediation.retries.known().copied()).unwrap_or(0)
}

/// The errors of a run that could not begin: without the lock nothing was done, and nothing may be written.
fn not_begun(name: &str, stop: Stop) -> Diagnostics {
    match stop {
        Stop::Failed(errors) => errors,
        Stop::LeaseLost => lease_lost(Phase::Lock),
        Stop::Cancelled => Diagnostics::error(
            format!("The release {name} was interrupted"),
            "It was stopped while waiting for its turn. Nothing was changed.",
        ),
    }
}

/// The end of a run in a phase that did not go on.
async fn stopped(run: &mut Run, reached: &Reached, phase: Phase, stop: Stop) -> (Outcome, Diagnostics) {
    match stop {
        Stop::LeaseLost => lost(run, phase, Diagnostics::new()),
        // What fails behind a lost lease fails because of it.
        Stop::Failed(diagnostics) if run.check_leases().is_err() => lost(run, phase, diagnostics),
        Stop::Cancelled => interrupted(run, phase).await,
        // The run goes on with one that died further on. Nothing of that one is undone only because this attempt cannot go on.
        Stop::Failed(diagnostics) if phase < Phase::Migrate && has_changed_something(run) => {
            not_resumed(run, phase, diagnostics).await
        }
        Stop::Failed(diagnostics) => go_back(run, reached, phase, diagnostics).await,
    }
}

/// Whether this run, or an earlier attempt of it, has come to a phase that changes something.
fn has_changed_something(run: &Run) -> bool {
    run.record().has_begun(Phase::Migrate) || run.record().has_begun(Phase::Deploy)
}

/// The end of a run that has lost a lease: somebody else may be at work, so nothing is undone, written or told any more.
fn lost(run: &mut Run, phase: Phase, mut diagnostics: Diagnostics) -> (Outcome, Diagnostics) {
    diagnostics.extend(lease_lost(phase));
    diagnostics.extend(std::mem::take(&mut run.warnings));
    (Outcome::Interrupted, diagnostics)
}

fn lease_lost(phase: Phase) -> Diagnostics {
    let errors = Stop::LeaseLost.into_diagnostics().into_iter();
    let told = |error: Diagnostic| format!("It was in the phase {}. {}", phase.name(), error.detail);
    errors.map(|error| Diagnostic::error(error.summary.clone(), told(error))).collect()
}

async fn interrupted(run: &mut Run, phase: Phase) -> (Outcome, Diagnostics) {
    if run.check_leases().is_err() {
        return lost(run, phase, Diagnostics::new());
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

/// Writes the end of a run down, and sends the notice of it with the outcome `noticed`; warnings come last.
async fn close(
    run: &mut Run,
    outcome: Outcome,
    noticed: Outcome,
    cause: Option<(Phase, String)>,
    mut diagnostics: Diagnostics,
) -> (Outcome, Diagnostics) {
    diagnostics.extend(run.close_page(outcome).await);
    notify::ended(run, noticed, cause).await;
    diagnostics.extend(std::mem::take(&mut run.warnings));
    (outcome, diagnostics)
}

/// What a notice says of a failure: its first error.
fn cause(failed: Phase, diagnostics: &Diagnostics) -> Option<(Phase, String)> {
    let error = diagnostics.iter().find(|one| one.is_error())?;
    Some((failed, format!("{}\n{}", error.summary, error.detail)))
}

/// The end of a run that could not go on with what an earlier attempt had begun: it stays open, for the next one.
async fn not_resumed(run: &mut Run, failed: Phase, mut diagnostics: Diagnostics) -> (Outcome, Diagnostics) {
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

/// The way back, from the phase that failed on.
async fn go_back(
    run: &mut Run,
    reached: &Reached,
    failed: Phase,
    mut diagnostics: Diagnostics,
) -> (Outcome, Diagnostics) {
    run.note(|record| record.unwinding = true);
    match run.save().await {
        Ok(()) => {}
        Err(Stop::LeaseLost) => return lost(run, failed, diagnostics),
        Err(stop) => diagnostics.extend(stop.into_diagnostics()),
    }
    // What a Helm of this run that died has begun is not somebody else's, for the next run to wait for.
    // A first install is uninstalled, record and all.
    let goes_back = reached.checked.as_ref().is_some_and(|checked| checked.goes_back.is_some());
    let way: &[(Undo, Phase)] = if goes_back { &WAY_TO_THE_NEWER } else { &WAY_BACK };
    if (failed >= Phase::Deploy || goes_back)
        && (run.before.is_some() || run.inputs.leaves_failed())
        && let Err(stop) = recover_pending(run).await
    {
        diagnostics.extend(stop.into_diagnostics());
    }
    let mut broken_off = false;
    let mut release_lost = false;
    let mut release = None;
    for (undo, from) in way.iter().copied() {
        // A run that has not come through preflight has changed nothing.
        let Some(checked) = &reached.checked else { break };
        if failed < from || (undo == Undo::OldRollout && run.cancel.is_cancelled()) {
            continue;
        }
        if run.check_leases().is_err() {
            return lost(run, failed, diagnostics);
        }
        tracing::info!(release = %run.inputs.name, "way back: {undo:?}");
        if let Err(more) = Box::pin(take_back(run, undo, checked, reached.in_place, &mut release)).await {
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
    let outcome = if broken_off { Outcome::Interrupted } else { release.unwrap_or(Outcome::Failed) };
    let cause = cause(failed, &diagnostics);
    diagnostics.push(aftermath(run, reached, failed, outcome, release_lost));
    close(run, outcome, outcome, cause, diagnostics).await
}

/// One step of the way back; `release` is what it has made of the release.
async fn take_back(
    run: &mut Run,
    undo: Undo,
    checked: &Checked,
    in_place: bool,
    release: &mut Option<Outcome>,
) -> Result<(), Diagnostics> {
    let (new, migrator) = (&checked.manifest, checked.migration.as_ref().map(|migration| &migration.migrator));
    match (undo, migrator) {
        (Undo::ReleaseBack, _) => *release = release_back::roll_back_or_uninstall(run, new, in_place).await?,
        (Undo::PodsGone, Some(migrator)) => pods_gone::end_failed_version(run, migrator, new, *release).await?,
        (Undo::SchemaBack, Some(migrator)) => schema_back::undo_migrations(run, migrator, *release).await?,
        (Undo::SchemaAhead, migrator) => match (&checked.goes_back, migrator) {
            (Some(back), _) => going_back::ahead_again::migrate(run, back).await?,
            (None, Some(migrator)) => going_back::ahead_again::catch_up(run, migrator, *release).await?,
            (None, None) => {}
        },
        (Undo::OldRollout, _) => old_rollout::wait_until_ready(run, *release).await?,
        (Undo::PodsGone | Undo::SchemaBack, None) => {}
    }
    Ok(())
}

/// What is left after a failure: the user must not have to guess.
fn aftermath(run: &Run, reached: &Reached, failed: Phase, outcome: Outcome, release_lost: bool) -> Diagnostic {
    let release = format!("{}/{}", run.inputs.namespace, run.inputs.name);
    let schema = match (&run.record().schema_before, &run.record().schema_after) {
        (Some(_), Some(after)) if run.record().behind.as_ref().is_some_and(|behind| behind.at == *after) => {
            format!(" The database's schema stays at {}, where a run that was interrupted had left it.", names(after))
        }
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
        (Outcome::Uninstalled, _) if run.managed.is_some() => {
            "It has been uninstalled, as remediation.strategy says; the next apply installs it again."
        }
        (Outcome::Uninstalled, _) => {
            "It was the first install and has been uninstalled; the next apply installs it again."
        }
        _ if release_lost => {
            "The way back failed as well: what runs now may be of either version. Apply again, which goes on with it, or look \
             with helm history."
        }
        (_, Phase::Migrate) if run.record().has_begun(Phase::Deploy) => "It was left as it is.",
        (_, Phase::Lock | Phase::Preflight | Phase::Backup | Phase::Migrate) => {
            "The deployment was not started; what ran before runs on."
        }
        _ if reached.in_place => "It was not touched by this run and runs on.",
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
    let left = run.managed.is_none() && run.made.is_some() && outcome == Outcome::Failed;
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
    fn nothing_is_undone_before_something_was_done() {
        assert!(WAY_BACK.iter().all(|(_, from)| *from >= Phase::Migrate));
        // Of a run that goes back the phase migrate comes behind the deployment: both are behind the backup.
        assert!(WAY_TO_THE_NEWER.iter().all(|(_, from)| *from == Phase::Migrate && *from < Phase::Deploy));
    }
}
