//! What goes wrong: refused changes, failed and interrupted applies, clusters that are away or others.

use std::time::Duration;

use ffe_cluster::Mark;
use ffe_cluster::k8s_openapi::api::apps::v1::StatefulSet;
use ffe_cluster::k8s_openapi::api::core::v1::{Namespace, PersistentVolumeClaim};
use serde_json::{Value as Json, json};
use tfplugin_testing::{Action, Told, unknown};

use crate::world::{ENVIRONMENT, Place, World};

pub(crate) async fn changes_that_would_lose_data_are_refused_at_plan(place: Place) {
    let world = World::start(&place, "never").await;
    let mut tf = world.terraform().await;
    let config = |database: Json| world.environment(json!({ "preset": "dev", "database": database }));
    tf.apply(ENVIRONMENT, "this", config(json!({ "storage": { "size": "1Gi" } }))).await.expect_ok();
    for (database, path, text) in [
        (json!({ "mode": "external", "url_wo": "postgresql://a:b@h/x" }), "database.mode", "from bundled to external"),
        (json!({ "version": "16", "image": "postgres:16-alpine" }), "database.version", "from PostgreSQL 15 to 16"),
        (json!({ "storage": { "size": "512Mi" } }), "database.storage.size", "cannot shrink"),
        (json!({ "storage": { "size": "1Gi", "class": "fast" } }), "database.storage.class", "cannot change"),
        (json!({ "name": "other" }), "database.name", "from ffe to other"),
        (json!({ "user": "other" }), "database.user", "from ffe to other"),
    ] {
        let planned = tf.plan(ENVIRONMENT, "this", config(database)).await;
        planned.expect_action(Action::Refused).expect_error(path, text);
        assert!(planned.requires_replace.is_empty());
    }
    let without = tf.plan(ENVIRONMENT, "this", world.environment(json!({ "preset": "dev" }))).await;
    without.expect_action(Action::Refused).expect_error("database", "cannot be removed");
    if world.is_real() {
        let larger = tf.plan(ENVIRONMENT, "this", config(json!({ "storage": { "size": "2Gi" } }))).await;
        larger.expect_error("database.storage.size", "allowVolumeExpansion");
    }
    tf.destroy(ENVIRONMENT, "this").await.expect_ok();
}

pub(crate) async fn bad_input_is_named_with_its_path() {
    let world = World::fake("input").await;
    let tf = world.terraform().await;
    for (config, path, text) in [
        (json!({ "name": "Prod" }), "name", "lower case letters"),
        (json!({ "name": "a".repeat(40) }), "name", "1 to 39"),
        (json!({ "preset": "prod" }), "preset", "\"prod\" is none of them"),
        (json!({ "quota": { "memory": "much" } }), "quota.memory", "must be a Kubernetes quantity"),
        (json!({ "timeout": "soon" }), "timeout", "must be a duration"),
        (json!({ "namespace": "not_a_label" }), "namespace", "lower case letters"),
        (json!({ "pod_security": "strict" }), "pod_security", "one of"),
        (json!({ "labels": { "pod-security.kubernetes.io/enforce": "x" } }), "labels", "use pod_security"),
        (json!({ "config": { "NOT OK": "x" } }), "config", "no such key"),
        (json!({ "database": { "mode": "external" } }), "database.url_wo", "needs its URL"),
        (json!({ "database": { "mode": "external", "url_wo": "mysql://u:hidden@h/x" } }), "database.url_wo", "scheme"),
        (
            json!({ "database": { "mode": "external", "url_wo": "postgresql://u:hidden@h/x", "storage": {} } }),
            "database.storage",
            "bundled",
        ),
        (json!({ "database": { "url_wo": "postgresql://u:hidden@h/x" } }), "database.url_wo", "external"),
        (json!({ "database": { "instances": 3 } }), "database.instances", "CloudNativePG"),
        (
            json!({ "database": { "storage": { "size": "1GB" } } }),
            "database.storage.size",
            "must be a Kubernetes quantity",
        ),
        (
            json!({ "database": { "storage": { "size": "9Gi" } }, "quota": { "storage": "5Gi" } }),
            "quota.storage",
            "does not admit",
        ),
        (json!({ "database": { "version": "16", "image": "postgres:15" } }), "database.version", "contradict"),
        (json!({ "database": { "image": "postgres" } }), "database.image", "tag or digest"),
    ] {
        let told = tf.validate(ENVIRONMENT, world.environment(config.clone())).await;
        told.expect_error(path, text);
        assert!(!told.diagnostics().to_string().contains("hidden"), "{config}");
    }
}

/// An environment with a database of this image, which is no good: it fails soon. Without one it has the time to succeed.
fn with_image(world: &World, image: Option<&str>, mut more: Json) -> Json {
    more["database"] = json!({});
    if let Some(image) = image {
        more["database"]["image"] = image.into();
        more["timeout"] = world.impatience().into();
    }
    world.environment(more)
}

pub(crate) async fn a_create_that_fails_leaves_no_state_says_what_remains_and_is_resumed(place: Place) {
    let world = World::start(&place, "fail").await;
    let mut tf = world.terraform().await;
    let config = |image: Option<&str>| with_image(&world, image, json!({ "preset": "dev" }));
    let failed = tf.apply(ENVIRONMENT, "this", config(Some("nowhere.invalid/broken:15"))).await;
    failed.expect_error("", "The database did not become ready");
    failed.expect_error("", &format!("kubectl delete namespace {}", world.namespace()));
    assert_eq!(failed.state, Json::Null);
    let left: Namespace = world.cluster.get(None, &world.namespace()).await.unwrap();
    let uid = left.metadata.uid.clone();
    assert_eq!(Mark::read(&left.metadata).unwrap().state, ffe_cluster::MarkState::Creating);

    let resumed = tf.apply(ENVIRONMENT, "this", config(None)).await;
    resumed.expect_ok();
    let done: Namespace = world.cluster.get(None, &world.namespace()).await.unwrap();
    assert_eq!(done.metadata.uid, uid);
    assert_eq!(Mark::read(&done.metadata).unwrap().state, ffe_cluster::MarkState::Complete);
    tf.destroy(ENVIRONMENT, "this").await.expect_ok();
}

pub(crate) async fn an_update_that_fails_keeps_what_is_true_and_the_next_plan_goes_on(place: Place) {
    let world = World::start(&place, "half").await;
    let mut tf = world.terraform().await;
    // Of the flavour that runs.
    let broken = if world.is_real() { "nowhere.invalid/broken:15" } else { "nowhere.invalid/broken:15-alpine" };
    let config = |image: Option<&str>, level: &str| {
        with_image(&world, image, json!({ "preset": "dev", "config": { "LEVEL": level } }))
    };
    tf.apply(ENVIRONMENT, "this", config(None, "info")).await.expect_ok();
    let failed = tf.apply(ENVIRONMENT, "this", config(Some(broken), "debug")).await;
    failed.expect_error("", "The database did not become ready");
    assert!(!failed.tainted);
    assert_eq!(failed.state["config"]["LEVEL"], "debug");
    assert_eq!(failed.state["database"]["image"], broken);
    assert_eq!(failed.state["database_status"]["ready_instances"], 0);

    // The same again is still to be done.
    let again = tf.plan(ENVIRONMENT, "this", config(Some(broken), "debug")).await;
    again.expect_action(Action::Update).expect_warning("", "is not ready");
    tf.apply(ENVIRONMENT, "this", config(None, "debug")).await.expect_ok();
    tf.destroy(ENVIRONMENT, "this").await.expect_ok();
}

pub(crate) async fn a_create_that_is_interrupted_while_it_waits_is_resumed(place: Place) {
    let world = World::start(&place, "stop").await;
    let mut tf = world.terraform().await;
    let config = |database: Json| world.environment(json!({ "preset": "dev", "database": database }));
    let (namespace, server) = (world.namespace(), format!("ffe-{}-database", world.name));
    let (cancel, cluster) = (tf.cancel(), world.cluster.clone());
    let interrupt = async move {
        // Until then it makes objects; from then on it waits.
        while cluster.find::<StatefulSet>(Some(&namespace), &server).await.unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        cancel.cancel();
    };
    let never_ready = config(json!({ "image": "nowhere.invalid/broken:15" }));
    let (stopped, ()) = tokio::join!(tf.apply(ENVIRONMENT, "this", never_ready), interrupt);
    stopped.expect_error("", "goes on from there");
    assert_eq!(stopped.state, Json::Null);
    tf.uncancel();
    tf.apply(ENVIRONMENT, "this", config(json!({}))).await.expect_ok();
    tf.destroy(ENVIRONMENT, "this").await.expect_ok();
}

pub(crate) async fn a_create_that_is_killed_converges_without_destroying_anything(place: Place) {
    let world = World::start(&place, "kill").await;
    let config = world.environment(json!({ "preset": "dev", "secrets_wo": { "KEY": "value" }, "database": {} }));
    let (namespace, server) = (world.namespace(), format!("ffe-{}-database", world.name));
    let half_made = async {
        while world.cluster.find::<PersistentVolumeClaim>(Some(&namespace), &server).await.unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let mut killed = world.terraform().await;
    tokio::select! {
        biased;
        () = half_made => {}
        // The fake cluster may be done before the volume is seen; the state is lost all the same.
        _ = killed.apply(ENVIRONMENT, "this", config.clone()) => {}
    }
    let claim = |claim: PersistentVolumeClaim| claim.metadata.uid;
    let before = world.cluster.get(Some(&namespace), &server).await.map(claim).unwrap();
    let mark = json!({ "metadata": { "annotations": { "ffe.three-rivers.tech/state": "creating" } } });
    world.cluster.merge::<Namespace>(None, &namespace, &mark).await.unwrap();

    let mut tf = world.terraform().await;
    tf.apply(ENVIRONMENT, "this", config).await.expect_ok();
    assert_eq!(world.cluster.get(Some(&namespace), &server).await.map(claim).unwrap(), before);
    tf.destroy(ENVIRONMENT, "this").await.expect_ok();
}

pub(crate) async fn another_cluster_is_noticed_and_nothing_is_dropped_or_touched() {
    let (here, there) = (World::fake("here").await, World::fake("there").await);
    let mut tf = here.terraform().await;
    let config = here.environment(json!({ "preset": "dev" }));
    tf.apply(ENVIRONMENT, "this", config.clone()).await.expect_ok();
    let state = tf.state(ENVIRONMENT, "this");
    let private = tf.private(ENVIRONMENT, "this");
    // The other cluster's first object has another UID only when it was not the first.
    let fake = there.fake.as_ref().unwrap();
    fake.replace_identity("11111111-2222-3333-4444-555555555555");

    let mut elsewhere = there.terraform().await;
    elsewhere.set_state(ENVIRONMENT, "this", 0, state.clone(), &private);
    let before = fake.writes();
    let refreshed = elsewhere.refresh(ENVIRONMENT, "this").await;
    refreshed.expect_error("", "11111111-2222-3333-4444-555555555555");
    refreshed.expect_error("", "00000000-0000-0000-0000-000000000001");
    refreshed.expect_error("", "prior state is kept");
    for world in [&here, &there] {
        refreshed.expect_error("", world.cluster.server());
    }
    assert!(!refreshed.gone);
    assert_eq!(elsewhere.state(ENVIRONMENT, "this"), state);
    elsewhere.destroy(ENVIRONMENT, "this").await;
    assert_eq!(elsewhere.state(ENVIRONMENT, "this"), state);
    assert_eq!(fake.writes(), before);
}

pub(crate) async fn no_answer_is_no_proof_of_absence() {
    let world = World::fake("away").await;
    let fake = world.fake.clone().unwrap();
    let mut tf = world.terraform().await;
    let config = world.environment(json!({ "preset": "dev", "config": { "A": "1" } }));
    tf.apply(ENVIRONMENT, "this", config.clone()).await.expect_ok();
    let state = tf.state(ENVIRONMENT, "this");
    for status in [401, 403, 500] {
        for path in ["/api/v1/namespaces", "/configmaps"] {
            fake.fail(path, status);
            let refreshed = tf.refresh(ENVIRONMENT, "this").await;
            refreshed.expect_error("", "could not be refreshed");
            assert!(!refreshed.gone, "{status} {path}");
            assert_eq!(tf.state(ENVIRONMENT, "this"), state, "{status} {path}");
            fake.heal();
        }
    }
    tf.assert_empty_plan(ENVIRONMENT, "this", config).await;
}

pub(crate) async fn a_missing_permission_is_named_and_the_create_goes_on_when_it_is_given() {
    let world = World::fake("forbidden").await;
    let fake = world.fake.clone().unwrap();
    let mut tf = world.terraform().await;
    let config = world.environment(json!({ "preset": "dev" }));
    fake.fail("/rolebindings/", 403);
    let refused = tf.apply(ENVIRONMENT, "this", config.clone()).await;
    refused.expect_error("", &format!("RoleBinding {0}/{0}", world.namespace()));
    assert_eq!(refused.state, Json::Null);
    fake.heal();
    tf.apply(ENVIRONMENT, "this", config).await.expect_ok();
}

pub(crate) async fn the_surroundings_image_is_named_when_it_contradicts_the_version() {
    let world = World::fake("image").await;
    let mut tf = world.terraform().await;
    let config = world.environment(json!({ "preset": "dev", "database": { "version": "16" } }));
    let planned = tf.plan(ENVIRONMENT, "this", config).await;
    planned.expect_action(Action::Create).expect_warning("database.version", "PostgreSQL 15, not 16");
    assert_eq!(planned.after["database"]["image"], "postgres:15-alpine");
}

pub(crate) async fn another_image_of_the_surroundings_changes_no_database_that_exists() {
    let world = World::fake("kept").await;
    let with = async |image: Option<&str>| world.surrounded_by(image).configure(world.config.clone()).await.unwrap();
    let config = |database: Json| world.environment(json!({ "preset": "dev", "database": database }));
    let mut tf = with(Some("postgres:15-alpine")).await;
    tf.apply(ENVIRONMENT, "this", config(json!({}))).await.expect_ok();
    for image in [None, Some("postgres:16"), Some("registry:5000/postgres:15")] {
        let mut elsewhere = with(image).await;
        elsewhere.set_state(ENVIRONMENT, "this", 0, tf.state(ENVIRONMENT, "this"), &tf.private(ENVIRONMENT, "this"));
        elsewhere.assert_empty_plan(ENVIRONMENT, "this", config(json!({}))).await;
        // Nor does it in a plan with another change, or after an import.
        let planned = elsewhere.plan(ENVIRONMENT, "this", config(json!({ "pool_size": 4 }))).await;
        planned.expect_action(Action::Update);
        assert_eq!(planned.after["database"]["image"], "postgres:15-alpine", "{planned}");
        let mut imported = with(image).await;
        imported
            .import(ENVIRONMENT, "this", &world.name, config(json!({})))
            .await
            .expect_action(Action::NoOp)
            .expect_ok();
    }
    // What is written counts, and what is written no more is what it was made with.
    tf.apply(ENVIRONMENT, "this", config(json!({ "image": "postgres:15.6-alpine" }))).await.expect_ok();
    let back = tf.apply(ENVIRONMENT, "this", config(json!({}))).await;
    back.expect_ok();
    assert_eq!(back.state["database"]["image"], "postgres:15-alpine");
}

pub(crate) async fn an_image_of_another_flavour_is_refused() {
    let world = World::fake("flavour").await;
    let mut tf = world.terraform().await;
    let config = |database: Json| world.environment(json!({ "preset": "dev", "database": database }));
    tf.apply(ENVIRONMENT, "this", config(json!({}))).await.expect_ok();
    let planned = tf.plan(ENVIRONMENT, "this", config(json!({ "image": "postgres:15.6" }))).await;
    planned.expect_action(Action::Refused).expect_error("database.image", "would not start");
    planned.expect_error("database.image", "database.run_as_user = 70");
    // The remedy, for a mirror whose tags do not tell.
    let mirror = config(json!({ "image": "registry:5000/postgres:15.6", "run_as_user": 70 }));
    tf.apply(ENVIRONMENT, "this", mirror).await.expect_ok();
    let name = format!("ffe-{}-database", world.name);
    let server: StatefulSet = world.cluster.get(Some(&world.namespace()), &name).await.unwrap();
    let pod = server.spec.template.spec.unwrap();
    assert_eq!(pod.security_context.unwrap().run_as_user, Some(70));
    let other = config(json!({ "image": "registry:5000/postgres:15.6", "run_as_user": 999 }));
    let other = tf.plan(ENVIRONMENT, "this", other).await;
    other.expect_error("database.run_as_user", "from user 70 to user 999");

    // A create that goes on over what an unfinished one has left, with a server that runs.
    let mark = json!({ "metadata": { "annotations": { "ffe.three-rivers.tech/state": "creating" } } });
    world.cluster.merge::<Namespace>(None, &world.namespace(), &mark).await.unwrap();
    let mut lost = world.terraform().await;
    let planned = lost.plan(ENVIRONMENT, "this", config(json!({ "image": "postgres:15.6" }))).await;
    planned.expect_error("database.image", "would not start");
    let another = lost.apply(ENVIRONMENT, "this", config(json!({ "image": "postgres:16-alpine" }))).await;
    another.expect_error("database.image", "PostgreSQL 15");
}

pub(crate) async fn an_unknown_provider_configuration_never_fails_a_plan() {
    let world = World::fake("unknown").await;
    let mut tf = world
        .unconfigured()
        .provider_config_at_plan(json!({ "kubernetes": { "host": unknown() } }))
        .configure(world.config.clone())
        .await
        .unwrap();
    let config = world.environment(json!({ "preset": "dev", "secrets_wo": { "A": "b" } }));
    let planned = tf.plan(ENVIRONMENT, "this", config.clone()).await;
    planned.expect_action(Action::Create);
    assert_eq!(planned.after["namespace"], json!(world.namespace()));
    tf.apply(ENVIRONMENT, "this", config.clone()).await.expect_ok();
    let again = tf.plan(ENVIRONMENT, "this", config).await;
    again.expect_action(Action::NoOp).expect_warning("", "was not refreshed");
}

pub(crate) async fn a_plan_without_changes_writes_nothing() {
    let world = World::fake("quiet").await;
    let fake = world.fake.clone().unwrap();
    let mut tf = world.terraform().await;
    let config = world.environment(json!({ "preset": "staging", "secrets_wo": { "A": "b" }, "database": {} }));
    tf.apply(ENVIRONMENT, "this", config.clone()).await.expect_ok();
    let before = fake.writes();
    tf.plan(ENVIRONMENT, "this", config).await.expect_action(Action::NoOp);
    assert_eq!(fake.writes(), before);
}

pub(crate) async fn a_configuration_with_unknowns_is_planned_and_applied() {
    let world = World::fake("later").await;
    let mut tf = world.terraform().await;
    let with = |preset: Json, level: Json, key: Json| {
        world.environment(
            json!({ "preset": preset, "config": { "LEVEL": level }, "secrets_wo": { "KEY": key }, "database": {} }),
        )
    };
    let known = with(json!("staging"), json!("info"), json!("k"));
    tf.apply_resolving(ENVIRONMENT, "this", with(unknown(), unknown(), unknown()), known.clone()).await.expect_ok();
    // A secret that comes from something which is made in the same run.
    let planned = tf.plan(ENVIRONMENT, "this", with(json!("staging"), json!("info"), unknown())).await;
    planned.expect_action(Action::Update);
    tf.apply_resolving(ENVIRONMENT, "this", with(json!("staging"), unknown(), unknown()), known).await.expect_ok();
}
