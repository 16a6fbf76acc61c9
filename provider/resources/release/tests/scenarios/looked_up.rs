//! The data source: what a release is and was, and what is said where there is none.

use serde_json::{Value as Json, json};
use tfplugin_testing::{Told, unknown};

use crate::world::{NAMESPACE, RELEASE, World, manifest, put_record};

fn named(name: &str) -> Json {
    json!({ "namespace": NAMESPACE, "name": name })
}

#[tokio::test(start_paused = true)]
async fn status_history_and_journal_are_told() {
    let world = World::new();
    let tf = world.terraform().await;
    world.ours("one");
    world.edit_journal("one", |journal| {
        journal["runs"][0]["backup"] = json!({ "name": "b1", "location": "pvc/one-backups/b1", "size_bytes": 12, "sha256": "ab", "server_version": "16.4", "taken_at": "2026-01-02T03:04:07Z", "seconds": 1.0 });
        let failed = json!({ "id": "ba9876543210", "outcome": "rolled_back", "started": "2026-01-03T03:04:05Z",
            "finished": "2026-01-03T03:05:05Z", "phases": [{ "name": "verify", "outcome": "failed", "started": "2026-01-03T03:04:06Z", "seconds": 3.5 }],
            "revision_before": 1, "revision_after": 3, "schema_before": ["0003"], "schema_after": ["0003"] });
        journal["runs"].as_array_mut().unwrap().push(failed);
    });
    put_record(&world.api, "one", 2, "failed", &manifest("bad"), &json!({}));
    world.record("one", 10, "deployed", &manifest("hello"));
    let found = tf.data(RELEASE, named("one")).await;
    found.expect_silence();
    let result = &found.result;
    assert_eq!((&result["revision"], &result["status"]), (&json!(10), &json!("deployed")));
    assert_eq!(
        (&result["chart"], &result["chart_version"], &result["app_version"]),
        (&json!("one"), &json!("0.1.0"), &json!("1.2"))
    );
    assert_eq!(result["schema_revision"], json!(["0003"]));
    let history: Vec<(i64, &str)> = result["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["revision"].as_i64().unwrap(), one["status"].as_str().unwrap()))
        .collect();
    assert_eq!(history, [(1, "deployed"), (2, "failed"), (10, "deployed")], "revisions are numbers");
    let newest = &result["history"][2];
    assert_eq!(
        (&newest["chart"], &newest["time"], &newest["description"]),
        (&json!("one-0.1.0"), &json!("2026-01-02T03:04:05Z"), &json!("Install complete"))
    );
    let runs = &result["journal"];
    assert_eq!(
        (&runs[0]["id"], &runs[0]["outcome"], &runs[0]["verified"]),
        (&json!("0123456789ab"), &json!("succeeded"), &json!(true))
    );
    assert_eq!((&runs[0]["schema_before"], &runs[0]["schema_after"]), (&json!([]), &json!(["0003"])));
    assert_eq!((&runs[0]["backup"]["name"], &runs[0]["backup"]["size_bytes"]), (&json!("b1"), &json!(12)));
    assert_eq!(
        (&runs[1]["outcome"], &runs[1]["phases"]),
        (&json!("rolled_back"), &json!([{ "name": "verify", "outcome": "failed", "duration": "3.5s" }]))
    );
    assert_eq!(
        (&runs[1]["revision_before"], &runs[1]["revision_after"], &runs[1]["backup"]),
        (&json!(1), &json!(3), &Json::Null)
    );
    assert_eq!(world.writes(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_foreign_release_has_no_journal() {
    let world = World::new();
    let tf = world.terraform().await;
    world.record("theirs", 3, "deployed", &manifest("x"));
    let found = tf.data(RELEASE, named("theirs")).await;
    found.expect_silence();
    assert_eq!((&found.result["revision"], &found.result["journal"]), (&json!(3), &json!([])));
    assert_eq!(found.result["schema_revision"], Json::Null);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_or_not_to_be_read_is_an_error() {
    let world = World::new();
    let tf = world.terraform().await;
    world.ours("one");
    let absent = tf.data(RELEASE, named("two")).await;
    for part in ["There is no release ffe/two", ffe_cluster_testing::SERVER, "helm list -A"] {
        absent.expect_error("name", part);
    }
    world.api.fail("GET", "/secrets", None, 403, "Forbidden", "User \"reader\" cannot list");
    tf.data(RELEASE, named("one")).await.expect_error("", "User \"reader\" cannot list");
    world.api.heal();
    world.api.fail("GET", "/secrets/ffe-journal.one", None, 403, "Forbidden", "User \"reader\" cannot get");
    tf.data(RELEASE, named("one")).await.expect_error("", "User \"reader\" cannot get");
    world.api.heal();
    for (config, path) in
        [(json!({ "namespace": "No", "name": "a" }), "namespace"), (json!({ "namespace": "a", "name": "No" }), "name")]
    {
        tf.data(RELEASE, config).await.expect_error(path, "lower case");
    }
}

#[tokio::test(start_paused = true)]
async fn where_the_cluster_is_not_known_yet_it_is_said() {
    let world = World::new();
    let unsure = world.unconfigured().configure(json!({ "host": unknown() })).await.unwrap();
    unsure.data(RELEASE, named("one")).await.expect_error("", "not known yet");
}
