//! Why a workload does not come up, in words.
//!
//! [`Evidence`] is what was fetched; [`problems`] and [`Diagnosis::of`] are pure functions of it, so that
//! they are tested on recorded objects. [`diagnose`] fetches and judges in one go.

mod advice;
mod collect;
mod containers;
mod events;
mod evidence;
mod problems;

use std::fmt;

use ffe_cluster::{Cluster, Error, Explanation, ObjectRef};
use jiff::Timestamp;

pub(crate) use collect::pod_selector;
pub use evidence::{Evidence, Workload};
pub use problems::{Cause, Patience, Problem, problems};

/// Log lines of one container that a diagnosis shows.
pub const LOG_LINES: usize = 20;
/// Events that a diagnosis shows.
const EVENT_LINES: usize = 8;

/// What is wrong, and what to do; its Display is the text for people.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnosis {
    /// The workload
    pub object: ObjectRef,
    /// The main cause
    pub cause: Cause,
    /// One word or two, as Kubernetes says it: `ImagePullBackOff`, `FailedCreate`, `OOMKilled`
    pub reason: String,
    /// One sentence about the main cause
    pub message: String,
    /// Further problems, and what could not be looked at
    pub details: Vec<String>,
    /// Newest first, each once
    pub events: Vec<EventLine>,
    /// Of the containers that failed
    pub log: Vec<LogTail>,
    /// The next step
    pub advice: String,
}

/// An event, or several of the same.
#[derive(Debug, Clone, PartialEq)]
pub struct EventLine {
    /// `Pod backend-7d4b9`
    pub object: String,
    /// `FailedScheduling`
    pub reason: String,
    /// The text
    pub message: String,
    /// How many times it happened
    pub count: i32,
    /// A Warning, not a Normal one
    pub warning: bool,
    /// When it happened last
    pub last_seen: Option<Timestamp>,
}

/// The end of one container's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogTail {
    /// Name of the pod
    pub pod: String,
    /// Name of the container
    pub container: String,
    /// Of the run before the present one
    pub previous: bool,
    /// Redacted
    pub lines: Vec<String>,
}

impl Diagnosis {
    /// Judges evidence. Without any problem in it the diagnosis says what is being waited for.
    pub fn of(evidence: &Evidence) -> Self {
        let problems = problems(evidence);
        let object = evidence.workload.object();
        let (cause, reason, message) = match problems.first() {
            Some(first) => (first.cause, first.reason.clone(), first.sentence(&object)),
            None => (Cause::Unknown, "NotReady".to_owned(), waiting_for(evidence)),
        };
        let details = problems
            .iter()
            .skip(1)
            .map(|problem| problem.sentence(&object))
            .chain(evidence.missing.iter().map(|what| format!("not looked at: {what}")))
            .collect();
        Self {
            advice: advice::advise(cause, problems.first(), evidence),
            object,
            cause,
            reason,
            message,
            details,
            events: events::lines(&evidence.events, EVENT_LINES),
            log: evidence.logs.iter().filter(|tail| !tail.lines.is_empty()).cloned().collect(),
        }
    }
}

impl From<&Diagnosis> for Explanation {
    fn from(diagnosis: &Diagnosis) -> Self {
        Self { text: diagnosis.to_string(), advice: diagnosis.advice.clone() }
    }
}

/// The error of a workload that cannot come up.
impl From<&Diagnosis> for Error {
    fn from(diagnosis: &Diagnosis) -> Self {
        Self::Failed { object: Box::new(diagnosis.object.clone()), explanation: Box::new(diagnosis.into()) }
    }
}

fn waiting_for(evidence: &Evidence) -> String {
    match crate::wait::progress(&evidence.workload) {
        crate::wait::Progress::Ready => "nothing is wrong with it".to_owned(),
        crate::wait::Progress::Waiting(what) | crate::wait::Progress::Failed(what) => what,
    }
}

/// Fetches everything about a workload (Deployment, StatefulSet, DaemonSet, Job, Pod,
/// PersistentVolumeClaim) and judges it. Never fails: what could not be read is said in the
/// details.
pub async fn diagnose(cluster: &Cluster, workload: &ObjectRef) -> Diagnosis {
    Diagnosis::of(&Evidence::collect(cluster, workload, LOG_LINES).await)
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.object, self.reason, self.message)?;
        if !self.details.is_empty() {
            f.write_str("\n\nAlso:")?;
            for detail in &self.details {
                write!(f, "\n  - {detail}")?;
            }
        }
        if !self.events.is_empty() {
            f.write_str("\n\nEvents, newest first:")?;
            for event in &self.events {
                write!(f, "\n  - {event}")?;
            }
        }
        for tail in &self.log {
            let which = if tail.previous { ", the run before" } else { "" };
            write!(f, "\n\nLast lines of container {} in pod {}{which}:", tail.container, tail.pod)?;
            for line in &tail.lines {
                write!(f, "\n  | {line}")?;
            }
        }
        write!(f, "\n\nWhat to do: {}", self.advice)
    }
}

impl fmt::Display for EventLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.object, self.reason, self.message)?;
        if self.count > 1 {
            write!(f, " ({} times)", self.count)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
