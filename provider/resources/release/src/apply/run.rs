//! A run: it holds its leases and has opened its page in the journal.
//!
//! Only what every phase works with is here. What a phase finds or makes for those after it is a value that it hands on
//! (`pipeline`), so that no phase can read what no phase before it has made.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use ffe_cluster::{Cancel, Cluster};
use ffe_helm::chart::Chart;
use ffe_helm::manifest::Manifest;
use ffe_helm::records::RecordKey;
use ffe_notify::Notifier;
use ffe_session::{CancelGuard, HelmKit};
use ffe_workloads::WaitOptions;
use tfplugin::{Diagnostic, Diagnostics};

use crate::apply::leases::Leases;
use crate::apply::prepare::{Planned, Prepared};
use crate::apply::save::save;
use crate::apply::stop::Stop;
use crate::drift::correct::Correction;
use crate::journal::helm_revision::HelmRevision;
use crate::journal::{Journal, Outcome, Phase, PhaseRecord, RunRecord};
use crate::settings::inputs::Inputs;
use crate::settings::model::Migration;
use crate::state::seen::Seen;

/// Helm's newest record, as this run has made it.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    /// Its key.
    pub key: RecordKey,
    /// Its content.
    pub revision: HelmRevision,
}

/// One run.
pub(crate) struct Run {
    /// The configuration.
    pub inputs: Inputs,
    /// The chart.
    pub chart: Arc<Chart>,
    /// What the plan has said.
    pub planned: Planned,
    /// The release in Terraform's state, as it was seen last. It is good to go back to, also if no run of ours has verified it yet
    /// (a release that was imported). `None`: the state has none.
    pub managed: Option<Seen>,
    /// The cluster.
    pub cluster: Cluster,
    /// Helm.
    pub kit: Arc<HelmKit>,
    /// Fires when the user wants to stop, and when a lease is lost.
    pub cancel: Cancel,
    /// The journal, with this run as its last.
    pub journal: Journal,
    /// The release as this attempt has found it; `None` where there is none to upgrade.
    pub before: Option<RecordKey>,
    /// What this run has made Helm do last: deploy, or roll back.
    pub made: Option<Made>,
    /// Warnings so far.
    pub warnings: Diagnostics,
    /// Whom notices go to.
    pub notifier: Notifier,
    /// When it began.
    pub started: Instant,
    phase_begun: Option<Instant>,
    leases: Leases,
    /// Keeps `cancel` following Terraform's wish to stop.
    _guard: CancelGuard,
}

/// Now, as RFC 3339 with seconds.
pub(crate) fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

impl Run {
    /// A run behind its leases, with its page open in the journal.
    pub(crate) fn new(prepared: Prepared, leases: Leases, journal: Journal) -> Run {
        let Prepared { id: _, inputs, chart, planned, managed, cluster, kit, notifier, started, guard } = prepared;
        Run {
            inputs,
            chart,
            planned,
            managed,
            cluster,
            kit,
            cancel: leases.cancel(),
            journal,
            before: None,
            made: None,
            warnings: Diagnostics::new(),
            notifier,
            started,
            phase_begun: None,
            leases,
            _guard: guard,
        }
    }

    /// The database's migration, unless this run has nothing to do with it: one that only puts drift right neither takes a backup
    /// nor migrates.
    pub(crate) fn migration(&self) -> Option<&Migration> {
        self.inputs.config.migration.known().filter(|_| self.planned.correction != Correction::Alone)
    }

    /// What one of Helm's revisions has deployed, hooks among it.
    ///
    /// # Errors
    /// When that cannot be read, or the record is gone: what is not known is not taken for nothing.
    pub(crate) async fn manifest_of(&self, key: &RecordKey) -> Result<Manifest, Stop> {
        let opened = HelmRevision::require(&self.kit.records, key).await;
        opened.map(|revision| revision.manifest).map_err(Stop::failed)
    }

    /// What Helm has deployed last: what this run has made it deploy, else what was there before. `None`: there was nothing.
    ///
    /// # Errors
    /// As [`Run::manifest_of`].
    pub(crate) async fn deployed_now(&self) -> Result<Option<Manifest>, Stop> {
        match (&self.made, &self.before) {
            (Some(made), _) => Ok(Some(made.revision.manifest.clone())),
            (None, Some(key)) => self.manifest_of(key).await.map(Some),
            (None, None) => Ok(None),
        }
    }

    /// This run's page in the journal.
    pub(crate) fn record(&self) -> &RunRecord {
        static EMPTY: LazyLock<RunRecord> = LazyLock::new(RunRecord::default);
        self.journal.content.runs.last().unwrap_or(&EMPTY)
    }

    /// Changes this run's page; [`Run::save`] writes it.
    pub(crate) fn note(&mut self, change: impl FnOnce(&mut RunRecord)) {
        if let Some(record) = self.journal.current() {
            change(record);
        }
    }

    /// Whether the leases are held still.
    ///
    /// # Errors
    /// When one is lost.
    pub(crate) fn check_leases(&self) -> Result<(), Stop> {
        self.leases.check()
    }

    /// Gives the leases back. An error of that is a warning.
    pub(crate) async fn give_leases_back(&mut self) -> Diagnostics {
        self.leases.give_back().await
    }

    /// Writes the journal.
    ///
    /// # Errors
    /// When the cluster refuses, somebody else wrote in between, or the lease is lost: then nothing may be written.
    pub(crate) async fn save(&mut self) -> Result<(), Stop> {
        save(&mut self.journal, &self.cluster, &self.leases).await
    }

    /// Writes down that a phase begins.
    ///
    /// # Errors
    /// As [`Run::save`].
    pub(crate) async fn begin_phase(&mut self, phase: Phase) -> Result<(), Stop> {
        tracing::info!(release = %self.inputs.name, run = %self.record().id, "phase {} begins", phase.name());
        self.phase_begun = Some(Instant::now());
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
    pub(crate) async fn end_phase(&mut self, phase: Phase, outcome: Outcome) -> Result<(), Stop> {
        let took = self.phase_begun.map(|begun| (begun.elapsed().as_secs_f64() * 10.0).round() / 10.0);
        let seconds = took.unwrap_or_default();
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
    pub(crate) async fn close_page(&mut self, outcome: Outcome) -> Diagnostics {
        self.note(|record| {
            record.outcome = outcome;
            record.finished = Some(now());
        });
        match self.save().await {
            Err(Stop::LeaseLost) => Stop::LeaseLost
                .into_diagnostics()
                .into_iter()
                .map(|error| Diagnostic::warning(error.summary, error.detail))
                .collect(),
            Err(Stop::Failed(errors)) => {
                errors.into_iter().map(|error| Diagnostic::warning(error.summary, error.detail)).collect()
            }
            _ => Diagnostics::new(),
        }
    }

    /// How to wait for something.
    pub(crate) fn wait(&self, timeout: Duration) -> WaitOptions {
        WaitOptions::new(timeout, self.cancel.clone())
    }
}
