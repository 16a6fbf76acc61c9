//! Import: what is ours plans empty, what is foreign is planned to be taken over in place.

use ffe_cluster::Mark;
use serde_json::{Value as Json, json};
use tfplugin_testing::{Action, Told, unknown};

use crate::world::{NAMESPACE, RELEASE, World, manifest, owner};

#[tokio::test(start_paused = true)]
async fn ours_plans_empty() {
    let world = World::new();
    let mut tf = world.terraform().await;
    let config = world.ours("one");
    let planned = tf.import(RELEASE, "one", "ffe/one", config.clone()).await;
    planned.expect_action(Action::NoOp).expect_silence();
    let state = tf.state(RELEASE, "one");
    assert_eq!(state["set"], json!([{ "name": "text", "type": null, "value": "hello" }]));
    assert_eq!(
        (&state["revision"], &state["status"], &state["app_version"]),
        (&json!(1), &json!("deployed"), &json!("1.2"))
    );
    assert_eq!(state["resources"], json!(["ConfigMap/one"]));
    assert_eq!(state["notes"], "The text is hello.");
    assert_eq!(state["schema_revision"], json!(["0003"]));
    assert_eq!(state["changes"], "create ConfigMap/one");
    let run = state["last_run"].as_str().unwrap();
    assert!(run.starts_with("succeeded at ") && run.ends_with(", run 0123456789ab: deploy 1.5s"), "{run}");
    assert_eq!((&state["timeout"], &state["max_history"]), (&json!("10m"), &json!(10)), "defaults");
    assert_eq!(world.writes(), 0);
    tf.assert_empty_plan(RELEASE, "one", config).await;
}

#[tokio::test(start_paused = true)]
async fn ours_with_other_inputs_is_planned_as_an_update() {
    let world = World::new();
    let mut tf = world.terraform().await;
    let mut config = world.ours("one");
    config["set"][0]["value"] = unknown();
    let planned = tf.import(RELEASE, "one", "ffe/one", config).await;
    planned.expect_action(Action::Update).expect_ok();
    assert!(planned.requires_replace.is_empty());
    assert!(planned.changed().iter().any(|path| path.starts_with("set")), "{planned}");
}

#[tokio::test(start_paused = true)]
async fn a_foreign_one_is_taken_over_in_place() {
    let world = World::new();
    let mut tf = world.terraform().await;
    world.record("one", 7, "deployed", &manifest("hello"));
    // A value that is not known keeps Helm out of it.
    let config = world.release("one", json!({ "set": [{ "name": "text", "value": unknown() }] }));
    let planned = tf.import(RELEASE, "one", "ffe/one", config).await;
    planned.expect_action(Action::Update).expect_ok();
    assert!(planned.requires_replace.is_empty() && planned.changed().contains(&"chart".to_owned()), "{planned}");
    let state = tf.state(RELEASE, "one");
    assert_eq!((&state["revision"], &state["chart_digest"], &state["last_run"]), (&json!(7), &Json::Null, &Json::Null));
    assert_eq!(world.writes(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_a_create_left_unfinished_is_not_taken_for_applied() {
    let world = World::new();
    let mut tf = world.terraform().await;
    let config = world.ours("one");
    world.journal("one", &config, &manifest("hello"), Mark::creating(owner("one"), "0123456789ab"));
    let mut unsure = config;
    unsure["set"][0]["value"] = unknown();
    let planned = tf.import(RELEASE, "one", "ffe/one", unsure).await;
    planned.expect_action(Action::Update).expect_ok();
    assert_eq!(tf.state(RELEASE, "one")["last_run"], Json::Null);
}

#[tokio::test(start_paused = true)]
async fn a_bad_identifier_says_what_was_expected() {
    let world = World::new();
    let mut tf = world.terraform().await;
    world.ours("one");
    let config = world.release("one", json!({}));
    for id in ["", "one", "/one", "ffe/", "ffe/one/two", "/"] {
        let planned = tf.import(RELEASE, "one", id, config.clone()).await;
        planned.expect_action(Action::Refused).expect_error("", "Expected namespace/name");
        assert!(tf.state(RELEASE, "one").is_null(), "{id}");
    }
    let planned = tf.import(RELEASE, "one", "ffe/absent", config.clone()).await;
    planned.expect_action(Action::Refused).expect_error("", "There is no release ffe/absent");
    let planned = tf.import(RELEASE, "one", "other/one", config).await;
    planned.expect_action(Action::Refused).expect_error("", "helm list -A");
}

#[tokio::test(start_paused = true)]
async fn an_import_that_may_not_look_fails_and_says_so() {
    let world = World::new();
    let mut tf = world.terraform().await;
    let config = world.ours("one");
    world.api.fail("GET", &format!("/namespaces/{NAMESPACE}/secrets"), None, 403, "Forbidden", "nobody cannot list");
    let planned = tf.import(RELEASE, "one", "ffe/one", config).await;
    planned.expect_action(Action::Refused).expect_error("", "nobody cannot list");
    assert!(tf.state(RELEASE, "one").is_null());
}

#[tokio::test(start_paused = true)]
async fn a_run_that_failed_before_it_deployed_is_no_reason_to_deploy() {
    let world = World::new();
    let mut tf = world.terraform().await;
    let config = world.ours("one");
    world.edit_journal("one", |journal| {
        let failed = json!({ "id": "ba9876543210", "outcome": "failed", "started": "2026-01-03T03:04:05Z",
            "finished": "2026-01-03T03:04:15Z", "schema_before": ["0003"] });
        journal["runs"].as_array_mut().unwrap().push(failed);
    });
    let planned = tf.import(RELEASE, "one", "ffe/one", config).await;
    planned.expect_action(Action::NoOp).expect_silence();
    assert!(tf.state(RELEASE, "one")["last_run"].as_str().unwrap().starts_with("failed at "));
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_cannot_be_read_is_no_reason_to_lose_the_release() {
    let world = World::new();
    let mut tf = world.terraform().await;
    let mut config = world.ours("one");
    world.edit_journal("one", |journal| *journal = json!(["what a later version may write"]));
    config["set"][0]["value"] = unknown();
    let planned = tf.import(RELEASE, "one", "ffe/one", config).await;
    planned.expect_action(Action::Update).expect_ok();
    assert_eq!(tf.state(RELEASE, "one")["revision"], 1);
}
