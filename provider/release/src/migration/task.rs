//! Something done to the database by a Job: looking where it stands, migrating, undoing.

use std::collections::BTreeMap;
use std::time::Duration;

use ffe_cluster::k8s_openapi::api::core::v1::Pod;
use ffe_cluster::{Diagnosis, JobOptions, Kind, Query};
use tfplugin::{Attr, Diagnostic, Path};
use tokio::time::Instant;

use crate::inputs::duration;
use crate::migration::{inspect, job};
use crate::model::Migration;
use crate::run::{Run, Stop};

const LOG_LINES: usize = 200;
const SHOWN_LINES: usize = 20;
/// What is waited for a Job beyond its own deadline: its pods have a time to end in, and only then it is said to have failed.
const GRACE: Duration = Duration::from_secs(90);

/// A container of a task's pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// Asks where the database stands and what is pending.
    Inspect,
    /// Moves the schema forward.
    Upgrade,
    /// Moves the schema back.
    Downgrade,
    /// Asks where the database stands.
    Current,
}

impl Part {
    /// The container's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Part::Inspect => "inspect",
            Part::Upgrade => "upgrade",
            Part::Downgrade => "downgrade",
            Part::Current => "current",
        }
    }
}

/// What a Job does, part after part.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Task {
    /// Part of the Job's name: tasks of one run differ in it.
    pub kind: &'static str,
    /// Each container and its command; not empty.
    pub parts: Vec<(Part, Vec<String>)>,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct TaskOutcome {
    /// Its Job, as `Job namespace/name`.
    pub job: String,
    /// Whether every part succeeded.
    pub succeeded: bool,
    /// Of the part that failed.
    pub exit_code: Option<i32>,
    /// Of each part that ran.
    pub logs: BTreeMap<Part, Vec<String>>,
    /// Why its pod did not start, or failed.
    pub diagnosis: Option<Diagnosis>,
}

impl Task {
    /// Looks where the database stands, and with Alembic what is pending. `None`: the engine has no way to tell.
    pub(crate) fn inspect(kind: &'static str, settings: &Migration) -> Option<Task> {
        let parts = if is_alembic(settings) {
            let config = settings.config.as_str().unwrap_or("alembic.ini");
            let target = settings.target.as_str().unwrap_or("head");
            vec![(Part::Inspect, words(&["python3", "-c", inspect::SCRIPT, config, target]))]
        } else {
            vec![(Part::Current, list(&settings.current_command)?)]
        };
        Some(Task { kind, parts })
    }

    /// Migrates, and looks where the database stands after it.
    pub(crate) fn upgrade(settings: &Migration) -> Task {
        let parts = if is_alembic(settings) {
            let target = settings.target.as_str().unwrap_or("head");
            vec![
                (Part::Upgrade, alembic(settings, &["upgrade", target])),
                (Part::Current, alembic(settings, &["current"])),
            ]
        } else {
            let upgrade = (Part::Upgrade, list(&settings.upgrade_command).unwrap_or_default());
            std::iter::once(upgrade)
                .chain(list(&settings.current_command).map(|current| (Part::Current, current)))
                .collect()
        };
        Task { kind: "migrate", parts }
    }

    /// Undoes down to a revision, and looks where the database stands after it. `None`: the engine has no way back.
    pub(crate) fn downgrade(settings: &Migration, to: &str) -> Option<Task> {
        let parts = if is_alembic(settings) {
            vec![
                (Part::Downgrade, alembic(settings, &["downgrade", to])),
                (Part::Current, alembic(settings, &["current"])),
            ]
        } else {
            // The revision to go back to is the command's last word.
            let mut command = list(&settings.downgrade_command)?;
            command.push(to.to_owned());
            vec![(Part::Downgrade, command), (Part::Current, list(&settings.current_command)?)]
        };
        Some(Task { kind: "downgrade", parts })
    }

    /// The name of its Job in a run.
    pub(crate) fn job_name(&self, run_id: &str) -> String {
        format!("ffe-{}-{run_id}", self.kind)
    }

    /// Runs it: makes its Job, or attaches to the one that an interrupted run has made. The Job is left for the caller to
    /// remove once its outcome is in the journal.
    ///
    /// # Errors
    /// When the cluster refuses or the user stops it; a Job that failed is an outcome.
    pub(crate) async fn run(&self, run: &Run, settings: &Migration, image: &str) -> Result<TaskOutcome, Stop> {
        let job = job::build(run, settings, image, self);
        let options =
            JobOptions { wait: run.wait(duration(&settings.timeout, 600) + GRACE), log_lines: LOG_LINES, stream: true };
        let outcome = run.cluster.run_job(&job, &options).await.map_err(|error| match error.kind() {
            Kind::Cancelled => Stop::Cancelled,
            _ => Stop::cluster(&error, &format!("The Job of the database {} did not finish", self.kind)),
        })?;
        let logs = self.logs(run, &outcome.uid).await;
        Ok(TaskOutcome {
            job: format!("Job {}/{}", run.inputs.namespace, self.job_name(&run.record().id)),
            succeeded: outcome.succeeded,
            exit_code: outcome.exit_code,
            logs,
            diagnosis: outcome.diagnosis,
        })
    }

    /// The log of each part that has one. Pods of an earlier Job of the same name may still be on their way out, so it is
    /// asked for by the Job's UID.
    async fn logs(&self, run: &Run, uid: &str) -> BTreeMap<Part, Vec<String>> {
        let mut logs = BTreeMap::new();
        let query = Query::labels(format!("batch.kubernetes.io/controller-uid={uid}"));
        let pods = run.cluster.list::<Pod>(Some(&run.inputs.namespace), &query).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the Job's pods cannot be listed");
            Vec::new()
        });
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
                let Some((part, _)) = self.parts.iter().find(|(part, _)| part.name() == container.name) else {
                    continue;
                };
                let tail = run
                    .cluster
                    .tail_log(&run.inputs.namespace, &name, Some(part.name()), LOG_LINES, false, &run.redactor())
                    .await;
                match tail {
                    Ok(lines) => {
                        logs.insert(*part, lines);
                    }
                    Err(error) => tracing::warn!(%error, container = part.name(), "a log cannot be read"),
                }
            }
        }
        logs
    }
}

impl TaskOutcome {
    /// The log of a part; empty where it has none.
    pub(crate) fn log(&self, part: Part) -> &[String] {
        self.logs.get(&part).map(Vec::as_slice).unwrap_or_default()
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

/// Removes a Job, and waits until its pods have ended.
///
/// # Errors
/// When the cluster refuses, or they do not end.
pub(crate) async fn end_with_pods(run: &Run, name: &str) -> Result<(), Stop> {
    let failed = |error| Stop::cluster(&error, &format!("The Job {name} cannot be ended"));
    remove_job(run, name).await?;
    let query = Query::labels(format!("batch.kubernetes.io/job-name={name}"));
    let begun = Instant::now();
    loop {
        let pods = run.cluster.list::<Pod>(Some(&run.inputs.namespace), &query).await.map_err(failed)?;
        if pods.is_empty() {
            return Ok(());
        }
        if begun.elapsed() > GRACE || run.cancel.is_cancelled() {
            return Err(Stop::failed(Diagnostic::error(
                format!("The pod of the Job {name} does not end"),
                format!("It was told to, {} ago.", ffe_cluster::format_duration(begun.elapsed())),
            )));
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Removes a Job.
///
/// # Errors
/// When the cluster refuses.
pub(crate) async fn remove_job(run: &Run, name: &str) -> Result<(), Stop> {
    run.cluster
        .delete_job(&run.inputs.namespace, name)
        .await
        .map(|_| ())
        .map_err(|error| Stop::cluster(&error, &format!("The Job {name} cannot be removed")))
}

/// Whether the engine is Alembic.
pub(crate) fn is_alembic(settings: &Migration) -> bool {
    settings.engine.as_str() == Some("alembic")
}

fn alembic(settings: &Migration, arguments: &[&str]) -> Vec<String> {
    let config = settings.config.as_str().map(|path| ["-c", path]);
    let all: Vec<&str> =
        ["alembic"].into_iter().chain(config.into_iter().flatten()).chain(arguments.iter().copied()).collect();
    words(&all)
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn list(attribute: &Attr<Vec<Attr<String>>>) -> Option<Vec<String>> {
    attribute.known().map(|words| words.iter().filter_map(|word| word.as_str().map(str::to_owned)).collect())
}
