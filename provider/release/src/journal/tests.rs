#![allow(clippy::unwrap_used)]
use ffe_alembic::Undo;
use ffe_cluster::testing::FakeApi;
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
        assert_eq!(is_open(&secret.metadata), open, "{:?}", journal.content.runs);
        assert_eq!(secret.metadata.labels.unwrap()["owner"], BESIDE);
    }
}
