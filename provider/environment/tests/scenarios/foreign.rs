//! What belongs to somebody else: refused, adopted, imported, given back.

use ffe_cluster::k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret, ServiceAccount};
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
    let config = world.environment(json!({}));
    first.apply(ENVIRONMENT, "this", config.clone()).await.expect_ok();
    let refused = second.apply(ENVIRONMENT, "this", config).await;
    refused.expect_error("namespace", "in another state");
    assert_eq!(refused.state, Json::Null);
    first.destroy(ENVIRONMENT, "this").await.expect_ok();
}

pub(crate) async fn an_object_of_somebody_else_in_the_namespace_is_refused_before_anything_is_written(place: Place) {
    let world = World::start(&place, "inside").await;
    namespace(&world, json!({})).await;
    let name = world.namespace();
    let theirs: ConfigMap = serde_json::from_value(json!({
        "metadata": { "name": format!("{name}-config"), "namespace": name, "labels": { "app.kubernetes.io/managed-by": "Helm" } },
    }))
    .unwrap();
    world.cluster.create(&theirs).await.unwrap();
    // The namespace is taken over by an import; what is in it is asked for one by one.
    let mut tf = world.terraform().await;
    let made = tf.apply(ENVIRONMENT, "this", world.environment(json!({ "adopt": true, "config": { "A": "1" } }))).await;
    made.expect_ok();
    tf.destroy(ENVIRONMENT, "this").await.expect_ok();
    let back: ConfigMap = world.cluster.get(Some(&name), &format!("{name}-config")).await.unwrap();
    assert_eq!(back.metadata.labels.unwrap()["app.kubernetes.io/managed-by"], "Helm");
    assert!(back.data.unwrap_or_default().is_empty());
    remove(&world).await;
}

pub(crate) async fn what_does_not_exist_cannot_be_imported(place: Place) {
    let world = World::start(&place, "absent").await;
    let mut tf = world.terraform().await;
    let id = world.name.clone();
    let told = tf.import(ENVIRONMENT, "this", &id, world.environment(json!({}))).await;
    told.expect_error("", "neither an environment nor a namespace");
}
