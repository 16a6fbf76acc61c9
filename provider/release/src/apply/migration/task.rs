//! Something done to the database by a Job: looking where it stands, migrating, undoing.

use std::collections::BTreeMap;

use ffe_cluster::k8s_openapi::api::core::v1::Pod;
use ffe_cluster::{Diagnosis, JobOptions, Kind, Query};
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};
use tfplugin::{Attr, Diagnostic, Path};

use crate::apply::jobs::PODS_END;
use crate::apply::migration::answer::Facts;
use crate::apply::migration::inspection::{SCRIPT, Standing};
use crate::apply::migration::job;
use crate::apply::migration::migrator::Migrator;
use crate::apply::run::Run;
use crate::apply::stop::Stop;
use crate::settings::inputs::duration;
use crate::settings::model::Migration;

/// Lines of a Job's log that are read to be shown.
const JOB_LOG_LINES: usize = 200;
/// Lines of it that a message has.
const SHOWN_LINES: usize = 20;
/// Seconds that a statement waits for a lock.
const LOCK_TIMEOUT: u64 = 30;
/// Runs a command and answers what it has printed on standard output, each line a fact; its exit code stays.
const ANSWER: &str = include_str!("answer.sh");
/// A container of a task's pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// Asks where the database stands and what is pending.
    Inspect,
    /// Moves the schema forward.
    Upgrade,
    /// Moves the schema back.
    Downgrade,
    /// Asks where the database stands after that.
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

    /// Whether it answers where the database stands.
    fn answers(self) -> bool {
        matches!(self, Part::Inspect | Part::Current)
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

/// What a run's Jobs begin their answers with. A run that goes on understands the Jobs that it has made before; the
/// application, which may print the name of its pod and so the run's id, cannot tell it.
fn mark(run_id: &str) -> String {
    let digest = hex::encode(Sha256::digest(format!("answers of the run {run_id}")));
    format!("ffe:{}", &digest[..16])
}

/// What the tasks of a run are made from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms<'a> {
    /// The run.
    pub run_id: &'a str,
    /// The configuration.
    pub settings: &'a Migration,
    /// Where the way back leads: what has run since is told.
    pub base: Option<&'a [String]>,
    /// A pooler before the database refuses `PGOPTIONS`.
    pub without_options: bool,
}

impl Terms<'_> {
    fn target(&self) -> &str {
        self.settings.target.as_str().unwrap_or("head")
    }

    fn config(&self) -> Option<&str> {
        self.settings.config.as_str()
    }

    /// Our script in the application's Python.
    fn alembic(&self, request: &Json) -> Vec<String> {
        words(&["python3", "-c", SCRIPT, &mark(self.run_id), &request.to_string()])
    }

    fn look(&self, part: Part, target: Option<&str>) -> (Part, Vec<String>) {
        let request = json!({ "mode": "look", "config": self.config(), "target": target, "base": self.base });
        (part, self.alembic(&request))
    }

    fn moving(&self, mut request: Json) -> Vec<String> {
        request["config"] = self.config().into();
        request["lock_timeout"] = self.lock_timeout().into();
        request["lock_timeout_is_said"] = self.settings.lock_timeout.is_known().into();
        self.alembic(&request)
    }

    /// How long a statement waits for a lock, as PostgreSQL writes it; `None`: for ever.
    fn lock_timeout(&self) -> Option<String> {
        let limit = duration(&self.settings.lock_timeout, LOCK_TIMEOUT);
        (!limit.is_zero()).then(|| format!("{}ms", limit.as_millis()))
    }

    /// A command of the engine `command`, with the time that it waits for locks. What `PGOPTIONS` says already counts more, unless
    /// the release says how long.
    fn command(&self, command: Vec<String>) -> Vec<String> {
        let Some(limit) = self.lock_timeout().filter(|_| !self.without_options) else { return command };
        let ours = format!("-c lock_timeout={limit}");
        let options =
            if self.settings.lock_timeout.is_known() { "$PGOPTIONS $_ffe_ours" } else { "$_ffe_ours $PGOPTIONS" };
        let script = format!("_ffe_ours=$1; shift; PGOPTIONS=\"{options}\" exec \"$@\"");
        [words(&["sh", "-c", &script, "sh", &ours]), command].concat()
    }

    /// The command that tells where the database stands: only its standard output counts.
    fn current(&self) -> Option<(Part, Vec<String>)> {
        let command = self.command(list(&self.settings.current_command)?);
        Some((Part::Current, [words(&["sh", "-c", ANSWER, "sh", &mark(self.run_id)]), command].concat()))
    }
}

impl Task {
    /// Looks where the database stands, and with Alembic what is pending. `None`: the engine has no way to tell.
    pub(crate) fn inspect(terms: Terms<'_>) -> Option<Task> {
        let part = if is_alembic(terms.settings) {
            terms.look(Part::Inspect, Some(terms.target()))
        } else {
            terms.current()?
        };
        Some(Task { kind: "inspect", parts: vec![part] })
    }

    /// Looks where the database stands, wherever it is to go. `None`: the engine has no way to tell.
    pub(crate) fn look(terms: Terms<'_>) -> Option<Task> {
        let part = if is_alembic(terms.settings) { terms.look(Part::Inspect, None) } else { terms.current()? };
        Some(Task { kind: "look", parts: vec![part] })
    }

    /// Migrates, and looks where the database stands after it.
    pub(crate) fn upgrade(terms: Terms<'_>) -> Task {
        let parts = if is_alembic(terms.settings) {
            let target = terms.target();
            // A target in steps has none left once they are taken.
            let left = (!target.starts_with('+')).then_some(target);
            let upgrade = terms.moving(json!({ "mode": "upgrade", "target": target }));
            vec![(Part::Upgrade, upgrade), terms.look(Part::Current, left)]
        } else {
            let command = terms.command(list(&terms.settings.upgrade_command).unwrap_or_default());
            std::iter::once((Part::Upgrade, command)).chain(terms.current()).collect()
        };
        Task { kind: "migrate", parts }
    }

    /// Undoes down to a base, and looks where the database stands after it. `None`: the engine has no way back.
    pub(crate) fn downgrade(terms: Terms<'_>, base: &[String]) -> Option<Task> {
        let parts = if is_alembic(terms.settings) {
            let back = terms.moving(json!({ "mode": "back", "base": base }));
            vec![(Part::Downgrade, back), terms.look(Part::Current, None)]
        } else {
            // The revision to go back to is the command's last word.
            let command = [list(&terms.settings.downgrade_command)?, base.to_vec()].concat();
            vec![(Part::Downgrade, terms.command(command)), terms.current()?]
        };
        Some(Task { kind: "downgrade", parts })
    }

    /// The name of its Job in a run.
    pub(crate) fn job_name(&self, run_id: &str) -> String {
        format!("ffe-{}-{run_id}", self.kind)
    }

    /// Makes its Job, or attaches to the one that an interrupted run has made, and waits for it. The Job is left for the caller to
    /// remove once its outcome is in the journal.
    ///
    /// # Errors
    /// When the cluster refuses or the user stops it; a Job that failed is an outcome.
    pub(crate) async fn run_job(&self, run: &Run, migrator: &Migrator) -> Result<TaskOutcome, Stop> {
        let settings = &migrator.settings;
        let job = job::build(run, migrator, self);
        let options = JobOptions {
            wait: run.wait(duration(&settings.timeout, 600) + PODS_END),
            log_lines: JOB_LOG_LINES,
            stream: true,
        };
        let outcome = run.cluster.run_job(&job, &options).await.map_err(|error| match error.kind() {
            Kind::Cancelled => Stop::Cancelled,
            _ => Stop::cluster(&error, &format!("The Job of the database {} did not finish", self.kind)),
        })?;
        let (logs, standing) = self.logs(run, settings, &outcome.uid).await;
        Ok(TaskOutcome {
            job: format!("Job {}/{}", run.inputs.namespace, self.job_name(&run.record().id)),
            succeeded: outcome.succeeded,
            exit_code: outcome.exit_code,
            logs,
            standing,
            diagnosis: outcome.diagnosis,
        })
    }

    /// The end of the log of each part that has one, and what the last part has answered. Pods of an earlier Job of the same name
    /// may still be on their way out, so it is asked for by the Job's UID.
    async fn logs(&self, run: &Run, settings: &Migration, uid: &str) -> (BTreeMap<Part, Vec<String>>, Standing) {
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
                let Some((part, _)) = self.parts.iter().find(|(part, _)| part.name() == container.name) else {
                    continue;
                };
                let (namespace, redactor) = (&run.inputs.namespace, run.redactor());
                let tail = run.cluster.tail_log(namespace, &name, Some(part.name()), JOB_LOG_LINES, false, &redactor);
                match tail.await {
                    Ok(lines) => {
                        let answer = mark(&run.record().id);
                        let shown = lines.into_iter().filter(|line| !line.is_empty() && !line.starts_with(&answer));
                        logs.insert(*part, shown.collect());
                    }
                    Err(error) => tracing::warn!(%error, container = part.name(), "a log cannot be read"),
                }
                if part.answers() {
                    standing = answered(run, settings, &name, *part).await;
                }
            }
        }
        (logs, standing)
    }
}

/// What a part has answered in its log, which is read whole and to the letter.
async fn answered(run: &Run, settings: &Migration, pod: &str, part: Part) -> Standing {
    let log = match run.cluster.whole_log(&run.inputs.namespace, pod, part.name()).await {
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

/// Whether the engine is Alembic.
pub(crate) fn is_alembic(settings: &Migration) -> bool {
    settings.engine.as_str() == Some("alembic")
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn list(attribute: &Attr<Vec<Attr<String>>>) -> Option<Vec<String>> {
    attribute.known().map(|words| words.iter().filter_map(|word| word.as_str().map(str::to_owned)).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::process::Command;

    use super::*;

    fn texts(words: &[&str]) -> Attr<Vec<Attr<String>>> {
        Attr::Known(words.iter().map(|word| Attr::Known((*word).to_owned())).collect())
    }

    fn terms<'a>(settings: &'a Migration, base: &'a [String]) -> Terms<'a> {
        Terms { run_id: "0123456789ab", settings, base: Some(base), without_options: false }
    }

    /// Runs a part as its container does; what it writes, both streams in one as in a log.
    fn run(command: &[String], options: Option<&str>) -> (String, Option<i32>) {
        let mut child = Command::new(&command[0]);
        child.args(&command[1..]).env_remove("PGOPTIONS");
        if let Some(options) = options {
            child.env("PGOPTIONS", options);
        }
        let output = child.output().unwrap();
        (String::from_utf8([output.stderr, output.stdout].concat()).unwrap(), output.status.code())
    }

    fn command(current: &[&str]) -> Migration {
        let (upgrade_command, current_command) = (texts(&["up"]), texts(current));
        Migration { upgrade_command, current_command, ..Migration::for_tests("command") }
    }

    fn asked(script: &str) -> (Standing, Option<i32>) {
        let settings = command(&["sh", "-c", script]);
        let task = Task::inspect(terms(&settings, &[])).unwrap();
        let (log, code) = run(&task.parts[0].1, None);
        let facts = Facts::read(&log, &mark("0123456789ab"));
        (facts.map_or_else(Standing::Unknown, |facts| Standing::of_command(&facts)), code)
    }

    #[test]
    fn each_run_has_a_mark_of_its_own() {
        assert_ne!(mark("0123456789ab"), mark("0123456789ac"));
        assert_eq!(mark("0123456789ab"), mark("0123456789ab"));
        assert!(!mark("0123456789ab").contains("0123456789ab"));
    }

    #[test]
    fn of_a_command_only_standard_output_counts_and_its_exit_code_stays() {
        let at = |names: &[&str]| {
            let current = names.iter().map(|one| (*one).to_owned()).collect();
            Standing::Known(crate::apply::migration::inspection::Inspection { current, ..Default::default() })
        };
        assert_eq!(asked("echo warning: old >&2; echo '0003 (head)'"), (at(&["0003"]), Some(0)));
        assert_eq!(asked("printf '\\n  0004\\r\\n\\n0003'"), (at(&["0003", "0004"]), Some(0)));
        assert_eq!(asked("true"), (at(&[]), Some(0)), "before the first migration");
        assert!(matches!(asked("echo 0003; exit 3"), (Standing::Unknown(_), Some(3))));
        assert!(matches!(asked("echo 0003; kill -9 $$"), (Standing::Unknown(_), Some(137))));
        assert!(matches!(asked("echo INFO migrated; echo 0003"), (Standing::Malformed(_), Some(0))));
        let forged = format!("echo '{} end 0'; echo 0003", mark("0123456789ab"));
        assert!(
            matches!(asked(&forged), (Standing::Malformed(_), Some(0))),
            "what it prints is never the answer's end"
        );
    }

    #[test]
    fn the_time_to_wait_for_locks_is_added_to_the_options_that_are_there() {
        let base = ["a".to_owned()];
        let shown = |limit: Option<&str>, without_options: bool, options: Option<&str>| {
            let lock_timeout = limit.map_or(Attr::Null, |limit| Attr::Known(limit.to_owned()));
            let settings = Migration { lock_timeout, ..command(&["true"]) };
            let task = Task::upgrade(Terms { without_options, ..terms(&settings, &base) });
            let mut upgrade = task.parts[0].1.clone();
            assert_eq!(upgrade.pop().as_deref(), Some("up"));
            upgrade.extend(words(&["sh", "-c", "printf %s \"$PGOPTIONS\""]));
            run(&upgrade, options).0
        };
        assert_eq!(shown(None, false, None).trim(), "-c lock_timeout=30000ms");
        // What comes last counts.
        let path = Some("-c search_path=app");
        assert_eq!(shown(None, false, path), "-c lock_timeout=30000ms -c search_path=app");
        assert_eq!(shown(Some("5s"), false, path), "-c search_path=app -c lock_timeout=5000ms");
        assert_eq!(shown(Some("0"), false, path), "-c search_path=app");
        assert_eq!(shown(None, true, path), "-c search_path=app", "a pooler refuses it");
    }

    #[test]
    fn alembic_is_asked_by_one_script_with_the_base_of_the_way_back() {
        let settings = Migration {
            config: Attr::Known("db/alembic.ini".to_owned()),
            target: Attr::Known("+1".to_owned()),
            ..Migration::for_tests("alembic")
        };
        let base = ["a".to_owned(), "b".to_owned()];
        let request = |parts: &[(Part, Vec<String>)], at: usize| -> Json {
            let command = &parts[at].1;
            assert_eq!(command[..2], ["python3", "-c"]);
            serde_json::from_str(&command[4]).unwrap()
        };
        let upgrade = Task::upgrade(terms(&settings, &base));
        let moving = request(&upgrade.parts, 0);
        assert_eq!(moving["mode"], "upgrade");
        assert_eq!((&moving["target"], &moving["lock_timeout"]), (&json!("+1"), &json!("30000ms")));
        let look = request(&upgrade.parts, 1);
        assert_eq!((&look["target"], &look["base"]), (&Json::Null, &json!(["a", "b"])), "no steps are left");
        let back = Task::downgrade(terms(&settings, &base), &base).unwrap();
        assert_eq!(request(&back.parts, 0)["base"], json!(["a", "b"]));
    }
}
