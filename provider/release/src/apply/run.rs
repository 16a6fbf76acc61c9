//! One run of the pipeline: what the phases share, and its pages in the journal.

use std::sync::Arc;
use std::time::Instant;

use ffe_cluster::{Cancel, Cluster, Error, HeldLease, Kind, Redactor, WaitOptions};
use ffe_helm::binary::{Held, UninstallRequest};
use ffe_helm::chart::Chart;
use ffe_helm::manifest::Manifest;
use ffe_helm::records::{RecordKey, Release as HelmRelease};
use ffe_notify::Notifier;
use ffe_session::{CancelGuard, HelmKit, diagnostic, new_run_id};
use tfplugin::{Diagnostic, Diagnostics};

use crate::apply::migration::inspection::Inspection;
use crate::apply::migration::task::{Task, TaskOutcome, end_with_pods, remove_job};
use crate::apply::phases::lock::either;
use crate::apply::taken_over;
use crate::journal::Phase;
use crate::journal::ownership::{self, Whose};
use crate::journal::{Journal, Outcome, PhaseRecord, RunRecord};
use crate::rendering::changes::Change;
use crate::rendering::promise::Promise;
use crate::settings::inputs::Inputs;
use crate::settings::model::Migration;
use crate::state::seen::Seen;

/// Why a phase did not go on.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The user stopped it.
    Cancelled,
    /// A lease is lost: somebody else may be at work by now, so nothing more is touched.
    LeaseLost,
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

    /// As messages to the user.
    pub(crate) fn into_diagnostics(self) -> Diagnostics {
        match self {
            Stop::Failed(diagnostics) => diagnostics,
            Stop::Cancelled => Diagnostics::error("Interrupted", "The next apply goes on from what the journal says."),
            Stop::LeaseLost => Diagnostics::error(
                "The lease on the release is lost",
                "It could not be renewed in time, so somebody else may be at work by now. Nothing more was done; the next \
                 apply goes on from what the journal says.",
            ),
        }
    }

    /// An error of Helm while doing what `summary` says.
    pub(crate) fn helm(error: &ffe_helm::Error, summary: &str) -> Stop {
        if error.is_cancelled() {
            Stop::Cancelled
        } else {
            Stop::failed(Diagnostic::error(summary, error.with_advice()))
        }
    }
}

/// One run.
pub(crate) struct Run {
    /// Names the run, unless it goes on with one that was interrupted.
    pub id: String,
    /// The configuration.
    pub inputs: Inputs,
    /// The cluster.
    pub cluster: Cluster,
    /// Helm.
    pub kit: Arc<HelmKit>,
    /// Set when the user wants to stop, or a lease is lost.
    pub cancel: Cancel,
    /// What keeps others away: the release's first.
    pub leases: Vec<HeldLease>,
    /// The journal, with this run as its last.
    pub journal: Journal,
    /// The chart, after preflight.
    pub chart: Option<Arc<Chart>>,
    /// The Helm that has rendered it and waits to deploy it, between preflight and deploy.
    pub held: Option<Held>,
    /// What will be deployed, after preflight.
    pub manifest: Option<Manifest>,
    /// What the plan has promised to change, as actions and objects, where it could be foreseen.
    pub promised: Option<Vec<(String, String)>>,
    /// What the plan has promised to render, to be compared again before anything changes.
    pub promise: Option<Promise>,
    /// What preflight has found to change.
    pub found: Vec<Change>,
    /// What preflight has found to be different each time.
    pub unstable: Vec<String>,
    /// The release was in state before this run: what was deployed is good to go back to, also if no run of ours has
    /// verified it yet (a release that was imported).
    pub was_managed: bool,
    /// What the state knows of the release; nothing where it is in none.
    pub seen: Seen,
    /// The release as it was before this run.
    pub before: Option<RecordKey>,
    /// The release as it is after deploy.
    pub after: Option<HelmRelease>,
    /// Its record's key.
    pub after_key: Option<RecordKey>,
    /// The release is as wanted already: do not deploy.
    pub in_place: bool,
    /// There is drift to put right: deploy, also if what is deployed is as wanted.
    pub corrects: bool,
    /// There is nothing but drift to put right: neither take a backup nor migrate.
    pub correction: bool,
    /// The release is in, and the journal does not say so.
    pub unrecorded: bool,
    /// The database is where the image wants it: do not migrate.
    pub nothing_pending: bool,
    /// Where the database's schema stands, after preflight.
    pub stands_at: Option<Inspection>,
    /// A pooler before the database refuses `PGOPTIONS`, as found in preflight.
    pub without_options: bool,
    /// What has become of the release on the way back.
    pub release_back: Option<Outcome>,
    /// Warnings so far.
    pub warnings: Diagnostics,
    /// Who is told.
    pub notifier: Notifier,
    /// When it began.
    pub started: Instant,
    begun: Option<Instant>,
    bridge: Option<tokio::task::JoinHandle<()>>,
    /// Keeps `cancel` following Terraform's wish to stop.
    _guard: CancelGuard,
}

/// Now, as RFC 3339 with seconds.
pub(crate) fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

impl Run {
    /// A run that has not begun: its journal is empty until the lock is held.
    pub(crate) fn new(
        inputs: Inputs,
        cluster: Cluster,
        kit: Arc<HelmKit>,
        notifier: Notifier,
        guard: CancelGuard,
    ) -> Run {
        let id = new_run_id();
        Run {
            cluster,
            kit,
            cancel: guard.token(),
            journal: Journal::new(&inputs.namespace, &inputs.name, &id),
            leases: Vec::new(),
            bridge: None,
            id,
            inputs,
            chart: None,
            held: None,
            manifest: None,
            promised: None,
            promise: None,
            found: Vec::new(),
            unstable: Vec::new(),
            was_managed: false,
            seen: Seen::default(),
            before: None,
            after: None,
            after_key: None,
            in_place: false,
            corrects: false,
            correction: false,
            unrecorded: false,
            nothing_pending: false,
            stands_at: None,
            without_options: false,
            release_back: None,
            warnings: Diagnostics::new(),
            notifier,
            started: Instant::now(),
            begun: None,
            _guard: guard,
        }
    }

    /// What this run changes: as the plan has promised, else as preflight has found.
    pub(crate) fn changes(&self) -> Vec<(String, String)> {
        let found = || self.found.iter().map(|change| (change.action.clone(), change.object.clone())).collect();
        self.promised.clone().unwrap_or_else(found)
    }

    /// The database's migration, unless this run has nothing to do with it.
    pub(crate) fn migration(&self) -> Option<&Migration> {
        self.inputs.config.migration.known().filter(|_| !self.correction)
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

    /// Looks anew what is deployed, before an attempt that is not the first.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub(crate) async fn look_again(&mut self) -> Result<(), Stop> {
        crate::apply::start::recover_pending(self).await?;
        let history = self.kit.records.history_now(&self.inputs.namespace, &self.inputs.name).await;
        let history = history.map_err(|error| Stop::helm(&error, "The release's records cannot be read"))?;
        self.before = history.into_iter().next_back().filter(crate::journal::claim::is_installed);
        self.in_place = false;
        Ok(())
    }

    /// Whose the release is that Helm has now.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub(crate) async fn whose(&self) -> Result<Whose, Stop> {
        let known = self.seen.known(Some(&self.journal));
        let looked = ownership::look(&self.kit.records, &self.inputs.namespace, &self.inputs.name, known).await;
        looked.map_err(|error| Stop::helm(&error, "The release's records cannot be read"))
    }

    /// Uninstalls the release, once it is proven to be ours. `false`: Helm has none.
    ///
    /// # Errors
    /// When it is somebody else's, or Helm fails.
    pub(crate) async fn uninstall(&self, request: &UninstallRequest<'_>) -> Result<bool, Stop> {
        let owned = match self.whose().await? {
            Whose::Nobodys => return Ok(false),
            Whose::Ours(owned) => owned,
            Whose::Foreign(foreign) => {
                return Err(Stop::failed(Diagnostic::error(
                    format!("The release {}/{} was not uninstalled", self.inputs.namespace, self.inputs.name),
                    format!(
                        "It is somebody else's: no run of ours has deployed what Helm has ({foreign}). It was left as it is."
                    ),
                )));
            }
        };
        let spared = taken_over::spare(&self.kit.records, owned.newest(), &self.journal, &Manifest::default()).await;
        spared
            .map_err(|error| Stop::helm(&error, "The release was not uninstalled: its record cannot be rewritten"))?;
        let helm = self.kit.helm.with_secrets(self.inputs.helm_secrets());
        let done = owned.uninstall(&helm, request, &self.cancel).await;
        self.kit.records.invalidate(&self.inputs.namespace);
        done.map(|()| true).map_err(|error| Stop::helm(&error, "The release could not be uninstalled"))
    }

    /// Writes a Job down before it is made.
    ///
    /// # Errors
    /// As [`Run::save`].
    pub(crate) async fn begin_job(&mut self, job: &str) -> Result<(), Stop> {
        if self.record().jobs.iter().any(|known| known == job) {
            return Ok(());
        }
        self.note(|record| record.jobs.push(job.to_owned()));
        self.save().await
    }

    /// Runs a task's Job, written down before it is made. Unless it is complete it is ended with its pods before anything else is
    /// done, lest it commits behind what is looked at next.
    ///
    /// # Errors
    /// As [`Run::save`] and [`Task::run`], and when its pods do not end.
    pub(crate) async fn carry_out(
        &mut self,
        task: &Task,
        settings: &Migration,
        image: &str,
    ) -> Result<TaskOutcome, Stop> {
        let job = task.job_name(&self.record().id);
        self.check_leases()?;
        self.begin_job(&job).await?;
        let outcome = Box::pin(task.run(self, settings, image)).await;
        let over = match &outcome {
            Ok(outcome) => outcome.succeeded,
            Err(Stop::Cancelled | Stop::LeaseLost) => true,
            Err(Stop::Failed(_)) => false,
        };
        self.check_leases()?;
        if !over {
            match end_with_pods(self, &job).await {
                Ok(()) => self.note(|record| record.jobs.retain(|known| *known != job)),
                Err(why) => tracing::warn!(?why, %job, "the Job is left to the next run"),
            }
        }
        outcome
    }

    /// Writes down what a Job has come to, then removes it and takes it off the list: a death in between leaves it on the
    /// list, for the next run to remove.
    ///
    /// # Errors
    /// As [`Run::save`], or when the Job cannot be removed.
    pub(crate) async fn end_job(&mut self, job: &str) -> Result<(), Stop> {
        self.save().await?;
        remove_job(self, job).await?;
        self.note(|record| record.jobs.retain(|known| known != job));
        self.save().await
    }

    /// Holds leases from now on: losing one stops the run as the user would.
    pub(crate) fn hold(&mut self, leases: Vec<HeldLease>) {
        let (cancel, bridge) = either(&self.cancel, leases.iter().map(|lease| lease.lost().clone()).collect());
        self.cancel = cancel;
        self.bridge = Some(bridge);
        self.leases = leases;
    }

    /// Gives the leases back. An error of that is a warning: they expire by themselves.
    pub(crate) async fn let_go(&mut self) -> Diagnostics {
        if let Some(bridge) = self.bridge.take() {
            bridge.abort();
        }
        let mut warnings = Diagnostics::new();
        for lease in self.leases.drain(..) {
            if let Err(error) = lease.release().await {
                warnings.push(Diagnostic::warning("A lease was not given back", error.to_string()));
            }
        }
        warnings
    }

    /// Writes the journal.
    ///
    /// # Errors
    /// When the cluster refuses, somebody else wrote in between, or the lease is lost: then nothing may be written.
    pub(crate) async fn save(&mut self) -> Result<(), Stop> {
        self.check_leases()?;
        self.journal.save(&self.cluster).await.map_err(|error| Stop::cluster(&error, "The journal cannot be written"))
    }

    /// Whether the leases are held still.
    ///
    /// # Errors
    /// When one is lost.
    pub(crate) fn check_leases(&self) -> Result<(), Stop> {
        if self.leases.iter().all(HeldLease::still_held) { Ok(()) } else { Err(Stop::LeaseLost) }
    }

    /// Notes where a Job has found the database.
    pub(crate) fn note_standing(&mut self, found: &Inspection) {
        self.note(|record| {
            record.schema_after = Some(found.current.clone());
            // Where it does not stand on the base any more, it is not known what has run since.
            record.ran = found.astray.is_empty().then(|| found.ran.clone());
        });
    }

    /// Takes the journal's version as it is in the cluster, where its last page is this run's: an answer of the API server
    /// may have been lost after the journal was written, or somebody has written something of no concern on it.
    pub(crate) async fn catch_up(&mut self) {
        match Journal::find(&self.cluster, &self.inputs.namespace, &self.inputs.name).await {
            Ok(Some(found)) if found.content.runs.last().is_some_and(|last| last.id == self.record().id) => {
                self.journal.follow(&found);
            }
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "the journal cannot be read"),
        }
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

    /// How a human gets the data back that a way back cannot restore.
    pub(crate) fn restore_advice(&self) -> String {
        match &self.record().restore {
            Some(command) => format!(
                "A backup was taken before the migration. Restoring it loses what was written since, so it is never done \
                 automatically:\n\n{command}"
            ),
            None => {
                "No backup was taken by this run; restore the one you have, or repair the schema by hand.".to_owned()
            }
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
