//! What the resource tells back: from Helm's record and the journal to computed attributes.

use std::collections::BTreeMap;

use ffe_helm::manifest::Manifest;
use tfplugin::{Attr, Redactor};

use crate::journal::helm_revision::HelmRevision;
use crate::journal::{Journal, Outcome, PhaseRecord, RunRecord};
use crate::rendering::changes::display;
use crate::settings::model::{Release, ServiceOutput};

/// Fills in what Helm's record says. Notes may show any value of the release: without a redactor that knows its write-only
/// values they are left out.
pub(crate) fn from_record(model: &mut Release, revision: &HelmRevision, redactor: Option<&Redactor>) {
    let HelmRevision { release, manifest } = revision;
    model.revision = Attr::Known(i64::from(release.revision));
    model.status = Attr::Known(release.status.to_string());
    model.app_version = release.app_version().map(str::to_owned).into();
    model.chart_version = Attr::Known(release.chart.version.clone());
    let notes = Some(release.notes.trim_end()).filter(|notes| !notes.is_empty());
    let kept_secret = Redactor::new(manifest.secret_texts());
    model.notes = redactor.zip(notes).map(|(redactor, notes)| kept_secret.clean(&redactor.clean(notes))).into();
    model.manifest_digest = Attr::Known(manifest.digest());
    let objects = manifest.objects.iter().map(|object| Attr::Known(display(&object.id, &release.namespace)));
    model.resources = Attr::Known(objects.collect());
    model.services = Attr::Known(services(manifest, &release.namespace));
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
    known(&mut model.undone_revisions);
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
