//! The database's schema, migrated by a Job in the cluster with the image that is being deployed.
//!
//! The Job's name comes from the run's id and is in the journal before the Job is made, so that a run that
//! goes on after a death attaches to the Job instead of migrating twice.

use tfplugin::{Diagnostic, Path};

use crate::journal::Outcome;
use crate::migration::task::{Part, Task, is_alembic};
use crate::migration::{self, revisions};
use crate::model::Migration;
use crate::run::{Run, Stop};

/// Migrates, unless there is nothing to migrate or this run has migrated already.
///
/// # Errors
/// When the migration fails: with the last lines of its log.
pub(crate) async fn go(run: &mut Run) -> Result<Outcome, Stop> {
    let Some(settings) = run.migration().cloned() else { return Ok(Outcome::Skipped) };
    if run.record().schema_after.is_some() {
        tracing::info!("this run has migrated already");
        return Ok(Outcome::Skipped);
    }
    let task = Task::upgrade(&settings);
    let job = task.job_name(&run.record().id);
    if is_alembic(&settings) && run.nothing_pending && !run.record().jobs.contains(&job) {
        let current = run.stands_at.clone();
        run.note(|record| record.schema_after = current.or_else(|| record.schema_before.clone()));
        return Ok(Outcome::Skipped);
    }
    let Some(manifest) = &run.manifest else { return Ok(Outcome::Skipped) };
    let image = migration::image(&settings, manifest, &run.inputs.namespace).map_err(Stop::failed)?;
    let outcome = run.carry_out(&task, &settings, &image).await?;
    if !outcome.succeeded {
        run.end_job(&job).await?;
        let what = match outcome.log(Part::Current) {
            [] => "The deployment was not started; the migration failed",
            _ => "The deployment was not started; the schema revision could not be read after the migration",
        };
        let mut error = outcome.failure("The database migration failed", what, &image);
        error.detail.push_str(&leftover(run));
        error
            .detail
            .push_str("\n\nWhat to do: Correct the migration where its log says that it stopped, and apply again.");
        return Err(Stop::failed(error));
    }
    let current = outcome.log(Part::Current);
    let after = if is_alembic(&settings) { revisions::parse(current) } else { migration::lines(current) };
    run.note(|record| record.schema_after = Some(after));
    run.end_job(&job).await?;
    tracing::info!(before = ?run.record().schema_before, after = ?run.record().schema_after, "migrated");
    check_target(&settings, current).map_err(Stop::failed)?;
    Ok(Outcome::Succeeded)
}

/// What a failed migration may have left outside of its transactions.
fn leftover(run: &Run) -> String {
    let outside: Vec<&str> =
        run.record().pending.iter().filter(|one| one.autocommit).map(|one| one.revision.as_str()).collect();
    if outside.is_empty() {
        return String::new();
    }
    format!(
        "\n\n{} runs statements outside of a transaction (autocommit_block). If it is the one that failed, what it did \
         before it failed is still there: look at the tables it touches before the next attempt.",
        outside.join(", ")
    )
}

/// With Alembic and a target of `head`, the database must stand at a head afterwards: Alembic says so itself.
fn check_target(settings: &Migration, log: &[String]) -> Result<(), Diagnostic> {
    let to_head = is_alembic(settings) && matches!(settings.target.as_str(), None | Some("head" | "heads"));
    if !to_head || revisions::all_at_head(log) {
        return Ok(());
    }
    Err(Diagnostic::error(
        "The database is not at the head revision after the migration",
        format!(
            "alembic current says: {}. The deployment was not started. Something else moves the schema, or the version \
             table is not the one that env.py uses.",
            log.join(" ")
        ),
    )
    .at(Path::attribute("migration").child("target")))
}
