//! What cannot be read is neither nothing nor new: with stand-ins for Helm and for the Jobs, in real time.

use std::time::Duration;

use ffe_cluster::ObjectRef;
use serde_json::{Value as Json, json};
use tfplugin_testing::{Terraform, Told};

use crate::schema::{Controller, revision};
use crate::world::{NAMESPACE, RELEASE, World, manifest, record_of, spoil_record};

const LOST: &str = "Revision 2 of the release ffe/one cannot be read";
const REMEDY: &str = "kubectl -n ffe delete secret sh.helm.release.v1.one.v2";

/// After what was listed is no longer shared: these worlds are in real time.
async fn later() {
    tokio::time::sleep(Duration::from_millis(1100)).await;
}

fn with_text(world: &World, text: &str, more: Json) -> Json {
    let mut config = world.release("one", json!({ "set": [{ "name": "text", "value": text }] }));
    if let (Some(config), Json::Object(more)) = (config.as_object_mut(), more) {
        config.extend(more);
    }
    config
}

/// A check that fails: nobody listens there.
fn failing() -> Json {
    json!({ "verify": { "url": "http://127.0.0.1:1", "timeout": "1s" } })
}

/// Two revisions of a release.
async fn twice(world: &World) -> Terraform {
    let mut tf = world.terraform().await;
    for text in ["first", "second"] {
        tf.apply(RELEASE, "one", with_text(world, text, json!({}))).await.expect_ok();
    }
    assert_eq!(world.helm().calls(), ["install", "upgrade"]);
    tf
}

fn text_of(world: &World) -> Json {
    let map = ObjectRef::new("v1", "ConfigMap", Some(NAMESPACE), "one");
    world.api.get(&map).map_or(Json::Null, |map| map["data"]["text"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revision_that_cannot_be_read_is_not_one_without_objects() {
    let world = World::with_helm();
    let mut tf = twice(&world).await;
    let before = tf.state(RELEASE, "one");
    spoil_record(&world.api, "one", 2);
    later().await;
    let read = tf.refresh(RELEASE, "one").await;
    read.expect_error("", LOST);
    read.expect_error("", REMEDY);
    assert_eq!(tf.state(RELEASE, "one"), before, "the state is kept");
    tf.apply(RELEASE, "one", with_text(&world, "third", json!({}))).await.expect_error("", LOST);
    let mut elsewhere = world.terraform().await;
    elsewhere.import(RELEASE, "one", "ffe/one", with_text(&world, "second", json!({}))).await.expect_error("", LOST);
    assert_eq!((world.helm().calls(), text_of(&world)), (Vec::new(), json!("second")));

    // What the message says: without that revision.
    world.api.remove(&record_of("one", 2));
    later().await;
    tf.apply(RELEASE, "one", with_text(&world, "third", json!({}))).await.expect_ok();
    assert_eq!((world.helm().calls(), text_of(&world)), (vec!["upgrade".to_owned()], json!("third")));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_there_when_it_is_planned_and_not_when_it_is_applied_stops_the_run_before_anything_moves() {
    let world = World::with_helm();
    let mut tf = twice(&world).await;
    let planned = tf.plan(RELEASE, "one", with_text(&world, "third", json!({}))).await;
    planned.expect_ok();
    spoil_record(&world.api, "one", 2);
    let done = tf.apply_planned(planned, with_text(&world, "third", json!({}))).await;
    assert!(done.diagnostics().has_errors(), "{done:?}");
    assert_eq!((world.helm().calls(), text_of(&world)), (Vec::new(), json!("second")));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_only_the_way_back_needs_is_looked_at_first_too() {
    let world = World::with_helm();
    let mut tf = twice(&world).await;
    // Left as it is: the newest revision is not the one to go back to.
    let kept = json!({ "verify": failing()["verify"], "remediation": { "strategy": "none" } });
    tf.apply(RELEASE, "one", with_text(&world, "third", kept)).await.expect_error("verify.path", "failed its checks");
    spoil_record(&world.api, "one", 2);
    later().await;
    world.helm().calls();
    tf.apply(RELEASE, "one", with_text(&world, "fourth", json!({}))).await.expect_error("", LOST);
    assert_eq!((world.helm().calls(), text_of(&world)), (Vec::new(), json!("third")));
    world.api.remove(&record_of("one", 2));
    later().await;
    tf.apply(RELEASE, "one", with_text(&world, "fourth", json!({}))).await.expect_ok();
    assert_eq!(text_of(&world), json!("fourth"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_helm_gives_again_is_not_the_revision_that_had_passed() {
    let world = World::with_helm();
    let mut tf = twice(&world).await;
    world.api.remove(&record_of("one", 2));
    later().await;
    let done = tf.apply(RELEASE, "one", with_text(&world, "third", failing())).await;
    done.expect_error("verify.path", "failed its checks");
    done.expect_warning("", "It was rolled back to the last revision that passed its checks");
    assert_eq!(
        (world.helm().calls(), text_of(&world)),
        (vec!["upgrade".to_owned(), "rollback".to_owned()], json!("first"))
    );
}

/// A Deployment of two containers: the application, and one whose image is another in each version.
fn version(world: &World, image: usize, more: Json) -> Json {
    let containers = json!([
        { "name": "a", "image": "app:shared" },
        { "name": "b", "image": format!("side:{image}") },
    ]);
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web", "annotations": helm_annotations() },
        "spec": {
            "replicas": 1, "selector": { "matchLabels": { "app": "web" } },
            "template": { "metadata": { "labels": { "app": "web" } }, "spec": { "containers": containers } },
        },
        "status": {
            "observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1,
            "conditions": [
                { "type": "Available", "status": "True" },
                { "type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable" },
            ],
        },
    });
    let migration =
        json!({ "engine": "alembic", "image": format!("app:{image}"), "backup": "never", "allow_downgrade": true });
    let values = json!([json!({ "manifest": deployment.to_string() }).to_string()]);
    with_text(world, &format!("version {image}"), json!({ "migration": migration, "values": values }))
        .as_object_mut()
        .map(|config| {
            config.extend(more.as_object().cloned().unwrap_or_default());
            Json::Object(std::mem::take(config))
        })
        .unwrap()
}

fn helm_annotations() -> Json {
    json!({ "meta.helm.sh/release-name": "one", "meta.helm.sh/release-namespace": NAMESPACE })
}

/// A pod of the release with such a second container.
fn put_pod(api: &ffe_cluster_testing::FakeApi, name: &str, image: usize) {
    api.put(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name, "namespace": NAMESPACE, "labels": { "version": name }, "annotations": helm_annotations(),
        },
        "spec": { "containers": [
            { "name": "a", "image": "app:shared" }, { "name": "b", "image": format!("side:{image}") },
        ] },
        "status": { "phase": "Running" },
    }));
}

fn pod(world: &World, name: &str) -> Option<Json> {
    world.api.get(&ObjectRef::new("v1", "Pod", Some(NAMESPACE), name))
}

async fn passed(world: &World) -> (Terraform, Controller) {
    let controller = Controller::new(&world.api, 3);
    let mut tf = world.terraform().await;
    for image in [3, 4] {
        tf.apply(RELEASE, "one", version(world, image, json!({}))).await.expect_ok();
    }
    controller.jobs();
    world.helm().calls();
    (tf, controller)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_does_not_go_back_under_pods_that_nobody_knows() {
    let world = World::with_helm();
    let (mut tf, controller) = passed(&world).await;
    // Their image is named by the record of version 4 alone, which cannot be read any more once version 3 is deployed.
    world.helm().on("upgrade", |api| {
        put_pod(api, "new", 4);
        spoil_record(api, "one", 2);
    });
    let done = tf.apply(RELEASE, "one", version(&world, 3, json!({}))).await;
    done.expect_error("", LOST);
    assert_eq!(controller.schema().at, 4, "under pods of version 4: {done:?}");
    assert!(!controller.jobs().iter().any(|job| job.starts_with("downgrade")));
    assert!(pod(&world, "new").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_back_to_what_cannot_be_read_ends_no_pod_and_moves_no_schema() {
    let world = World::with_helm();
    let (mut tf, controller) = passed(&world).await;
    put_pod(&world.api, "old", 4);
    world.helm().on("upgrade", |api| spoil_record(api, "one", 2));
    let done = tf.apply(RELEASE, "one", version(&world, 5, failing())).await;
    done.expect_error("verify.path", "failed its checks");
    done.expect_error("", LOST);
    done.expect_warning("", "The way back failed as well");
    assert_eq!((controller.schema().at, world.helm().calls()), (5, vec!["upgrade".to_owned()]));
    assert!(pod(&world, "old").is_some(), "it is not known to be of the failed version");
    done.expect_warning("", &format!("stays at {}", revision(5)));
}

/// What was there before the release, and a release that takes it over, whose check fails.
async fn taking_over(world: &World) -> (Terraform, Json) {
    world.api.put(json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "one", "namespace": NAMESPACE },
        "data": { "text": "theirs" },
    }));
    let other = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: other\ndata: {}\n";
    let with = |text: &str| json!({ "take_ownership": true, "set": [{ "name": "manifest", "value": text, "type": "literal" }] });
    let mut tf = world.terraform().await;
    tf.apply(RELEASE, "one", world.release("one", with(other))).await.expect_ok();
    let mut config = world.release("one", with(&format!("{other}---\n{}", manifest("ours"))));
    config["verify"] = failing()["verify"].clone();
    (tf, config)
}

fn kept() -> ObjectRef {
    ObjectRef::new("v1", "Secret", Some(NAMESPACE), "ffe-taken-over.one")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_there_before_is_not_forgotten_where_it_cannot_be_read() {
    let world = World::with_helm();
    let (mut tf, config) = taking_over(&world).await;
    world.helm().on("rollback", |api| {
        api.fail("GET", "/secrets/ffe-taken-over.one", None, 403, "Forbidden", "you may not read it");
    });
    tf.apply(RELEASE, "one", config).await.expect_error("", "was not given back, since what it was cannot be read");
    world.api.heal();
    assert!(world.api.get(&kept()).is_some(), "what it was is lost");
    let noted = world.read_journal("one")["taken_over"].clone();
    assert_eq!(noted[0]["name"], "one", "{noted}");
    let map = ObjectRef::new("v1", "ConfigMap", Some(NAMESPACE), "one");
    assert!(world.api.get(&map).is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn content_that_is_kept_and_cannot_be_read_is_not_no_content() {
    let world = World::with_helm();
    let (mut tf, config) = taking_over(&world).await;
    world.helm().on("rollback", |api| {
        api.edit(&kept(), |secret| {
            for value in secret["data"].as_object_mut().unwrap().values_mut() {
                *value = "bm90aGluZw==".into();
            }
        });
    });
    let done = tf.apply(RELEASE, "one", config).await;
    done.expect_error("", "could not be given back as it was");
    done.expect_error("", "content that is kept of it is not usable");
    assert!(world.api.get(&kept()).is_some());
}
