//! What the resource tells back: from Helm's record and the journal to computed attributes.

use std::collections::BTreeMap;

use ffe_cluster::Redactor;
use ffe_helm::manifest::Manifest;
use ffe_helm::records::{RecordKey, Release as HelmRelease};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tfplugin::{Attr, Private};

use crate::changes::display;
use crate::journal::{Journal, Outcome, PhaseRecord, RunRecord};
use crate::local_chart::LocalChart;
use crate::model::{Release, ServiceOutput};
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
    /// The same chart, and what its files looked like then: a note that saves reading them, and promises nothing.
    pub local_chart: LocalChart,
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
    let last = journal.content.runs.last();
    model.last_run = last.map(last_run).into();
    model.backup = last.and_then(|run| run.backup.as_ref()).map(|backup| backup.location.clone()).into();
}

/// One run in a line. A state holds it as text: a client compares, marks and shows each part of a state in every plan.
fn last_run(run: &RunRecord) -> String {
    let outcome = run.outcome.word();
    let when = match &run.finished {
        Some(finished) => format!("{outcome} at {finished}"),
        None => format!("{outcome} since {}", run.started),
    };
    let phases: Vec<String> = run.phases.iter().map(phase).collect();
    format!("{when}, run {}: {}", run.id, phases.join(", "))
}

fn phase(page: &PhaseRecord) -> String {
    match page.outcome {
        Outcome::Succeeded => format!("{} {}", page.name, duration(page.seconds)),
        Outcome::Running | Outcome::Skipped => format!("{} {}", page.name, page.outcome.word()),
        other => format!("{} {} after {}", page.name, other.word(), duration(page.seconds)),
    }
}

/// Seconds as a text such as `4.9s`. No attribute is a fractional number: a client compares those digit by digit.
pub(crate) fn duration(seconds: f64) -> String {
    format!("{}s", (seconds * 10.0).round() / 10.0)
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
    known(&mut model.backup);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn page(name: &str, outcome: Outcome, seconds: f64) -> PhaseRecord {
        PhaseRecord { name: name.to_owned(), outcome, started: String::new(), seconds }
    }

    #[test]
    fn a_run_is_told_in_one_line() {
        let mut run = RunRecord {
            id: "ab12".into(),
            outcome: Outcome::RolledBack,
            started: "2026-01-02T03:04:05Z".into(),
            finished: Some("2026-01-02T03:05:05Z".into()),
            phases: vec![
                page("lock", Outcome::Succeeded, 0.1),
                page("backup", Outcome::Skipped, 0.0),
                page("deploy", Outcome::Succeeded, 12.0),
                page("verify", Outcome::Failed, 31.25),
            ],
            ..RunRecord::default()
        };
        let text = last_run(&run);
        assert_eq!(
            text,
            "rolled_back at 2026-01-02T03:05:05Z, run ab12: lock 0.1s, backup skipped, deploy 12s, verify failed after 31.3s"
        );
        (run.outcome, run.finished, run.phases) = (Outcome::Running, None, vec![page("lock", Outcome::Running, 0.0)]);
        assert_eq!(last_run(&run), "running since 2026-01-02T03:04:05Z, run ab12: lock running");
    }
}
