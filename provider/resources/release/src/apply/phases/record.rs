//! The journal says that the release is what the configuration says; old revisions are pruned.

use std::time::Duration;

use ffe_cluster::{Digests, Mark, MarkState};
use ffe_session::diagnostic;
use serde_json::Map;
use tfplugin::{Diagnostic, Diagnostics};
use tokio::time::Instant;

use crate::apply::jobs;
use crate::apply::phases::deploy::Deployed;
use crate::apply::phases::preflight::Checked;
use crate::apply::run::{Run, now};
use crate::apply::stop::Stop;
use crate::apply::taken_over;
use crate::journal::{Format, Journal, Outcome, Written, keyed};
use crate::settings::write_only::{SET_WO, write_only};

/// How long the journal is tried to be written, and how often: the release is in, so there is time.
const PATIENCE: Duration = Duration::from_secs(60);
const BETWEEN: Duration = Duration::from_secs(5);

/// Whether the journal says how the run has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// It does.
    Yes,
    /// It could not be written: the release is in, and the next apply writes that down.
    NotYet,
}

/// Writes the end of the run. A release that is ready and checked is never taken back because that could not be written
/// down: a warning says so, and the next apply does it.
///
/// # Errors
/// When the user stops it.
pub(crate) async fn record(run: &mut Run, checked: &Checked, deployed: &Deployed) -> Result<(Outcome, Recorded), Stop> {
    let begun = Instant::now();
    loop {
        let before = run.journal.clone();
        let why = match write(run, checked, deployed).await {
            Ok(()) => {
                prune(run).await;
                if !run.journal.content.taken_over.is_empty() {
                    taken_over::forget(run).await;
                }
                return Ok((Outcome::Succeeded, Recorded::Yes));
            }
            Err(Stop::Cancelled) => {
                run.journal.take_back_to(&before);
                return Err(Stop::Cancelled);
            }
            // What is deployed is well; only nothing may be written any more.
            Err(Stop::LeaseLost) => {
                leave_open(run, &before, &Stop::LeaseLost.into_diagnostics());
                return Ok((Outcome::Interrupted, Recorded::NotYet));
            }
            Err(Stop::Failed(why)) => why,
        };
        if begun.elapsed() >= PATIENCE {
            leave_open(run, &before, &why);
            return Ok((Outcome::Interrupted, Recorded::NotYet));
        }
        tracing::warn!(%why, "the end of the run cannot be written down; trying again");
        run.journal.take_back_to(&before);
        tokio::select! {
            () = run.cancel.cancelled() => return Err(Stop::Cancelled),
            () = tokio::time::sleep(BETWEEN) => {}
        }
    }
}

async fn write(run: &mut Run, checked: &Checked, deployed: &Deployed) -> Result<(), Stop> {
    // A run that died after it had written down what a Job had come to left the Job to this one.
    for job in run.record().jobs.clone() {
        jobs::remove(run, &job).await?;
        jobs::strike_off(run, &job);
    }
    let nothing = Map::new();
    let values = run.made.as_ref().map_or(&nothing, |made| &made.revision.release.config);
    run.journal.content.written = Some(Written::of(&run.inputs.config, values));
    run.journal.content.format = Format::current();
    let mut digests = run.cluster.digests(&run.inputs.namespace, &run.journal.mark).await.map_err(unkept)?;
    run.journal.content.applied.chart_digest.clone_from(&run.chart.digest);
    run.journal.content.applied.manifest_digest = keyed(&digests, &deployed.manifest);
    // What this run has changed: as the plan has said, else as preflight has found.
    let found = || checked.changes.iter().map(|change| (change.action.clone(), change.object.clone())).collect();
    run.journal.content.applied.changes = run.planned.changes.clone().unwrap_or_else(found);
    run.journal.mark = Mark { state: MarkState::Complete, ..run.journal.mark.clone() };
    run.note(|record| {
        record.outcome = Outcome::Succeeded;
        record.finished = Some(now());
        record.verified = true;
        if let Some(page) = record.phases.last_mut() {
            page.outcome = Outcome::Succeeded;
        }
    });
    run.journal.content.applied.set_wo_revision = record_write_only(run, &mut digests).await?;
    run.save().await
}

fn unkept(error: ffe_cluster::Error) -> Stop {
    Stop::cluster(&error, "The digests of the release cannot be kept")
}

/// What the state says of a run that is not written down: what was applied is what is there, and the run has no end yet.
fn leave_open(run: &mut Run, before: &Journal, why: &Diagnostics) {
    run.journal.mark = before.mark.clone();
    run.note(|record| {
        record.outcome = Outcome::Interrupted;
        record.finished = None;
        record.verified = false;
    });
    let causes: Vec<String> = why.iter().map(|one| format!("{}: {}", one.summary, one.detail)).collect();
    run.warnings.push(Diagnostic::warning(
        format!(
            "The release {}/{} was deployed, but the journal could not be updated",
            run.inputs.namespace, run.inputs.name
        ),
        format!(
            "It is ready and its checks have passed, so nothing was undone. The end of the run could not be written into the \
             Secret ffe-journal.{} for {}. The next apply does that; it repeats no migration.\n\n{}",
            run.inputs.name,
            ffe_cluster::format_duration(PATIENCE),
            causes.join("\n")
        ),
    ));
}

async fn record_write_only(run: &Run, digests: &mut Digests) -> Result<Option<String>, Stop> {
    let values = write_only(&run.inputs.config);
    if values.is_empty() {
        // What is not set any more counts as changed when it is set again.
        if run.journal.content.applied.set_wo_revision.is_some() {
            digests.forget(&run.cluster, SET_WO).await.map_err(unkept)?;
        }
        return Ok(None);
    }
    digests.record(&run.cluster, SET_WO, &values).await.map(Some).map_err(unkept)
}

/// Removes Helm's oldest records beyond `max_history`, never the newest and never the one to go back to.
/// An error is a warning: the release is fine.
async fn prune(run: &mut Run) {
    let keep = usize::try_from(run.inputs.config.max_history.unwrap_or(10)).unwrap_or(0);
    if keep == 0 {
        return;
    }
    let verified = run.journal.last_verified();
    let history = match run.kit.records.history_now(&run.inputs.namespace, &run.inputs.name).await {
        Ok(history) => history,
        Err(error) => {
            run.warnings.push(Diagnostic::warning("Old revisions were not pruned", error.to_string()));
            return;
        }
    };
    let surplus = history.len().saturating_sub(keep);
    for key in history.iter().take(surplus).filter(|key| Some(key.revision) != verified) {
        if let Err(error) = run.kit.records.delete(key).await {
            run.warnings
                .push(Diagnostic::warning(format!("Revision {} was not pruned", key.revision), error.to_string()));
        }
    }
}

/// Forgets the digests.
///
/// # Errors
/// When the cluster refuses.
pub(crate) async fn forget_write_only(
    cluster: &ffe_cluster::Cluster,
    namespace: &str,
    release: &str,
) -> Result<(), Diagnostic> {
    cluster
        .delete_digests(namespace, &crate::journal::owner(namespace, release))
        .await
        .map_err(|error| diagnostic(&error, "The digests of write-only values cannot be removed"))
}
