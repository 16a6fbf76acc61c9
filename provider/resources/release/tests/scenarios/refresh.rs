//! Reading: nearly free while nothing has changed, true when it has.

use serde_json::json;
use tfplugin_testing::{Action, Told};

use crate::world::{NO_HELM, RELEASE, World, journal_of, later, manifest, record_of};

#[tokio::test(start_paused = true)]
async fn an_unchanged_release_is_not_opened() {
    let world = World::new();
    let mut tf = world.terraform().await;
    let config = world.managed(&mut tf, "one").await;
    let (opened, state) = (world.opened(), tf.state(RELEASE, "one"));
    for _ in 0..3 {
        let refreshed = tf.refresh(RELEASE, "one").await;
        refreshed.expect_silence();
        assert!(refreshed.drift.is_empty() && !refreshed.gone);
    }
    tf.assert_empty_plan(RELEASE, "one", config).await;
    assert_eq!(world.opened(), opened, "an unchanged record was opened");
    assert_eq!(world.writes(), 0);
    assert_eq!(tf.state(RELEASE, "one"), state);
}

#[tokio::test(start_paused = true)]
async fn a_burst_over_one_namespace_costs_one_list_of_each_kind_and_opens_nothing() {
    let world = World::new();
    let mut tf = world.terraform().await;
    let names: Vec<String> = (0..100).map(|number| format!("r{number}")).collect();
    for name in &names {
        world.managed(&mut tf, name).await;
    }
    // What the imports have asked for is over, and what they share has been looked at.
    later().await;
    for name in &names {
        tf.refresh(RELEASE, name).await.expect_silence();
    }
    later().await;
    let (listed, opened, all) = (world.listed(), world.opened(), world.api.seen().len());
    for name in &names {
        tf.refresh(RELEASE, name).await.expect_silence();
    }
    let seen = world.api.seen();
    assert_eq!(world.opened(), opened);
    assert_eq!(world.listed() - listed, 1);
    assert_eq!(seen.len() - all, 2, "something else was asked: {:?}", &seen[all..]);
    let (records, objects) = (&seen[all], &seen[all + 1]);
    assert!(records.query.contains("labelSelector=owner in (helm,ffe)"), "{records:?}");
    assert!(objects.path.ends_with("/configmaps"), "{objects:?}");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_not_finished_shows_and_is_planned_to_be_finished() {
    let world = World::new();
    let mut tf = world.terraform().await;
    let config = world.managed(&mut tf, "one").await;
    let say = |word: &str| {
        world.api.edit(&journal_of("one"), |journal| {
            journal["metadata"]["labels"]["owner"] = "ffe".into();
            journal["metadata"]["annotations"]["ffe.three-rivers.tech/run"] = word.into();
        });
    };
    say("open");
    later().await;
    tf.refresh(RELEASE, "one").await.expect_warning("", "A run of the release ffe/one is not finished");
    tf.plan(RELEASE, "one", config.clone()).await.expect_action(Action::Refused).expect_error("", NO_HELM);
    say("closed");
    later().await;
    tf.refresh(RELEASE, "one").await.expect_silence();
    tf.assert_empty_plan(RELEASE, "one", config).await;
}

#[tokio::test(start_paused = true)]
async fn what_somebody_else_has_upgraded_shows_and_is_planned_to_be_put_right() {
    let world = World::new();
    let mut tf = world.terraform().await;
    let config = world.managed(&mut tf, "one").await;
    let before = tf.state(RELEASE, "one");
    world.api.edit(&record_of("one", 1), |record| record["metadata"]["labels"]["status"] = "superseded".into());
    world.record("one", 2, "deployed", &manifest("theirs"));
    later().await;
    let refreshed = tf.refresh(RELEASE, "one").await;
    refreshed.expect_silence();
    assert_eq!(refreshed.after["revision"], 2);
    assert_ne!(refreshed.after["manifest_digest"], before["manifest_digest"]);
    for same in ["chart_digest", "schema_revision", "last_run", "set", "changes"] {
        assert_eq!(refreshed.after[same], before[same], "{same}");
    }
    // Rendering needs Helm; that it is wanted shows that an update is planned.
    let planned = tf.plan(RELEASE, "one", config).await;
    planned.expect_action(Action::Refused).expect_error("", NO_HELM);
}

#[tokio::test(start_paused = true)]
async fn a_revision_of_somebody_else_is_planned_over_even_with_the_same_objects() {
    let world = World::new();
    let mut tf = world.terraform().await;
    let config = world.managed(&mut tf, "one").await;
    world.record("one", 2, "deployed", &manifest("hello"));
    world.record("one", 10, "deployed", &manifest("hello"));
    world.record("one", 9, "deployed", &manifest("other"));
    later().await;
    let refreshed = tf.refresh(RELEASE, "one").await;
    assert_eq!(refreshed.after["revision"], 10, "revisions are numbers");
    assert_eq!(refreshed.after["manifest_digest"], refreshed.before["manifest_digest"]);
    // What they changed may lie where no digest of ours looks: in the contents of Secrets, in hooks.
    let planned = tf.plan(RELEASE, "one", config).await;
    planned.expect_action(Action::Refused).expect_error("", NO_HELM);
}

#[tokio::test(start_paused = true)]
async fn a_release_is_gone_only_when_a_list_of_its_own_is_empty() {
    let world = World::new();
    let mut tf = world.terraform().await;
    let config = world.managed(&mut tf, "one").await;
    world.api.remove(&record_of("one", 1));
    later().await;
    let at = world.api.seen().len();
    let refreshed = tf.refresh(RELEASE, "one").await;
    refreshed.expect_silence();
    assert!(refreshed.gone);
    let asked: Vec<String> = world.api.seen()[at..].iter().map(|seen| seen.query.clone()).collect();
    assert!(asked.iter().any(|query| query.contains("name=one")), "absence was not asked for by itself: {asked:?}");
    // It is planned again: nothing of ours is in the way of its own create.
    let planned = tf.plan(RELEASE, "one", config).await;
    planned.expect_action(Action::Refused).expect_error("", NO_HELM);
    assert_eq!(world.writes(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_release_that_is_not_deployed_is_planned_to_be_deployed() {
    let world = World::new();
    let mut tf = world.terraform().await;
    let config = world.managed(&mut tf, "one").await;
    world.record("one", 2, "failed", &manifest("hello"));
    later().await;
    let refreshed = tf.refresh(RELEASE, "one").await;
    assert_eq!((&refreshed.after["revision"], &refreshed.after["status"]), (&json!(2), &json!("failed")));
    let planned = tf.plan(RELEASE, "one", config).await;
    planned.expect_action(Action::Refused).expect_error("", NO_HELM);
}

#[tokio::test(start_paused = true)]
async fn an_edit_of_the_charts_files_is_planned() {
    let world = World::new();
    let mut tf = world.terraform().await;
    let config = world.managed(&mut tf, "one").await;
    world.write("templates/more.yaml", "# nothing yet\n");
    let planned = tf.plan(RELEASE, "one", config).await;
    planned.expect_action(Action::Refused).expect_error("", NO_HELM);
}
