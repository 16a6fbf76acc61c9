//! The driver over the provider's real service.

use serde_json::{Value as Json, json};
use tfplugin_core::{Deferred, MoveSource};

use super::thing::{Fault, Things};
use crate::{Action, Terraform, Told, unknown};

const THING: &str = "tiny_thing";

async fn start(things: &Things) -> Terraform {
    Terraform::over_grpc(things.clone()).canary("s3cret").configure(json!({ "host": "h" })).await.unwrap()
}

fn config(size: &str) -> Json {
    json!({ "name": "a", "size": size, "disk": { "kind": "fast" }, "tags": { "t": "x" }, "secret_wo": "s3cret" })
}

#[tokio::test]
async fn all_of_a_life_goes_over_the_wire() {
    let things = Things::default();
    let mut tf = start(&things).await;
    let done = tf.apply(THING, "this", config("small")).await;
    done.expect_silence();
    assert_eq!(
        things.calls(),
        ["plan create by nobody", "plan create by nobody", "create by plan", "read by create", "plan change by create"]
    );
    assert_eq!(done.state["url"], "https://a/small");
    tf.apply(THING, "this", config("large")).await.expect_silence();

    let renamed = json!({ "name": "b", "tags": { "t": unknown() } });
    let planned = tf.plan(THING, "this", renamed).await;
    planned.expect_action(Action::Replace);
    assert_eq!(planned.requires_replace, ["name"]);
    assert_eq!(planned.after["tags"], json!({ "t": unknown() }));
    tf.apply_planned(planned, json!({ "name": "b", "tags": { "t": "y" } })).await.expect_ok();

    let id = tf.state(THING, "this")["id"].as_str().unwrap().to_owned();
    let b = json!({ "name": "b", "tags": { "t": "y" } });
    tf.import(THING, "other", &id, b.clone()).await.expect_ok().expect_action(Action::NoOp);
    let source = MoveSource {
        provider_address: "registry.terraform.io/x/old".into(),
        type_name: "old_thing".into(),
        schema_version: 3,
        state: json!({ "thing_id": id }),
    };
    tf.moved(THING, "moved", source, b).await.expect_ok().expect_action(Action::NoOp);

    assert_eq!(tf.data(THING, json!({ "name": "b" })).await.result["id"], json!(id));
    let mut opened = tf.open("tiny_token", json!({ "name": "a" })).await;
    assert_eq!(opened.result["id"], "s3cret");
    assert!(opened.renew_at.is_some());
    tf.renew(&mut opened).await.expect_ok();
    tf.close(opened).await.expect_ok();
    assert_eq!(things.calls().last().map(String::as_str), Some("close with 1 left"));
    assert_eq!(tf.call("join", vec![json!("-"), json!("a"), json!("b")]).await, Ok(json!("a-b")));
    let refused = tf.call("join", vec![json!("-"), json!("-")]).await.unwrap_err();
    assert_eq!(refused.argument, Some(1));

    tf.destroy(THING, "this").await.expect_ok();
    assert!(things.world().things.is_empty());
}

#[tokio::test]
async fn errors_and_deferrals_come_back_whole() {
    let things = Things::default();
    let mut tf = start(&things).await;
    tf.apply(THING, "this", json!({ "name": "a", "size": "tiny" })).await.expect_error("size", "one of \"small\"");
    tf.data(THING, json!({ "name": "a" })).await.expect_error("name", "There is none");

    things.fault(Fault::CreateFailsHalfway);
    let stuck = tf.apply(THING, "this", json!({ "name": "a" })).await;
    stuck.expect_error("", "did not start");
    assert!(stuck.tainted);
    things.fault(Fault::None);
    tf.apply(THING, "this", json!({ "name": "a" })).await.expect_ok();
    things.fault(Fault::UpdateFails);
    let failed = tf.apply(THING, "this", config("small")).await;
    failed.expect_error("", "no room");
    assert_eq!((&failed.state["name"], &failed.state["size"]), (&json!("a"), &Json::Null));
    things.fault(Fault::DeleteFails);
    assert_eq!(tf.remove(THING, "this").await.expect_error("", "Somebody").state["name"], "a");

    things.fault(Fault::Defers);
    let mut tf = start(&things).await.deferral_allowed(true);
    let planned = tf.plan(THING, "that", json!({ "name": "a" })).await;
    assert_eq!(planned.deferred, Some(Deferred::AbsentPrerequisite));
}

#[tokio::test]
async fn whatever_is_looked_at_may_be_put_off_where_the_client_allows_it() {
    for new in [Terraform::new as fn(Things) -> Terraform, Terraform::over_grpc] {
        let things = Things::default();
        let config = json!({ "name": "a" });
        let mut tf = new(things.clone()).configure(json!({})).await.unwrap();
        tf.apply(THING, "this", config.clone()).await.expect_ok();
        things.fault(Fault::Defers);

        // A client that does not know it gets an answer.
        assert_eq!(tf.data(THING, config.clone()).await.result["id"], "t1");
        assert!(tf.open("tiny_token", config.clone()).await.deferred.is_none());
        assert!(tf.import(THING, "never", "t1", config.clone()).await.deferred.is_none());

        let mut tf = tf.deferral_allowed(true);
        let found = tf.data(THING, config.clone()).await;
        assert_eq!((found.deferred, &found.result), (Some(Deferred::ProviderConfigUnknown), &Json::Null));
        found.expect_silence();
        let opened = tf.open("tiny_token", config.clone()).await;
        assert_eq!((opened.deferred, &opened.result), (Some(Deferred::ProviderConfigUnknown), &Json::Null));
        tf.close(opened).await.expect_ok();
        let planned = tf.import(THING, "later", "t1", config).await;
        assert_eq!(planned.deferred, Some(Deferred::AbsentPrerequisite));
        assert!(tf.state(THING, "later").is_null());
    }
}

#[tokio::test]
async fn a_panic_is_a_message_and_the_next_call_works() {
    let things = Things::default();
    let mut tf = start(&things).await;
    things.fault(Fault::Panics);
    let crashed = tf.apply(THING, "this", json!({ "name": "a" })).await;
    assert!(
        crashed.diagnostics().iter().any(|one| one.to_string().contains("tiny_thing")),
        "{}",
        crashed.diagnostics()
    );
    assert_eq!(crashed.state, Json::Null);
    things.fault(Fault::None);
    tf.apply(THING, "this", json!({ "name": "a" })).await.expect_ok();
}

#[tokio::test]
async fn an_interrupt_reaches_the_call_in_flight() {
    for tf in [Terraform::new as fn(Things) -> Terraform, Terraform::over_grpc] {
        let things = Things::default();
        things.fault(Fault::Waits);
        let mut tf = tf(things.clone()).configure(json!({})).await.unwrap();
        let cancel = tf.cancel();
        let waiting = things.clone();
        let interrupt = async move {
            while !waiting.world().waiting {
                tokio::task::yield_now().await;
            }
            cancel.cancel();
        };
        let (ended, ()) = tokio::join!(tf.apply(THING, "this", json!({ "name": "a" })), interrupt);
        ended.expect_error("", "interrupted");
        things.fault(Fault::None);
        tf.uncancel();
        tf.apply(THING, "this", json!({ "name": "a" })).await.expect_ok();
    }
}
