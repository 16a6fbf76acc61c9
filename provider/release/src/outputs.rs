//! What the resource tells back: from Helm's record and the journal to computed attributes.

use std::collections::BTreeMap;

use ffe_cluster::Redactor;
use ffe_helm::manifest::Manifest;
use ffe_helm::records::{RecordKey, Release as HelmRelease};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tfplugin::{Attr, Private};

use crate::changes::display;
use crate::journal::{Journal, RunRecord};
use crate::model::{BackupOutput, LastRun, PhaseOutput, Release, ServiceOutput};
use crate::ownership::Known;

/// What is kept in private state: where the release was seen, and as what.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Seen {
    /// The cluster's identity: the UID of its kube-system namespace.
    pub cluster: String,
    /// The API server it was reached at, for messages.
    pub server: String,
    /// The UID of Helm's newest record.
    pub record_uid: String,
    /// Its resource version: while both stand, nothing has changed.
    pub record_version: String,
    /// When Helm first deployed it: another release of the same name has another time.
    pub first_deployed: Option<Timestamp>,
    /// It was taken over (`adopt = true`), so that it is given back and never uninstalled; said here too, because the journal
    /// may be lost.
    pub adopted: bool,
    /// Somebody has uninstalled it and installed another one of the same name.
    pub replaced: bool,
    /// Digest of the objects as the last apply left them; another one in state is drift.
    pub applied_digest: String,
    /// Helm's revision as the last apply left it; another one in state is somebody else's.
    pub applied_revision: i64,
    /// The journal does not say yet what the last apply left.
    pub unrecorded: bool,
    /// The last run is not finished: somebody died, or stopped it.
    pub open_run: bool,
    /// Digest of the chart on this machine when the release was read; empty when it is not here.
    pub chart: String,
}

const KEY: &str = "seen.v1";

impl Seen {
    /// From private state.
    pub(crate) fn load(private: &Private) -> Seen {
        private.get(KEY).unwrap_or_default()
    }

    /// Into private state.
    pub(crate) fn store(&self, private: &mut Private) {
        private.set(KEY, self);
    }

    /// What is known of the release, with its journal. The record of another release of the same name proves nothing.
    pub(crate) fn known<'a>(&'a self, journal: Option<&'a Journal>) -> Known<'a> {
        let record_uid = if self.replaced { "" } else { &self.record_uid };
        Known { journal, first_deployed: self.first_deployed, record_uid }
    }

    /// Whether this is the record that was seen.
    pub(crate) fn is_current(&self, key: &RecordKey) -> bool {
        self.record_uid == key.uid && self.record_version == key.resource_version
    }

    /// Notes the record that is seen now.
    pub(crate) fn note(&mut self, key: &RecordKey) {
        self.record_uid.clone_from(&key.uid);
        self.record_version.clone_from(&key.resource_version);
    }
}

/// Fills in what Helm's record says. Notes may show any value of the release: without a redactor that knows its write-only
/// values they are left out.
pub(crate) fn from_record(model: &mut Release, release: &HelmRelease, redactor: Option<&Redactor>) {
    model.revision = Attr::Known(i64::from(release.revision));
    model.status = Attr::Known(release.status.to_string());
    model.app_version = release.app_version().map(str::to_owned).into();
    model.chart_version = Attr::Known(release.chart.version.clone());
    let manifest = release.parsed_manifest().unwrap_or_default();
    let notes = Some(release.notes.trim_end()).filter(|notes| !notes.is_empty());
    let kept_secret = Redactor::new(manifest.secret_texts());
    model.notes = redactor.zip(notes).map(|(redactor, notes)| kept_secret.clean(&redactor.clean(notes))).into();
    model.manifest_digest = Attr::Known(manifest.digest());
    let objects = manifest.objects.iter().map(|object| Attr::Known(display(&object.id, &release.namespace)));
    model.resources = Attr::Known(objects.collect());
    model.services = Attr::Known(services(&manifest, &release.namespace));
}

fn services(manifest: &Manifest, namespace: &str) -> BTreeMap<String, ServiceOutput> {
    manifest
        .services(namespace)
        .into_iter()
        .filter_map(|service| {
            let port = service.ports.first()?.port;
            let output =
                ServiceOutput { service: Attr::Known(service.name.clone()), port: Attr::Known(i64::from(port)) };
            Some((service.name, output))
        })
        .collect()
}

/// Fills in what the journal says.
pub(crate) fn from_journal(model: &mut Release, journal: &Journal) {
    let applied = &journal.content.applied;
    model.chart_digest = Attr::Known(applied.chart_digest.clone());
    model.set_wo_revision = applied.set_wo_revision.clone().into();
    model.schema_revision =
        journal.schema_revision().map(|revisions| revisions.iter().cloned().map(Attr::Known).collect()).into();
    model.last_run = journal.content.runs.last().map(last_run).into();
}

/// One run as an output.
pub(crate) fn last_run(run: &RunRecord) -> LastRun {
    let phase = |page: &crate::journal::PhaseRecord| PhaseOutput {
        name: Attr::Known(page.name.clone()),
        outcome: Attr::from(page.outcome.word()),
        seconds: Attr::Known(page.seconds),
    };
    LastRun {
        id: Attr::Known(run.id.clone()),
        outcome: Attr::from(run.outcome.word()),
        started: Attr::Known(run.started.clone()),
        finished: run.finished.clone().into(),
        phases: Attr::Known(run.phases.iter().map(phase).collect()),
        backup: run.backup.as_ref().map(backup).into(),
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

/// Makes every computed attribute that is still unknown null: before it is filled in, and where there is nothing to fill in.
pub(crate) fn settle_unknown(model: &mut Release) {
    fn known<T>(attribute: &mut Attr<T>) {
        if attribute.is_unknown() {
            *attribute = Attr::Null;
        }
    }
    known(&mut model.revision);
    known(&mut model.status);
    known(&mut model.app_version);
    known(&mut model.chart_version);
    known(&mut model.chart_digest);
    known(&mut model.manifest_digest);
    known(&mut model.set_wo_revision);
    known(&mut model.resources);
    known(&mut model.services);
    known(&mut model.changes);
    known(&mut model.value_changes);
    known(&mut model.unstable_fields);
    known(&mut model.drifted);
    known(&mut model.notes);
    known(&mut model.schema_revision);
    known(&mut model.pending_revisions);
    known(&mut model.last_run);
}
