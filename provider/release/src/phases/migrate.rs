//! The database's schema, migrated by a Job in the cluster with the image that is being deployed.
//!
//! The Job's name comes from the run's id and is in the journal before the Job is made, so that a run that
//! goes on after a death attaches to the Job instead of migrating twice.

use ffe_cluster::k8s_openapi::api::batch::v1::Job;
use ffe_cluster::{JobOptions, Kind, ObjectRef};
use tfplugin::{Diagnostic, Path};

use crate::inputs::duration;
use crate::journal::Outcome;
use crate::migration::{self, job, revisions};
use crate::pipeline::Phase;
use crate::run::{Run, Stop};

const LOG_LINES: usize = 200;

/// Migrates, unless there is nothing to migrate or this run has migrated already.
///
/// # Errors
/// When the migration fails: with the last lines of its log.
pub(crate) async fn go(run: &mut Run) -> Result<Outcome, Stop> {
    let Some(settings) = run.inputs.config.migration.known().cloned() else { return Ok(Outcome::Skipped) };
    if run.record().schema_after.is_some() {
        tracing::info!("this run has migrated already");
        return Ok(Outcome::Skipped);
    }
    let Some(manifest) = &run.manifest else { return Ok(Outcome::Skipped) };
    let image = migration::image(&settings, manifest, &run.inputs.namespace).map_err(Stop::failed)?;
    let job = job::build(run, &settings, &image);
    let name = job.metadata.name.clone().unwrap_or_default();
    finish_older(run, &name).await?;
    run.note(|record| record.migration_job = Some(name.clone()));
    run.save().await?;

    let timeout = duration(&settings.timeout, 600);
    let options = JobOptions { wait: run.wait(timeout), log_lines: LOG_LINES, stream: true };
    let outcome = run.cluster.run_job(&job, &options).await;
    let outcome = outcome.map_err(|error| match error.kind() {
        Kind::Cancelled => Stop::Cancelled,
        _ => Stop::cluster(&error, "The database migration did not finish"),
    })?;
    let logs = job::logs(run, &name, LOG_LINES).await;
    let before = logs.get(job::BEFORE).map(|lines| revisions::parse(lines));
    let after = logs.get(job::AFTER).map(|lines| revisions::parse(lines));
    run.note(|record| record.schema_before = record.schema_before.take().or(before));
    if !outcome.succeeded {
        let failed = [job::AFTER, job::MIGRATE, job::BEFORE].into_iter().find_map(|part| Some((part, logs.get(part)?)));
        let error = failure(run, &image, &outcome, failed);
        run.save().await?;
        remove(run, &name).await?;
        return Err(Stop::failed(error));
    }
    run.note(|record| record.schema_after = Some(after.unwrap_or_default()));
    run.save().await?;
    remove(run, &name).await?;
    tracing::info!(phase = Phase::Migrate.name(), before = ?run.record().schema_before, after = ?run.record().schema_after, "migrated");
    check_target(run, &settings, logs.get(job::AFTER)).map_err(Stop::failed)?;
    Ok(Outcome::Succeeded)
}

/// A Job of an earlier run that died: never two at a time.
async fn finish_older(run: &Run, name: &str) -> Result<(), Stop> {
    let older: Vec<String> = run
        .journal
        .content
        .runs
        .iter()
        .filter_map(|record| record.migration_job.clone())
        .filter(|older| older != name)
        .collect();
    for older in older {
        let found = run.cluster.find::<Job>(Some(&run.inputs.namespace), &older).await;
        let found =
            found.map_err(|error| Stop::cluster(&error, "The Job of an earlier migration cannot be looked at"))?;
        if found.is_none() {
            continue;
        }
        tracing::info!(job = %older, "waiting for the migration of an earlier run");
        let object = ObjectRef::of::<Job>(Some(&run.inputs.namespace), &older);
        match run.cluster.wait_rollout(&object, &run.wait(run.inputs.timeout)).await {
            Err(error) if error.kind() == Kind::Cancelled => return Err(Stop::Cancelled),
            Err(error) if error.kind() == Kind::Timeout => {
                return Err(Stop::cluster(&error, "The migration of an earlier run is still going on"));
            }
            // It failed: this run's own migration says whether that matters.
            _ => {}
        }
        remove(run, &older).await?;
    }
    Ok(())
}

async fn remove(run: &Run, name: &str) -> Result<(), Stop> {
    run.cluster
        .delete_job(&run.inputs.namespace, name)
        .await
        .map(|_| ())
        .map_err(|error| Stop::cluster(&error, "The migration's Job cannot be removed"))
}

fn failure(
    run: &Run,
    image: &str,
    outcome: &ffe_cluster::JobOutcome,
    failed: Option<(&str, &Vec<String>)>,
) -> Diagnostic {
    let (what, log) = match failed {
        Some((job::BEFORE, log)) => {
            ("The current schema revision could not be read, so nothing was migrated", log.as_slice())
        }
        Some((job::AFTER, log)) => {
            ("The migration ran, and the schema revision could not be read after it", log.as_slice())
        }
        Some((_, log)) => ("The migration failed", log.as_slice()),
        None => ("The migration did not start", &[][..]),
    };
    let mut detail = format!("{what} (image {image}");
    if let Some(code) = outcome.exit_code {
        detail.push_str(&format!(", exit code {code}"));
    }
    detail.push_str("). The deployment was not started.");
    if log.is_empty() {
        if let Some(diagnosis) = &outcome.diagnosis {
            detail.push_str(&format!("\n\n{diagnosis}"));
        }
    } else {
        let tail = &log[log.len().saturating_sub(20)..];
        detail.push_str(&format!("\n\nThe last lines of its log:\n{}", run.redactor().clean(&tail.join("\n"))));
    }
    Diagnostic::error("The database migration failed", detail).at(Path::attribute("migration"))
}

/// With Alembic and a target of `head`, the database must stand at a head afterwards: Alembic says so itself.
fn check_target(run: &Run, settings: &crate::model::Migration, log: Option<&Vec<String>>) -> Result<(), Diagnostic> {
    let to_head = settings.engine.as_str() == Some("alembic")
        && matches!(settings.target.as_str(), None | Some("head" | "heads"));
    let Some(log) = log.filter(|_| to_head) else { return Ok(()) };
    if revisions::all_at_head(log) {
        return Ok(());
    }
    Err(Diagnostic::error(
        "The database is not at the head revision after the migration",
        format!(
            "alembic current says: {}. The deployment was not started. Something else moves the schema, or the version \
             table is not the one that env.py uses.",
            run.redactor().clean(&log.join(" "))
        ),
    )
    .at(Path::attribute("migration").child("target")))
}
