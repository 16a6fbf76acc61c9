#![allow(clippy::unwrap_used)]
use ffe_helm::chart::Metadata;
use serde_json::Map;

use super::*;
use crate::journal::{Outcome, PhaseRecord};

const STARTED: &str = "2026-01-02T03:04:05Z";
const LATER: &str = "2026-01-02T03:04:06.5Z";
const EARLIER: &str = "2026-01-02T03:04:04.9Z";

fn at(text: &str) -> Option<Timestamp> {
    Some(text.parse().unwrap())
}

fn key(status: Status) -> RecordKey {
    RecordKey {
        name: "app".into(),
        namespace: "ffe".into(),
        revision: 1,
        status,
        object: "sh.helm.release.v1.app.v1".into(),
        uid: "uid-1".into(),
        resource_version: "7".into(),
        written: None,
    }
}

fn release(first_deployed: &str, description: &str) -> HelmRelease {
    HelmRelease {
        name: "app".into(),
        namespace: "ffe".into(),
        revision: 1,
        status: Status::Deployed,
        chart: Metadata::default(),
        first_deployed: at(first_deployed),
        last_deployed: at(first_deployed),
        deleted: None,
        description: description.into(),
        notes: String::new(),
        manifest: String::new(),
        config: Map::new(),
        default_values: Map::new(),
        hooks: Vec::new(),
        apply_method: None,
    }
}

/// A journal whose last run has died in its deployment.
fn journal() -> Journal {
    let mut journal = Journal::new("ffe", "app", "a");
    journal.content.runs.push(RunRecord {
        id: "a".into(),
        outcome: Outcome::Running,
        started: STARTED.into(),
        phases: vec![PhaseRecord {
            name: "deploy".into(),
            outcome: Outcome::Running,
            started: STARTED.into(),
            seconds: Default::default(),
        }],
        ..RunRecord::default()
    });
    journal
}

fn ours(status: Status, release: &HelmRelease, known: Known<'_>) -> bool {
    is_ours(&key(status), release, known)
}

#[test]
fn what_a_run_of_ours_has_described_is_ours_and_what_says_anything_else_is_not() {
    let journal = journal();
    let by = Known::by(Some(&journal));
    assert!(ours(Status::Deployed, &release(LATER, &description("a")), by));
    for foreign in ["Install complete", "Upgrade complete", "", "terraform-provider-ffe run b"] {
        assert!(!ours(Status::Deployed, &release(LATER, foreign), by), "{foreign}");
    }
    assert!(!ours(Status::Deployed, &release(LATER, &description("a")), Known::by(None)));
}

#[test]
fn an_install_that_died_is_ours_when_it_began_in_our_run() {
    let journal = journal();
    let by = Known::by(Some(&journal));
    for status in [Status::PendingInstall, Status::Failed] {
        assert!(ours(status, &release(LATER, "Initial install underway"), by), "{status}");
        assert!(!ours(status, &release(EARLIER, "Initial install underway"), by), "{status}: it was there before");
    }
    let mut over = journal.clone();
    over.content.runs[0].outcome = Outcome::Uninstalled;
    let by = Known::by(Some(&over));
    assert!(!ours(Status::Failed, &release(LATER, "failed"), by), "ours was uninstalled: this one came afterwards");
}

#[test]
fn the_time_of_the_first_deployment_tells_it_from_another_of_the_name() {
    let mut journal = journal();
    journal.content.runs[0].outcome = Outcome::Succeeded;
    journal.content.first_deployed = at(LATER);
    let by = Known::by(Some(&journal));
    assert!(ours(Status::Deployed, &release(LATER, "Rollback to 3"), by), "our rollback, or an upgrade by hand");
    assert!(!ours(Status::Deployed, &release("2026-01-02T03:04:06.6Z", "Install complete"), by));
    // The journal is lost, and the state knows.
    let state = Known { journal: None, first_deployed: at(LATER), record_uid: "" };
    assert!(ours(Status::Deployed, &release(LATER, "Install complete"), state));
    assert!(!ours(Status::Deployed, &release(STARTED, "Install complete"), state));
    let record = Known { journal: None, first_deployed: None, record_uid: "uid-1" };
    assert!(ours(Status::Deployed, &release(STARTED, "Install complete"), record));
    // A record without the time proves nothing.
    let mut silent = release(LATER, "");
    silent.first_deployed = None;
    assert!(!ours(Status::Deployed, &silent, Known { first_deployed: None, ..state }));
}
