//! What belongs to somebody else: refused, adopted, imported, given back.

use ffe_cluster::k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod, Secret, ServiceAccount};
use ffe_cluster::{DeleteOptions, ObjectRef};
use serde_json::{Value as Json, json};
use tfplugin_testing::{Action, Told};

use crate::world::{ENVIRONMENT, Place, World};

async fn namespace(world: &World, labels: Json) -> Namespace {
    let namespace: Namespace =
        serde_json::from_value(json!({ "metadata": { "name": world.namespace(), "labels": labels } })).unwrap();
    world.cluster.create(&namespace).await.unwrap()
}

async fn remove(world: &World) {
    let object = ObjectRef::of::<Namespace>(None, &world.namespace());
    world.cluster.delete(&object, &DeleteOptions::default()).await.unwrap();
}

pub(crate) async fn a_namespace_of_somebody_else_is_refused_with_the_import_line(place: Place) {
    let world = World::start(&place, "refuse").await;
    namespace(&world, json!({ "owner": "somebody" })).await;
    let mut tf = world.terraform().await;
    let planned = tf.plan(ENVIRONMENT, "this", world.environment(json!({}))).await;
    let line = format!("terraform import ffe_environment.<name> {}/{}", world.namespace(), world.name);
    planned.expect_action(Action::Refused).expect_error("namespace", &line);
    planned.expect_error("namespace", "adopt = true");
    remove(&world).await;
}

pub(crate) async fn what_was_adopted_is_given_back_and_what_was_made_in_it_goes(place: Place) {
    let world = World::start(&place, "adopt").await;
    let before = namespace(&world, json!({ "owner": "somebody" })).await;
    let name = world.namespace();
    let theirs: Secret =
        serde_json::from_value(json!({ "metadata": { "name": "theirs", "namespace": name } })).unwrap();
    world.cluster.create(&theirs).await.unwrap();

    let mut tf = world.terraform().await;
    let config = world
        .environment(json!({ "adopt": true, "labels": { "team": "core" }, "config": { "A": "1" }, "database": {} }));
    tf.apply(ENVIRONMENT, "this", config).await.expect_ok();
    let adopted: Namespace = world.cluster.get(None, &name).await.unwrap();
    let labels = adopted.metadata.labels.unwrap();
    assert_eq!((labels["owner"].as_str(), labels["team"].as_str()), ("somebody", "core"));
    assert!(!labels.contains_key("app.kubernetes.io/managed-by"));

    tf.destroy(ENVIRONMENT, "this").await.expect_ok();
    let released: Namespace = world.cluster.get(None, &name).await.unwrap();
    assert_eq!(released.metadata.uid, before.metadata.uid);
    let ours = |labels: Option<&std::collections::BTreeMap<String, String>>| {
        let keys = labels.into_iter().flatten().map(|(key, _)| key.clone());
        keys.filter(|key| key.contains("ffe.three-rivers.tech") || key.contains("pod-security") || key == "team")
            .collect::<Vec<_>>()
    };
    assert_eq!(ours(released.metadata.labels.as_ref()), Vec::<String>::new());
    assert_eq!(ours(released.metadata.annotations.as_ref()), Vec::<String>::new());
    assert!(world.cluster.find::<Secret>(Some(&name), "theirs").await.unwrap().is_some());
    let left = world.cluster.list_metadata::<Secret>(Some(&name), &ffe_cluster::Query::default()).await.unwrap();
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(world.cluster.find::<ConfigMap>(Some(&name), &format!("{name}-config")).await.unwrap().is_none());
    assert!(world.cluster.find::<ServiceAccount>(Some(&name), &name).await.unwrap().is_none());
    remove(&world).await;
}

pub(crate) async fn a_foreign_namespace_is_imported_in_place_and_stays_when_destroyed(place: Place) {
    let world = World::start(&place, "import").await;
    let before = namespace(&world, json!({ "owner": "somebody" })).await;
    let mut tf = world.terraform().await;
    let config = world.environment(json!({ "config": { "A": "1" } }));
    let id = format!("{}/{}", world.namespace(), world.name);
    tf.import(ENVIRONMENT, "this", &id, config.clone()).await.expect_action(Action::Update).expect_ok();
    tf.apply(ENVIRONMENT, "this", config.clone()).await.expect_ok();
    tf.assert_empty_plan(ENVIRONMENT, "this", config).await;
    let taken: Namespace = world.cluster.get(None, &world.namespace()).await.unwrap();
    assert_eq!(taken.metadata.uid, before.metadata.uid);
    assert_eq!(taken.metadata.labels.unwrap()["owner"], "somebody");
    tf.destroy(ENVIRONMENT, "this").await.expect_ok();
    assert!(world.cluster.find::<Namespace>(None, &world.namespace()).await.unwrap().is_some());
    remove(&world).await;
}

pub(crate) async fn a_finished_environment_of_another_state_is_refused(place: Place) {
    let world = World::start(&place, "twice").await;
    let (mut first, mut second) = (world.terraform().await, world.terraform().await);
    first.apply(ENVIRONMENT, "this", world.environment(json!({}))).await.expect_ok();
    for adopt in [false, true] {
        let refused = second.apply(ENVIRONMENT, "this", world.environment(json!({ "adopt": adopt }))).await;
        refused.expect_error("namespace", "in another state").expect_error("namespace", "terraform import");
        assert_eq!(refused.state, Json::Null);
    }
    first.assert_empty_plan(ENVIRONMENT, "this", world.environment(json!({}))).await;
    first.destroy(ENVIRONMENT, "this").await.expect_ok();
}

pub(crate) async fn of_two_states_that_make_one_environment_one_wins(place: Place) {
    let world = World::start(&place, "race").await;
    let (mut first, mut second) = (world.terraform().await, world.terraform().await);
    let config = |level: &str| world.environment(json!({ "config": { "LEVEL": level } }));
    // Both have planned before either writes: then they come to the same place at once.
    let (one, two) =
        tokio::join!(first.plan(ENVIRONMENT, "this", config("one")), second.plan(ENVIRONMENT, "this", config("two")),);
    let (one, two) = tokio::join!(first.apply_planned(one, config("one")), second.apply_planned(two, config("two")));
    let failed = [&one, &two].map(|applied| applied.diagnostics().has_errors());
    assert!(failed[0] != failed[1], "{one:?}\n{two:?}");
    let name = world.namespace();
    let live: ConfigMap = world.cluster.get(Some(&name), &format!("{name}-config")).await.unwrap();
    assert_eq!(live.data.unwrap()["LEVEL"], if failed[0] { "two" } else { "one" });
    remove(&world).await;
}

pub(crate) async fn what_lost_its_state_and_its_mark_is_imported_and_not_made_anew(place: Place) {
    let world = World::start(&place, "lost").await;
    let name = world.namespace();
    let config = |adopt: bool| world.environment(json!({ "adopt": adopt, "config": { "A": "1" } }));
    world.terraform().await.apply(ENVIRONMENT, "this", config(false)).await.expect_ok();
    let bare = json!({ "metadata": { "annotations": {
        "ffe.three-rivers.tech/resource": null, "ffe.three-rivers.tech/resource-type": null } } });
    world.cluster.merge::<Namespace>(None, &name, &bare).await.unwrap();
    let mut tf = world.terraform().await;
    let refused = tf.apply(ENVIRONMENT, "this", config(true)).await;
    refused.expect_error("name", "in another state").expect_error("name", &format!("{name}/{}", world.name));
    // The remedy.
    let id = format!("{name}/{}", world.name);
    tf.import(ENVIRONMENT, "this", &id, config(false)).await.expect_ok();
    tf.apply(ENVIRONMENT, "this", config(false)).await.expect_ok();
    tf.assert_empty_plan(ENVIRONMENT, "this", config(false)).await;
    tf.destroy(ENVIRONMENT, "this").await.expect_ok();
    remove(&world).await;
}

pub(crate) async fn what_was_there_before_is_given_back_with_its_values(place: Place) {
    let world = World::start(&place, "back").await;
    let level = "pod-security.kubernetes.io/enforce";
    let before = namespace(&world, json!({ "owner": "somebody", "team": "theirs", level: "baseline" })).await;
    let name = world.namespace();
    let (config_map, app) = (format!("{name}-config"), format!("{name}-app"));
    let theirs: ConfigMap = serde_json::from_value(json!({
        "metadata": { "name": config_map, "namespace": name, "labels": { "app.kubernetes.io/managed-by": "Helm" } },
        "data": { "SAME": "1", "OTHER": "old", "THEIRS": "x" },
    }))
    .unwrap();
    let theirs = world.cluster.create(&theirs).await.unwrap();
    let secret: Secret = serde_json::from_value(
        json!({ "metadata": { "name": app, "namespace": name }, "type": "Opaque", "data": { "API_KEY": "b2xk" } }),
    )
    .unwrap();
    let secret = world.cluster.create(&secret).await.unwrap();

    let mut tf = world.terraform().await;
    let config = |more: Json| {
        let mut config = world.environment(json!({
            "adopt": true, "labels": { "team": "ours" }, "pod_security": "restricted",
            "config": { "SAME": "1", "OTHER": "new" }, "secrets_wo": { "API_KEY": "new", "MORE": "1" },
        }));
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        config
    };
    tf.apply(ENVIRONMENT, "this", config(json!({}))).await.expect_ok();
    // A later setting of one more of theirs.
    tf.apply(ENVIRONMENT, "this", config(json!({ "config": { "OTHER": "newer", "THEIRS": "y" } }))).await.expect_ok();
    let live: ConfigMap = world.cluster.get(Some(&name), &config_map).await.unwrap();
    assert_eq!(live.data.unwrap()["THEIRS"], "y");
    // The state is lost meanwhile.
    let mut other = world.terraform().await;
    let same = config(json!({ "config": { "OTHER": "newer", "THEIRS": "y" } }));
    other.import(ENVIRONMENT, "this", &format!("{name}/{}", world.name), same).await.expect_ok();

    other.destroy(ENVIRONMENT, "this").await.expect_ok();
    let back: Namespace = world.cluster.get(None, &name).await.unwrap();
    assert_eq!(back.metadata.uid, before.metadata.uid);
    assert_eq!(back.metadata.labels, before.metadata.labels);
    assert_eq!(back.metadata.annotations.unwrap_or_default(), before.metadata.annotations.unwrap_or_default());
    let back: ConfigMap = world.cluster.get(Some(&name), &config_map).await.unwrap();
    assert_eq!((back.data, back.metadata.labels), (theirs.data, theirs.metadata.labels));
    let managed = back.metadata.managed_fields.unwrap_or_default();
    assert!(!managed.iter().any(|one| one.manager.as_deref() == Some("terraform-provider-ffe")), "{managed:?}");
    let back: Secret = world.cluster.get(Some(&name), &app).await.unwrap();
    assert_eq!((back.data, back.metadata.annotations.unwrap_or_default().len()), (secret.data, 0));
    let left = world.cluster.list_metadata::<Secret>(Some(&name), &ffe_cluster::Query::default()).await.unwrap();
    assert_eq!(left.len(), 1, "{left:?}");
    remove(&world).await;
}

pub(crate) async fn what_somebody_made_anew_is_theirs_and_what_lost_its_mark_is_ours(place: Place) {
    let world = World::start(&place, "anew").await;
    let (name, mut tf) = (world.namespace(), world.terraform().await);
    let config = |adopt: bool| world.environment(json!({ "adopt": adopt, "config": { "A": "1" } }));
    tf.apply(ENVIRONMENT, "this", config(false)).await.expect_ok();
    let config_map = format!("{name}-config");
    let object = ObjectRef::of::<ConfigMap>(Some(&name), &config_map);
    world.cluster.delete(&object, &DeleteOptions::default()).await.unwrap();
    let theirs: ConfigMap = serde_json::from_value(
        json!({ "metadata": { "name": config_map, "namespace": name }, "data": { "THEIRS": "x" } }),
    )
    .unwrap();
    world.cluster.create(&theirs).await.unwrap();
    let refused = tf.apply(ENVIRONMENT, "this", config(false)).await;
    refused.expect_error("name", "is not the one that was made here");
    let live: ConfigMap = world.cluster.get(Some(&name), &config_map).await.unwrap();
    assert_eq!(live.data.unwrap().into_keys().collect::<Vec<_>>(), ["THEIRS"]);
    // Each remedy: theirs is taken over, or goes.
    tf.apply(ENVIRONMENT, "this", config(true)).await.expect_ok();
    world.cluster.delete(&object, &DeleteOptions::default()).await.unwrap();
    tf.apply(ENVIRONMENT, "this", config(false)).await.expect_ok();

    let bare = json!({ "metadata": { "annotations": { "ffe.three-rivers.tech/resource": null } } });
    world.cluster.merge::<ConfigMap>(Some(&name), &config_map, &bare).await.unwrap();
    tf.apply(ENVIRONMENT, "this", config(false)).await.expect_ok();
    tf.assert_empty_plan(ENVIRONMENT, "this", config(false)).await;
    tf.destroy(ENVIRONMENT, "this").await.expect_ok();
}

pub(crate) async fn pods_that_a_level_would_not_admit_are_named(place: Place) {
    let world = World::start(&place, "pods").await;
    namespace(&world, json!({})).await;
    if let Some(fake) = &world.fake {
        fake.violate("rooted: allowPrivilegeEscalation != false");
    } else {
        let pod: Pod =
            serde_json::from_value(json!({ "metadata": { "name": "rooted", "namespace": world.namespace() },
            "spec": { "containers": [{ "name": "main", "image": "nowhere.invalid/none:1" }] } }))
            .unwrap();
        // Its service account is made a moment after the namespace.
        while world.cluster.create(&pod).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }
    let mut tf = world.terraform().await;
    let config = |level: &str| world.environment(json!({ "adopt": true, "pod_security": level }));
    let planned = tf.plan(ENVIRONMENT, "this", config("restricted")).await;
    planned.expect_warning("pod_security", "rooted").expect_warning("pod_security", "pod_security = \"privileged\"");
    // The remedy.
    let planned = tf.plan(ENVIRONMENT, "this", config("privileged")).await;
    assert!(!planned.diagnostics().to_string().contains("rooted"), "{planned}");
    remove(&world).await;
}

pub(crate) async fn a_namespace_keeps_its_level_and_its_pods_are_named_where_it_does_not() {
    let label = "pod-security.kubernetes.io/enforce";
    let levels = [(json!({ label: "baseline" }), json!("baseline")), (json!({}), Json::Null)];
    for (by_import, (labels, level)) in [false, true].into_iter().flat_map(|by| levels.clone().map(|level| (by, level)))
    {
        let world = World::fake("level").await;
        let fake = world.fake.clone().unwrap();
        fake.violate("web-0 (and 2 other pods): allowPrivilegeEscalation != false");
        namespace(&world, labels).await;
        let mut tf = world.terraform().await;
        let config = |more: Json| {
            let mut config = world.environment(json!({ "preset": "production", "deletion_protection": false }));
            config["adopt"] = json!(!by_import);
            config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            config
        };
        if by_import {
            let id = format!("{}/{}", world.namespace(), world.name);
            tf.import(ENVIRONMENT, "this", &id, config(json!({}))).await.expect_ok();
        }
        let planned = tf.plan(ENVIRONMENT, "this", config(json!({}))).await;
        assert_eq!(planned.after["pod_security"], level, "{planned}");
        assert!(!planned.diagnostics().to_string().contains("web-0"), "{planned}");
        let strict = config(json!({ "pod_security": "restricted" }));
        let warned = tf.plan(ENVIRONMENT, "this", strict.clone()).await;
        warned.expect_warning("pod_security", "web-0 (and 2 other pods)");

        tf.apply(ENVIRONMENT, "this", config(json!({}))).await.expect_ok();
        let enforced = async || {
            let live: Namespace = world.cluster.get(None, &world.namespace()).await.unwrap();
            live.metadata.labels.unwrap_or_default().get(label).cloned()
        };
        assert_eq!(json!(enforced().await), level);
        tf.assert_empty_plan(ENVIRONMENT, "this", config(json!({}))).await;
        // Written, and left out again.
        tf.apply(ENVIRONMENT, "this", strict).await.expect_ok();
        assert_eq!(enforced().await.as_deref(), Some("restricted"));
        tf.apply(ENVIRONMENT, "this", config(json!({}))).await.expect_ok();
        assert_eq!(json!(enforced().await), level);
        tf.destroy(ENVIRONMENT, "this").await.expect_ok();
        assert_eq!(json!(enforced().await), level);
    }
}

pub(crate) async fn a_namespace_that_comes_in_the_same_run_is_taken_over_as_it_is() {
    let world = World::fake("later").await;
    let mut tf = world.terraform().await;
    let config = world.environment(json!({ "adopt": true }));
    let planned = tf.plan(ENVIRONMENT, "this", config.clone()).await;
    assert_eq!(planned.after["pod_security"], tfplugin_testing::unknown());
    namespace(&world, json!({ "pod-security.kubernetes.io/enforce": "baseline" })).await;
    let made = tf.apply(ENVIRONMENT, "this", config.clone()).await;
    made.expect_ok();
    assert_eq!(made.state["pod_security"], "baseline");
    tf.assert_empty_plan(ENVIRONMENT, "this", config).await;

    // And one that nobody makes is made with the preset's.
    let alone = World::fake("alone").await;
    let made = alone.terraform().await.apply(ENVIRONMENT, "this", alone.environment(json!({ "adopt": true }))).await;
    made.expect_ok();
    assert_eq!((&made.state["pod_security"], &made.state["pod_security_before"]), (&json!("restricted"), &Json::Null));
}

pub(crate) async fn an_object_of_somebody_else_in_the_namespace_is_refused_before_anything_is_written() {
    let world = World::fake("inside").await;
    let name = world.namespace();
    namespace(&world, json!({})).await;
    let theirs = |name: &str, more: Json| {
        let mut object = json!({ "metadata": { "name": name, "namespace": world.namespace() } });
        object["metadata"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value::<ConfigMap>(object).unwrap()
    };
    let of_helm =
        json!({ "annotations": { "meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": name } });
    let controlled = json!({ "ownerReferences": [
        { "apiVersion": "example.com/v1", "kind": "Thing", "name": "x", "uid": "u", "controller": true }] });
    let other = json!({ "annotations": {
        "ffe.three-rivers.tech/resource-type": ENVIRONMENT, "ffe.three-rivers.tech/resource": format!("{name}/other") } });
    let config_map = format!("{name}-config");
    let mut tf = world.terraform().await;
    for (more, adopt, said) in [
        (json!({ "labels": { "app.kubernetes.io/managed-by": "flux" } }), false, "managed by flux"),
        (of_helm, true, "part of the Helm release"),
        (controlled, true, "is made by Thing x"),
        (other, true, "belongs to ffe_environment"),
    ] {
        world.cluster.create(&theirs(&config_map, more)).await.unwrap();
        let before = world.fake.as_ref().unwrap().writes();
        let config = world.environment(json!({ "adopt": adopt, "config": { "A": "1" } }));
        let refused = tf.apply(ENVIRONMENT, "this", config).await;
        if adopt {
            refused.expect_error("name", said);
        } else {
            // The namespace says it for all.
            refused.expect_error("namespace", "exists already");
        }
        assert_eq!(world.fake.as_ref().unwrap().writes(), before, "nothing was written");
        let object = ObjectRef::of::<ConfigMap>(Some(&name), &config_map);
        world.cluster.delete(&object, &DeleteOptions::default()).await.unwrap();
    }
}

pub(crate) async fn what_does_not_exist_cannot_be_imported(place: Place) {
    let world = World::start(&place, "absent").await;
    let mut tf = world.terraform().await;
    let id = world.name.clone();
    let told = tf.import(ENVIRONMENT, "this", &id, world.environment(json!({}))).await;
    told.expect_error("", "neither an environment nor a namespace");
}
