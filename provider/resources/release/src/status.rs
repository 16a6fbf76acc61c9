//! What goes on with a release now, for a person who looks on from outside of Terraform: the run and its phases out of the journal,
//! Helm's newest revision, and each workload with what keeps it from being ready.
//!
//! `look` reads and changes nothing; `text` says it. What cannot be read is said to be so, and never left out.

mod look;
mod text;

use jiff::Timestamp;
use serde::Serialize;

pub use look::{look, names};

/// A release at one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    /// Where it is.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Helm's newest revision; absent where Helm has none.
    pub revision: Option<Revision>,
    /// The newest run in the journal; absent where nobody has run.
    pub run: Option<Run>,
    /// What the newest revision runs, and the run's Jobs.
    pub objects: Vec<ObjectStatus>,
    /// What could not be read, and why.
    pub unknown: Vec<String>,
}

/// Helm's newest revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Revision {
    /// Its number.
    pub revision: u32,
    /// `deployed`, `failed`, `pending-upgrade` and so on.
    pub status: String,
    /// `name-version`.
    pub chart: String,
    /// The version of the application, as the chart says it.
    pub app_version: Option<String>,
}

/// A run of the pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Run {
    /// Its identifier.
    pub id: String,
    /// `running` (or died), `succeeded`, `failed`, `rolled_back`, `uninstalled` or `interrupted`.
    pub outcome: String,
    /// It takes back what it has done.
    pub going_back: bool,
    /// RFC 3339.
    pub started: String,
    /// RFC 3339; absent while it runs.
    pub finished: Option<String>,
    /// In order.
    pub phases: Vec<Phase>,
    /// The schema's revisions before it.
    pub schema_before: Option<Vec<String>>,
    /// The schema's revisions after its migration.
    pub schema_after: Option<Vec<String>>,
}

/// A phase of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Phase {
    /// Its name.
    pub name: String,
    /// `running`, `succeeded`, `failed`, `skipped` or `interrupted`.
    pub outcome: String,
    /// RFC 3339.
    pub started: String,
    /// How long it took, such as `4.9s`; absent while it runs.
    pub duration: Option<String>,
}

/// A workload or a Job.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ObjectStatus {
    /// `Deployment`.
    pub kind: String,
    /// Its namespace.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Whether it is as it should be; absent where that could not be looked at.
    pub ready: Option<bool>,
    /// What is lacking, in words.
    pub waiting_for: Option<String>,
    /// How often containers of its pods have been restarted.
    pub restarts: i32,
    /// What is wrong, with events, log lines and what to do.
    pub diagnosis: Option<String>,
}

impl Status {
    /// Whether a run is going on, or has died.
    pub fn is_running(&self) -> bool {
        self.run.as_ref().is_some_and(|run| run.finished.is_none())
    }

    /// For people: the run, its phases, the workloads, and of those that are not ready all that is known. `now` is what durations are
    /// counted to.
    pub fn text(&self, now: Timestamp) -> String {
        text::of(self, now)
    }
}
