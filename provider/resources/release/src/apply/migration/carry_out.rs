//! Carrying out a task: its Job is run, and what came of it is read.

use std::collections::BTreeMap;

use ffe_cluster::k8s_openapi::api::core::v1::Pod;
use ffe_cluster::{Kind, Query};
use ffe_workloads::{Cause, Diagnosis, JobOptions};
use tfplugin::{Diagnostic, Path};

use crate::apply::jobs::{self, PODS_END};
use crate::apply::migration::answer::Facts;
use crate::apply::migration::inspection::{Inspection, Standing};
use crate::apply::migration::job;
use crate::apply::migration::migrator::Migrator;
use crate::apply::migration::task::{Part, Task, is_alembic, mark};
use crate::apply::run::Run;
use crate::apply::stop::Stop;
use crate::settings::inputs::duration;
use crate::settings::model::Migration;

/// Lines of a Job's log that are read to be shown.
const JOB_LOG_LINES: usize = 200;
/// Lines of it that a message has.
const SHOWN_LINES: usize = 20;

/// What came of a task.
#[derive(Clone, Debug)]
pub(crate) struct TaskOutcome {
    /// Its Job, as `Job namespace/name`.
    pub job: String,
    /// Whether every part succeeded.
    pub succeeded: bool,
    /// Of the part that failed.
    pub exit_code: Option<i32>,
    /// The end of the log of each part that ran, to be shown.
    pub logs: BTreeMap<Part, Vec<String>>,
    /// Where the database stands, as its last part has answered.
    pub standing: Standing,
    /// Why its pod did not start, or failed.
    pub diagnosis: Option<Diagnosis>,
}

impl Migrator {
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
        let outcome = Box::pin(self.run_job(run, task)).await;
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
        self.told_by(run, Task::look(self.terms(&id, base))).await
    }

    /// Asks the database by a Job; `None`: the engine has none that could tell.
    ///
    /// # Errors
    /// When it is not known where the database stands, with the reason.
    pub(crate) async fn told_by(&self, run: &mut Run, task: Option<Task>) -> Result<Inspection, Stop> {
        let Some(task) = task else {
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

    /// Makes a task's Job, or attaches to the one that an interrupted run has made, and waits for it. The Job is left for the caller to
    /// remove once its outcome is in the journal.
    ///
    /// # Errors
    /// When the cluster refuses or the user stops it; a Job that failed is an outcome.
    async fn run_job(&self, run: &Run, task: &Task) -> Result<TaskOutcome, Stop> {
        let job = job::build(run, self, task, self.account(run).await?);
        let options = JobOptions {
            wait: run.wait(duration(&self.settings.timeout, 600) + PODS_END),
            log_lines: JOB_LOG_LINES,
            stream: true,
        };
        let outcome =
            ffe_workloads::run_job(&run.cluster, &job, &options).await.map_err(|error| match error.kind() {
                Kind::Cancelled => Stop::Cancelled,
                _ => Stop::cluster(&error, &format!("The Job of the database {} did not finish", task.kind)),
            })?;
        let (logs, standing) = self.logs(run, task, &outcome.uid).await;
        Ok(TaskOutcome {
            job: format!("Job {}/{}", run.inputs.namespace, task.job_name(&run.record().id)),
            succeeded: outcome.succeeded,
            exit_code: outcome.exit_code,
            logs,
            standing,
            diagnosis: outcome.diagnosis,
        })
    }

    /// The end of the log of each part that has one, and what the last part has answered. Pods of an earlier Job of the same name
    /// may still be on their way out, so it is asked for by the Job's UID.
    async fn logs(&self, run: &Run, task: &Task, uid: &str) -> (BTreeMap<Part, Vec<String>>, Standing) {
        let mut logs = BTreeMap::new();
        let mut standing = Standing::Unknown("its part that tells did not run".to_owned());
        let query = Query::labels(format!("batch.kubernetes.io/controller-uid={uid}"));
        let pods = match run.cluster.list::<Pod>(Some(&run.inputs.namespace), &query).await {
            Ok(pods) => pods,
            Err(error) => {
                tracing::warn!(%error, "the Job's pods cannot be listed");
                return (logs, Standing::Unknown(format!("its pod cannot be looked at: {error}")));
            }
        };
        if pods.is_empty() {
            return (logs, Standing::Unknown("its pod is gone, and the log with it".to_owned()));
        }
        for pod in pods {
            let name = pod.metadata.name.unwrap_or_default();
            let status = pod.status.unwrap_or_default();
            let statuses = [status.init_container_statuses, status.container_statuses];
            let ended = statuses
                .into_iter()
                .flatten()
                .flatten()
                .filter(|container| container.state.as_ref().is_some_and(|state| state.terminated.is_some()));
            for container in ended {
                let Some((part, _)) = task.parts.iter().find(|(part, _)| part.name() == container.name) else {
                    continue;
                };
                let namespace = &run.inputs.namespace;
                let tail =
                    ffe_workloads::tail_log(&run.cluster, namespace, &name, Some(part.name()), JOB_LOG_LINES, false);
                match tail.await {
                    Ok(lines) => {
                        let answer = mark(&run.record().id);
                        let shown = lines.into_iter().filter(|line| !line.is_empty() && !line.starts_with(&answer));
                        logs.insert(*part, shown.collect());
                    }
                    Err(error) => tracing::warn!(%error, container = part.name(), "a log cannot be read"),
                }
                if part.answers() {
                    standing = answered(run, &self.settings, &name, *part).await;
                }
            }
        }
        (logs, standing)
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

/// What a part has answered in its log, which is read whole and to the letter.
async fn answered(run: &Run, settings: &Migration, pod: &str, part: Part) -> Standing {
    let log = match ffe_workloads::whole_log(&run.cluster, &run.inputs.namespace, pod, part.name()).await {
        Ok(log) => log,
        Err(error) => return Standing::Unknown(format!("its log cannot be read: {error}")),
    };
    match Facts::read(&log, &mark(&run.record().id)) {
        Ok(facts) if is_alembic(settings) => Standing::of_alembic(&facts),
        Ok(facts) => Standing::of_command(&facts),
        Err(why) => Standing::Unknown(why),
    }
}

impl TaskOutcome {
    /// The log of a part; empty where it has none.
    pub(crate) fn log(&self, part: Part) -> &[String] {
        self.logs.get(&part).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether its commands could not be run because the image has no shell.
    pub(crate) fn lacks_shell(&self) -> bool {
        self.diagnosis.as_ref().is_some_and(|diagnosis| {
            let text = diagnosis.to_string();
            text.contains("\"sh\"") && (text.contains("not found") || text.contains("no such file"))
        })
    }

    /// Whether its pod never came to run a command: then the diagnosis says what to do.
    pub(crate) fn did_not_start(&self) -> bool {
        let never_ran = |diagnosis: &Diagnosis| self.exit_code.is_none() || diagnosis.cause == Cause::Start;
        self.diagnosis.as_ref().is_some_and(never_ran) && self.logs.values().all(Vec::is_empty)
    }

    /// What to do about a pod without the image or the room that it needs, beside what its diagnosis says.
    pub(crate) fn advice_to_start(&self) -> Option<&'static str> {
        if self.lacks_shell() {
            return Some(
                "The engine command runs its commands by sh, which the image does not have. Name an image with sh and the tool in \
                 migration.image; then apply again.",
            );
        }
        let room = [Cause::Quota, Cause::LimitRange, Cause::OutOfMemory];
        let bounded = self.diagnosis.as_ref().is_some_and(|diagnosis| room.contains(&diagnosis.cause));
        bounded.then_some("What the Job itself requests and may use is set by migration.resources; then apply again.")
    }

    /// The error of a task that failed: `what` in one sentence, then the log's end, or why the pod did not run.
    pub(crate) fn failure(&self, summary: &str, what: &str, image: &str) -> Diagnostic {
        let mut detail = format!("{what} ({}, image {image}", self.job);
        if let Some(code) = self.exit_code {
            detail.push_str(&format!(", exit code {code}"));
        }
        detail.push_str(").");
        if self.diagnosis.as_ref().is_some_and(|diagnosis| diagnosis.reason == "DeadlineExceeded") {
            detail.push_str(" It was ended because it had taken longer than migration.timeout.");
        }
        // Parts run in order, so the last that has a log is the one that failed.
        let log = self.logs.values().next_back().map(Vec::as_slice).unwrap_or_default();
        match &self.diagnosis {
            Some(diagnosis) if log.is_empty() => detail.push_str(&format!("\n\n{diagnosis}")),
            _ => {
                let tail = &log[log.len().saturating_sub(SHOWN_LINES)..];
                detail.push_str(&format!("\n\nThe last lines of its log:\n{}", tail.join("\n")));
            }
        }
        Diagnostic::error(summary, detail).at(Path::attribute("migration"))
    }
}

#[cfg(test)]
mod tests {
    use ffe_cluster::ObjectRef;

    use super::*;

    /// A Job that failed: with the exit code of its container, or before one ran.
    fn failed(cause: Cause, message: &str, exit_code: Option<i32>) -> TaskOutcome {
        let diagnosis = Diagnosis {
            object: ObjectRef::new("batch/v1", "Job", Some("ffe"), "ffe-migrate-0123456789ab"),
            cause,
            reason: "FailedCreate".to_owned(),
            message: message.to_owned(),
            details: Vec::new(),
            events: Vec::new(),
            log: Vec::new(),
            advice: "Do this; then apply again.".to_owned(),
        };
        TaskOutcome {
            job: "Job ffe/ffe-migrate-0123456789ab".to_owned(),
            succeeded: false,
            exit_code,
            logs: BTreeMap::new(),
            standing: Standing::Unknown("it did not run".to_owned()),
            diagnosis: Some(diagnosis),
        }
    }

    #[test]
    fn a_pod_that_could_not_start_has_no_log_to_correct_a_migration_by() {
        for cause in [Cause::Quota, Cause::LimitRange] {
            let outcome = failed(cause, "pods are forbidden", None);
            assert!(outcome.did_not_start());
            assert!(outcome.advice_to_start().is_some_and(|advice| advice.contains("migration.resources")));
        }
        let other = failed(Cause::PodSecurity, "pods are forbidden", None);
        assert!(other.did_not_start() && other.advice_to_start().is_none());
        assert!(!failed(Cause::JobFailed, "exit code 1", Some(1)).did_not_start(), "it has run, and has said nothing");
        let shell = failed(Cause::Start, "exec: \"sh\": executable file not found in $PATH", Some(128));
        assert!(shell.did_not_start());
        assert!(shell.advice_to_start().is_some_and(|advice| advice.contains("an image with sh and the tool")));
    }
}
