//! Something done to the database by a Job: looking where it stands, migrating, undoing.

use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};
use tfplugin::Attr;

use crate::apply::migration::command;
use crate::apply::migration::inspection::SCRIPT;
use crate::settings::inputs::duration;
use crate::settings::model::Migration;

/// Seconds that a statement waits for a lock.
const LOCK_TIMEOUT: u64 = 30;

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
    pub(crate) fn answers(self) -> bool {
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

/// What a run's Jobs begin their answers with. A run that goes on understands the Jobs that it has made before; the
/// application, which may print the name of its pod and so the run's id, cannot tell it.
pub(crate) fn mark(run_id: &str) -> String {
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

    /// Which configuration Alembic reads.
    fn configured(&self, request: &mut Json) {
        request["config"] = self.settings.config.as_str().into();
        request["section"] = self.settings.config_section.as_str().into();
    }

    /// Our script in the application's Python.
    fn alembic(&self, request: &Json) -> Vec<String> {
        words(&["python3", "-c", SCRIPT, &mark(self.run_id), &request.to_string()])
    }

    fn look(&self, part: Part, target: Option<&str>) -> (Part, Vec<String>) {
        self.look_for(part, target, json!({}))
    }

    /// A look that is to find out more.
    fn look_for(&self, part: Part, target: Option<&str>, mut request: Json) -> (Part, Vec<String>) {
        request["mode"] = "look".into();
        self.configured(&mut request);
        request["target"] = target.into();
        request["base"] = self.base.into();
        (part, self.alembic(&request))
    }

    fn moving(&self, mut request: Json) -> Vec<String> {
        self.configured(&mut request);
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
        match self.lock_timeout().filter(|_| !self.without_options) {
            Some(limit) => command::waiting_for_locks(command, &limit, self.settings.lock_timeout.is_known()),
            None => command,
        }
    }

    /// The command that tells where the database stands: only its standard output counts.
    fn current(&self) -> Option<(Part, Vec<String>)> {
        let command = self.command(list(&self.settings.current_command)?);
        Some((Part::Current, command::answering(command, &mark(self.run_id))))
    }
}

impl Task {
    /// Looks where the database stands, and with Alembic what is pending. `None`: the engine has no way to tell.
    pub(crate) fn inspect(terms: Terms<'_>) -> Option<Task> {
        let part = if is_alembic(terms.settings) {
            let more = if terms.settings.allows_downgrade() { json!({ "aim": true }) } else { json!({}) };
            terms.look_for(Part::Inspect, Some(terms.target()), more)
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

    /// Looks what has run since the base and how many rows go with it when it is undone; of the engine `command` only where the
    /// database stands. `None`: the engine has no way to tell.
    pub(crate) fn rows(terms: Terms<'_>) -> Option<Task> {
        let part = if is_alembic(terms.settings) {
            terms.look_for(Part::Inspect, None, json!({ "rows": true }))
        } else {
            terms.current()?
        };
        Some(Task { kind: "rows", parts: vec![part] })
    }

    /// Migrates to where the database has stood before, no further where the engine knows how, and looks where it stands after it.
    pub(crate) fn forward(terms: Terms<'_>, to: &[String]) -> Task {
        if !is_alembic(terms.settings) {
            return Task::upgrade(terms);
        }
        let forward = terms.moving(json!({ "mode": "forward", "to": to }));
        Task { kind: "migrate", parts: vec![(Part::Upgrade, forward), terms.look(Part::Current, None)] }
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
    use crate::apply::migration::answer::Facts;
    use crate::apply::migration::inspection::Standing;

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
            config_section: Attr::Known("orders".to_owned()),
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
        for one in [&moving, &request(&upgrade.parts, 1)] {
            assert_eq!((&one["config"], &one["section"]), (&json!("db/alembic.ini"), &json!("orders")));
        }
        assert_eq!((&moving["target"], &moving["lock_timeout"]), (&json!("+1"), &json!("30000ms")));
        let look = request(&upgrade.parts, 1);
        assert_eq!((&look["target"], &look["base"]), (&Json::Null, &json!(["a", "b"])), "no steps are left");
        let back = Task::downgrade(terms(&settings, &base), &base).unwrap();
        assert_eq!(request(&back.parts, 0)["base"], json!(["a", "b"]));
    }
}
