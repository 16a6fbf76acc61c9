//! The schema back to the revision that was recorded before the migration, with the *new* image: only that has the
//! revisions to undo.

use tfplugin::{Diagnostic, Diagnostics, Path};

use crate::migration;
use crate::migration::inspect::Inspection;
use crate::migration::revisions;
use crate::migration::task::{Part, Task, TaskOutcome, is_alembic};
use crate::model::Migration;
use crate::pipeline::{Phase, is_left};
use crate::run::{Run, Stop};

/// Undoes what this run has migrated.
///
/// # Errors
/// When it cannot be undone: with the command that restores the backup. A restore is never automatic.
pub(crate) async fn go(run: &mut Run) -> Result<(), Diagnostics> {
    let Some(settings) = run.inputs.config.migration.known().cloned() else { return Ok(()) };
    let Some(before) = run.record().schema_before.clone() else { return Ok(()) };
    if run.record().schema_after.as_ref() == Some(&before) {
        return Ok(());
    }
    let Some(manifest) = &run.manifest else { return Ok(()) };
    let image = migration::image(&settings, manifest, &run.inputs.namespace)?;
    let now = stands_at(run, &settings, &image).await?;
    if now == before {
        run.journal.settle_schema(&before);
        return Ok(());
    }
    run.note(|record| record.schema_after = Some(now.clone()));
    if let Some(why) = kept(run, &settings) {
        run.note(|record| record.kept = true);
        run.warnings.push(Diagnostic::warning(
            "The schema was left as it is",
            format!("{why}: the database stays at {}.", now.join(", ")),
        ));
        return Ok(());
    }
    // A first migration is never undone: that would drop every table. The aftermath says where the schema stands.
    if before.is_empty() {
        return Ok(());
    }
    let target = target(run, &settings, &before, &now).map_err(|why| stays(run, &now, &why))?;
    if Task::downgrade(&settings, &target).is_none() {
        return Err(stays(run, &now, "The engine has no downgrade_command."));
    }
    downgrade(run, &settings, &image, &target).await.map_err(Stop::into_diagnostics)?;
    tracing::info!(from = ?now, to = ?before, "the schema is back");
    run.journal.settle_schema(&before);
    Ok(())
}

/// Why the schema stays, if it is to: the user has said so, or the new version has been deployed and stays too.
fn kept(run: &Run, settings: &Migration) -> Option<&'static str> {
    if settings.on_failure.as_str() == Some("keep") {
        return Some("migration.on_failure is keep");
    }
    let deployed = run.record().phases.iter().any(|page| page.name == Phase::Deploy.name());
    (deployed && is_left(run)).then_some("remediation.strategy is none, and the new version stays with its schema")
}

/// Where the database stands now: a migration that failed may have come half of the way.
async fn stands_at(run: &mut Run, settings: &Migration, image: &str) -> Result<Vec<String>, Diagnostics> {
    if let Some(after) = &run.record().schema_after {
        return Ok(after.clone());
    }
    let Some(task) = Task::inspect("look", settings) else { return Ok(Vec::new()) };
    let outcome = carry_out(run, settings, image, &task).await?;
    let found = if is_alembic(settings) {
        Inspection::parse(outcome.log(Part::Inspect)).map(|found| found.current)
    } else {
        Some(migration::lines(outcome.log(Part::Current)))
    };
    found.filter(|_| outcome.succeeded).ok_or_else(|| {
        outcome.failure("Where the schema stands is not known", "It could not be asked after the failure", image).into()
    })
}

/// Whether the way back of the schema is open as far as the journal says: if not, pods need not make room for it.
pub(crate) fn is_open(run: &Run) -> bool {
    let record = run.record();
    let (Some(settings), Some(before), Some(after)) =
        (run.inputs.config.migration.known(), &record.schema_before, &record.schema_after)
    else {
        return false;
    };
    before != after
        && !before.is_empty()
        && kept(run, settings).is_none()
        && Task::downgrade(settings, "").is_some()
        && target(run, settings, before, after).is_ok()
}

/// The revision to go back to, if the way is open; else why not.
fn target(run: &Run, settings: &Migration, before: &[String], now: &[String]) -> Result<String, String> {
    let [target] = before else {
        return Err("Before this run it had several heads, and only a backup brings exactly those back.".to_owned());
    };
    // Revisions that have run: all of them, or those up to where the failed migration came.
    let pending = &run.record().pending;
    let reached = pending.iter().rposition(|one| now.contains(&one.revision)).map_or(0, |position| position + 1);
    let ran = if is_alembic(settings) { &pending[..reached] } else { &[] };
    match ran.iter().find_map(|one| Some((one, one.obstacle()?))) {
        Some((one, obstacle)) => Err(format!("Revision {} {obstacle}.", one.revision)),
        None => Ok(target.clone()),
    }
}

fn stays(run: &Run, now: &[String], why: &str) -> Diagnostics {
    Diagnostic::error(
        "The schema cannot be taken back",
        format!("The database stays at {}. {why}\n\n{}", now.join(", "), run.restore_advice()),
    )
    .at(Path::attribute("migration"))
    .into()
}

async fn carry_out(run: &mut Run, settings: &Migration, image: &str, task: &Task) -> Result<TaskOutcome, Diagnostics> {
    by_job(run, settings, image, task).await.map_err(Stop::into_diagnostics)
}

async fn by_job(run: &mut Run, settings: &Migration, image: &str, task: &Task) -> Result<TaskOutcome, Stop> {
    let job = task.job_name(&run.record().id);
    let outcome = run.carry_out(task, settings, image).await?;
    run.end_job(&job).await?;
    Ok(outcome)
}

/// Takes the schema back to one revision, with the image that knows the way.
///
/// # Errors
/// When the downgrade fails, or does not lead there.
pub(crate) async fn downgrade(run: &mut Run, settings: &Migration, image: &str, target: &str) -> Result<(), Stop> {
    let Some(task) = Task::downgrade(settings, target) else {
        return Err(Stop::failed(Diagnostic::error(
            "The schema cannot be taken back",
            "The engine has no downgrade_command.",
        )));
    };
    let outcome = by_job(run, settings, image, &task).await?;
    let current = outcome.log(Part::Current);
    let reached = if is_alembic(settings) { revisions::parse(current) } else { migration::lines(current) };
    if outcome.succeeded && reached == [target] {
        return Ok(());
    }
    let mut error = outcome.failure("The schema could not be taken back", "The downgrade failed", image);
    error.detail.push_str(&format!("\n\n{}", run.restore_advice()));
    Err(Stop::failed(error))
}
