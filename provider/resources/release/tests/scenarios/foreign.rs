//! A create that meets a release of its name.

use ffe_cluster::Mark;
use serde_json::json;
use tfplugin_testing::{Action, Told};

use crate::world::{NO_HELM, RELEASE, World, manifest, owner};

#[tokio::test(start_paused = true)]
async fn somebody_elses_release_is_refused_with_both_ways_on() {
    let world = World::new();
    let mut tf = world.terraform().await;
    world.record("one", 3, "deployed", &manifest("theirs"));
    let refused = tf.apply(RELEASE, "one", world.release("one", json!({}))).await;
    for part in ["exists already", "managed by Helm", "terraform import ffe_release.<name> ffe/one", "adopt = true"] {
        refused.expect_error("name", part);
    }
    assert!(tf.state(RELEASE, "one").is_null());
    assert_eq!(world.writes(), 0, "a refused release was touched");
}

#[tokio::test(start_paused = true)]
async fn our_own_of_another_state_is_refused_too() {
    let world = World::new();
    let mut tf = world.terraform().await;
    let mut config = world.ours("one");
    for adopt in [false, true] {
        config["adopt"] = json!(adopt);
        let planned = tf.plan(RELEASE, "one", config.clone()).await;
        planned.expect_action(Action::Refused).expect_error("name", "in another state");
    }
    assert_eq!(world.writes(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_may_be_taken_over_is_not_refused() {
    let world = World::new();
    let mut tf = world.terraform().await;
    world.record("one", 3, "deployed", &manifest("theirs"));
    // That Helm is asked for shows that the way is free.
    let planned = tf.plan(RELEASE, "one", world.release("one", json!({ "adopt": true }))).await;
    planned.expect_action(Action::Refused).expect_error("", NO_HELM);

    let config = world.ours("two");
    world.journal("two", &config, &manifest("hello"), Mark::creating(owner("two"), "0123456789ab"));
    let planned = tf.plan(RELEASE, "two", config).await;
    planned.expect_action(Action::Refused).expect_error("", NO_HELM);
}
