//! A release at one moment, in words for a terminal.

use std::fmt::Write as _;
use std::time::Duration;

use ffe_cluster::format_duration;
use jiff::Timestamp;

use super::{ObjectStatus, Phase, Run, Status};

pub(super) fn of(status: &Status, now: Timestamp) -> String {
    let mut text = format!("{}/{}", status.namespace, status.name);
    match &status.revision {
        Some(found) => {
            let app = found.app_version.as_ref().map(|version| format!(", application {version}")).unwrap_or_default();
            line(&mut text, &format!("  revision {} {}  {}{app}", found.revision, found.status, found.chart));
        }
        None => line(&mut text, "  no revision of Helm"),
    }
    match &status.run {
        Some(found) => run(&mut text, found, now),
        None => line(&mut text, "  no run: the journal is made by the first apply of ffe_release"),
    }
    let width = status.objects.iter().map(|object| title(object).chars().count()).max().unwrap_or(0);
    for found in &status.objects {
        object(&mut text, found, width);
    }
    for what in &status.unknown {
        line(&mut text, &format!("  not known: {what}"));
    }
    text.push('\n');
    text
}

fn run(text: &mut String, run: &Run, now: Timestamp) {
    let outcome = match (&run.finished, run.going_back) {
        (Some(finished), _) => format!("{} at {finished}", run.outcome),
        // A provider that was killed leaves it so.
        (None, false) => format!("{}{}", run.outcome, since(&run.started, now)),
        (None, true) => format!("{}, on its way back{}", run.outcome, since(&run.started, now)),
    };
    line(text, &format!("  run {}  {outcome}", run.id));
    let width = run.phases.iter().map(|phase| phase.name.len()).max().unwrap_or(0);
    for phase in &run.phases {
        line(text, &format!("    {:width$}  {}{}", phase.name, phase.outcome, took(phase, now)));
    }
    if let (Some(before), Some(after)) = (&run.schema_before, &run.schema_after)
        && before != after
    {
        line(text, &format!("    schema {} → {}", revisions(before), revisions(after)));
    }
}

fn revisions(all: &[String]) -> String {
    if all.is_empty() { "(empty)".to_owned() } else { all.join(", ") }
}

fn took(phase: &Phase, now: Timestamp) -> String {
    match &phase.duration {
        Some(duration) => format!(" {duration}"),
        None => since(&phase.started, now),
    }
}

fn since(started: &str, now: Timestamp) -> String {
    let Ok(started) = started.parse::<Timestamp>() else { return String::new() };
    // A clock that runs behind that of whoever wrote it.
    let seconds = u64::try_from(now.as_second() - started.as_second()).unwrap_or(0);
    format!(" for {}", format_duration(Duration::from_secs(seconds)))
}

fn title(object: &ObjectStatus) -> String {
    format!("{} {}", object.kind, object.name)
}

fn object(text: &mut String, object: &ObjectStatus, width: usize) {
    let state = match (object.ready, &object.waiting_for) {
        (Some(true), _) => "ready",
        (Some(false), Some(what)) => what,
        (Some(false), None) => "not ready",
        (None, Some(why)) => &format!("not known: {why}"),
        (None, None) => "not known",
    };
    let restarts = match object.restarts {
        0 => String::new(),
        1 => ", 1 restart".to_owned(),
        more => format!(", {more} restarts"),
    };
    line(text, &format!("  {:width$}  {state}{restarts}", title(object)));
    for found in object.diagnosis.iter().flat_map(|diagnosis| diagnosis.lines()) {
        line(text, if found.is_empty() { String::new() } else { format!("    {found}") }.as_str());
    }
}

fn line(text: &mut String, line: &str) {
    // A String takes everything.
    let _ = write!(text, "\n{}", line.trim_end());
}
