//! What the Jobs of a migration are made of, and what they do for a run.

use ffe_helm::manifest::{Manifest, Workload};
use serde_json::Value as Json;
use tfplugin::{Diagnostic, Path};

use crate::apply::jobs;
use crate::apply::migration::inspection::Inspection;
use crate::apply::migration::task::{Task, TaskOutcome, Terms, is_alembic};
use crate::apply::run::Run;
use crate::apply::stop::Stop;
use crate::settings::model::Migration;

/// What the Jobs of a migration are made of.
#[derive(Clone, Debug)]
pub(crate) struct Migrator {
    /// The configuration.
    pub settings: Migration,
    /// The image that knows the revisions.
    pub image: String,
    /// A pooler before the database refuses `PGOPTIONS`.
    pub without_options: bool,
    workloads: Vec<Workload>,
}

/// A migration that is about to run: where preflight has found the database.
#[derive(Clone, Debug)]
pub(crate) struct Inspected {
    /// What its Jobs are made of.
    pub migrator: Migrator,
    /// Where the database stands; `None` where the engine has no way to tell.
    pub found: Option<Inspection>,
}

impl Inspected {
    /// Where the database stands, if nothing is left to migrate. Only Alembic can tell.
    pub(crate) fn nothing_pending(&self) -> Option<&Inspection> {
        self.found.as_ref().filter(|found| is_alembic(&self.migrator.settings) && found.pending.is_empty())
    }
}

impl Migrator {
    /// With the image that the configuration says, else that of the chart's one workload.
    ///
    /// # Errors
    /// When there is no one workload with one image.
    pub(crate) fn new(settings: &Migration, manifest: &Manifest, namespace: &str) -> Result<Migrator, Diagnostic> {
        let workloads = manifest.workloads(namespace);
        let image = image(settings, &workloads)?;
        Ok(Migrator { settings: settings.clone(), image, without_options: false, workloads })
    }

    /// The same with another image.
    pub(crate) fn with_image(&self, image: &str) -> Migrator {
        Migrator { image: image.to_owned(), ..self.clone() }
    }

    /// The tasks of a run; `base` is where the way back leads.
    pub(crate) fn terms<'a>(&'a self, run_id: &'a str, base: Option<&'a [String]>) -> Terms<'a> {
        Terms { run_id, settings: &self.settings, base, without_options: self.without_options }
    }

    /// The pod specification of the workload that runs the image; null where the chart has none.
    pub(crate) fn pod_spec(&self) -> Json {
        let runs = |workload: &&Workload| workload.containers.iter().any(|container| container.image == self.image);
        let workload = self.workloads.iter().find(runs).or_else(|| self.workloads.first());
        workload.map(|workload| workload.pod_spec.clone()).unwrap_or_default()
    }

    /// Runs a task's Job, written down before it is made. Unless the Job is complete it is ended with its pods before anything else
    /// is done: it could commit behind what is looked at next. The caller writes down what came of it and calls
    /// [`jobs::finish`].
    ///
    /// # Errors
    /// When the journal cannot be written, the cluster refuses, or the user stops it.
    pub(crate) async fn carry_out(&self, run: &mut Run, task: &Task) -> Result<TaskOutcome, Stop> {
        let job = task.job_name(&run.record().id);
        run.check_leases()?;
        jobs::write_down(run, &job).await?;
        let outcome = Box::pin(task.run_job(run, self)).await;
        let over = match &outcome {
            Ok(outcome) => outcome.succeeded,
            Err(Stop::Cancelled | Stop::LeaseLost) => true,
            Err(Stop::Failed(_)) => false,
        };
        run.check_leases()?;
        if !over {
            match jobs::remove_with_pods(run, &job).await {
                Ok(()) => jobs::strike_off(run, &job),
                Err(why) => tracing::warn!(?why, %job, "the Job is left to the next run"),
            }
        }
        outcome
    }

    /// Runs a task's Job and removes it.
    ///
    /// # Errors
    /// As [`Migrator::carry_out`], and when the Job cannot be removed.
    pub(crate) async fn carry_out_and_finish(&self, run: &mut Run, task: &Task) -> Result<TaskOutcome, Stop> {
        let job = task.job_name(&run.record().id);
        let outcome = self.carry_out(run, task).await?;
        jobs::finish(run, &job).await?;
        Ok(outcome)
    }

    /// Asks the database by a Job where it stands and what has run since a base.
    ///
    /// # Errors
    /// When it is not known, with the reason.
    pub(crate) async fn look_from(&self, run: &mut Run, base: Option<&[String]>) -> Result<Inspection, Stop> {
        let id = run.record().id.clone();
        let Some(task) = Task::look(self.terms(&id, base)) else {
            return Err(Stop::failed(Diagnostic::error(
                "Where the schema stands is not known",
                "The engine has no current_command.",
            )));
        };
        let outcome = self.carry_out_and_finish(run, &task).await?;
        let not_known =
            |why: &str| Stop::failed(outcome.failure("Where the schema stands is not known", why, &self.image));
        match outcome.standing.clone().known() {
            Ok(found) if outcome.succeeded => Ok(found),
            Ok(_) => Err(not_known("The Job that was to tell failed")),
            Err(why) => Err(not_known(&format!("The Job that was to tell did not: {why}"))),
        }
    }

    /// Asks the database by a Job where it stands and what has run since the run's base, and writes it down.
    ///
    /// # Errors
    /// When it is not known, with the reason.
    pub(crate) async fn look(&self, run: &mut Run) -> Result<Inspection, Stop> {
        let base = run.record().schema_before.clone();
        let found = self.look_from(run, base.as_deref()).await?;
        note_standing(run, &found);
        Ok(found)
    }
}

/// Notes where a Job has found the database.
pub(crate) fn note_standing(run: &mut Run, found: &Inspection) {
    run.note(|record| {
        record.schema_after = Some(found.current.clone());
        // Where it does not stand on the base any more, it is not known what has run since.
        record.ran = found.astray.is_empty().then(|| found.ran.clone());
    });
}

/// The image that the configuration says, else that of the chart's one workload.
fn image(settings: &Migration, workloads: &[Workload]) -> Result<String, Diagnostic> {
    if let Some(image) = settings.image.as_str() {
        return Ok(image.to_owned());
    }
    let mut images: Vec<String> = workloads
        .iter()
        .filter(|workload| matches!(workload.id.kind.as_str(), "Deployment" | "StatefulSet" | "DaemonSet"))
        .flat_map(|workload| {
            workload.containers.iter().filter(|container| !container.init).map(|container| container.image.clone())
        })
        .collect();
    images.sort();
    images.dedup();
    match images.as_slice() {
        [image] => Ok(image.clone()),
        [] => Err(unclear("The chart has no workload whose image could be taken")),
        several => Err(unclear(&format!("The chart's workloads run several images: {}", several.join(", ")))),
    }
}

fn unclear(why: &str) -> Diagnostic {
    Diagnostic::error("Cannot tell which image to migrate with", format!("{why}. Say which one with migration.image."))
        .at(Path::attribute("migration").child("image"))
}
