#![allow(clippy::unwrap_used)]
use ffe_alembic::Undo;
use ffe_cluster_testing::FakeApi;
use serde_json::json;

use super::*;

fn run(outcome: Outcome, after: &str, undo: Undo) -> RunRecord {
    RunRecord {
        outcome,
        schema_before: Some(vec!["1".to_owned()]),
        schema_after: Some(vec![after.to_owned()]),
        pending: vec![Pending { revision: "2".to_owned(), undo, ..Pending::default() }],
        ..RunRecord::default()
    }
}

#[tokio::test]
async fn its_metadata_says_whether_there_is_something_to_finish() {
    let kept = RunRecord { kept: true, ..run(Outcome::Failed, "2", Undo::Possible) };
    for (runs, open) in [
        (vec![run(Outcome::Succeeded, "2", Undo::Possible)], false),
        (vec![run(Outcome::Running, "1", Undo::Possible)], true),
        (vec![run(Outcome::Interrupted, "2", Undo::Pass)], true),
        (vec![run(Outcome::RolledBack, "1", Undo::Possible)], false),
        // The schema is ahead: it can go back, it cannot, it need not.
        (vec![run(Outcome::Failed, "2", Undo::Possible)], true),
        (vec![run(Outcome::Failed, "2", Undo::Raises)], false),
        (vec![kept], false),
        // Behind one that failed before it looked, and before one that was good.
        (
            vec![
                run(Outcome::Interrupted, "2", Undo::Possible),
                RunRecord { outcome: Outcome::Failed, ..RunRecord::default() },
            ],
            true,
        ),
        (vec![run(Outcome::Interrupted, "2", Undo::Possible), run(Outcome::Succeeded, "2", Undo::Possible)], false),
    ] {
        let api = FakeApi::new();
        api.put(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "ffe" } }));
        let mut journal = Journal::new("ffe", "app", "a");
        journal.content.runs = runs;
        journal.save(&api.cluster()).await.unwrap();
        let secret: Secret = api.cluster().get(Some("ffe"), "ffe-journal.app").await.unwrap();
        assert_eq!(is_run_open(&secret.metadata), open, "{:?}", journal.content.runs);
        assert_eq!(secret.metadata.labels.unwrap()["owner"], BESIDE);
    }
}

fn page(outcome: Outcome, revision_before: Option<u32>, phases: &[Phase]) -> RunRecord {
    let phases = phases.iter().map(|phase| PhaseRecord {
        name: phase.name().to_owned(),
        outcome: Outcome::Running,
        started: String::new(),
        seconds: 0.0,
    });
    RunRecord { outcome, revision_before, phases: phases.collect(), ..RunRecord::default() }
}

fn journal(runs: Vec<RunRecord>) -> Journal {
    let mut journal = Journal::new("ffe", "app", "a");
    journal.content.runs = runs;
    journal
}

#[test]
fn what_stood_before_is_what_the_first_of_the_runs_that_were_not_good_has_found() {
    use Outcome::{Failed, Interrupted, RolledBack, Running, Succeeded};
    let stood = |runs: &[(Outcome, Option<u32>)]| {
        journal(runs.iter().map(|(outcome, before)| page(*outcome, *before, &[])).collect()).stood_before()
    };
    assert_eq!(stood(&[(Succeeded, Some(2)), (Running, Some(3))]), Some(3));
    assert_eq!(stood(&[(Succeeded, Some(2)), (Interrupted, Some(3)), (Failed, Some(4)), (Running, Some(5))]), Some(3));
    assert_eq!(stood(&[(Interrupted, Some(3)), (RolledBack, Some(4)), (Running, Some(6))]), Some(6));
    assert_eq!(stood(&[(Interrupted, None), (Running, Some(1))]), None, "a first install that died");
    assert_eq!(stood(&[]), None);
}

#[test]
fn only_a_run_that_has_begun_to_deploy_can_have_left_helm_at_work() {
    let begun = |outcome, phases: &[Phase], revision| page(outcome, Some(3), phases).may_have_begun(revision);
    let deployed = [Phase::Lock, Phase::Deploy];
    assert!(begun(Outcome::Interrupted, &deployed, 4));
    assert!(begun(Outcome::Running, &deployed, 4));
    assert!(!begun(Outcome::Interrupted, &[Phase::Lock, Phase::Migrate], 4), "it was not that far");
    assert!(!begun(Outcome::Interrupted, &deployed, 3), "it was there before");
    assert!(!begun(Outcome::Succeeded, &deployed, 4));
    assert!(!begun(Outcome::RolledBack, &deployed, 9));
    assert!(RunRecord { unwinding: true, ..page(Outcome::Failed, Some(3), &[]) }.may_have_begun(5));
    assert!(page(Outcome::Running, None, &deployed).may_have_begun(1));
}

#[test]
fn a_schema_that_nobody_has_seen_after_a_migration_had_begun_may_be_ahead() {
    let one = |phases: &[Phase], after: Option<&str>| RunRecord {
        schema_before: Some(vec!["1".to_owned()]),
        schema_after: after.map(|after| vec![after.to_owned()]),
        ..page(Outcome::Failed, None, phases)
    };
    assert!(one(&[Phase::Migrate], None).is_ahead());
    assert!(!one(&[Phase::Preflight], None).is_ahead());
    assert!(!one(&[Phase::Migrate], Some("1")).is_ahead());
    let mut seen = journal(vec![one(&[Phase::Migrate], None), one(&[Phase::Preflight], None)]);
    seen.settle_schema_of_earlier(&["2".to_owned()]);
    assert!(seen.content.runs[0].is_ahead());
    seen.settle_schema_of_earlier(&["1".to_owned()]);
    assert!(!seen.content.runs[0].is_ahead());
    assert_eq!(seen.content.runs[1].schema_after, None, "it has not migrated yet");
    seen.settle_schema(&["1".to_owned()]);
    assert_eq!(seen.content.runs[1].schema_after, Some(vec!["1".to_owned()]));
}

#[test]
fn revisions_of_a_release_that_is_gone_are_nothing_to_go_back_to() {
    let run = RunRecord { verified: true, revision_after: Some(1), ..page(Outcome::Succeeded, None, &[]) };
    let journal = journal(vec![run]);
    assert_eq!(journal.last_verified(), Some(1));
    assert_eq!(journal.anew().last_verified(), None);
}

#[tokio::test]
async fn many_runs_of_a_thousand_revisions_fit_into_the_secret() {
    let api = FakeApi::new();
    api.put(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "ffe" } }));
    let pending = (0..1000).map(|at| Pending {
        revision: format!("{:012x}", at * 7_919_313_u64 % 0xffff_ffff_ffff),
        message: format!("A message of about fifty characters, as people write {at}"),
        ..Pending::default()
    });
    let failed = RunRecord { outcome: Outcome::Failed, pending: pending.collect(), ..RunRecord::default() };
    let mut large = journal(vec![failed.clone(); 20]);
    large.content.runs.push(RunRecord { ran: Some(failed.pending.clone()), ..failed });
    large.save(&api.cluster()).await.unwrap();
    let secret: Secret = api.cluster().get(Some("ffe"), "ffe-journal.app").await.unwrap();
    let bytes: usize = secret.data.unwrap().values().map(|value| value.0.len()).sum();
    assert!(bytes < 1 << 20, "{bytes}");
    let found = Journal::find(&api.cluster(), "ffe", "app").await.unwrap().unwrap();
    assert_eq!(found.content, large.content);
    // One that has become small again can be read with kubectl.
    let mut small = found;
    small.content.runs.truncate(1);
    small.content.runs[0].pending.clear();
    small.save(&api.cluster()).await.unwrap();
    let secret: Secret = api.cluster().get(Some("ffe"), "ffe-journal.app").await.unwrap();
    assert_eq!(secret.data.unwrap().into_keys().collect::<Vec<_>>(), ["journal"]);
    assert_eq!(Journal::find(&api.cluster(), "ffe", "app").await.unwrap().unwrap().content, small.content);
}

#[test]
fn the_base_is_that_of_the_first_of_the_runs_in_a_row_that_moved_the_schema_and_failed() {
    use Outcome::{Failed, Interrupted, RolledBack, Running, Succeeded};
    let one = |outcome, before: Option<&str>, after: Option<&str>, phases: &[Phase]| RunRecord {
        schema_before: before.map(|before| vec![before.to_owned()]),
        schema_after: after.map(|after| vec![after.to_owned()]),
        ..page(outcome, None, phases)
    };
    let now = one(Running, None, None, &[]);
    let base = |mut runs: Vec<RunRecord>| {
        runs.push(now.clone());
        journal(runs).base_of_failures().and_then(|run| run.schema_before.clone()).map(|before| before.concat())
    };
    let moved = one(Interrupted, Some("a"), Some("b"), &[Phase::Migrate]);
    let blind = one(Failed, None, None, &[Phase::Preflight]);
    let unseen = one(Interrupted, Some("a"), None, &[Phase::Migrate]);
    let later = one(Failed, Some("b"), Some("c"), &[Phase::Migrate]);
    assert_eq!(base(vec![]), None);
    assert_eq!(
        base(vec![moved.clone(), blind.clone()]).as_deref(),
        Some("a"),
        "a run that looked at nothing hides none"
    );
    assert_eq!(base(vec![moved.clone(), later.clone()]).as_deref(), Some("a"));
    assert_eq!(base(vec![unseen, blind]).as_deref(), Some("a"), "it may have moved it");
    assert_eq!(base(vec![one(RolledBack, Some("a"), Some("a"), &[Phase::Migrate]), later]).as_deref(), Some("b"));
    assert_eq!(base(vec![one(Failed, Some("a"), None, &[Phase::Backup])]), None, "it did not migrate");
    assert_eq!(base(vec![moved, one(Succeeded, Some("b"), Some("b"), &[])]), None);
}

#[test]
fn a_schema_without_a_way_back_is_nothing_to_finish() {
    let stuck = RunRecord { one_way: true, pending: Vec::new(), ..run(Outcome::Failed, "2", Undo::Possible) };
    assert!(!stuck.is_ahead());
    assert!(RunRecord { one_way: false, ..stuck }.is_ahead());
}
