//! What is somebody else's, or was there before, is neither changed nor deleted: with a stand-in for Helm, in real time.

use std::time::Duration;

use ffe_cluster::{Mark, ObjectRef};
use serde_json::{Value as Json, json};
use tfplugin_testing::{Terraform, Told};

use crate::world::{NAMESPACE, RELEASE, World, journal_of, manifest, owner, put_record_of, record_of};

const THEIRS: (&str, &str) = ("2026-05-05T05:05:05Z", "Install complete");

fn config_map(name: &str) -> ObjectRef {
    ObjectRef::new("v1", "ConfigMap", Some(NAMESPACE), name)
}

/// An object that is Helm's, as Helm marks it.
fn of_release(kind: &str, name: &str, more: Json) -> Json {
    let mut object = json!({
        "apiVersion": "v1", "kind": kind,
        "metadata": {
            "name": name, "namespace": NAMESPACE, "labels": { "app.kubernetes.io/managed-by": "Helm" },
            "annotations": { "meta.helm.sh/release-name": "one", "meta.helm.sh/release-namespace": NAMESPACE },
        },
    });
    if let (Some(metadata), Json::Object(more)) = (object["metadata"]["annotations"].as_object_mut(), more) {
        metadata.extend(more);
    }
    object
}

fn failing(world: &World, more: Json) -> Json {
    let mut config = world.release("one", json!({ "verify": { "url": "http://127.0.0.1:1", "timeout": "1s" } }));
    if let (Some(config), Json::Object(more)) = (config.as_object_mut(), more) {
        config.extend(more);
    }
    config
}

/// After what was listed is no longer shared: these worlds are in real time.
async fn later() {
    tokio::time::sleep(Duration::from_millis(1100)).await;
}

async fn installed(world: &World) -> (Terraform, Json) {
    let mut tf = world.terraform().await;
    let config = world.release("one", json!({}));
    tf.apply(RELEASE, "one", config.clone()).await.expect_ok();
    assert_eq!(world.helm().calls(), ["install"]);
    (tf, config)
}

/// Somebody uninstalls ours and installs another of the name.
fn replaced_by_theirs(world: &World) {
    world.api.remove(&record_of("one", 1));
    put_record_of(&world.api, "one", 1, "deployed", &manifest("theirs"), &json!({}), THEIRS);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_installs_by_hand_after_our_first_install_was_taken_back_keeps_his_release() {
    let world = World::with_helm();
    let mut tf = world.terraform().await;
    let failed = tf.apply(RELEASE, "one", failing(&world, json!({}))).await;
    failed.expect_error("verify.path", "failed its checks");
    assert_eq!(world.helm().calls(), ["install", "uninstall"]);
    world.record("one", 1, "deployed", &manifest("theirs"));
    later().await;
    for _ in 0..2 {
        let refused = tf.apply(RELEASE, "one", failing(&world, json!({}))).await;
        refused.expect_error("name", "terraform import ffe_release.<name> ffe/one");
    }
    assert!(world.helm().calls().is_empty());
    assert_eq!(world.api.get(&config_map("one")).unwrap()["data"]["text"], "theirs");
    // With his leave it is adopted, and a failing check does not uninstall it.
    let adopted = tf.apply(RELEASE, "one", failing(&world, json!({ "adopt": true }))).await;
    assert!(adopted.diagnostics().has_errors());
    assert!(!world.helm().calls().iter().any(|call| call == "uninstall"));
    assert!(world.api.get(&record_of("one", 1)).is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unfinished_create_of_ours_is_gone_on_with() {
    let world = World::with_helm();
    let mut tf = world.terraform().await;
    world.helm().fail("install", "the pods do not start");
    let kept = failing(&world, json!({ "remediation": { "strategy": "none" } }));
    tf.apply(RELEASE, "one", kept).await.expect_error("", "the pods do not start");
    let good = world.release("one", json!({}));
    tf.apply(RELEASE, "one", good.clone()).await.expect_ok();
    assert_eq!(world.helm().calls(), ["install", "upgrade"]);
    tf.assert_empty_plan(RELEASE, "one", good).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_somebody_else_has_installed_anew_is_neither_upgraded_nor_uninstalled() {
    let world = World::with_helm();
    let (mut tf, _) = installed(&world).await;
    replaced_by_theirs(&world);
    later().await;
    let wanted = world.release("one", json!({ "set": [{ "name": "text", "value": "ours" }] }));
    let refused = tf.apply(RELEASE, "one", wanted).await;
    refused.expect_warning("", "another one than the one in the state");
    refused.expect_error("name", "terraform state rm ffe_release.<name>");
    tf.destroy(RELEASE, "one").await.expect_warning("", "left running");
    assert!(world.helm().calls().is_empty());
    assert!(world.api.get(&record_of("one", 1)).is_some());
    assert!(world.api.get(&journal_of("one")).is_none(), "what is ours goes");
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_records_of_helm_empty_no_state_and_free_no_name() {
    let world = World::with_helm();
    let (mut tf, config) = installed(&world).await;
    world.api.remove(&config_map("one"));
    world.api.put(of_release("ConfigMap", "one", json!({})));
    world.api.put(of_release("PersistentVolumeClaim", "data", json!({})));
    world.api.remove(&record_of("one", 1));
    later().await;
    let lost = "PersistentVolumeClaim ffe/data, ConfigMap ffe/one";
    tf.refresh(RELEASE, "one").await.expect_error("", lost);
    assert!(!tf.state(RELEASE, "one").is_null());
    tf.destroy(RELEASE, "one").await.expect_error("", lost);
    assert!(!tf.state(RELEASE, "one").is_null());
    // In a state that never had it, the name is not free either: the journal says who had it, or nothing does.
    let mut elsewhere = world.terraform().await;
    elsewhere.apply(RELEASE, "one", config.clone()).await.expect_error("name", "take_ownership = true");
    world.api.remove(&journal_of("one"));
    elsewhere.apply(RELEASE, "one", config).await.expect_error("name", lost);
    assert!(world.helm().calls().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_was_uninstalled_by_hand_is_gone_whatever_helm_leaves_of_it() {
    let world = World::with_helm();
    let (mut tf, config) = installed(&world).await;
    world.api.remove(&record_of("one", 1));
    world.api.remove(&config_map("one"));
    // What the chart says is to be kept; a hook's; one that is on its way out; another release's.
    world.api.put(of_release("PersistentVolumeClaim", "data", json!({ "helm.sh/resource-policy": "keep" })));
    world.api.put(of_release("ConfigMap", "hook", json!({ "helm.sh/hook": "pre-install" })));
    world.api.put(of_release("Secret", "other", json!({ "meta.helm.sh/release-name": "two" })));
    let mut leaving = of_release("Service", "leaving", json!({}));
    leaving["metadata"]["deletionTimestamp"] = "2026-01-02T03:04:05Z".into();
    leaving["metadata"]["finalizers"] = json!(["a/b"]);
    world.api.put(leaving);
    later().await;
    tf.apply(RELEASE, "one", config).await.expect_ok();
    assert_eq!(world.helm().calls(), ["install"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_another_storage_driver_are_named() {
    let world = World::with_helm();
    let (mut tf, config) = installed(&world).await;
    let mut record = world.api.get(&record_of("one", 1)).unwrap();
    world.api.remove(&record_of("one", 1));
    record["kind"] = "ConfigMap".into();
    record["data"] = json!({ "release": "x" });
    world.api.put(record);
    later().await;
    for diagnosed in [tf.apply(RELEASE, "one", config).await, tf.destroy(RELEASE, "one").await] {
        diagnosed.expect_error("", "helm.driver = \"configmap\"");
    }
    assert!(!tf.state(RELEASE, "one").is_null());
    assert!(world.helm().calls().is_empty());
}

/// The record of a release in the other storage driver's place, written then.
fn elsewhere(world: &World, written: &str) {
    let mut record = crate::world::record("one", 1, "deployed", &manifest("theirs"), &json!({}), THEIRS);
    record["kind"] = "ConfigMap".into();
    record["data"] = json!({ "release": "x" });
    record["metadata"]["labels"]["createdAt"] = written.into();
    record["metadata"]["labels"]["modifiedAt"] = written.into();
    world.api.put(record);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_installs_by_another_storage_driver_has_the_objects() {
    let world = World::with_helm();
    let (mut tf, _) = installed(&world).await;
    let wanted = world.release("one", json!({ "set": [{ "name": "text", "value": "new" }] }));
    // What was left of a driver that is not used any more says nothing.
    elsewhere(&world, "1700000000");
    later().await;
    tf.apply(RELEASE, "one", wanted.clone()).await.expect_ok();
    assert_eq!(world.helm().calls(), ["upgrade"]);
    elsewhere(&world, "4000000000");
    later().await;
    let wanted = world.release("one", json!({ "set": [{ "name": "text", "value": "newer" }] }));
    for diagnosed in [tf.apply(RELEASE, "one", wanted.clone()).await, tf.destroy(RELEASE, "one").await] {
        diagnosed.expect_error("", "the storage driver configmap has a newer one");
        diagnosed.expect_error("", "kubectl -n ffe delete configmaps -l owner=helm,name=one");
    }
    assert!(world.helm().calls().is_empty() && world.api.get(&config_map("one")).is_some());
    // What the message says.
    world.api.remove(&config_map(&record_of("one", 1).name));
    later().await;
    tf.apply(RELEASE, "one", wanted).await.expect_ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_installs_by_another_driver_after_our_first_install_was_taken_back_keeps_his_objects() {
    let world = World::with_helm();
    let mut tf = world.terraform().await;
    let failed = tf.apply(RELEASE, "one", failing(&world, json!({}))).await;
    failed.expect_error("verify.path", "failed its checks");
    assert_eq!(world.helm().calls(), ["install", "uninstall"]);
    world.api.put(of_release("ConfigMap", "one", json!({})));
    elsewhere(&world, "4000000000");
    later().await;
    let refused = tf.apply(RELEASE, "one", world.release("one", json!({}))).await;
    refused.expect_error("name", "helm.driver = \"configmap\"");
    // Helm's driver `sql` keeps its records outside of the cluster: the objects tell.
    world.api.remove(&config_map(&record_of("one", 1).name));
    later().await;
    let refused = tf.apply(RELEASE, "one", world.release("one", json!({}))).await;
    refused.expect_error("name", "Helm has no record of the release ffe/one, and its objects exist");
    assert!(world.helm().calls().is_empty() && world.api.get(&config_map("one")).is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_adopted_is_left_running_also_without_its_journal() {
    let world = World::with_helm();
    let mut tf = world.terraform().await;
    world.record("one", 3, "deployed", &manifest("hello"));
    tf.apply(RELEASE, "one", world.release("one", json!({ "adopt": true }))).await.expect_ok();
    world.api.remove(&journal_of("one"));
    tf.destroy(RELEASE, "one").await.expect_warning("", "left running");
    assert!(!world.helm().calls().iter().any(|call| call == "uninstall"));
    assert!(world.api.get(&record_of("one", 3)).is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_imported_is_left_running_and_what_we_have_made_is_not() {
    for ours in [false, true] {
        let world = World::with_helm();
        let mut tf = world.terraform().await;
        let config = if ours { world.ours("one") } else { world.release("one", json!({})) };
        if !ours {
            world.record("one", 3, "deployed", &manifest("hello"));
        }
        tf.import(RELEASE, "one", "ffe/one", config.clone()).await.expect_ok();
        tf.apply(RELEASE, "one", config.clone()).await.expect_ok();
        // Also once something has been deployed by us.
        let mut changed = config;
        changed["set"] = json!([{ "name": "text", "value": "new" }]);
        tf.apply(RELEASE, "one", changed).await.expect_ok();
        let ended = tf.destroy(RELEASE, "one").await;
        ended.expect_ok();
        assert_eq!(world.helm().calls().iter().any(|call| call == "uninstall"), ours);
        if !ours {
            ended.planned.expect_warning("", "is left running");
            ended.expect_warning("", "was left running");
            assert!(world.api.get(&journal_of("one")).is_none(), "nothing of ours stays");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_cannot_be_read_is_not_taken_for_an_empty_one() {
    let world = World::with_helm();
    let (mut tf, _) = installed(&world).await;
    let wanted = world.release("one", json!({ "set": [{ "name": "text", "value": "new" }] }));
    let good = world.api.get(&journal_of("one")).unwrap();
    let unreadable = |change: &dyn Fn(&mut Json)| {
        let mut journal = good.clone();
        change(&mut journal);
        world.api.put(journal);
    };
    let spoilt: [&dyn Fn(&mut Json); 3] = [
        &|journal| journal["data"]["journal"] = "bm8ganNvbg==".into(),
        &|journal| journal["data"] = json!({}),
        &|journal| journal["metadata"]["annotations"] = json!({}),
    ];
    for change in spoilt {
        unreadable(change);
        let before = world.api.get(&journal_of("one")).unwrap()["data"].clone();
        tf.apply(RELEASE, "one", wanted.clone()).await.expect_error("", "ffe-journal.one");
        tf.destroy(RELEASE, "one").await.expect_error("", "ffe-journal.one");
        assert_eq!(world.api.get(&journal_of("one")).unwrap()["data"], before);
    }
    assert!(world.helm().calls().is_empty());
    world.api.put(good.clone());
    tf.apply(RELEASE, "one", wanted).await.expect_ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_there_before_the_release_is_given_back_as_it_was() {
    let world = World::with_helm();
    let mut tf = world.terraform().await;
    let theirs = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": "one", "namespace": NAMESPACE, "labels": { "team": "theirs" } },
        "data": { "text": "theirs", "more": "x" },
    });
    world.api.put(theirs.clone());
    let uid = world.api.get(&config_map("one")).unwrap()["metadata"]["uid"].clone();
    let as_it_was = || {
        let now = world.api.get(&config_map("one")).expect("it was deleted");
        assert_eq!((&now["data"], &now["metadata"]["labels"]), (&theirs["data"], &theirs["metadata"]["labels"]));
        assert_eq!(now["metadata"]["uid"], uid);
        assert!(world.api.get(&ObjectRef::new("v1", "Secret", Some(NAMESPACE), "ffe-taken-over.one")).is_none());
    };
    // A first install that is uninstalled, twice.
    for _ in 0..2 {
        let failed = tf.apply(RELEASE, "one", failing(&world, json!({ "take_ownership": true }))).await;
        assert!(failed.diagnostics().has_errors());
        assert_eq!(world.helm().calls(), ["install", "uninstall"]);
        as_it_was();
    }
    // An upgrade that takes it over and is rolled back.
    let other = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: other\ndata: {}\n";
    let with = |text: &str| json!({ "take_ownership": true, "set": [{ "name": "manifest", "value": text, "type": "literal" }] });
    tf.apply(RELEASE, "one", world.release("one", with(other))).await.expect_ok();
    as_it_was();
    let both = format!("{other}---\n{}", manifest("ours"));
    let failed = tf.apply(RELEASE, "one", failing(&world, with(&both))).await;
    assert!(failed.diagnostics().has_errors());
    assert_eq!(world.helm().calls(), ["install", "upgrade", "rollback"]);
    as_it_was();
    // Once it is part of the release, a later way back keeps it there, and destroy leaves it with what it holds by then.
    tf.apply(RELEASE, "one", world.release("one", with(&both))).await.expect_ok();
    let failed = tf.apply(RELEASE, "one", failing(&world, with(&both.replace("ours", "newer")))).await;
    assert!(failed.diagnostics().has_errors());
    assert_eq!(world.api.get(&config_map("one")).unwrap()["data"]["text"], "ours");
    tf.destroy(RELEASE, "one").await.expect_warning("", "ConfigMap ffe/one");
    assert_eq!(world.api.get(&config_map("one")).unwrap()["data"]["text"], "ours");
    assert!(world.api.get(&config_map("other")).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_attempt_of_ours_has_left_is_ours() {
    let world = World::with_helm();
    let mut tf = world.terraform().await;
    world.journal("one", &json!({}), "", Mark::creating(owner("one"), "0123456789ab"));
    world.edit_journal("one", |journal| {
        journal["runs"][0]["outcome"] = "interrupted".into();
        journal["runs"][0]["verified"] = false.into();
        journal["runs"][0]["revision_after"] = Json::Null;
        journal["first_deployed"] = Json::Null;
    });
    world.api.put(of_release("ConfigMap", "one", json!({})));
    let failed = tf.apply(RELEASE, "one", failing(&world, json!({}))).await;
    failed.expect_error("verify.path", "failed its checks");
    assert!(world.api.get(&config_map("one")).is_none(), "it was made by a run of ours");
}
