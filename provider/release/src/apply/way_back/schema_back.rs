//! The schema back to where the last good release had left it, with the *new* image: only that has the revisions to undo.
//!
//! It moves only when no Job of the run can commit any more, the leases are held, and both the base and where the database stands
//! are known.

use tfplugin::{Diagnostic, Diagnostics, Path};

use crate::apply::migration;
use crate::apply::migration::inspection::Inspection;
use crate::apply::migration::names;
use crate::apply::migration::task::{Task, TaskOutcome, Terms, end_with_pods};
use crate::apply::run::{Run, Stop};
use crate::apply::way_back::open_way::OpenWay;
use crate::journal::Phase;
use crate::settings::model::Migration;

/// Undoes what has been migrated since the last good release.
///
/// # Errors
/// When it cannot be undone: with the command that restores the backup. A restore is never automatic.
pub(crate) async fn go(run: &mut Run) -> Result<(), Diagnostics> {
    let Some(settings) = run.inputs.config.migration.known().cloned() else { return Ok(()) };
    let Some(before) = run.record().schema_before.clone() else { return Ok(()) };
    if run.record().schema_after.as_ref() == Some(&before) {
        return Ok(());
    }
    let Some(image) = image(run, &settings)? else { return Ok(()) };
    let found = stands_at(run, &settings, &image).await?;
    let now = found.current.clone();
    if now == before {
        run.journal.settle_schema(&before);
        return Ok(());
    }
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
    let way = match OpenWay::find(&settings, run.record(), &found) {
        Ok(way) => way,
        Err(why) => {
            run.note(|record| record.one_way = true);
            return Err(stays(run, &now, &why));
        }
    };
    downgrade(run, &settings, &image, &way).await.map_err(Stop::into_diagnostics)?;
    tracing::info!(from = ?now, to = ?before, "the schema is back");
    run.journal.settle_schema(&before);
    Ok(())
}

/// The image that has the revisions to undo.
fn image(run: &Run, settings: &Migration) -> Result<Option<String>, Diagnostics> {
    if let Some(image) = &run.record().image {
        return Ok(Some(image.clone()));
    }
    let Some(manifest) = &run.manifest else { return Ok(None) };
    Ok(Some(migration::image(settings, manifest, &run.inputs.namespace)?))
}

/// Why the schema stays, if it is to: the user has said so, or the new version has been deployed and stays too.
fn kept(run: &Run, settings: &Migration) -> Option<&'static str> {
    if settings.on_failure.as_str() == Some("keep") {
        return Some("migration.on_failure is keep");
    }
    let deployed = run.record().phases.iter().any(|page| page.name == Phase::Deploy.name());
    (deployed && run.inputs.leaves_failed())
        .then_some("remediation.strategy is none, and the new version stays with its schema")
}

/// Where the database stands and what has run since the base. A migration that failed may have come half of the way, so it is
/// asked; before that its Job is ended, pods and all, lest it commits behind the answer.
async fn stands_at(run: &mut Run, settings: &Migration, image: &str) -> Result<Inspection, Diagnostics> {
    if let (Some(current), Some(ran)) = (&run.record().schema_after, &run.record().ran) {
        return Ok(Inspection { current: current.clone(), ran: ran.clone(), ..Inspection::default() });
    }
    let unknown = |why: Diagnostics| -> Diagnostics {
        why.into_iter()
            .map(|one| {
                let text = format!("{}\n\nIt was not moved: what is not known is not undone.", one.detail);
                Diagnostic { detail: text, ..one }
            })
            .collect()
    };
    end_movers(run).await.map_err(|stop| unknown(stop.into_diagnostics()))?;
    look(run, settings, image).await.map_err(|stop| unknown(stop.into_diagnostics()))
}

/// Ends the run's Jobs that move the schema, and waits until their pods have ended.
async fn end_movers(run: &mut Run) -> Result<(), Stop> {
    let moves = |job: &&String| job.starts_with("ffe-migrate-") || job.starts_with("ffe-downgrade-");
    let left: Vec<String> = run.record().jobs.iter().filter(moves).cloned().collect();
    for job in left {
        end_with_pods(run, &job).await?;
        run.note(|record| record.jobs.retain(|known| *known != job));
    }
    Ok(())
}

/// Asks the database by a Job where it stands and what has run since the run's base, and writes it down.
///
/// # Errors
/// When it is not known, with the reason.
pub(crate) async fn look(run: &mut Run, settings: &Migration, image: &str) -> Result<Inspection, Stop> {
    let base = run.record().schema_before.clone();
    let found = look_from(run, settings, image, base.as_deref()).await?;
    run.note_standing(&found);
    Ok(found)
}

/// Asks the database by a Job where it stands and what has run since a base.
///
/// # Errors
/// When it is not known, with the reason.
pub(crate) async fn look_from(
    run: &mut Run,
    settings: &Migration,
    image: &str,
    base: Option<&[String]>,
) -> Result<Inspection, Stop> {
    let id = run.record().id.clone();
    let Some(task) = Task::look(Terms { run_id: &id, settings, base, without_options: run.without_options }) else {
        return Err(Stop::failed(Diagnostic::error(
            "Where the schema stands is not known",
            "The engine has no current_command.",
        )));
    };
    let outcome = by_job(run, settings, image, &task).await?;
    match outcome.standing.clone().known() {
        Ok(found) if outcome.succeeded => Ok(found),
        Ok(_) => Err(not_known(&outcome, image, "The Job that was to tell failed")),
        Err(why) => Err(not_known(&outcome, image, &format!("The Job that was to tell did not: {why}"))),
    }
}

fn not_known(outcome: &TaskOutcome, image: &str, why: &str) -> Stop {
    Stop::failed(outcome.failure("Where the schema stands is not known", why, image))
}

/// Whether the schema goes back as far as can be told before the pods have made room for it: if not, they need not.
pub(crate) async fn is_open(run: &mut Run) -> bool {
    let Some(settings) = run.inputs.config.migration.known().cloned() else { return false };
    let (before, after) = (run.record().schema_before.clone(), run.record().schema_after.clone());
    if before.is_none() || before == after || kept(run, &settings).is_some() {
        return false;
    }
    let Ok(Some(image)) = image(run, &settings) else { return false };
    // What goes wrong here is told by the step that moves the schema.
    let Ok(found) = stands_at(run, &settings, &image).await else { return false };
    before != Some(found.current.clone()) && OpenWay::find(&settings, run.record(), &found).is_ok()
}

fn stays(run: &Run, now: &[String], why: &str) -> Diagnostics {
    Diagnostic::error(
        "The schema cannot be taken back",
        format!("The database stays at {}. {why}\n\n{}", now.join(", "), run.restore_advice()),
    )
    .at(Path::attribute("migration"))
    .into()
}

async fn by_job(run: &mut Run, settings: &Migration, image: &str, task: &Task) -> Result<TaskOutcome, Stop> {
    let job = task.job_name(&run.record().id);
    let outcome = run.carry_out(task, settings, image).await?;
    run.end_job(&job).await?;
    Ok(outcome)
}

/// Takes the schema back on an open way, with the image that knows it.
///
/// # Errors
/// When the downgrade fails, or does not lead there.
pub(crate) async fn downgrade(run: &mut Run, settings: &Migration, image: &str, way: &OpenWay) -> Result<(), Stop> {
    let id = run.record().id.clone();
    let terms = Terms { run_id: &id, settings, base: Some(way.base()), without_options: run.without_options };
    let Some(task) = Task::downgrade(terms, way.base()) else {
        return Err(Stop::failed(Diagnostic::error(
            "The schema cannot be taken back",
            "The engine has no downgrade_command.",
        )));
    };
    let outcome = by_job(run, settings, image, &task).await?;
    let mut wanted = way.base().to_vec();
    wanted.sort();
    let why = match outcome.standing.clone().known() {
        Ok(found) if outcome.succeeded && found.current == wanted => return Ok(()),
        Ok(found) if outcome.succeeded => format!("The database is at {} after it", names(&found.current)),
        Err(why) if outcome.succeeded => {
            format!("The downgrade ended, and where the database stands now is not known: {why}")
        }
        _ => "The downgrade failed".to_owned(),
    };
    let mut error = outcome.failure("The schema could not be taken back", &why, image);
    error.detail.push_str(&format!("\n\n{}", run.restore_advice()));
    Err(Stop::failed(error))
}
