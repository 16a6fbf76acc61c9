//! A release that had passed goes back to an older version: with stand-ins for Helm and for the Jobs, in real time.

use std::time::Duration;

use ffe_cluster::ObjectRef;
use ffe_cluster_testing::FakeApi;
use serde_json::{Value as Json, json};
use tfplugin_testing::{Action, Terraform, Told};

use crate::schema::{Controller, revision};
use crate::world::{NAMESPACE, RELEASE, World};

/// A release of the application's N-th version that may go back.
fn version(world: &World, image: usize, more: Json) -> Json {
    of_image(world, &format!("app:{image}"), more)
}

fn of_image(world: &World, image: &str, more: Json) -> Json {
    let migration = json!({ "engine": "alembic", "image": image, "backup": "never", "allow_downgrade": true });
    let text = format!("version {image}");
    let mut config =
        world.release("one", json!({ "set": [{ "name": "text", "value": text }], "migration": migration }));
    if let (Some(config), Json::Object(more)) = (config.as_object_mut(), more) {
        config.extend(more);
    }
    config
}

/// A check that fails: nobody listens there.
fn failing() -> Json {
    json!({ "verify": { "url": "http://127.0.0.1:1", "timeout": "1s" } })
}

fn runs(world: &World) -> Vec<Json> {
    world.read_journal("one")["runs"].as_array().unwrap().clone()
}

fn outcome(world: &World) -> String {
    runs(world).last().unwrap()["outcome"].as_str().unwrap().to_owned()
}

/// Version 3 has run, and then each of these; nothing is left to tell of them.
async fn passed(world: &World, images: &[usize]) -> (Terraform, Controller) {
    let controller = Controller::new(&world.api, 3);
    let mut tf = world.terraform().await;
    for image in [3].iter().chain(images) {
        tf.apply(RELEASE, "one", version(world, *image, json!({}))).await.expect_ok();
    }
    controller.jobs();
    world.helm().calls();
    (tf, controller)
}

#[tokio::test]
async fn an_older_image_is_refused_with_the_name_of_the_setting_and_goes_back_with_it() {
    let world = World::with_helm();
    let (mut tf, controller) = passed(&world, &[4]).await;
    let mut config = version(&world, 3, json!({}));
    config["migration"]["allow_downgrade"] = false.into();
    let done = tf.apply(RELEASE, "one", config).await;
    done.expect_error("migration", "at a revision that the image app:3 does not have");
    done.expect_error("migration", "set migration.allow_downgrade = true");
    assert_eq!((controller.schema().at, world.helm().calls()), (4, Vec::<String>::new()));
    controller.jobs();

    let planned = tf.plan(RELEASE, "one", version(&world, 3, json!({}))).await;
    planned.expect_action(Action::Update);
    let undone = json!([format!("{}: drops the table t4", revision(4))]);
    assert_eq!(planned.after["undone_revisions"], undone);
    planned.expect_warning("migration.allow_downgrade", &format!("From {} to {}", revision(4), revision(3)));
    planned.expect_warning("migration.allow_downgrade", "requests fail until the older version is ready");

    let done = tf.apply(RELEASE, "one", version(&world, 3, json!({}))).await;
    done.expect_ok();
    done.expect_warning("migration.allow_downgrade", "the table t4 (40 rows)");
    done.expect_warning("migration.backup", "No backup was taken of what going back drops");
    assert_eq!(controller.schema().at, 3);
    assert_eq!(controller.jobs(), ["inspect", "rows", "downgrade"]);
    assert_eq!(world.helm().calls(), ["upgrade"]);
    let state = tf.state(RELEASE, "one");
    assert_eq!((&state["schema_revision"], &state["undone_revisions"]), (&json!([revision(3)]), &undone));
    let last = runs(&world).pop().unwrap();
    assert_eq!((&last["outcome"], &last["image"]), (&json!("succeeded"), &json!("app:3")));
    assert_eq!(last["back"]["rows"][0]["rows"], 40, "{last:#}");

    // And forward again: nothing of it is in the way.
    tf.apply(RELEASE, "one", version(&world, 4, json!({}))).await.expect_ok();
    assert_eq!((controller.jobs(), controller.schema().at), (vec!["inspect".to_owned(), "migrate".to_owned()], 4));
    assert_eq!(tf.state(RELEASE, "one")["undone_revisions"], Json::Null);
}

#[tokio::test]
async fn several_versions_back_undo_what_all_of_them_have_run() {
    let world = World::with_helm();
    let (mut tf, controller) = passed(&world, &[4, 6]).await;
    let planned = tf.plan(RELEASE, "one", version(&world, 3, json!({}))).await;
    let undone: Vec<String> = (4..=6).rev().map(|at| format!("{}: drops the table t{at}", revision(at))).collect();
    assert_eq!(planned.after["undone_revisions"], json!(undone));
    let done = tf.apply(RELEASE, "one", version(&world, 3, json!({}))).await;
    done.expect_ok();
    done.expect_warning("migration.allow_downgrade", "the table t5 (50 rows); the table t6 (60 rows)");
    assert_eq!(controller.schema().at, 3);
}

#[tokio::test]
async fn what_the_journal_does_not_know_apply_finds_out_before_anything_moves() {
    let world = World::with_helm();
    let (mut tf, controller) = passed(&world, &[4]).await;
    // An image that has never run here.
    let planned = tf.plan(RELEASE, "one", version(&world, 2, json!({}))).await;
    assert!(planned.unknown().contains(&"undone_revisions".to_owned()), "{planned}");
    tf.apply(RELEASE, "one", version(&world, 2, json!({}))).await.expect_ok();
    assert_eq!(controller.schema().at, 2);
    let undone = tf.state(RELEASE, "one")["undone_revisions"].clone();
    assert_eq!(undone.as_array().unwrap().len(), 2, "{undone}");
}

#[tokio::test]
async fn more_than_the_plan_names_is_not_undone() {
    let world = World::with_helm();
    let (mut tf, controller) = passed(&world, &[4]).await;
    let planned = tf.plan(RELEASE, "one", version(&world, 3, json!({}))).await;
    // By hand, with an image that knows it: the one that the release runs has got another revision meanwhile.
    controller.schema().images = [("app:4".to_owned(), 5)].into();
    controller.schema().at = 5;
    let done = tf.apply_planned(planned, version(&world, 3, json!({}))).await;
    done.expect_error("migration.allow_downgrade", "have changed since the plan");
    assert_eq!((controller.schema().at, world.helm().calls()), (5, Vec::<String>::new()));
}

#[tokio::test]
async fn a_revision_that_cannot_be_undone_is_refused_by_name() {
    let world = World::with_helm();
    let controller = Controller::new(&world.api, 3);
    let mut tf = world.terraform().await;
    tf.apply(RELEASE, "one", version(&world, 3, json!({}))).await.expect_ok();
    controller.schema().one_way = 1;
    tf.apply(RELEASE, "one", version(&world, 4, json!({}))).await.expect_ok();
    world.helm().calls();
    // The journal knows it: a plan is refused.
    let refused = tf.plan(RELEASE, "one", version(&world, 3, json!({}))).await;
    refused.expect_error("migration.allow_downgrade", &format!("Revision {} cannot be undone", revision(4)));
    // It does not: preflight refuses.
    let done = tf.apply(RELEASE, "one", version(&world, 2, json!({}))).await;
    done.expect_error("migration.allow_downgrade", &format!("Revision {} has an empty downgrade()", revision(4)));
    assert_eq!((controller.schema().at, world.helm().calls()), (4, Vec::<String>::new()));
    // What is said to be done: forward, or the dump of before restored.
    controller.schema().one_way = 0;
    tf.apply(RELEASE, "one", version(&world, 5, json!({}))).await.expect_ok();
    controller.schema().at = 2;
    tf.apply(RELEASE, "one", version(&world, 2, json!({}))).await.expect_ok();
    assert_eq!(controller.schema().at, 2);
}

#[tokio::test]
async fn a_downgrade_that_fails_in_the_middle_lets_the_version_that_ran_come_back() {
    let world = World::with_helm();
    let (mut tf, controller) = passed(&world, &[5]).await;
    controller.schema().stuck_at = Some(4);
    let done = tf.apply(RELEASE, "one", version(&world, 3, json!({}))).await;
    done.expect_error("migration", "The schema could not be taken back");
    done.expect_warning("migration.allow_downgrade", "What was dropped is there again, and empty");
    done.expect_warning("migration.allow_downgrade", "the table t4 (40 rows); the table t5 (50 rows)");
    done.expect_warning("", "It was rolled back to the last revision that passed its checks");
    done.expect_warning("", &format!("The database's schema is at {}, as before", revision(5)));
    assert_eq!(controller.schema().at, 5);
    assert_eq!(controller.jobs(), ["inspect", "rows", "downgrade", "look", "migrate"]);
    assert_eq!(world.helm().calls(), ["upgrade", "rollback"]);
    assert_eq!(outcome(&world), "rolled_back");
    // And once it is mended.
    controller.schema().stuck_at = None;
    tf.apply(RELEASE, "one", version(&world, 3, json!({}))).await.expect_ok();
    assert_eq!(controller.schema().at, 3);
}

#[tokio::test]
async fn checks_that_fail_afterwards_bring_the_version_that_ran_back_with_its_schema() {
    let world = World::with_helm();
    let (mut tf, controller) = passed(&world, &[4]).await;
    // Whatever is to become of the schema when a migration fails: this is none.
    let mut config = version(&world, 3, failing());
    config["migration"]["on_failure"] = "keep".into();
    let done = tf.apply(RELEASE, "one", config).await;
    done.expect_error("verify.path", "failed its checks");
    done.expect_warning("", &format!("The database's schema is at {}, as before", revision(4)));
    assert_eq!(controller.schema().at, 4);
    assert_eq!(controller.jobs(), ["inspect", "rows", "downgrade", "look", "migrate"]);
    assert_eq!(world.helm().calls(), ["upgrade", "rollback"]);
}

#[tokio::test]
async fn a_deployment_that_fails_has_moved_no_schema() {
    let world = World::with_helm();
    let (mut tf, controller) = passed(&world, &[4]).await;
    world.helm().fail("upgrade", "the server is not in the mood");
    let done = tf.apply(RELEASE, "one", version(&world, 3, json!({}))).await;
    done.expect_error("", "not in the mood");
    done.expect_warning("", &format!("The database's schema is at {}, as before", revision(4)));
    // Nor is it said to have gone back.
    let told = done.diagnostics().to_string();
    assert!(!told.contains("went back") && !told.contains("was dropped"), "{told}");
    assert_eq!((controller.jobs(), controller.schema().at), (vec!["inspect".to_owned(), "rows".to_owned()], 4));
    assert_eq!(world.helm().calls(), ["upgrade", "rollback"]);
}

#[tokio::test]
async fn what_is_to_be_left_as_it_is_is_left_and_gone_on_with() {
    let world = World::with_helm();
    let (mut tf, controller) = passed(&world, &[4]).await;
    let mut left = failing();
    left["remediation"] = json!({ "strategy": "none" });
    let done = tf.apply(RELEASE, "one", version(&world, 3, left)).await;
    done.expect_error("verify.path", "failed its checks");
    assert_eq!((controller.schema().at, world.helm().calls()), (3, vec!["upgrade".to_owned()]));
    controller.jobs();
    tf.apply(RELEASE, "one", version(&world, 3, json!({}))).await.expect_ok();
    assert_eq!((controller.jobs(), controller.schema().at), (vec!["inspect".to_owned()], 3));
}

#[tokio::test]
async fn both_versions_under_one_name_of_an_image_are_refused_until_the_newer_has_its_own() {
    let world = World::with_helm();
    let controller = Controller::new(&world.api, 3);
    let mut tf = world.terraform().await;
    let latest = |has: usize, more: &str| {
        controller.schema().images = [("app:latest".to_owned(), has)].into();
        of_image(&world, "app:latest", json!({ "set": [{ "name": "text", "value": more }] }))
    };
    tf.apply(RELEASE, "one", latest(3, "3")).await.expect_ok();
    tf.apply(RELEASE, "one", latest(4, "4")).await.expect_ok();
    world.helm().calls();
    let done = tf.apply(RELEASE, "one", latest(3, "3")).await;
    done.expect_error("migration.allow_downgrade", "No image is known that can take the schema back");
    done.expect_error("migration.allow_downgrade", "under a tag of its own or by its digest");
    assert_eq!((controller.schema().at, world.helm().calls()), (4, Vec::<String>::new()));
    // What is said to be done.
    tf.apply(RELEASE, "one", version(&world, 4, json!({}))).await.expect_ok();
    tf.apply(RELEASE, "one", latest(3, "3")).await.expect_ok();
    assert_eq!(controller.schema().at, 3);
}

#[tokio::test]
async fn an_image_that_cannot_be_pulled_any_more_is_named_before_anything_moves() {
    let world = World::with_helm();
    let (mut tf, controller) = passed(&world, &[4]).await;
    controller.schema().absent = vec!["app:4".to_owned()];
    let done = tf.apply(RELEASE, "one", version(&world, 3, json!({}))).await;
    done.expect_error("migration", "the image app:4 is needed, which has run before");
    assert_eq!((controller.schema().at, world.helm().calls()), (4, Vec::<String>::new()));
    // What is said to be done.
    controller.schema().absent.clear();
    tf.apply(RELEASE, "one", version(&world, 3, json!({}))).await.expect_ok();
    assert_eq!(controller.schema().at, 3);
}

#[tokio::test]
async fn a_database_that_somebody_else_has_moved_is_left_alone() {
    let world = World::with_helm();
    let (mut tf, controller) = passed(&world, &[4]).await;
    controller.schema().at = 6;
    let done = tf.apply(RELEASE, "one", version(&world, 3, json!({}))).await;
    done.expect_error("migration.allow_downgrade", "none of the images has that this release has run: app:4");
    assert_eq!((controller.schema().at, world.helm().calls()), (6, Vec::<String>::new()));
    // Taken back by whoever has moved it.
    controller.schema().at = 4;
    tf.apply(RELEASE, "one", version(&world, 3, json!({}))).await.expect_ok();
    // And one that was taken back by hand needs no more.
    tf.apply(RELEASE, "one", version(&world, 4, json!({}))).await.expect_ok();
    controller.schema().at = 3;
    controller.jobs();
    tf.apply(RELEASE, "one", version(&world, 3, json!({}))).await.expect_ok();
    assert_eq!(controller.jobs(), ["inspect"]);
}

#[tokio::test]
async fn without_a_journal_of_it_the_image_that_is_deployed_is_asked() {
    let world = World::with_helm();
    let controller = Controller::new(&world.api, 3);
    let mut tf = world.terraform().await;
    tf.apply(RELEASE, "one", with_pods(&world, 4, json!({}))).await.expect_ok();
    world.edit_journal("one", |journal| journal["runs"] = json!([]));
    tf.apply(RELEASE, "one", with_pods(&world, 3, json!({}))).await.expect_ok();
    assert_eq!(controller.schema().at, 3);
}

#[tokio::test]
async fn others_on_the_same_database_are_told_of() {
    let world = World::with_helm();
    let (mut tf, controller) = passed(&world, &[4]).await;
    world.api.put(json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "db", "namespace": NAMESPACE },
        "data": { "DATABASE_URL": "cG9zdGdyZXNxbDovL2Ev" },
    }));
    let container = json!({ "name": "a", "image": "worker:4", "envFrom": [{ "secretRef": { "name": "db" } }] });
    // The release's own, of a chart that gives its pods no label of the release.
    world.api.put(json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": { "name": "web-1", "namespace": NAMESPACE, "annotations": helm_annotations() },
        "spec": { "replicas": 1, "selector": { "matchLabels": { "app": "web" } } },
    }));
    let maker = ObjectRef::new("apps/v1", "ReplicaSet", Some(NAMESPACE), "web-1");
    let uid = world.api.get(&maker).unwrap()["metadata"]["uid"].clone();
    let owners =
        json!([{ "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-1", "uid": uid, "controller": true }]);
    for (name, owners) in [("worker-0", json!([])), ("web-1-a", owners)] {
        world.api.put(json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": { "name": name, "namespace": NAMESPACE, "ownerReferences": owners },
            "spec": { "containers": [container] }, "status": { "phase": "Running" },
        }));
    }
    let mut config = version(&world, 3, json!({}));
    config["migration"]["database_secret"] = "db".into();
    let done = tf.apply(RELEASE, "one", config).await;
    done.expect_ok();
    done.expect_warning("migration.database_secret", "worker-0");
    assert!(!done.diagnostics().to_string().contains("web-1-a"), "{}", done.diagnostics());
    assert_eq!(controller.schema().at, 3);
    assert!(
        world.api.get(&ObjectRef::new("v1", "Pod", Some(NAMESPACE), "worker-0")).is_some(),
        "it is not ours to end"
    );
}

/// The same with a Deployment, whose image is the one that migrates.
fn with_pods(world: &World, image: usize, more: Json) -> Json {
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web", "annotations": helm_annotations() },
        "spec": {
            "replicas": 1, "selector": { "matchLabels": { "app": "web" } },
            "template": {
                "metadata": { "labels": { "app": "web" } },
                "spec": { "containers": [{ "name": "a", "image": format!("app:{image}") }] },
            },
        },
        "status": {
            "observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1,
            "conditions": [
                { "type": "Available", "status": "True" },
                { "type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable" },
            ],
        },
    });
    let mut config = version(world, image, more);
    config["migration"].as_object_mut().unwrap().remove("image");
    config["values"] = json!([json!({ "manifest": deployment.to_string() }).to_string()]);
    config
}

fn helm_annotations() -> Json {
    json!({ "meta.helm.sh/release-name": "one", "meta.helm.sh/release-namespace": NAMESPACE })
}

/// What Kubernetes has made of it once version 3 is deployed over version 4: the newer pod stays until the older is ready.
fn pods(api: &FakeApi) {
    for (name, image) in [("new", "app:4"), ("old", "app:3")] {
        let containers = json!([{ "name": "a", "image": image }]);
        api.put(json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": { "name": name, "namespace": NAMESPACE, "annotations": helm_annotations() },
            "spec": { "replicas": 1, "selector": {}, "template": { "spec": { "containers": containers } } },
        }));
        let set = ObjectRef::new("apps/v1", "ReplicaSet", Some(NAMESPACE), name);
        let uid = api.get(&set).unwrap()["metadata"]["uid"].clone();
        let maker =
            json!([{ "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": name, "uid": uid, "controller": true }]);
        api.put(json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": { "name": name, "namespace": NAMESPACE, "labels": { "version": name }, "ownerReferences": maker },
            "spec": { "containers": containers }, "status": { "phase": "Running" },
        }));
    }
}

fn pod(world: &World, name: &str) -> Option<Json> {
    world.api.get(&ObjectRef::new("v1", "Pod", Some(NAMESPACE), name))
}

#[tokio::test]
async fn the_pods_of_the_newer_version_end_before_the_schema_goes_back() {
    let world = World::with_helm();
    let controller = Controller::new(&world.api, 3);
    let mut tf = world.terraform().await;
    tf.apply(RELEASE, "one", with_pods(&world, 4, json!({}))).await.expect_ok();
    controller.jobs();
    world.helm().on("upgrade", pods);
    tf.apply(RELEASE, "one", with_pods(&world, 3, json!({}))).await.expect_ok();
    assert_eq!(controller.jobs(), ["inspect", "rows", "downgrade"], "none of it under newer pods");
    assert!(pod(&world, "new").is_none() && pod(&world, "old").is_some());
    let set = |name: &str| world.api.get(&ObjectRef::new("apps/v1", "ReplicaSet", Some(NAMESPACE), name)).unwrap();
    assert_eq!((&set("new")["spec"]["replicas"], &set("old")["spec"]["replicas"]), (&json!(0), &json!(1)));
}

#[tokio::test]
async fn a_pod_whose_maker_is_gone_already_is_waited_for() {
    let world = World::with_helm();
    let controller = Controller::new(&world.api, 3);
    let mut tf = world.terraform().await;
    tf.apply(RELEASE, "one", with_pods(&world, 4, json!({}))).await.expect_ok();
    controller.jobs();
    // The older chart does not have that workload any more, and its pod takes its time.
    world.helm().on("upgrade", |api| {
        pods(api);
        api.remove(&ObjectRef::new("apps/v1", "ReplicaSet", Some(NAMESPACE), "new"));
        let api = api.clone();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(1500));
            api.remove(&ObjectRef::new("v1", "Pod", Some(NAMESPACE), "new"));
        });
    });
    tf.apply(RELEASE, "one", with_pods(&world, 3, json!({}))).await.expect_ok();
    assert_eq!(controller.jobs(), ["inspect", "rows", "downgrade"], "not under it");
}

/// Applies, and dies once this is so: nothing of the run goes on, and its leases are found expired.
async fn killed(world: &World, tf: &mut Terraform, config: Json, so: impl Fn() -> bool) {
    tokio::select! {
        done = tf.apply(RELEASE, "one", config) => panic!("it ended before: {done:?}"),
        () = async { while !so() { tokio::time::sleep(Duration::from_millis(10)).await } } => {}
    }
    for lease in world.api.all().into_iter().filter(|one| one["kind"] == "Lease") {
        let name = lease["metadata"]["name"].as_str().unwrap();
        world.api.remove(&ObjectRef::new("coordination.k8s.io/v1", "Lease", Some(NAMESPACE), name));
    }
}

/// Dies at a Job, which has done its work or not; the Job then comes to its end.
async fn killed_at(world: &World, tf: &mut Terraform, controller: &Controller, config: Json, job: &str, works: bool) {
    controller.schema().held = Some((job.to_owned(), works));
    killed(world, tf, config, || controller.schema().reached).await;
    let mut schema = controller.schema();
    (schema.held, schema.reached) = (None, false);
}

#[tokio::test]
async fn whoever_dies_at_any_step_the_next_apply_goes_on() {
    for (job, works) in [("inspect", false), ("rows", true), ("downgrade", false), ("downgrade", true)] {
        let world = World::with_helm();
        let (mut tf, controller) = passed(&world, &[4]).await;
        killed_at(&world, &mut tf, &controller, version(&world, 3, json!({})), job, works).await;
        let done = tf.apply(RELEASE, "one", version(&world, 3, json!({}))).await;
        done.expect_ok();
        assert_eq!((controller.schema().at, outcome(&world).as_str()), (3, "succeeded"), "{job} {works}");
        let state = tf.state(RELEASE, "one");
        assert_eq!(state["schema_revision"], json!([revision(3)]), "{job} {works}");
        // Nothing is left that would be taken back or gone on with.
        tf.assert_empty_plan(RELEASE, "one", version(&world, 3, json!({}))).await;
    }
}

#[tokio::test]
async fn whoever_dies_while_the_older_version_is_awaited_is_gone_on_with() {
    let world = World::with_helm();
    let (mut tf, controller) = passed(&world, &[4]).await;
    let slow = json!({ "verify": { "url": "http://127.0.0.1:1", "timeout": "5m" } });
    killed(&world, &mut tf, version(&world, 3, slow), || {
        controller.schema().at == 3 && runs_end_with(&world, "verify")
    })
    .await;
    // With other settings it is another run, and it knows where to if it fails.
    let done = tf.apply(RELEASE, "one", version(&world, 3, failing())).await;
    done.expect_error("verify.path", "failed its checks");
    done.expect_warning("", &format!("The database's schema is at {}, as before", revision(4)));
    assert_eq!(controller.schema().at, 4, "version 4 runs again");
    tf.apply(RELEASE, "one", version(&world, 3, json!({}))).await.expect_ok();
    assert_eq!(controller.schema().at, 3);
}

fn runs_end_with(world: &World, phase: &str) -> bool {
    let last = runs(world).pop().unwrap();
    last["phases"].as_array().unwrap().last().is_some_and(|page| page["name"] == phase)
}

#[tokio::test]
async fn whoever_dies_on_the_way_back_of_it_is_gone_on_with() {
    for (job, works) in [("look", true), ("migrate", false), ("migrate", true)] {
        for wanted in [3, 4] {
            let world = World::with_helm();
            let (mut tf, controller) = passed(&world, &[4]).await;
            killed_at(&world, &mut tf, &controller, version(&world, 3, failing()), job, works).await;
            tf.apply(RELEASE, "one", version(&world, wanted, json!({}))).await.expect_ok();
            assert_eq!(controller.schema().at, wanted, "{job} {works}");
            tf.assert_empty_plan(RELEASE, "one", version(&world, wanted, json!({}))).await;
        }
    }
}

#[tokio::test]
async fn after_a_run_that_died_the_version_that_ran_can_be_wanted_again() {
    for (job, works) in [("rows", true), ("downgrade", false), ("downgrade", true)] {
        let world = World::with_helm();
        let (mut tf, controller) = passed(&world, &[4]).await;
        killed_at(&world, &mut tf, &controller, version(&world, 3, json!({})), job, works).await;
        // It fails once for a reason of its own: version 4 has its schema all the same.
        tf.apply(RELEASE, "one", version(&world, 4, failing())).await.expect_error("verify.path", "failed its checks");
        assert_eq!(controller.schema().at, 4, "{job} {works}");
        tf.apply(RELEASE, "one", version(&world, 4, json!({}))).await.expect_ok();
        assert_eq!(controller.schema().at, 4, "{job} {works}");
        // And an even older one.
        tf.apply(RELEASE, "one", version(&world, 2, json!({}))).await.expect_ok();
        assert_eq!(controller.schema().at, 2, "{job} {works}");
    }
}

#[tokio::test]
async fn after_a_run_that_died_an_even_older_version_can_be_wanted() {
    let world = World::with_helm();
    let (mut tf, controller) = passed(&world, &[5]).await;
    controller.schema().stuck_at = Some(4);
    killed_at(&world, &mut tf, &controller, version(&world, 3, json!({})), "downgrade", true).await;
    controller.schema().stuck_at = None;
    let done = tf.apply(RELEASE, "one", version(&world, 2, failing())).await;
    done.expect_error("verify.path", "failed its checks");
    assert_eq!(controller.schema().at, 5, "version 5 runs again, and not what was half-way");
    tf.apply(RELEASE, "one", version(&world, 2, json!({}))).await.expect_ok();
    assert_eq!(controller.schema().at, 2);
}

/// What the release shows now.
fn shown(world: &World) -> Json {
    let map = ObjectRef::new("v1", "ConfigMap", Some(NAMESPACE), "one");
    world.api.get(&map).unwrap()["data"]["text"].clone()
}

/// A third version comes after a run that died while it went back, and fails: the version that had passed runs again, on its own
/// schema.
#[tokio::test]
async fn a_third_version_that_fails_behind_a_run_that_died_leads_back_to_what_had_passed() {
    for (from, job, works, stuck, third) in [
        (4, "downgrade", true, None, 5),
        (4, "downgrade", false, None, 5),
        // Half-way, and the third version has what is left, or more, or less.
        (6, "downgrade", true, Some(5), 5),
        (6, "downgrade", true, Some(5), 7),
        (6, "downgrade", true, Some(5), 4),
        // An image that has never run here, with the schema of the older version.
        (4, "downgrade", true, None, 33),
    ] {
        let world = World::with_helm();
        let (mut tf, controller) = passed(&world, &[from]).await;
        controller.schema().images = [("app:33".to_owned(), 3)].into();
        controller.schema().stuck_at = stuck;
        killed_at(&world, &mut tf, &controller, version(&world, 3, json!({})), job, works).await;
        controller.schema().stuck_at = None;
        let told = format!("from {from} by {job} {works} {stuck:?}, then {third}");
        let done = tf.apply(RELEASE, "one", version(&world, third, failing())).await;
        done.expect_error("verify.path", "failed its checks");
        done.expect_warning("", &format!("The database's schema is at {}, as before", revision(from)));
        assert_eq!((controller.schema().at, shown(&world)), (from, json!(format!("version app:{from}"))), "{told}");
        assert_eq!(outcome(&world), "rolled_back", "{told}");
        // Nothing is left to be done about it.
        tf.assert_empty_plan(RELEASE, "one", version(&world, from, json!({}))).await;
        tf.apply(RELEASE, "one", version(&world, 3, json!({}))).await.expect_ok();
        assert_eq!(controller.schema().at, 3, "{told}");
    }
}

#[tokio::test]
async fn a_third_version_that_passes_behind_a_run_that_died_is_what_the_next_way_back_leads_to() {
    let world = World::with_helm();
    let (mut tf, controller) = passed(&world, &[4]).await;
    killed_at(&world, &mut tf, &controller, version(&world, 3, json!({})), "downgrade", true).await;
    tf.apply(RELEASE, "one", version(&world, 5, json!({}))).await.expect_ok();
    assert_eq!(controller.schema().at, 5);
    tf.apply(RELEASE, "one", version(&world, 6, failing())).await.expect_error("verify.path", "failed its checks");
    assert_eq!((controller.schema().at, shown(&world)), (5, json!("version app:5")));
}

#[tokio::test]
async fn a_third_version_whose_migration_fails_leaves_release_and_schema_as_the_run_that_died() {
    let world = World::with_helm();
    let (mut tf, controller) = passed(&world, &[4]).await;
    killed_at(&world, &mut tf, &controller, version(&world, 3, json!({})), "downgrade", true).await;
    world.helm().calls();
    controller.schema().stuck_ahead_at = Some(4);
    let done = tf.apply(RELEASE, "one", version(&world, 5, json!({}))).await;
    done.expect_error("migration", "The database migration failed");
    done.expect_warning("", &format!("stays at {}, where a run that was interrupted had left it", revision(3)));
    assert_eq!((controller.schema().at, shown(&world)), (3, json!("version app:3")));
    assert_eq!(world.helm().calls(), Vec::<String>::new());
    // Whatever is wanted next: it is still known what had passed.
    controller.schema().stuck_ahead_at = None;
    tf.apply(RELEASE, "one", version(&world, 5, failing())).await.expect_error("verify.path", "failed its checks");
    assert_eq!((controller.schema().at, shown(&world)), (4, json!("version app:4")));
    tf.apply(RELEASE, "one", version(&world, 3, json!({}))).await.expect_ok();
    assert_eq!(controller.schema().at, 3);
}

#[tokio::test]
async fn two_runs_that_died_one_behind_the_other_are_gone_on_with() {
    for (wanted, schema) in [(6, 4), (4, 4), (3, 4)] {
        let world = World::with_helm();
        let (mut tf, controller) = passed(&world, &[4]).await;
        killed_at(&world, &mut tf, &controller, version(&world, 3, json!({})), "downgrade", true).await;
        killed_at(&world, &mut tf, &controller, version(&world, 5, json!({})), "migrate", true).await;
        assert_eq!(controller.schema().at, 5);
        let done = tf.apply(RELEASE, "one", version(&world, wanted, failing())).await;
        done.expect_error("verify.path", "failed its checks");
        assert_eq!((controller.schema().at, shown(&world)), (schema, json!("version app:4")), "{wanted}");
        tf.apply(RELEASE, "one", version(&world, 3, json!({}))).await.expect_ok();
        assert_eq!(controller.schema().at, 3, "{wanted}");
    }
}

/// The same with commands.
fn by_command(world: &World, image: usize, more: Json) -> Json {
    let mut config = version(world, image, json!({}));
    let migration = json!({
        "engine": "command", "image": format!("app:{image}"), "backup": "never", "upgrade_command": ["up"],
        "current_command": ["at"], "downgrade_command": ["down"], "allow_downgrade": true,
    });
    config["migration"] = migration;
    config["migration"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    config
}

#[tokio::test]
async fn a_command_goes_back_with_the_image_that_the_journal_knows_to_be_newer() {
    let world = World::with_helm();
    let controller = Controller::new(&world.api, 3);
    let mut tf = world.terraform().await;
    for image in [3, 4] {
        tf.apply(RELEASE, "one", by_command(&world, image, json!({}))).await.expect_ok();
    }
    controller.jobs();
    let refused = tf.apply(RELEASE, "one", by_command(&world, 3, json!({ "allow_downgrade": false }))).await;
    refused.expect_error("migration", "set migration.allow_downgrade = true");
    assert_eq!(controller.schema().at, 4);
    controller.jobs();
    let done = tf.apply(RELEASE, "one", by_command(&world, 3, json!({}))).await;
    done.expect_ok();
    done.expect_warning("migration.allow_downgrade", &format!("what {} drops is not known", revision(4)));
    assert_eq!(controller.schema().at, 3);
    assert_eq!(controller.jobs(), ["inspect", "rows", "downgrade"]);
    // Forward again, and back with a check that fails.
    tf.apply(RELEASE, "one", by_command(&world, 4, json!({}))).await.expect_ok();
    assert_eq!(controller.schema().at, 4);
    let mut config = by_command(&world, 3, json!({}));
    config["verify"] = failing()["verify"].clone();
    tf.apply(RELEASE, "one", config).await.expect_error("verify.path", "failed its checks");
    assert_eq!(controller.schema().at, 4);
}

#[tokio::test]
async fn an_older_image_that_cannot_name_the_newer_revision_is_told_by_the_image_that_has_made_it() {
    let world = World::with_helm();
    let controller = Controller::new(&world.api, 3);
    controller.schema().blind = true;
    let mut tf = world.terraform().await;
    for image in [3, 4] {
        tf.apply(RELEASE, "one", by_command(&world, image, json!({}))).await.expect_ok();
    }
    let refused = tf.apply(RELEASE, "one", by_command(&world, 3, json!({ "allow_downgrade": false }))).await;
    refused.expect_error("migration", "set migration.allow_downgrade = true");
    // One that has never run here is not known to be older: what it said itself is told.
    let unknown = tf.apply(RELEASE, "one", by_command(&world, 2, json!({}))).await;
    unknown.expect_error("migration", "Can't locate revision");
    unknown.expect_error("migration", "what migration.current_command says");
    assert_eq!((controller.schema().at, shown(&world)), (4, json!("version app:4")));
    controller.jobs();
    tf.apply(RELEASE, "one", by_command(&world, 3, json!({}))).await.expect_ok();
    assert_eq!(controller.jobs(), ["inspect", "inspect", "rows", "downgrade"]);
    assert_eq!((controller.schema().at, shown(&world)), (3, json!("version app:3")));
    // The newer image is gone from its registry: what the older one said is told, and nothing moves.
    tf.apply(RELEASE, "one", by_command(&world, 4, json!({}))).await.expect_ok();
    controller.schema().absent.push("app:4".to_owned());
    tf.apply(RELEASE, "one", by_command(&world, 3, json!({}))).await.expect_error("migration", "Can't locate revision");
    assert_eq!(controller.schema().at, 4);
}

#[tokio::test]
async fn with_commands_a_third_version_behind_a_run_that_died_migrates_and_leads_back_to_what_had_passed() {
    let world = World::with_helm();
    let controller = Controller::new(&world.api, 3);
    let mut tf = world.terraform().await;
    for image in [3, 4] {
        tf.apply(RELEASE, "one", by_command(&world, image, json!({}))).await.expect_ok();
    }
    killed_at(&world, &mut tf, &controller, by_command(&world, 3, json!({})), "downgrade", true).await;
    assert_eq!(controller.schema().at, 3);
    let mut config = by_command(&world, 5, json!({}));
    config["verify"] = failing()["verify"].clone();
    controller.jobs();
    tf.apply(RELEASE, "one", config).await.expect_error("verify.path", "failed its checks");
    // Behind the Job of the run that died.
    let jobs = controller.jobs();
    let behind: Vec<&str> = jobs.iter().map(String::as_str).skip_while(|job| *job != "inspect").take(2).collect();
    assert_eq!(behind, ["inspect", "migrate"], "{jobs:?}");
    assert_eq!((controller.schema().at, shown(&world)), (4, json!("version app:4")), "{jobs:?}");
    tf.apply(RELEASE, "one", by_command(&world, 5, json!({}))).await.expect_ok();
    assert_eq!((controller.schema().at, shown(&world)), (5, json!("version app:5")));
}

#[tokio::test]
async fn a_command_that_cannot_go_back_is_refused_at_once() {
    let world = World::with_helm();
    let tf = world.terraform().await;
    for missing in ["downgrade_command", "current_command"] {
        let mut config = by_command(&world, 3, json!({}));
        config["migration"].as_object_mut().unwrap().remove(missing);
        let told = tf.validate(RELEASE, config).await;
        let told = told.to_string();
        assert!(told.contains(&format!("allow_downgrade needs {missing}")), "{told}");
    }
}
