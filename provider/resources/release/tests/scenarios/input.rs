//! What the user writes: mistakes are named with their path, secrets are nowhere.

use serde_json::{Value as Json, json};
use tfplugin_testing::{Action, Told, unknown};

use crate::world::{NO_HELM, RELEASE, World};

const CANARY: &str = "c4nary-7f3a-never-shown";

#[tokio::test(start_paused = true)]
async fn bad_input_is_named_with_its_path() {
    let world = World::new();
    let tf = world.terraform().await;
    for (config, path, text) in [
        (json!({ "namespace": "Not_A_Label" }), "namespace", "lower case letters"),
        (json!({ "name": "a".repeat(54) }), "name", "at most 53"),
        (json!({ "chart": " " }), "chart", "a chart"),
        (json!({ "repository": "charts.example.com" }), "repository", "URL"),
        (json!({ "chart": "oci://r.example.com/a", "repository": "https://r.example.com" }), "repository", "exclude"),
        (json!({ "values": ["a: 1", "b: ["] }), "values[1]", "line"),
        (json!({ "values": ["just a text"] }), "values[0]", "map"),
        (json!({ "set": [{ "name": "a", "value": "1" }, { "name": "a[", "value": "1" }] }), "set[1]", "a["),
        (json!({ "set": [{ "name": "a", "value": "{", "type": "json" }] }), "set[0]", "JSON"),
        (json!({ "set": [{ "name": "a", "value": "1", "type": "number" }] }), "set[0].type", "one of"),
        (json!({ "set_list": [{ "name": "a[", "value": ["1"] }] }), "set_list[0]", "a["),
        (json!({ "crds": "replace" }), "crds", "one of"),
        (json!({ "timeout": "soon" }), "timeout", "a duration such as"),
        (json!({ "max_history": 1 }), "max_history", "0 (all) or at least 2"),
        (json!({ "migration": { "engine": "flyway" } }), "migration.engine", "\"alembic\", \"command\""),
        (json!({ "migration": { "engine": "command" } }), "migration.upgrade_command", "Missing"),
        (
            json!({ "migration": { "engine": "command", "upgrade_command": [] } }),
            "migration.upgrade_command",
            "Missing",
        ),
        (
            json!({ "migration": { "engine": "alembic", "upgrade_command": ["x"] } }),
            "migration.upgrade_command",
            "belongs to the engine command",
        ),
        (
            json!({ "migration": { "engine": "command", "upgrade_command": ["x"], "target": "head" } }),
            "migration.target",
            "belongs to the engine alembic",
        ),
        (
            json!({ "migration": { "engine": "command", "upgrade_command": ["x"], "current_command": [] } }),
            "migration.current_command",
            "empty",
        ),
        (
            json!({ "migration": { "engine": "alembic", "database_secret": "No" } }),
            "migration.database_secret",
            "lower case",
        ),
        (
            json!({ "migration": { "engine": "alembic", "resources": { "limits": { "memory": "much" } } } }),
            "migration.resources.limits.memory",
            "quantity",
        ),
        (
            json!({ "migration": { "engine": "alembic", "backup_to": { "rclone": {
                "backend": "b2", "path": "x", "options": { "account": "a", "key": "s3cret" } } } } }),
            "migration.backup_to.rclone.options",
            "RCLONE_CONFIG_STORE_KEY",
        ),
        (json!({ "migration": { "engine": "alembic", "timeout": "0s" } }), "migration.timeout", "it is zero"),
        (json!({ "verify": { "url": "example.com" } }), "verify.url", "URL"),
        (
            json!({ "verify": { "url": "https://a.example", "service": { "name": "a" } } }),
            "verify.service",
            "exclude each other",
        ),
        (json!({ "verify": { "service": { "name": "a", "port": 70000 } } }), "verify.service.port", "65535"),
        (json!({ "verify": { "path": "health" } }), "verify.path", "begins with \"/\""),
        (json!({ "verify": { "status": 99 } }), "verify.status", "100"),
        (json!({ "verify": { "json": { "database": "healthy" } } }), "verify.json[\"database\"]", "\"/database\""),
        (json!({ "verify": { "smoke": [{ "path": "x" }] } }), "verify.smoke[0].path", "begins with \"/\""),
        (json!({ "verify": { "stable_for": "30" } }), "verify.stable_for", "a duration such as"),
        (json!({ "remediation": { "strategy": "pray" } }), "remediation.strategy", "one of"),
    ] {
        let told = tf.validate(RELEASE, world.release("one", config.clone())).await;
        told.expect_error(path, text);
    }
}

#[tokio::test(start_paused = true)]
async fn a_chart_that_is_not_there_is_named_at_its_attribute() {
    let world = World::new();
    let mut tf = world.terraform().await;
    let empty = world.chart().join("templates");
    for (chart, text) in [("./no/such/chart", "no/such/chart"), (empty.to_str().unwrap(), "no Chart.yaml")] {
        let planned = tf.plan(RELEASE, "one", world.release("one", json!({ "chart": chart }))).await;
        planned.expect_action(Action::Refused).expect_error("chart", text);
    }
    world.write("Chart.yaml", "apiVersion: v2\nname: one\nversion: 0.1.0\ndependencies: [{name: redis, version: 1.0.0, repository: 'https://r.example.com'}]\n");
    let planned = tf.plan(RELEASE, "one", world.release("one", json!({}))).await;
    planned.expect_error("chart", "helm dependency build");
    world.write("Chart.yaml", "apiVersion: v2\nname: one\nversion: 0.1.0\n");
    let planned = tf.plan(RELEASE, "one", world.release("one", json!({ "version": "0.2.0" }))).await;
    planned.expect_error("chart", "not 0.2.0");
}

#[tokio::test(start_paused = true)]
async fn write_only_values_are_in_no_state_plan_or_message() {
    let world = World::new();
    let mut tf = world.unconfigured().canary(CANARY).configure(json!({ "host": "the-world" })).await.unwrap();
    let secret = |more: Json| {
        let mut config = json!({
            "repository_password_wo": CANARY,
            "set_wo": [{ "name": "auth.password", "value": CANARY }],
            "verify": { "smoke": [{ "path": "/", "bearer_wo": CANARY }] },
        });
        if let (Some(config), Json::Object(more)) = (config.as_object_mut(), more) {
            config.extend(more);
        }
        world.release("one", config)
    };
    // Helm cannot be started, nor the value read as JSON, nor the path: whatever is said, the value is not.
    tf.plan(RELEASE, "one", secret(json!({}))).await.expect_error("", NO_HELM);
    tf.apply(RELEASE, "one", secret(json!({}))).await.expect_error("", NO_HELM);
    for item in [
        json!({ "name": "a[", "value": CANARY }),
        json!({ "name": "a", "value": format!("{{{CANARY}"), "type": "json" }),
    ] {
        let told = tf.plan(RELEASE, "one", secret(json!({ "set_wo": [item] }))).await;
        told.expect_error("set_wo[0]", "Invalid value for set_wo[0]");
    }
    let planned = tf.plan(RELEASE, "one", secret(json!({ "values": [unknown()] }))).await;
    planned.expect_action(Action::Create).expect_ok();
    assert_eq!(planned.after["set_wo"], Json::Null);
    assert_eq!(planned.after["verify"]["smoke"][0]["bearer_wo"], Json::Null);

    // What Helm's notes show of them is not shown once there is one.
    world.ours("two");
    world.managed(&mut tf, "two").await;
}

#[tokio::test(start_paused = true)]
async fn credentials_alone_never_cause_a_plan() {
    let world = World::new();
    let mut tf = world.terraform().await;
    let written = json!({
        "set": [{ "name": "text", "value": "hello" }],
        "verify": { "path": "/ready", "smoke": [{ "path": "/" }] },
    });
    let config = world.release("one", written);
    world.record("one", 1, "deployed", &crate::world::manifest("hello"));
    let mark = ffe_cluster::Mark::complete(crate::world::owner("one"), "0123456789ab");
    world.journal("one", &config, &crate::world::manifest("hello"), mark);
    let mut with = config;
    with["repository_password_wo"] = "one".into();
    with["verify"]["smoke"][0]["bearer_wo"] = "two".into();
    tf.import(RELEASE, "one", "ffe/one", with.clone()).await.expect_action(Action::NoOp);
    with["repository_password_wo"] = "three".into();
    with["verify"]["smoke"][0]["bearer_wo"] = "four".into();
    tf.assert_empty_plan(RELEASE, "one", with).await;
    let old = world.unconfigured().write_only_allowed(false).configure(json!({ "host": "the-world" })).await.unwrap();
    let told = old.validate(RELEASE, world.release("one", json!({ "repository_password_wo": "one" }))).await;
    told.expect_error("repository_password_wo", "1.11");
}
