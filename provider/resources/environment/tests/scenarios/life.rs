//! The ordinary life: made, changed, drifted, imported, destroyed.

use ffe_cluster::k8s_openapi::api::apps::v1::StatefulSet;
use ffe_cluster::k8s_openapi::api::core::v1::{ConfigMap, Namespace, PersistentVolumeClaim, ResourceQuota, Secret};
use ffe_cluster::k8s_openapi::api::storage::v1::StorageClass;
use ffe_cluster::{DeleteOptions, ObjectRef};
use serde_json::{Value as Json, json};
use tfplugin_testing::{Action, Told, unknown};

use crate::world::{ENVIRONMENT, Place, World};

pub(crate) async fn an_environment_with_a_database_lives_and_dies(place: Place) {
    let world = World::start(&place, "life").await;
    let (namespace, database) = (world.namespace(), format!("ffe-{}-database", world.name));
    let mut tf = world.terraform().await.canary("s3cret-canary").canary("an0ther-canary");
    let config = |more: Json| {
        let mut config = world.environment(json!({
            "preset": "dev", "labels": { "team": "core" }, "config": { "LOG_LEVEL": "info" },
            "secrets_wo": { "API_KEY": "s3cret-canary" }, "database": { "storage": { "size": "1Gi" } },
        }));
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        config
    };

    let planned = tf.plan(ENVIRONMENT, "this", config(json!({}))).await;
    planned.expect_action(Action::Create);
    let mut unknowns = planned.unknown();
    unknowns.sort();
    assert_eq!(unknowns, ["database_status", "secrets_revision"], "{planned}");

    let made = tf.apply(ENVIRONMENT, "this", config(json!({}))).await;
    made.expect_ok();
    assert_eq!(made.state["namespace"], json!(namespace));
    assert_eq!(made.state["database_status"]["ready_instances"], 1);
    if world.is_real() {
        let version = made.state["database_status"]["server_version"].as_str().unwrap();
        assert!(version.starts_with("15."), "{version}");
    }
    let connection: Secret = world.cluster.get(Some(&namespace), &database).await.unwrap();
    let keys: Vec<String> = connection.data.unwrap().into_keys().collect();
    assert_eq!(keys, ["DATABASE_URL", "PGDATABASE", "PGHOST", "PGPASSWORD", "PGPORT", "PGUSER"]);
    let password = password(&world).await;
    let (text, private) = (String::from_utf8(password.clone()).unwrap(), tf.private(ENVIRONMENT, "this"));
    assert!(!made.state.to_string().contains(&text) && !format!("{private:?}").contains(&text));

    // Another setting: one revision moves, nothing that others depend on.
    let before = made.state.clone();
    let changed = tf.plan(ENVIRONMENT, "this", config(json!({ "config": { "LOG_LEVEL": "debug" } }))).await;
    changed.expect_action(Action::Update);
    for same in ["values", "config_map", "app_secret", "database_secret", "service_account", "namespace", "tls"] {
        assert_eq!(changed.after[same], before[same], "{same}");
    }
    assert_ne!(changed.after["config_revision"], before["config_revision"]);
    assert_eq!(changed.unknown(), Vec::<String>::new(), "{changed}");
    let after = tf.apply(ENVIRONMENT, "this", config(json!({ "config": { "LOG_LEVEL": "debug" } }))).await;
    after.expect_ok();
    assert_eq!(after.state["secrets_revision"], before["secrets_revision"]);
    let live: ConfigMap = world.cluster.get(Some(&namespace), &format!("ffe-{}-config", world.name)).await.unwrap();
    assert_eq!(live.data.unwrap()["LOG_LEVEL"], "debug");

    // An override, and its removal.
    let quota = config(json!({ "quota": { "pods": 30 } }));
    tf.apply(ENVIRONMENT, "this", quota).await.expect_ok();
    let back = tf.apply(ENVIRONMENT, "this", config(json!({}))).await;
    back.expect_ok();
    assert_eq!(back.state["quota"]["pods"], 20);
    let live: ResourceQuota = world.cluster.get(Some(&namespace), &namespace).await.unwrap();
    assert_eq!(live.spec.unwrap().hard.unwrap()["pods"].0, "20");

    // What is taken out of the configuration goes.
    let fewer = config(json!({ "labels": null, "config": { "OTHER": "1" } }));
    tf.apply(ENVIRONMENT, "this", fewer).await.expect_ok();
    let live: ConfigMap = world.cluster.get(Some(&namespace), &format!("ffe-{}-config", world.name)).await.unwrap();
    assert_eq!(live.data.unwrap().into_keys().collect::<Vec<_>>(), ["OTHER"]);
    let live: Namespace = world.cluster.get(None, &namespace).await.unwrap();
    assert!(!live.metadata.labels.unwrap().contains_key("team"));
    tf.apply(ENVIRONMENT, "this", config(json!({}))).await.expect_ok();

    // A secret that changes shows, though nothing of it is stored.
    let secrets = config(json!({ "secrets_wo": { "API_KEY": "an0ther-canary" } }));
    let planned = tf.plan(ENVIRONMENT, "this", secrets.clone()).await;
    planned.expect_action(Action::Update);
    assert_eq!(planned.after["secrets_revision"], unknown());
    let after = tf.apply(ENVIRONMENT, "this", secrets.clone()).await;
    after.expect_ok();
    assert_ne!(after.state["secrets_revision"], before["secrets_revision"]);

    // Imported elsewhere, it plans empty.
    for id in [world.name.clone(), namespace.clone(), format!("{namespace}/{}", world.name)] {
        let mut other = world.terraform().await;
        other.import(ENVIRONMENT, "this", &id, secrets.clone()).await.expect_action(Action::NoOp).expect_ok();
        assert_eq!(other.state(ENVIRONMENT, "this")["secrets_revision"], after.state["secrets_revision"]);
    }

    // Neither updates nor anything else touched the password.
    assert_eq!(self::password(&world).await, password);
    let gone = tf.destroy(ENVIRONMENT, "this").await;
    gone.expect_ok();
    assert!(world.cluster.find::<Namespace>(None, &namespace).await.unwrap().is_none());
}

async fn password(world: &World) -> Vec<u8> {
    let name = format!("ffe-{}-database", world.name);
    let secret: Secret = world.cluster.get(Some(&world.namespace()), &name).await.unwrap();
    secret.data.unwrap()["PGPASSWORD"].0.clone()
}

pub(crate) async fn what_was_changed_or_deleted_behind_terraform_shows_and_is_put_right(place: Place) {
    let world = World::start(&place, "drift").await;
    let (namespace, database) = (world.namespace(), format!("ffe-{}-database", world.name));
    let mut tf = world.terraform().await;
    let config = world.environment(json!({
        "preset": "dev", "config": { "A": "1" }, "secrets_wo": { "KEY": "value" }, "labels": { "team": "core" }, "database": {},
    }));
    tf.apply(ENVIRONMENT, "this", config.clone()).await.expect_ok();
    let original = password(&world).await;

    let (place, cluster) = (Some(namespace.as_str()), &world.cluster);
    let base = format!("ffe-{}", world.name);
    cluster.delete(&ObjectRef::of::<StatefulSet>(place, &database), &DeleteOptions::default()).await.unwrap();
    cluster.delete(&ObjectRef::of::<Secret>(place, &database), &DeleteOptions::default()).await.unwrap();
    cluster.merge::<ConfigMap>(place, &format!("{base}-config"), &json!({ "data": { "A": "2" } })).await.unwrap();
    cluster.merge::<Secret>(place, &format!("{base}-app"), &json!({ "data": { "KEY": "b3RoZXI=" } })).await.unwrap();
    cluster.merge::<ResourceQuota>(place, &base, &json!({ "spec": { "hard": { "pods": "1000" } } })).await.unwrap();
    cluster.merge::<Namespace>(None, &namespace, &json!({ "metadata": { "labels": { "team": null } } })).await.unwrap();

    let planned = tf.plan(ENVIRONMENT, "this", config.clone()).await;
    planned.expect_action(Action::Update);
    let drifted: Vec<String> = planned.before["drifted"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| format!("{} {}", one["object"].as_str().unwrap(), one["field"].as_str().unwrap()))
        .collect();
    let expected = [
        format!("Namespace {namespace} metadata.labels.team"),
        format!("ResourceQuota {namespace}/{base} spec.hard.pods"),
        format!("ConfigMap {namespace}/{base}-config data.A"),
        format!("Secret {namespace}/{base}-app data"),
        format!("Secret {namespace}/{database} (missing)"),
        format!("StatefulSet {namespace}/{database} (missing)"),
    ];
    assert_eq!(drifted, expected);
    assert_eq!(planned.after["drifted"], json!([]));

    let done = tf.apply(ENVIRONMENT, "this", config.clone()).await;
    done.expect_ok();
    assert_eq!(done.state["database_status"]["ready_instances"], 1);
    // The database is the same one, and so is its password.
    assert_eq!(password(&world).await, original);
    let live: ConfigMap = cluster.get(place, &format!("{base}-config")).await.unwrap();
    assert_eq!(live.data.unwrap()["A"], "1");

    // The whole namespace is gone: planned anew.
    let object = ObjectRef::of::<Namespace>(None, &namespace);
    let wait = ffe_workloads::WaitOptions::new(std::time::Duration::from_secs(120), ffe_cluster::Cancel::new());
    cluster.delete(&object, &DeleteOptions::default()).await.unwrap();
    ffe_workloads::wait_deleted(cluster, &object, None, &wait).await.unwrap();
    tf.plan(ENVIRONMENT, "this", config).await.expect_action(Action::Create);
}

pub(crate) async fn a_version_speaks_for_the_secrets_when_it_is_set(place: Place) {
    let world = World::start(&place, "version").await;
    let mut tf = world.terraform().await;
    let config = |version: &str, value: &str| {
        world.environment(json!({ "secrets_wo": { "KEY": value }, "secrets_wo_version": version }))
    };
    let first = tf.apply(ENVIRONMENT, "this", config("1", "a")).await;
    first.expect_ok();
    tf.plan(ENVIRONMENT, "this", config("1", "b")).await.expect_action(Action::NoOp);
    let second = tf.apply(ENVIRONMENT, "this", config("2", "b")).await;
    second.expect_ok();
    assert_ne!(first.state["secrets_revision"], second.state["secrets_revision"]);
    tf.destroy(ENVIRONMENT, "this").await.expect_ok();
}

pub(crate) async fn an_external_database_is_a_secret_and_nothing_else(place: Place) {
    let world = World::start(&place, "external").await;
    let namespace = world.namespace();
    let mut tf = world.terraform().await.canary("t0psecret");
    let config = |host: &str| {
        let url = format!("postgresql://app:t0psecret@{host}/shop?sslmode=require");
        world.environment(json!({ "database": { "mode": "external", "url_wo": url } }))
    };
    let made = tf.apply(ENVIRONMENT, "this", config("one.example.com")).await;
    made.expect_ok();
    assert_eq!(made.state["database_status"], Json::Null);
    let name = made.state["database_secret"].as_str().unwrap().to_owned();
    let secret: Secret = world.cluster.get(Some(&namespace), &name).await.unwrap();
    assert_eq!(secret.data.unwrap()["PGHOST"].0, b"one.example.com");
    assert!(world.cluster.find::<PersistentVolumeClaim>(Some(&namespace), &name).await.unwrap().is_none());

    let moved = tf.apply(ENVIRONMENT, "this", config("two.example.com")).await;
    moved.expect_ok();
    assert_ne!(moved.state["secrets_revision"], made.state["secrets_revision"]);
    let without = tf.apply(ENVIRONMENT, "this", world.environment(json!({}))).await;
    without.expect_ok();
    assert_eq!(without.state["database_secret"], Json::Null);
    assert!(world.cluster.find::<Secret>(Some(&namespace), &name).await.unwrap().is_none());
    tf.destroy(ENVIRONMENT, "this").await.expect_ok();
}

pub(crate) async fn a_volume_grows_where_its_class_lets_it() {
    let world = World::fake("grow").await;
    let (namespace, name) = (world.namespace(), format!("ffe-{}-database", world.name));
    let place = Some(namespace.as_str());
    let class: StorageClass =
        serde_json::from_value(json!({ "metadata": { "name": "fast" }, "provisioner": "example.com/disks" })).unwrap();
    world.cluster.create(&class).await.unwrap();
    let mut tf = world.terraform().await;
    let config = |size: &str| {
        world.environment(json!({ "preset": "dev", "database": { "storage": { "size": size, "class": "fast" } } }))
    };
    tf.apply(ENVIRONMENT, "this", config("1Gi")).await.expect_ok();
    let capacity = |size: &str| json!({ "status": { "phase": "Bound", "capacity": { "storage": size } } });
    world.cluster.merge::<PersistentVolumeClaim>(place, &name, &capacity("1Gi")).await.unwrap();

    let refused = tf.plan(ENVIRONMENT, "this", config("2Gi")).await;
    refused.expect_action(Action::Refused).expect_error("database.storage.size", "class \"fast\" does not allow");
    world.cluster.merge::<StorageClass>(None, "fast", &json!({ "allowVolumeExpansion": true })).await.unwrap();
    let cluster = world.cluster.clone();
    let resizer = async {
        loop {
            let claim: PersistentVolumeClaim = cluster.get(place, &name).await.unwrap();
            let asked = claim.spec.unwrap().resources.unwrap().requests.unwrap()["storage"].0.clone();
            if asked == "2Gi" {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        cluster.merge::<PersistentVolumeClaim>(place, &name, &capacity("2Gi")).await.unwrap();
    };
    let (grown, ()) = tokio::join!(tf.apply(ENVIRONMENT, "this", config("2Gi")), resizer);
    grown.expect_ok();

    // Somebody let it grow further, and it is not there yet: both are seen.
    let more = json!({ "spec": { "resources": { "requests": { "storage": "3Gi" } } } });
    world.cluster.merge::<PersistentVolumeClaim>(place, &name, &more).await.unwrap();
    let planned = tf.plan(ENVIRONMENT, "this", config("2Gi")).await;
    planned.expect_error("database.storage.size", "cannot shrink from 3Gi to 2Gi");
    let planned = tf.plan(ENVIRONMENT, "this", config("3Gi")).await;
    planned.expect_action(Action::Update);
    assert_eq!(planned.before["drifted"][0]["field"], "status.capacity.storage");
}

pub(crate) async fn a_volume_that_grows_only_out_of_use_grows_while_the_server_is_stopped() {
    let world = World::fake("offline").await;
    let (namespace, name) = (world.namespace(), format!("ffe-{}-database", world.name));
    let place = Some(namespace.as_str());
    let class: StorageClass = serde_json::from_value(
        json!({ "metadata": { "name": "slow" }, "provisioner": "example.com/disks", "allowVolumeExpansion": true }),
    )
    .unwrap();
    world.cluster.create(&class).await.unwrap();
    let mut tf = world.terraform().await;
    let config = |size: &str, timeout: &str| {
        let mut config =
            world.environment(json!({ "preset": "dev", "database": { "storage": { "size": size, "class": "slow" } } }));
        config["timeout"] = json!(timeout);
        config
    };
    tf.apply(ENVIRONMENT, "this", config("1Gi", "3m")).await.expect_ok();
    let bound = json!({ "status": { "phase": "Bound", "capacity": { "storage": "1Gi" } } });
    world.cluster.merge::<PersistentVolumeClaim>(place, &name, &bound).await.unwrap();
    world.fake.as_ref().unwrap().grow_only_out_of_use();
    let planned = tf.plan(ENVIRONMENT, "this", config("2Gi", "10s")).await;
    planned.expect_warning("database.storage.size", "is stopped while it grows");
    let grown = tf.apply(ENVIRONMENT, "this", config("2Gi", "10s")).await;
    grown.expect_ok().expect_warning("", "The database was stopped for its volume to grow");
    let server: StatefulSet = world.cluster.get(place, &name).await.unwrap();
    assert_eq!(server.spec.replicas, Some(1));
    tf.assert_empty_plan(ENVIRONMENT, "this", config("2Gi", "10s")).await;
}

pub(crate) async fn what_a_change_does_not_touch_stays_known() {
    let world = World::fake("known").await;
    let mut tf = world.terraform().await;
    let config = |more: Json| {
        let mut config = world.environment(json!({
            "preset": "dev", "config": { "A": "1" }, "secrets_wo": { "KEY": "value" }, "database": {},
        }));
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        config
    };
    tf.apply(ENVIRONMENT, "this", config(json!({}))).await.expect_ok();
    for more in [
        json!({ "labels": { "team": "core" } }),
        json!({ "annotations": { "note": "x" } }),
        json!({ "config": { "A": "2" } }),
        json!({ "quota": { "pods": 30 } }),
        json!({ "timeout": "4m" }),
    ] {
        let planned = tf.plan(ENVIRONMENT, "this", config(more.clone())).await;
        planned.expect_action(Action::Update);
        assert_eq!(planned.unknown(), Vec::<String>::new(), "{more}");
        tf.apply(ENVIRONMENT, "this", config(more)).await.expect_ok();
        tf.apply(ENVIRONMENT, "this", config(json!({}))).await.expect_ok();
    }
    // What is touched is not known before it is done.
    let planned = tf.plan(ENVIRONMENT, "this", config(json!({ "secrets_wo": { "KEY": "other" } }))).await;
    assert_eq!(planned.unknown(), ["secrets_revision"]);
    let planned = tf.plan(ENVIRONMENT, "this", config(json!({ "database": { "pool_size": 12 } }))).await;
    assert_eq!(planned.unknown(), ["database_status"]);
}

pub(crate) async fn what_restarts_the_database_is_said() {
    let world = World::fake("restart").await;
    let mut tf = world.terraform().await;
    let config = |preset: &str, more: Json| {
        world.environment(json!({ "preset": preset, "deletion_protection": false, "database": more }))
    };
    let first = json!({ "storage": { "size": "20Gi" } });
    tf.apply(ENVIRONMENT, "this", config("staging", first.clone())).await.expect_ok();
    let with = |more: Json| {
        let mut all = first.clone();
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    for (preset, more, field) in [
        ("staging", json!({ "image": "postgres:15.6-alpine" }), "spec.containers[postgres].image"),
        ("staging", json!({ "pool_size": 4 }), "spec.containers[postgres].args"),
        ("production", json!({}), "spec.containers[postgres].resources"),
    ] {
        let planned = tf.plan(ENVIRONMENT, "this", config(preset, with(more))).await;
        planned.expect_warning("database", "The database restarts").expect_warning("database", field);
    }
    let large = tf.plan(ENVIRONMENT, "this", config("staging", with(json!({ "pool_size": 50 })))).await;
    large.expect_warning("database.pool_size", "and the application may ask for 1220");
    let mut labelled = config("staging", first);
    labelled["labels"] = json!({ "team": "core" });
    let planned = tf.plan(ENVIRONMENT, "this", labelled).await;
    assert!(!planned.diagnostics().to_string().contains("restarts"), "{planned}");
}

pub(crate) async fn a_large_configuration_is_kept_once() {
    let world = World::fake("large").await;
    let mut tf = world.terraform().await;
    // More than annotations may hold.
    let config = world.environment(json!({ "config": { "LARGE": "x".repeat(300 << 10), "SMALL": "1" } }));
    tf.apply(ENVIRONMENT, "this", config.clone()).await.expect_ok();
    let name = world.namespace();
    let live: ConfigMap = world.cluster.get(Some(&name), &format!("{name}-config")).await.unwrap();
    let annotations = live.metadata.annotations.unwrap();
    assert!(annotations.values().map(String::len).sum::<usize>() < 4096);
    let mut other = world.terraform().await;
    other.import(ENVIRONMENT, "this", &world.name, config).await.expect_action(Action::NoOp).expect_ok();
    for empty in [json!({}), Json::Null] {
        let world = World::fake("empty").await;
        let config = world.environment(json!({ "config": empty }));
        world.terraform().await.apply(ENVIRONMENT, "this", config.clone()).await.expect_ok();
        let mut other = world.terraform().await;
        other.import(ENVIRONMENT, "this", &world.name, config).await.expect_action(Action::NoOp).expect_ok();
    }
    let too_large = world.environment(json!({ "config": { "LARGE": "x".repeat(2 << 20) } }));
    tf.validate(ENVIRONMENT, too_large).await.expect_error("config", "at most 1048576 in one object");
}

pub(crate) async fn deletion_protection_holds_against_destroy_and_replacement(place: Place) {
    let world = World::start(&place, "keep").await;
    let mut tf = world.terraform().await;
    let config = world.environment(json!({ "preset": "production" }));
    tf.apply(ENVIRONMENT, "this", config.clone()).await.expect_ok();
    tf.destroy(ENVIRONMENT, "this").await.expect_error("deletion_protection", "protected from deletion");
    let mut elsewhere = config.clone();
    elsewhere["namespace"] = json!(format!("{}-other", world.namespace()));
    // What the new configuration says about protection does not count.
    elsewhere["deletion_protection"] = json!(false);
    tf.plan(ENVIRONMENT, "this", elsewhere).await.expect_error("namespace", "cannot be replaced");
    let mut open = config;
    open["deletion_protection"] = json!(false);
    tf.apply(ENVIRONMENT, "this", open).await.expect_ok();
    tf.destroy(ENVIRONMENT, "this").await.expect_ok();
    assert!(world.cluster.find::<Namespace>(None, &world.namespace()).await.unwrap().is_none());
}
