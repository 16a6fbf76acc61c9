//! `-replace`, a taint, `replace_triggered_by`: Terraform plans a create without a word of what is there.

use std::time::Duration;

use serde_json::{Value as Json, json};
use tfplugin_testing::{Action, Terraform, Told};

use crate::world::{NAMESPACE, RELEASE, World, journal_of, manifest, put_record_of, read_record, record_of};

/// After what was listed is no longer shared: these worlds are in real time.
async fn later() {
    tokio::time::sleep(Duration::from_millis(1100)).await;
}

async fn installed(world: &World) -> (Terraform, Json) {
    let mut tf = world.terraform().await;
    let config = world.release("one", json!({}));
    tf.apply(RELEASE, "one", config.clone()).await.expect_ok();
    (tf, config)
}

const ANEW: &str = "is uninstalled, and installed anew";

#[tokio::test(flavor = "multi_thread")]
async fn a_release_is_replaced_and_the_plan_says_what_that_means() {
    let world = World::with_helm();
    let (mut tf, config) = installed(&world).await;
    for round in 1..=2 {
        later().await;
        tf.taint(RELEASE, "one");
        tf.refresh(RELEASE, "one").await;
        let planned = tf.plan(RELEASE, "one", config.clone()).await;
        planned.expect_action(Action::Replace).expect_warning("name", ANEW);
        let done = tf.apply_planned(planned, config.clone()).await;
        done.expect_ok();
        assert_eq!((&done.state["revision"], &done.state["status"]), (&json!(1), &json!("deployed")), "round {round}");
    }
    assert_eq!(world.helm().calls(), ["install", "uninstall", "install", "uninstall", "install"]);
    later().await;
    tf.assert_empty_plan(RELEASE, "one", config).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_other_settings_or_a_chart_that_asks_the_cluster_too() {
    let world = World::with_helm();
    let (mut tf, _) = installed(&world).await;
    world.write("templates/asks.yaml", "{{ $x := lookup \"v1\" \"ConfigMap\" .Release.Namespace .Release.Name }}\n");
    later().await;
    tf.taint(RELEASE, "one");
    tf.refresh(RELEASE, "one").await;
    let config = world.release("one", json!({ "set": [{ "name": "text", "value": "other" }] }));
    let planned = tf.plan(RELEASE, "one", config.clone()).await;
    planned.expect_action(Action::Replace);
    // By then what it asks for is another.
    assert!(planned.unknown().iter().any(|path| path == "changes"), "{:?}", planned.unknown());
    tf.apply_planned(planned, config).await.expect_ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replacement_that_fails_leaves_nothing_and_is_made_by_the_next_apply() {
    let world = World::with_helm();
    let (mut tf, config) = installed(&world).await;
    later().await;
    tf.taint(RELEASE, "one");
    tf.refresh(RELEASE, "one").await;
    let failing = world.release("one", json!({ "verify": { "url": "http://127.0.0.1:1", "timeout": "1s" } }));
    for round in 0..2 {
        let failed = tf.apply(RELEASE, "one", failing.clone()).await;
        failed.expect_error("verify.path", "failed its checks");
        assert!(failed.state.is_null(), "round {round}: {}", failed.state);
        later().await;
    }
    tf.apply(RELEASE, "one", config).await.expect_ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_release_of_another_state_is_still_refused() {
    let world = World::with_helm();
    let (_, config) = installed(&world).await;
    later().await;
    let mut other = world.terraform().await;
    let refused = other.plan(RELEASE, "one", config).await;
    refused.expect_error("name", "terraform import ffe_release.<name> ffe/one");
    refused.expect_error("name", "create_before_destroy");
    assert_eq!(world.helm().calls(), ["install"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_only_changes_its_address_is_moved_and_not_made_anew() {
    let world = World::with_helm();
    let (mut tf, config) = installed(&world).await;
    later().await;
    // Terraform plans both halves at once, in any order.
    tf.plan_destroy(RELEASE, "one").await.expect_ok();
    let refused = tf.plan(RELEASE, "other", config.clone()).await;
    refused.expect_error("name", "moved {");

    let (mut tf, config) = {
        let mut again = world.terraform().await;
        again.import(RELEASE, "one", "ffe/one", config.clone()).await;
        (again, config)
    };
    later().await;
    tf.plan(RELEASE, "other", config).await;
    tf.plan_destroy(RELEASE, "one").await.expect_error("name", "moved {");
    assert_eq!(world.helm().calls(), ["install"]);
}

/// Terraform makes a plan of the usual kind before each destroy, and does not say what it is for.
#[tokio::test(flavor = "multi_thread")]
async fn a_chart_that_is_broken_is_told_by_the_plan_and_refused_by_the_apply() {
    let world = World::with_helm();
    let (mut tf, config) = installed(&world).await;
    let whole = std::fs::read_to_string(world.chart().join("Chart.yaml")).unwrap();
    world.write("Chart.yaml", "name: [");
    later().await;
    let planned = tf.plan(RELEASE, "one", config.clone()).await;
    planned.expect_action(Action::Update).expect_warning("chart", "a destroy needs none of it");
    tf.apply_planned(planned, config.clone()).await.expect_error("chart", "Chart.yaml");
    assert_eq!(world.helm().calls(), ["install"]);
    // What somebody has just written is an error.
    let other = world.release("one", json!({ "set": [{ "name": "text", "value": "other" }] }));
    tf.plan(RELEASE, "one", other).await.expect_error("chart", "Chart.yaml");
    world.write("Chart.yaml", &whole);
    later().await;
    tf.assert_empty_plan(RELEASE, "one", config).await;
}

/// What stands in the way of a plan is no reason to keep a release.
#[tokio::test(flavor = "multi_thread")]
async fn a_release_is_destroyed_though_its_chart_is_gone_or_its_kinds_are() {
    let world = World::with_helm();
    let (mut tf, _) = installed(&world).await;
    std::fs::remove_dir_all(world.chart()).unwrap();
    later().await;
    tf.destroy(RELEASE, "one").await.expect_ok();
    assert!(world.api.get(&journal_of("one")).is_none() && world.api.get(&record_of("one", 1)).is_none());

    // An object of a kind that the cluster has never heard of.
    let world = World::with_helm();
    let (mut tf, _) = installed(&world).await;
    let widget = "---\napiVersion: example.com/v1\nkind: Widget\nmetadata:\n  name: w\n";
    let first = read_record(&world.api, "one", 1);
    let told = (first["info"]["first_deployed"].as_str().unwrap(), "Upgrade complete");
    put_record_of(&world.api, "one", 2, "deployed", &format!("{}{widget}", manifest("hello")), &json!({}), told);
    later().await;
    tf.remove(RELEASE, "one").await.expect_ok();
    assert!(world.api.get(&record_of("one", 2)).is_none(), "{NAMESPACE}");
}
