//! The database's schema, migrated by a Job in the cluster with the image that is being deployed.
//!
//! The Job's name comes from the run's id and is in the journal before the Job is made, so that a run that
//! goes on after a death attaches to the Job instead of migrating twice.

use tfplugin::{Diagnostic, Path};

use crate::apply::jobs;
use crate::apply::migration::carry_out::TaskOutcome;
use crate::apply::migration::carry_out::note_standing;
use crate::apply::migration::inspection::{Inspection, Standing, invalid_indexes};
use crate::apply::migration::names;
use crate::apply::migration::task::{Part, Task, is_alembic};
use crate::apply::phases::preflight::Checked;
use crate::apply::run::Run;
use crate::apply::stop::Stop;
use crate::journal::Outcome;
use crate::settings::model::Migration;

/// Migrates, unless there is nothing to migrate or this run has migrated already.
///
/// # Errors
/// When the migration fails: with the last lines of its log; or when it is not known where it has led.
pub(crate) async fn migrate(run: &mut Run, checked: &Checked) -> Result<Outcome, Stop> {
    let Some(migration) = &checked.migration else { return Ok(Outcome::Skipped) };
    if run.record().schema_after.is_some() {
        tracing::info!("this run has migrated already");
        return Ok(Outcome::Skipped);
    }
    let migrator = &migration.migrator;
    let (id, base) = (run.record().id.clone(), run.record().schema_before.clone());
    let task = Task::upgrade(migrator.terms(&id, base.as_deref()));
    let job = task.job_name(&id);
    if let Some(found) = migration.nothing_pending().filter(|_| !run.record().jobs.contains(&job)) {
        note_standing(run, found);
        return Ok(Outcome::Skipped);
    }
    let outcome = migrator.carry_out(run, &task).await?;
    if !outcome.succeeded {
        jobs::finish(run, &job).await?;
        return Err(Stop::failed(failed(run, &outcome, &migrator.image)));
    }
    // What it has come to is written down before the Job goes.
    if let Standing::Known(found) = &outcome.standing {
        note_standing(run, found);
    }
    jobs::finish(run, &job).await?;
    let settings = &migrator.settings;
    let found = match outcome.standing {
        Standing::Known(found) => found,
        Standing::Unknown(_) if !is_alembic(settings) && settings.current_command.is_null() => {
            return Ok(Outcome::Succeeded);
        }
        // The log may have been lost with its pod: another Job can tell as well.
        Standing::Unknown(why) | Standing::Malformed(why) => {
            tracing::warn!(%why, "the migration ended, and its Job did not tell where it led");
            let found = migrator.look(run).await?;
            run.save().await?;
            found
        }
    };
    run.warnings.extend(invalid_indexes(&found));
    tracing::info!(before = ?run.record().schema_before, after = ?run.record().schema_after, "migrated");
    check_target(settings, &found).map_err(Stop::failed)?;
    Ok(Outcome::Succeeded)
}

/// The error of a migration whose Job failed.
fn failed(run: &Run, outcome: &TaskOutcome, image: &str) -> Diagnostic {
    let what = match outcome.log(Part::Current) {
        [] => "The deployment was not started; the migration failed",
        _ => "The deployment was not started; the schema revision could not be read after the migration",
    };
    let mut error = outcome.failure("The database migration failed", what, image);
    error.detail.push_str(&leftover(run));
    let log: Vec<&str> = outcome.logs.values().flatten().map(String::as_str).collect();
    let advice = match advice(&log).or_else(|| outcome.advice_to_start().map(str::to_owned)) {
        Some(advice) => advice,
        // What keeps its pod from starting says what to do by itself.
        None if outcome.did_not_start() => return error,
        None => "Correct the migration where its log says that it stopped, and apply again.".to_owned(),
    };
    error.detail.push_str(&format!("\n\nWhat to do: {advice}"));
    error
}

/// What to do about failures that are known by their words.
fn advice(log: &[&str]) -> Option<String> {
    log.iter().rev().find_map(|line| {
        if let Some(name) = between(line, "type \"", "\" already exists") {
            return Some(format!(
                "The type {name} is there already. A downgrade() that drops a table leaves the enum types of its columns; \
                 such a downgrade has probably run on the way back of an earlier release. If no table uses the type, remove \
                 it (DROP TYPE {name};) and apply again; and let downgrade() drop it too: \
                 sa.Enum(name=\"{name}\").drop(op.get_bind())."
            ));
        }
        if line.contains("value too long for type character varying(32)") {
            return Some(
                "The version table holds 32 characters, and a revision's id is longer. Give the revision a shorter id, or \
                 widen the column first: ALTER TABLE alembic_version ALTER COLUMN version_num TYPE varchar(255);"
                    .to_owned(),
            );
        }
        if line.contains("canceling statement due to lock timeout") {
            return Some(
                "A statement waited longer for a lock than migration.lock_timeout. See who holds it (pg_stat_activity, \
                 pg_locks), let them end, and apply again; or set a longer lock_timeout. A CREATE INDEX CONCURRENTLY that \
                 was given up leaves an INVALID index: DROP INDEX CONCURRENTLY it first."
                    .to_owned(),
            );
        }
        None
    })
}

fn between<'l>(line: &'l str, before: &str, after: &str) -> Option<&'l str> {
    Some(line.split_once(before)?.1.split_once(after)?.0)
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

/// With Alembic nothing may be left to run on the way to the target.
fn check_target(settings: &Migration, found: &Inspection) -> Result<(), Diagnostic> {
    if !is_alembic(settings) || found.pending.is_empty() {
        return Ok(());
    }
    let target = settings.target.as_str().unwrap_or("head");
    let left: Vec<&str> = found.pending.iter().take(10).map(|one| one.revision.as_str()).collect();
    Err(Diagnostic::error(
        format!("The database is not at {target} after the migration"),
        format!(
            "It is at {}; {} would still run. The deployment was not started. Something else moves the schema, or the version \
             table is not the one that env.py uses.",
            names(&found.current),
            left.join(", ")
        ),
    )
    .at(Path::attribute("migration").child("target")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_failures_come_with_their_remedy() {
        let told = |line: &str| advice(&["INFO  context", line]).unwrap_or_default();
        assert!(
            told("FAILED: ProgrammingError: (psycopg2.errors.DuplicateObject) type \"status\" already exists")
                .contains("DROP TYPE status;")
        );
        assert!(told("value too long for type character varying(32)").contains("varchar(255)"));
        assert!(told("psycopg2.errors.LockNotAvailable: canceling statement due to lock timeout").contains("INVALID"));
        assert_eq!(advice(&["relation \"accounts\" already exists"]), None);
    }
}
