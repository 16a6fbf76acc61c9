//! A part of preflight: where the database stands, what will run, and whether that can be undone.

use ffe_cluster::k8s_openapi::api::batch::v1::Job;
use ffe_cluster::{Kind, ObjectRef};
use tfplugin::{Diagnostic, Path};

use crate::migration::inspect::Inspection;
use crate::migration::task::{Part, Task, is_alembic, remove_job};
use crate::model::Migration;
use crate::run::{Run, Stop};

/// Asks the database, through a Job with the new image, and writes the answer into the journal.
///
/// # Errors
/// When the database cannot be reached, or stands at a revision that the image does not have.
pub(crate) async fn go(run: &mut Run, settings: &Migration, image: &str) -> Result<(), Stop> {
    finish_older(run).await?;
    let Some(task) = Task::inspect("inspect", settings) else { return Ok(()) };
    let job = task.job_name(&run.record().id);
    run.begin_job(&job).await?;
    let outcome = task.run(run, settings, image).await?;
    run.end_job(&job).await?;
    let what = "Nothing was changed; where the database's schema stands could not be found out";
    if !outcome.succeeded {
        return Err(Stop::failed(outcome.failure("The database cannot be migrated", what, image)));
    }
    if !is_alembic(settings) {
        let current = crate::migration::lines(outcome.log(Part::Current));
        run.note(|record| record.schema_before = record.schema_before.take().or(Some(current)));
        return run.save().await;
    }
    let Some(found) = Inspection::parse(outcome.log(Part::Inspect)) else {
        return Err(Stop::failed(outcome.failure("The database cannot be migrated", what, image)));
    };
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
    // A run that goes on keeps what it found at first: that is where the way back leads.
    run.note(|record| {
        if record.schema_before.is_none() {
            record.schema_before = Some(found.current);
            record.pending = found.pending;
        }
    });
    run.save().await
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
