//! The schema back to where the last good release had left it, with the *new* image: only that has the revisions to undo.
//!
//! It moves only when no Job of the run can commit any more, the leases are held, and both the base and where the database stands
//! are known.

use tfplugin::{Diagnostic, Diagnostics, Path};

use crate::apply::jobs;
use crate::apply::migration::inspection::Inspection;
use crate::apply::migration::migrator::Migrator;
use crate::apply::migration::names;
use crate::apply::migration::task::{Task, is_alembic};
use crate::apply::run::Run;
use crate::apply::stop::Stop;
use crate::apply::way_back::open_way::OpenWay;
use crate::journal::{Outcome, Phase, RunRecord};
use crate::settings::model::Migration;

/// Undoes what has been migrated since the last good release; `release` is what the way back has made of the release.
///
/// # Errors
/// When it cannot be undone: with the command that restores the backup. A restore is never automatic.
pub(crate) async fn undo_migrations(
    run: &mut Run,
    migrator: &Migrator,
    release: Option<Outcome>,
) -> Result<(), Diagnostics> {
    let Some(before) = leads_to(run.record(), release).cloned() else { return Ok(()) };
    if run.record().schema_after.as_ref() == Some(&before) {
        run.journal.settle_schema(&before);
        return Ok(());
    }
    let (before, found) = way_there(run, migrator, before).await?;
    let now = found.current.clone();
    if now == before {
        run.journal.settle_schema(&before);
        return Ok(());
    }
    // After a run that died while it went back, the version that comes back may be the one that this run has migrated for.
    if suits_the_release(run, release, &now) {
        return Ok(());
    }
    if let Some(why) = kept_by_choice(run, &migrator.settings) {
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
    let way = match OpenWay::to(&migrator.settings, before.clone(), run.record().apart, &found) {
        Ok(way) => way,
        Err(why) => {
            run.note(|record| record.one_way = true);
            return Err(stays(run, &now, &why));
        }
    };
    downgrade(run, migrator, &way).await.map_err(Stop::into_diagnostics)?;
    tracing::info!(from = ?now, to = ?before, "the schema is back");
    run.note(|record| record.schema_after = Some(before.clone()));
    run.journal.settle_schema(&before);
    Ok(())
}

/// Where the way back leads. A run that has found the schema behind, as one that died while it went back has left it, and leaves the
/// release as that one has, leaves the schema so too.
fn leads_to(record: &RunRecord, release: Option<Outcome>) -> Option<&Vec<String>> {
    match &record.behind {
        Some(behind) if release.is_none() => Some(&behind.at),
        _ => record.schema_before.as_ref(),
    }
}

/// Where the database stands, and what has run since where the way back leads. Where the image does not know the way from there, it
/// leads to where this run has found the schema; from there the image that had passed brings it on (`ahead_again`).
async fn way_there(
    run: &mut Run,
    migrator: &Migrator,
    before: Vec<String>,
) -> Result<(Vec<String>, Inspection), Diagnostics> {
    let found = standing(run, migrator).await?;
    let Some(behind) = run.record().behind.clone() else { return Ok((before, found)) };
    let knows = is_alembic(&migrator.settings) && found.astray.is_empty();
    if found.current == before || (knows && run.record().schema_before.as_ref() == Some(&before)) {
        return Ok((before, found));
    }
    let since = migrator.look_from(run, Some(&behind.at)).await.map_err(Stop::into_diagnostics)?;
    Ok((behind.at, since))
}

/// Whether the version that has come back ran on the schema as it is.
fn suits_the_release(run: &Run, release: Option<Outcome>, now: &[String]) -> bool {
    let verified = run.journal.content.runs.iter().rev().find(|run| run.verified);
    release == Some(Outcome::RolledBack) && verified.is_some_and(|run| run.schema_after.as_deref() == Some(now))
}

/// Why the schema stays, if it is to: the user has said so, or the new version has been deployed and stays too.
pub(crate) fn kept_by_choice(run: &Run, settings: &Migration) -> Option<&'static str> {
    if settings.on_failure.as_str() == Some("keep") {
        return Some("migration.on_failure is keep");
    }
    (run.record().has_begun(Phase::Deploy) && run.inputs.leaves_failed())
        .then_some("remediation.strategy is none, and the new version stays with its schema")
}

/// Where the database stands and what has run since the base. A migration that failed may have come half of the way, so the database
/// is asked; before that the migration's Job is ended, pods and all: it could commit behind the answer.
async fn standing(run: &mut Run, migrator: &Migrator) -> Result<Inspection, Diagnostics> {
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
    end_migrations(run).await.map_err(|stop| unknown(stop.into_diagnostics()))?;
    migrator.look(run).await.map_err(|stop| unknown(stop.into_diagnostics()))
}

/// Ends the run's Jobs that move the schema, and waits until their pods have ended.
pub(crate) async fn end_migrations(run: &mut Run) -> Result<(), Stop> {
    let moves = |job: &&String| job.starts_with("ffe-migrate-") || job.starts_with("ffe-downgrade-");
    let left: Vec<String> = run.record().jobs.iter().filter(moves).cloned().collect();
    for job in left {
        jobs::remove_with_pods(run, &job).await?;
        jobs::strike_off(run, &job);
    }
    Ok(())
}

/// Whether the schema goes back as far as can be told before the pods have made room for it: if not, they need not.
pub(crate) async fn can_go_back(run: &mut Run, migrator: &Migrator, release: Option<Outcome>) -> bool {
    let Some(before) = leads_to(run.record(), release).cloned() else { return false };
    if run.record().schema_after.as_ref() == Some(&before) || kept_by_choice(run, &migrator.settings).is_some() {
        return false;
    }
    // What goes wrong here is told by the step that moves the schema.
    let Ok((to, found)) = way_there(run, migrator, before.clone()).await else { return false };
    if found.current == before || suits_the_release(run, release, &found.current) {
        return false;
    }
    // It is where this run has found it, and the version that comes back has it further on.
    found.current == to || OpenWay::to(&migrator.settings, to, run.record().apart, &found).is_ok()
}

fn stays(run: &Run, now: &[String], why: &str) -> Diagnostics {
    Diagnostic::error(
        "The schema cannot be taken back",
        format!("The database stays at {}. {why}\n\n{}", now.join(", "), restore_advice(run)),
    )
    .at(Path::attribute("migration"))
    .into()
}

/// Takes the schema back on an open way, with the image that knows it.
///
/// # Errors
/// When the downgrade fails, or does not lead there.
pub(crate) async fn downgrade(run: &mut Run, migrator: &Migrator, way: &OpenWay) -> Result<(), Stop> {
    let id = run.record().id.clone();
    let Some(task) = Task::downgrade(migrator.terms(&id, Some(way.base())), way.base()) else {
        return Err(Stop::failed(Diagnostic::error(
            "The schema cannot be taken back",
            "The engine has no downgrade_command.",
        )));
    };
    let outcome = migrator.carry_out_and_finish(run, &task).await?;
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
    let mut error = outcome.failure("The schema could not be taken back", &why, &migrator.image);
    error.detail.push_str(&format!("\n\n{}", restore_advice(run)));
    Err(Stop::failed(error))
}

/// How a human gets the data back that a way back cannot restore.
pub(crate) fn restore_advice(run: &Run) -> String {
    match &run.record().restore {
        Some(command) => format!(
            "A backup was taken before the migration. Restoring it loses what was written since, so it is never done \
             automatically:\n\n{command}"
        ),
        None => "No backup was taken by this run; restore the one you have, or repair the schema by hand.".to_owned(),
    }
}
