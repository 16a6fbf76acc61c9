//! A well-behaved provider through all of a resource's life.

use serde_json::{Value as Json, json};
use tfplugin_core::{MoveSource, Private};

use super::thing::{Fault, Things};
use crate::{Action, Terraform, Told, unknown};

const THING: &str = "tiny_thing";

async fn start(things: &Things) -> Terraform {
    Terraform::new(things.clone()).canary("s3cret").configure(json!({})).await.unwrap()
}

fn small() -> Json {
    json!({ "name": "a", "size": "small", "disk": { "kind": "fast" }, "secret_wo": "s3cret" })
}

#[tokio::test]
async fn it_is_created_changed_and_destroyed() {
    let things = Things::default();
    let mut tf = start(&things).await;
    let planned = tf.plan(THING, "this", small()).await;
    planned.expect_ok().expect_action(Action::Create);
    assert_eq!(planned.unknown(), ["disk.speed", "id", "url"]);
    assert_eq!(planned.after["label"], "A");
    assert_eq!(planned.after["secret_wo"], Json::Null);

    let done = tf.apply(THING, "this", small()).await;
    done.expect_silence();
    assert_eq!(done.action(), Action::Create);
    let expected = json!({
        "name": "a", "size": "small", "level": "info", "label": "A", "tags": null,
        "disk": { "kind": "fast", "speed": 7 }, "secret_wo": null, "id": "t1", "url": "https://a/small",
    });
    assert_eq!(done.state, expected);
    assert!(!done.tainted);

    let large = json!({ "name": "a", "size": "large", "tags": { "team": "x" } });
    let planned = tf.plan(THING, "this", large.clone()).await;
    planned.expect_action(Action::Update);
    assert_eq!(planned.changed(), ["disk", "size", "tags", "url"]);
    assert_eq!(planned.unknown(), ["url"]);
    let shown = planned.to_string();
    assert_eq!(
        shown,
        "# tiny_thing.this will be updated in-place\n  \
           - disk = {\"kind\":\"fast\",\"speed\":7} -> null\n  \
           ~ size = \"small\" -> \"large\"\n  \
           + tags = {\"team\":\"x\"}\n  \
           ~ url = \"https://a/small\" -> (known after apply)"
    );
    tf.apply(THING, "this", large.clone()).await.expect_ok();
    tf.assert_empty_plan(THING, "this", large).await;

    let gone = tf.destroy(THING, "this").await;
    gone.expect_ok();
    assert_eq!((gone.action(), gone.state), (Action::Delete, Json::Null));
    assert!(things.world().things.is_empty());
}

#[tokio::test]
async fn private_state_goes_where_core_carries_it() {
    let things = Things::default();
    let mut tf = start(&things).await;
    tf.apply(THING, "this", small()).await.expect_ok();
    assert_eq!(
        things.calls(),
        ["plan create by nobody", "plan create by nobody", "create by plan", "read by create", "plan change by create",]
    );
    let renamed = json!({ "name": "b" });
    let planned = tf.plan(THING, "this", renamed.clone()).await;
    planned.expect_action(Action::Replace);
    assert_eq!(planned.requires_replace, ["name"]);
    assert!(planned.to_string().contains("~ name = \"a\" -> \"b\" # forces replacement"), "{planned}");
    assert_eq!(things.calls(), ["read by create", "plan change by create", "plan create by plan"]);

    let done = tf.apply_planned(planned, renamed).await;
    done.expect_ok();
    assert_eq!(done.state["id"], "t2");
    assert_eq!(
        things.calls(),
        ["delete by plan", "plan create by nobody", "create by plan", "read by create", "plan change by create"]
    );
    tf.remove(THING, "this").await.expect_ok();
    assert_eq!(things.calls(), ["read by create", "plan destroy by create", "delete by create"]);
    assert_eq!(tf.private(THING, "this"), Private::default());
}

#[tokio::test]
async fn what_is_unknown_at_plan_is_known_at_apply() {
    let things = Things::default();
    let mut tf = start(&things).await;
    let at_plan = json!({ "name": unknown(), "tags": { "team": unknown() } });
    let done = tf.apply_resolving(THING, "this", at_plan, json!({ "name": "a", "tags": { "team": "x" } })).await;
    done.expect_ok();
    assert_eq!(done.planned.after["label"], unknown());
    assert_eq!((&done.state["label"], &done.state["tags"]), (&json!("A"), &json!({ "team": "x" })));
}

#[tokio::test]
#[should_panic(expected = "tiny_thing.this.name: was \"a\", but now \"b\"")]
async fn a_test_must_apply_what_it_has_planned() {
    let mut tf = start(&Things::default()).await;
    tf.apply_resolving(THING, "this", json!({ "name": "a" }), json!({ "name": "b" })).await;
}

#[tokio::test]
#[should_panic(expected = "Saved plan is stale")]
async fn a_plan_is_for_the_state_it_was_made_with() {
    let mut tf = start(&Things::default()).await;
    let planned = tf.plan(THING, "this", json!({ "name": "a" })).await;
    tf.apply(THING, "this", json!({ "name": "a" })).await;
    tf.apply_planned(planned, json!({ "name": "a" })).await;
}

#[tokio::test]
async fn errors_are_told_and_change_nothing() {
    let mut tf = start(&Things::default()).await;
    let refused = tf.apply(THING, "this", json!({ "name": "a", "size": "tiny" })).await;
    refused.expect_error("size", "one of \"small\", \"large\"");
    assert_eq!((refused.action(), &refused.state), (Action::Refused, &Json::Null));
    tf.validate(THING, json!({ "name": "admin" })).await.expect_error("name", "admin is taken");
    tf.validate(THING, json!({ "size": "small" })).await.expect_error("name", "required");
    tf.validate(THING, json!({ "name": "a", "id": "x" })).await.expect_error("id", "output of the provider");
}

#[tokio::test]
async fn what_fails_halfway_is_tainted_and_replaced() {
    let things = Things::default();
    let mut tf = start(&things).await;
    things.fault(Fault::CreateFailsHalfway);
    let stuck = tf.apply(THING, "this", json!({ "name": "a" })).await;
    stuck.expect_error("", "did not start");
    assert!(stuck.tainted);
    assert_eq!(stuck.state["id"], "t1");

    things.fault(Fault::None);
    let planned = tf.plan(THING, "this", json!({ "name": "a" })).await;
    planned.expect_action(Action::Replace);
    let done = tf.apply_planned(planned, json!({ "name": "a" })).await;
    done.expect_ok();
    assert!(!done.tainted);
    assert_eq!(done.state["id"], "t2");
    assert_eq!(things.world().things.len(), 1);

    tf.taint(THING, "this");
    assert!(tf.is_tainted(THING, "this"));
    assert_eq!(tf.apply(THING, "this", json!({ "name": "a" })).await.state["id"], "t3");
}

#[tokio::test]
async fn a_failed_create_saves_nothing_and_a_failed_replacement_leaves_nothing() {
    let things = Things::default();
    let mut tf = start(&things).await;
    things.fault(Fault::CreateFails);
    let failed = tf.apply(THING, "this", json!({ "name": "a" })).await;
    failed.expect_error("", "no room");
    assert_eq!(failed.state, Json::Null);

    things.fault(Fault::None);
    tf.apply(THING, "this", json!({ "name": "a" })).await.expect_ok();
    things.fault(Fault::CreateFails);
    let failed = tf.apply(THING, "this", json!({ "name": "b" })).await;
    failed.expect_error("", "no room");
    assert_eq!((failed.action(), failed.state), (Action::Replace, Json::Null));
    assert!(things.world().things.is_empty());
}

#[tokio::test]
async fn a_failed_update_keeps_the_prior_state_or_saves_the_partial_one() {
    let things = Things::default();
    let mut tf = start(&things).await;
    tf.apply(THING, "this", json!({ "name": "a", "size": "small" })).await.expect_ok();
    let change = json!({ "name": "a", "size": "large", "tags": { "team": "x" } });

    things.fault(Fault::UpdateFails);
    let failed = tf.apply(THING, "this", change.clone()).await;
    failed.expect_error("", "no room");
    assert_eq!((&failed.state["size"], &failed.state["tags"]), (&json!("small"), &Json::Null));
    assert!(!failed.tainted);

    things.fault(Fault::UpdateFailsHalfway);
    let failed = tf.apply(THING, "this", change.clone()).await;
    failed.expect_error("", "Only the tags");
    assert_eq!((&failed.state["size"], &failed.state["tags"]), (&json!("small"), &json!({ "team": "x" })));

    things.fault(Fault::None);
    let done = tf.apply(THING, "this", change).await;
    assert_eq!(done.planned.changed(), ["size", "url"]);
}

#[tokio::test]
async fn a_failed_or_refused_destroy_keeps_it() {
    let things = Things::default();
    let mut tf = start(&things).await;
    tf.apply(THING, "this", json!({ "name": "a" })).await.expect_ok();
    things.fault(Fault::DeleteFails);
    let failed = tf.destroy(THING, "this").await;
    failed.expect_error("", "Somebody uses it");
    assert_eq!(failed.state["id"], "t1");

    things.fault(Fault::Protects);
    let refused = tf.destroy(THING, "this").await;
    refused.expect_error("", "must not be destroyed");
    assert_eq!(refused.action(), Action::Refused);
    let refused = tf.apply(THING, "this", json!({ "name": "b" })).await;
    refused.expect_error("name", "must not be replaced");
    assert_eq!(refused.state["id"], "t1");
}

#[tokio::test]
async fn drift_and_absence_are_noted_and_an_error_is_neither() {
    let things = Things::default();
    let mut tf = start(&things).await;
    let config = json!({ "name": "a", "size": "small" });
    tf.apply(THING, "this", config.clone()).await.expect_ok();

    things.world().things.get_mut("t1").unwrap().size = "huge".into();
    let planned = tf.plan(THING, "this", config.clone()).await;
    planned.expect_action(Action::Update);
    assert_eq!(planned.drift, ["size"]);
    let seen = tf.refresh(THING, "this").await;
    assert!(seen.drift.is_empty(), "the refreshed state was saved: {:?}", seen.drift);

    things.fault(Fault::ReadFails);
    let planned = tf.plan(THING, "this", config.clone()).await;
    planned.expect_action(Action::Refused).expect_error("", "Nobody answers");
    let seen = tf.refresh(THING, "this").await;
    seen.expect_error("", "Nobody answers");
    assert!(!seen.gone && seen.after["id"] == "t1" && tf.state(THING, "this")["id"] == "t1");

    things.fault(Fault::LosesIt);
    let seen = tf.refresh(THING, "this").await;
    assert!(seen.gone && tf.state(THING, "this").is_null());
    tf.plan(THING, "this", config).await.expect_action(Action::Create);
    assert_eq!(tf.destroy(THING, "this").await.action(), Action::NoOp);
}

#[tokio::test]
async fn what_exists_is_imported() {
    let things = Things::default();
    let config = json!({ "name": "a", "size": "small" });
    start(&things).await.apply(THING, "this", config.clone()).await.expect_ok();

    let mut tf = start(&things).await;
    tf.import(THING, "other", "t9", config.clone()).await.expect_action(Action::Refused).expect_error("", "no t9");
    let planned = tf.import(THING, "other", "t1", config.clone()).await;
    planned.expect_ok().expect_action(Action::NoOp);
    assert_eq!(tf.state(THING, "other")["url"], "https://a/small");
    assert_eq!(tf.private(THING, "other").get::<String>("by").as_deref(), Some("import"));
    tf.forget(THING, "other");
    let changed = json!({ "name": "a", "size": "large" });
    tf.import(THING, "other", "t1", changed).await.expect_action(Action::Update);

    things.fault(Fault::ImportsNothing);
    let planned = tf.import(THING, "third", "t9", config).await;
    planned.expect_error("", "no object exists with the given id");
    assert!(tf.state(THING, "third").is_null());
}

#[tokio::test]
async fn an_old_state_is_upgraded_and_another_type_taken_over() {
    let things = Things::default();
    let config = json!({ "name": "a", "size": "small" });
    let state = start(&things).await.apply(THING, "this", config.clone()).await.state;

    let mut tf = start(&things).await;
    let mut old = state.clone();
    old["title"] = old["name"].take();
    tf.set_state(THING, "this", 0, old, &Private::default());
    tf.plan(THING, "this", config.clone()).await.expect_ok().expect_action(Action::NoOp);
    assert_eq!(tf.state(THING, "this"), state);
    tf.set_state(THING, "that", 2, state, &Private::default());
    tf.plan(THING, "that", config.clone()).await.expect_error("", "knows up to 1");

    let source = |type_name: &str| MoveSource {
        provider_address: "registry.terraform.io/x/old".into(),
        type_name: type_name.into(),
        schema_version: 0,
        state: json!({ "thing_id": "t1" }),
    };
    let planned = tf.moved(THING, "moved", source("old_thing"), config.clone()).await;
    planned.expect_ok().expect_action(Action::NoOp);
    tf.moved(THING, "never", source("other_thing"), config).await.expect_error("", "does not take over");
}

#[tokio::test]
async fn the_client_is_what_the_test_says() {
    let things = Things::default();
    let mut old = start(&things).await.write_only_allowed(false);
    old.apply(THING, "this", small()).await.expect_error("secret_wo", "Terraform 1.11");

    things.fault(Fault::Defers);
    let mut plain = start(&things).await;
    assert_eq!(plain.plan(THING, "this", json!({ "name": "a" })).await.deferred, None);
    let mut deferring = start(&things).await.deferral_allowed(true);
    let done = deferring.apply(THING, "this", json!({ "name": "a" })).await;
    done.expect_ok();
    assert!(done.planned.deferred.is_some() && done.state.is_null());
    assert!(things.world().things.is_empty());
}

#[tokio::test]
async fn the_provider_may_be_half_configured_at_plan_and_replaced_by_another_build() {
    let things = Things::default();
    let tf = Terraform::new(things.clone()).provider_config_at_plan(json!({ "host": unknown() }));
    let mut tf = tf.configure(json!({ "host": "h" })).await.unwrap();
    tf.apply(THING, "this", json!({ "name": "a" })).await.expect_ok();
    let hosts: Vec<bool> = things.world().hosts.iter().map(|host| host.is_unknown()).collect();
    assert_eq!((hosts.first(), hosts.last()), (Some(&false), Some(&false)));
    assert!(hosts.contains(&true));

    tf.with_provider(things.clone()).await.unwrap();
    assert_eq!(things.world().hosts.last().and_then(|host| host.as_str()), Some("h"));
    things.fault(Fault::FailsOnUnknownProvider);
    tf.plan(THING, "this", json!({ "name": "a" })).await.expect_error("host", "not known");
    let refused = Terraform::new(things).configure(json!({ "host": unknown() })).await;
    refused.unwrap_err().expect_error("host", "not known");
}
