//! A part of preflight: where the database stands, what will run, and whether that can be undone.

use std::time::Duration;

use ffe_cluster::k8s_openapi::api::batch::v1::Job;
use ffe_cluster::{Kind, ObjectRef};
use tfplugin::{Diagnostic, Path};

use crate::journal::RunRecord;
use crate::migration::inspect::{Inspection, Pending};
use crate::migration::task::{Part, Task, TaskOutcome, is_alembic, remove_job};
use crate::model::Migration;
use crate::run::{Run, Stop};
use crate::way_back::unfinished;

/// How often a database that cannot be reached is asked.
const ATTEMPTS: u32 = 3;
const BETWEEN: Duration = Duration::from_secs(5);

/// Asks the database, through a Job with the new image, and writes the answer into the journal.
///
/// # Errors
/// When the database cannot be reached, or stands at a revision that the image does not have.
pub(crate) async fn go(run: &mut Run, settings: &Migration, image: &str) -> Result<(), Stop> {
    finish_older(run).await?;
    let Some(outcome) = ask(run, settings, image).await? else { return Ok(()) };
    if !is_alembic(settings) {
        let current = crate::migration::lines(outcome.log(Part::Current));
        run.stands_at = Some(current.clone());
        run.note(|record| record.schema_before = record.schema_before.take().or(Some(current)));
        return run.save().await;
    }
    let mut found = read(&outcome, image)?;
    // What a run before this one has left ahead, of what is wanted now, is taken back first.
    while !found.unknown.is_empty() && unfinished::go(run, settings, &found.unknown).await? {
        let Some(outcome) = ask(run, settings, image).await? else { return Ok(()) };
        found = read(&outcome, image)?;
    }
    if !found.unknown.is_empty() {
        return Err(Stop::failed(
            Diagnostic::error(
                format!("The database is at a revision that the image {image} does not have"),
                format!(
                    "It is at {}; the image's newest is {}. A newer version of the application has migrated it, or another \
                     branch. Deploy an image that has this revision, or undo it with the image that does.",
                    found.unknown.join(", "),
                    found.heads.join(", ")
                ),
            )
            .at(Path::attribute("migration")),
        ));
    }
    run.nothing_pending = found.pending.is_empty();
    warn_of_one_way_streets(run, settings, &found);
    run.stands_at = Some(found.current.clone());
    run.journal.settle_schema_of_earlier(&found.current);
    let inherited = run.journal.left_behind().and_then(|left| inherited(left, &found.current));
    // A run that goes on keeps what it found at first: that is where the way back leads.
    run.note(|record| {
        record.image = Some(image.to_owned());
        if record.schema_before.is_none() {
            let (before, ran) = inherited.unwrap_or((found.current, Vec::new()));
            record.schema_before = Some(before);
            record.pending = ran.into_iter().chain(found.pending).collect();
        }
    });
    run.save().await
}

/// Asks the database, through a Job. `None`: the engine has no way to tell.
async fn ask(run: &mut Run, settings: &Migration, image: &str) -> Result<Option<TaskOutcome>, Stop> {
    let Some(task) = Task::inspect("inspect", settings) else { return Ok(None) };
    let job = task.job_name(&run.record().id);
    for left in (0..ATTEMPTS).rev() {
        let outcome = run.carry_out(&task, settings, image).await?;
        run.end_job(&job).await?;
        if outcome.succeeded {
            return Ok(Some(outcome));
        }
        let log = outcome.log(task.parts[0].0);
        if left == 0 || !is_away(log) {
            return Err(unclear(&outcome, image));
        }
        tracing::warn!(log = ?log.last(), "the database cannot be reached and is asked again");
        tokio::select! {
            () = run.cancel.cancelled() => return Err(Stop::Cancelled),
            () = tokio::time::sleep(BETWEEN) => {}
        }
    }
    Ok(None)
}

/// Whether the database could not be reached for a reason that may be gone in a moment. Asking changes nothing, so it may
/// be done again.
fn is_away(log: &[String]) -> bool {
    const REASONS: [&str; 4] = [
        "Temporary failure in name resolution",
        "could not translate host name",
        "Connection refused",
        "the database system is starting up",
    ];
    log.iter().any(|line| REASONS.iter().any(|reason| line.contains(reason)))
}

fn read(outcome: &TaskOutcome, image: &str) -> Result<Inspection, Stop> {
    Inspection::parse(outcome.log(Part::Inspect)).ok_or_else(|| unclear(outcome, image))
}

fn unclear(outcome: &TaskOutcome, image: &str) -> Stop {
    let what = "Nothing was changed; where the database's schema stands could not be found out";
    let mut error = outcome.failure("The database cannot be migrated", what, image);
    error.detail.push_str(
        "\n\nWhat to do: See that the database runs and lets the user in that migration.database_secret names, and that the \
         image has its migrations where migration.config says; then apply again.",
    );
    Stop::failed(error)
}

/// Where a run that failed or died has left the schema ahead of the last good release: the revisions that one ran on,
/// and what has run since. The way back of this run leads there, not half-way.
fn inherited(left: &RunRecord, current: &[String]) -> Option<(Vec<String>, Vec<Pending>)> {
    let before = left.schema_before.clone().filter(|before| before != current)?;
    let reached = left.pending.iter().rposition(|one| current.contains(&one.revision))?;
    Some((before, left.pending[..=reached].to_vec()))
}

fn warn_of_one_way_streets(run: &mut Run, settings: &Migration, found: &Inspection) {
    if settings.on_failure.as_str() == Some("keep") {
        return;
    }
    for (pending, obstacle) in found.pending.iter().filter_map(|one| Some((one, one.obstacle()?))) {
        run.warnings.push(
            Diagnostic::warning(
                format!("Revision {} cannot be undone", pending.revision),
                format!(
                    "It {obstacle}. If the release fails after this migration, the schema stays where it is and only a \
                     backup brings it back."
                ),
            )
            .at(Path::attribute("migration")),
        );
    }
}

/// Jobs of earlier runs that died: they are waited for and removed, so that there are never two at a time.
async fn finish_older(run: &mut Run) -> Result<(), Stop> {
    let id = run.record().id.clone();
    let older: Vec<String> = run
        .journal
        .content
        .runs
        .iter()
        .filter(|record| record.id != id)
        .flat_map(|record| record.jobs.iter().cloned())
        .collect();
    for job in &older {
        let found = run.cluster.find::<Job>(Some(&run.inputs.namespace), job).await;
        let found = found.map_err(|error| Stop::cluster(&error, "The Job of an earlier run cannot be looked at"))?;
        if found.is_none() {
            continue;
        }
        tracing::info!(%job, "waiting for the Job of an earlier run");
        let object = ObjectRef::of::<Job>(Some(&run.inputs.namespace), job);
        match run.cluster.wait_rollout(&object, &run.wait(run.inputs.timeout)).await {
            Err(error) if error.kind() == Kind::Cancelled => return Err(Stop::Cancelled),
            Err(error) if error.kind() == Kind::Timeout => {
                return Err(Stop::cluster(&error, "The Job of an earlier run is still going on"));
            }
            // It failed: this run finds out itself where the database stands.
            _ => {}
        }
        remove_job(run, job).await?;
    }
    for record in run.journal.content.runs.iter_mut().filter(|record| record.id != id) {
        record.jobs.clear();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(before: &str, pending: &[&str]) -> RunRecord {
        let pending = pending.iter().map(|name| Pending { revision: (*name).to_owned(), ..Pending::default() });
        RunRecord { schema_before: Some(vec![before.to_owned()]), pending: pending.collect(), ..RunRecord::default() }
    }

    fn from(left: &RunRecord, current: &str) -> Option<(Vec<String>, Vec<String>)> {
        let (before, ran) = inherited(left, &[current.to_owned()])?;
        Some((before, ran.into_iter().map(|one| one.revision).collect()))
    }

    #[test]
    fn a_database_that_is_away_for_a_moment_is_asked_again() {
        let log = |text: &str| is_away(&["INFO  context".to_owned(), text.to_owned()]);
        assert!(log("FAILED: the database cannot be reached: could not translate host name \"db\" to address"));
        assert!(log("connection to server at \"10.0.0.1\", port 5432 failed: Connection refused"));
        assert!(!log("FAILED: password authentication failed for user \"ffe\""));
        assert!(!log("FAILED: No module named 'app'"));
    }

    #[test]
    fn the_way_back_leads_to_where_the_last_good_release_was() {
        let left = run("0003", &["0004", "0005", "0006"]);
        assert_eq!(from(&left, "0005"), Some((vec!["0003".into()], vec!["0004".into(), "0005".into()])));
        assert_eq!(from(&left, "0003"), None, "it has taken back what it did");
        assert_eq!(from(&left, "0009"), None, "somebody else has moved the schema");
        assert_eq!(from(&RunRecord::default(), "0003"), None);
    }
}
