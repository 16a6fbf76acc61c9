//! One run of the pipeline: what the phases share, and its pages in the journal.

use std::sync::Arc;
use std::time::Instant;

use ffe_cluster::{Cancel, Cluster, Error, Kind, Redactor, WaitOptions};
use ffe_helm::chart::Chart;
use ffe_helm::manifest::Manifest;
use ffe_helm::records::{RecordKey, Release as HelmRelease};
use ffe_session::{CancelGuard, HelmKit, diagnostic};
use tfplugin::{Diagnostic, Diagnostics};

use crate::inputs::Inputs;
use crate::journal::{Journal, Outcome, PhaseRecord, RunRecord};
use crate::model::Change;
use crate::pipeline::Phase;

/// Why a phase did not go on.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The user stopped it.
    Cancelled,
    /// It failed.
    Failed(Diagnostics),
}

impl Stop {
    /// A failure.
    pub(crate) fn failed(diagnostics: impl Into<Diagnostics>) -> Stop {
        Stop::Failed(diagnostics.into())
    }

    /// An error of the cluster while doing what `summary` says.
    pub(crate) fn cluster(error: &Error, summary: &str) -> Stop {
        if error.kind() == Kind::Cancelled { Stop::Cancelled } else { Stop::failed(diagnostic(error, summary)) }
    }

    /// An error of Helm while doing what `summary` says.
    pub(crate) fn helm(error: &ffe_helm::Error, summary: &str) -> Stop {
        if error.is_cancelled() { Stop::Cancelled } else { Stop::failed(Diagnostic::error(summary, error.to_string())) }
    }
}

/// One run.
pub(crate) struct Run {
    /// The configuration.
    pub inputs: Inputs,
    /// The cluster.
    pub cluster: Cluster,
    /// Helm.
    pub kit: Arc<HelmKit>,
    /// Set when the user wants to stop.
    pub cancel: Cancel,
    /// The journal, with this run as its last.
    pub journal: Journal,
    /// The chart, after preflight.
    pub chart: Option<Arc<Chart>>,
    /// What will be deployed, after preflight.
    pub manifest: Option<Manifest>,
    /// What the plan has promised to change, where it could be foreseen.
    pub promised: Option<Vec<Change>>,
    /// What preflight has found to change.
    pub found: Vec<Change>,
    /// The release as it was before this run.
    pub before: Option<RecordKey>,
    /// The release as it is after deploy.
    pub after: Option<HelmRelease>,
    /// Its record's key.
    pub after_key: Option<RecordKey>,
    /// The release's objects and values are as wanted already (an adopted or imported release): do not deploy.
    pub in_place: bool,
    /// Warnings so far.
    pub warnings: Diagnostics,
    begun: Option<Instant>,
    /// Keeps `cancel` following Terraform's wish to stop.
    _guard: CancelGuard,
}

/// Now, as RFC 3339 with seconds.
pub(crate) fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

impl Run {
    /// A run whose record is the journal's last.
    pub(crate) fn new(
        inputs: Inputs,
        cluster: Cluster,
        kit: Arc<HelmKit>,
        guard: CancelGuard,
        journal: Journal,
    ) -> Run {
        Run {
            inputs,
            cluster,
            kit,
            cancel: guard.token(),
            journal,
            chart: None,
            manifest: None,
            promised: None,
            found: Vec::new(),
            before: None,
            after: None,
            after_key: None,
            in_place: false,
            warnings: Diagnostics::new(),
            begun: None,
            _guard: guard,
        }
    }

    /// What this run changes: as the plan has promised, else as preflight has found.
    pub(crate) fn changes(&self) -> &[Change] {
        self.promised.as_deref().unwrap_or(&self.found)
    }

    /// This run's page in the journal.
    pub(crate) fn record(&self) -> &RunRecord {
        static EMPTY: std::sync::LazyLock<RunRecord> = std::sync::LazyLock::new(RunRecord::default);
        self.journal.content.runs.last().unwrap_or(&EMPTY)
    }

    /// Changes this run's page; [`Run::save`] writes it.
    pub(crate) fn note(&mut self, change: impl FnOnce(&mut RunRecord)) {
        if let Some(record) = self.journal.current() {
            change(record);
        }
    }

    /// Writes the journal.
    ///
    /// # Errors
    /// When the cluster refuses, or somebody else wrote in between.
    pub(crate) async fn save(&mut self) -> Result<(), Stop> {
        self.journal.save(&self.cluster).await.map_err(|error| Stop::cluster(&error, "The journal cannot be written"))
    }

    /// Writes down that a phase begins.
    ///
    /// # Errors
    /// As [`Run::save`].
    pub(crate) async fn begin(&mut self, phase: Phase) -> Result<(), Stop> {
        tracing::info!(release = %self.inputs.name, run = %self.record().id, "phase {} begins", phase.name());
        self.begun = Some(Instant::now());
        self.note(|record| {
            record.phases.retain(|page| page.name != phase.name());
            record.phases.push(PhaseRecord {
                name: phase.name().to_owned(),
                outcome: Outcome::Running,
                started: now(),
                seconds: 0.0,
            });
        });
        self.save().await
    }

    /// Writes down how a phase ended.
    ///
    /// # Errors
    /// As [`Run::save`].
    pub(crate) async fn end(&mut self, phase: Phase, outcome: Outcome) -> Result<(), Stop> {
        let seconds = self.begun.map(|begun| (begun.elapsed().as_secs_f64() * 10.0).round() / 10.0).unwrap_or_default();
        tracing::info!(release = %self.inputs.name, seconds, "phase {} {}", phase.name(), outcome.word());
        self.note(|record| {
            if let Some(page) = record.phases.last_mut() {
                page.outcome = outcome;
                page.seconds = seconds;
            }
        });
        // The record phase writes the end of the run itself.
        if phase == Phase::Record { Ok(()) } else { self.save().await }
    }

    /// Writes down how the run ended. An error of that is a warning: what happened has happened.
    pub(crate) async fn finish(&mut self, outcome: Outcome) -> Diagnostics {
        self.note(|record| {
            record.outcome = outcome;
            record.finished = Some(now());
        });
        match self.save().await {
            Err(Stop::Failed(errors)) => {
                errors.into_iter().map(|error| Diagnostic::warning(error.summary, error.detail)).collect()
            }
            _ => Diagnostics::new(),
        }
    }

    /// How to wait for something.
    pub(crate) fn wait(&self, timeout: std::time::Duration) -> WaitOptions {
        WaitOptions::new(timeout, self.cancel.clone()).redact(self.redactor())
    }

    /// Masks everything secret.
    pub(crate) fn redactor(&self) -> Redactor {
        self.inputs.redactor()
    }
}
