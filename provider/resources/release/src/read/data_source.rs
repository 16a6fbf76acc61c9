//! The data source `ffe_release`: what a release is, what it was, and which runs have made it so. Nothing is written.

use std::sync::Arc;

use ffe_helm::records::{RecordKey, Records, Release as HelmRelease};
use ffe_session::{Session, Unavailable, checks, diagnostic};
use futures::{StreamExt, TryStreamExt};
use tfplugin::{Attr, Context, DataSource, Deferred, Diagnostic, Diagnostics, Model, Path, async_trait};

use crate::journal::{Journal, Outcome, PhaseRecord, RunRecord};
use crate::state::outputs::duration;

/// Records that are opened at the same time.
const AT_ONCE: usize = 8;

/// Looks a Helm release up: what is deployed, Helm's history of it, and the journal of the runs that `ffe_release` has made.
///
/// Releases that were made by other means have no journal.
#[derive(Model, Clone, Debug)]
pub struct ReleaseData {
    /// The namespace of the release.
    #[attr(required, check = checks::dns_label())]
    pub namespace: Attr<String>,
    /// The name of the release.
    #[attr(required, check = checks::release_name())]
    pub name: Attr<String>,
    /// Helm's revision number.
    #[attr(computed)]
    pub revision: Attr<i64>,
    /// Helm's status: `deployed`, `failed`, `pending-upgrade` and so on.
    #[attr(computed)]
    pub status: Attr<String>,
    /// The name of the chart.
    #[attr(computed)]
    pub chart: Attr<String>,
    /// The version of the chart.
    #[attr(computed)]
    pub chart_version: Attr<String>,
    /// The version of the application, as the chart says it.
    #[attr(computed)]
    pub app_version: Attr<String>,
    /// The database's schema revision after the last run that looked at it.
    #[attr(computed)]
    pub schema_revision: Attr<Vec<Attr<String>>>,
    /// The revisions that Helm still has, oldest first.
    #[attr(computed)]
    pub history: Attr<Vec<HistoryOutput>>,
    /// The runs of the pipeline that are in the journal, oldest first.
    #[attr(computed)]
    pub journal: Attr<Vec<RunOutput>>,
}

/// One of Helm's revisions.
#[derive(Model, Clone, Debug)]
pub struct HistoryOutput {
    /// Its number.
    #[attr(computed)]
    pub revision: Attr<i64>,
    /// Its status.
    #[attr(computed)]
    pub status: Attr<String>,
    /// The chart, as `name-version`.
    #[attr(computed)]
    pub chart: Attr<String>,
    /// The version of the application.
    #[attr(computed)]
    pub app_version: Attr<String>,
    /// When it was deployed (RFC 3339).
    #[attr(computed)]
    pub time: Attr<String>,
    /// What Helm says of it; of revisions of ours the run that made it.
    #[attr(computed)]
    pub description: Attr<String>,
}

/// One run of the pipeline.
#[derive(Model, Clone, Debug)]
pub struct RunOutput {
    /// Its identifier, also in Helm's descriptions and in the names of its Jobs.
    #[attr(computed)]
    pub id: Attr<String>,
    /// `running` (or died), `succeeded`, `failed`, `rolled_back`, `uninstalled` or `interrupted`.
    #[attr(computed)]
    pub outcome: Attr<String>,
    /// When it started (RFC 3339).
    #[attr(computed)]
    pub started: Attr<String>,
    /// When it finished (RFC 3339); null while it runs.
    #[attr(computed)]
    pub finished: Attr<String>,
    /// Its phases in order.
    #[attr(computed)]
    pub phases: Attr<Vec<PhaseOutput>>,
    /// Helm's revision before it.
    #[attr(computed)]
    pub revision_before: Attr<i64>,
    /// Helm's revision that it made; null where it made none.
    #[attr(computed)]
    pub revision_after: Attr<i64>,
    /// The database's schema revisions before it; null where it did not look.
    #[attr(computed)]
    pub schema_before: Attr<Vec<Attr<String>>>,
    /// The database's schema revisions after it; null where it did not migrate.
    #[attr(computed)]
    pub schema_after: Attr<Vec<Attr<String>>>,
    /// The dump that it took before the migration.
    #[attr(computed)]
    pub backup: Attr<BackupOutput>,
    /// Whether the checks after its deployment passed.
    #[attr(computed)]
    pub verified: Attr<bool>,
}

/// A dump of the database.
#[derive(Model, Clone, Debug)]
pub struct BackupOutput {
    /// Its name.
    #[attr(computed)]
    pub name: Attr<String>,
    /// `pvc/<claim>/<file>`, `s3://<bucket>/<key>`, or `<kind>:<path>` of rclone.
    #[attr(computed)]
    pub location: Attr<String>,
    /// Its size in bytes.
    #[attr(computed)]
    pub size_bytes: Attr<i64>,
    /// Its checksum.
    #[attr(computed)]
    pub sha256: Attr<String>,
}

/// One phase of a run.
#[derive(Model, Clone, Debug)]
pub struct PhaseOutput {
    /// Its name.
    #[attr(computed)]
    pub name: Attr<String>,
    /// `succeeded`, `failed`, `skipped` or `interrupted`.
    #[attr(computed)]
    pub outcome: Attr<String>,
    /// How long it took, such as `4.9s`; null while it runs, and where there was nothing to do.
    #[attr(computed)]
    pub duration: Attr<String>,
}

/// The data source.
pub struct ReleaseDataSource {
    session: Arc<Session>,
}

impl ReleaseDataSource {
    /// The data source, on the configured provider.
    pub fn new(session: Arc<Session>) -> ReleaseDataSource {
        ReleaseDataSource { session }
    }
}

#[async_trait]
impl DataSource for ReleaseDataSource {
    type Model = ReleaseData;

    fn type_name(&self) -> &'static str {
        "ffe_release"
    }

    async fn defer(&self, _cx: &Context, _config: &ReleaseData) -> Option<Deferred> {
        self.session.deferral()
    }

    async fn read(&self, _cx: &Context, config: ReleaseData) -> Result<(ReleaseData, Diagnostics), Diagnostics> {
        let cluster = self.session.cluster().map_err(Unavailable::into_diagnostics)?;
        let kit = self.session.helm().map_err(Unavailable::into_diagnostics)?;
        let (namespace, name) = (config.namespace.clone().unwrap_or_default(), config.name.clone().unwrap_or_default());
        let unreadable = |error: &ffe_helm::Error| {
            Diagnostics::error(format!("The release {namespace}/{name} cannot be read"), error.to_string())
        };
        let history = kit.records.history_now(&namespace, &name).await.map_err(|error| unreadable(&error))?;
        let history = open(&kit.records, &history).await.map_err(|error| unreadable(&error))?;
        let Some(newest) = history.last() else {
            return Err(Diagnostic::error(
                format!("There is no release {namespace}/{name}"),
                format!("Looked for Helm's release records on {}. helm list -A shows what is there.", cluster.server()),
            )
            .at(Path::attribute("name"))
            .into());
        };
        let journal = Journal::find(&cluster, &namespace, &name).await;
        let journal = journal.map_err(|error| diagnostic(&error, "The journal cannot be read"))?;
        let schema = journal.as_ref().and_then(Journal::schema_revision);
        let found = ReleaseData {
            revision: Attr::Known(i64::from(newest.revision)),
            status: Attr::Known(newest.status.to_string()),
            chart: Attr::Known(newest.chart.name.clone()),
            chart_version: Attr::Known(newest.chart.version.clone()),
            app_version: newest.app_version().map(str::to_owned).into(),
            schema_revision: schema.map(|revisions| texts(revisions)).into(),
            history: Attr::Known(history.iter().map(revision).collect()),
            journal: Attr::Known(journal.iter().flat_map(|journal| journal.content.runs.iter().map(run)).collect()),
            ..config
        };
        Ok((found, Diagnostics::new()))
    }
}

/// Opens records; one that is gone meanwhile is left out.
async fn open(records: &Records, history: &[RecordKey]) -> ffe_helm::Result<Vec<HelmRelease>> {
    let open = |key: RecordKey| {
        let records = records.clone();
        async move { records.open(&key).await }
    };
    let opened = futures::stream::iter(history.to_vec()).map(open).buffered(AT_ONCE);
    let opened: Vec<Option<HelmRelease>> = opened.try_collect().await?;
    Ok(opened.into_iter().flatten().collect())
}

fn revision(release: &HelmRelease) -> HistoryOutput {
    HistoryOutput {
        revision: Attr::Known(i64::from(release.revision)),
        status: Attr::Known(release.status.to_string()),
        chart: Attr::Known(format!("{}-{}", release.chart.name, release.chart.version)),
        app_version: release.app_version().map(str::to_owned).into(),
        time: release.last_deployed.map(|time| time.to_string()).into(),
        description: Some(release.description.clone()).filter(|text| !text.is_empty()).into(),
    }
}

fn run(record: &RunRecord) -> RunOutput {
    RunOutput {
        id: Attr::Known(record.id.clone()),
        outcome: Attr::from(record.outcome.word()),
        started: Attr::Known(record.started.clone()),
        finished: record.finished.clone().into(),
        phases: Attr::Known(record.phases.iter().map(phase).collect()),
        revision_before: record.revision_before.map(i64::from).into(),
        revision_after: record.revision_after.map(i64::from).into(),
        schema_before: record.schema_before.as_deref().map(texts).into(),
        schema_after: record.schema_after.as_deref().map(texts).into(),
        backup: record.backup.as_ref().map(backup).into(),
        verified: Attr::Known(record.verified),
    }
}

fn phase(page: &PhaseRecord) -> PhaseOutput {
    let took = !matches!(page.outcome, Outcome::Running | Outcome::Skipped);
    PhaseOutput {
        name: Attr::Known(page.name.clone()),
        outcome: Attr::from(page.outcome.word()),
        duration: took.then(|| duration(page.seconds)).into(),
    }
}

fn backup(backup: &ffe_backup::Backup) -> BackupOutput {
    BackupOutput {
        name: Attr::Known(backup.name.clone()),
        location: Attr::Known(backup.location.clone()),
        size_bytes: i64::try_from(backup.size_bytes).ok().into(),
        sha256: Attr::Known(backup.sha256.clone()),
    }
}

fn texts(revisions: &[String]) -> Vec<Attr<String>> {
    revisions.iter().cloned().map(Attr::Known).collect()
}
