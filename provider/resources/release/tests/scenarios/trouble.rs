//! No answer, another cluster, no configuration: prior state stays, and it is said why.

use ffe_cluster::ObjectRef;
use serde_json::{Value as Json, json};
use tfplugin::Deferred;
use tfplugin_testing::{Action, Told, unknown};

use crate::world::{NAMESPACE, RELEASE, World, later};

const OTHER: &str = "11111111-2222-3333-4444-555555555555";

#[tokio::test(start_paused = true)]
async fn no_answer_is_no_proof_of_absence() {
    let world = World::new();
    let mut tf = world.terraform().await;
    let config = world.managed(&mut tf, "one").await;
    let state = tf.state(RELEASE, "one");
    let secrets = format!("/namespaces/{NAMESPACE}/secrets");
    for (code, reason, text) in [
        (401, "Unauthorized", "Unauthorized"),
        (403, "Forbidden", "User \"nobody\" cannot list"),
        (404, "NotFound", "the server could not find the requested resource"),
        (500, "InternalError", "etcdserver: no leader"),
        (504, "Timeout", "request timed out"),
    ] {
        later().await;
        world.api.fail("GET", &secrets, None, code, reason, text);
        let refreshed = tf.refresh(RELEASE, "one").await;
        refreshed.expect_error("", text);
        refreshed.expect_error("", "The state of the last run is kept");
        assert!(!refreshed.gone, "{code}");
        assert_eq!(tf.state(RELEASE, "one"), state, "{code}");
        tf.plan(RELEASE, "one", config.clone()).await.expect_action(Action::Refused);
        assert_eq!(tf.state(RELEASE, "one"), state, "{code}");
        world.api.heal();
    }
    later().await;
    tf.assert_empty_plan(RELEASE, "one", config).await;
}

#[tokio::test(start_paused = true)]
async fn a_record_that_cannot_be_read_keeps_the_state() {
    let world = World::new();
    let mut tf = world.terraform().await;
    world.managed(&mut tf, "one").await;
    let state = tf.state(RELEASE, "one");
    for (data, text) in [(json!({ "release": "bm8gcmVjb3Jk" }), "sh.helm.release.v1.one.v2"), (json!({}), "release")] {
        world.record("one", 2, "deployed", "");
        world.api.edit(&crate::world::record_of("one", 2), |record| record["data"] = data);
        later().await;
        let refreshed = tf.refresh(RELEASE, "one").await;
        refreshed.expect_error("", text);
        refreshed.expect_error("", "The state of the last run is kept");
        assert_eq!(tf.state(RELEASE, "one"), state);
    }
}

#[tokio::test(start_paused = true)]
async fn another_cluster_is_noticed_and_nothing_is_dropped_or_touched() {
    let (here, there) = (World::new(), World::new());
    let mut tf = here.terraform().await;
    let config = here.managed(&mut tf, "one").await;
    let (state, private) = (tf.state(RELEASE, "one"), tf.private(RELEASE, "one"));
    let identity = ObjectRef::new("v1", "Namespace", None, "kube-system");
    there.api.edit(&identity, |namespace| namespace["metadata"]["uid"] = OTHER.into());

    let mut elsewhere = there.terraform().await;
    elsewhere.set_state(RELEASE, "one", 1, state.clone(), &private);
    let refreshed = elsewhere.refresh(RELEASE, "one").await;
    for part in [OTHER, ffe_cluster_testing::IDENTITY, ffe_cluster_testing::SERVER, "The state of the last run is kept"]
    {
        refreshed.expect_error("", part);
    }
    assert!(!refreshed.gone);
    elsewhere.plan(RELEASE, "one", config).await.expect_action(Action::Refused);
    elsewhere.destroy(RELEASE, "one").await.expect_error("", OTHER);
    elsewhere.remove(RELEASE, "one").await.expect_error("", OTHER);
    assert_eq!(elsewhere.state(RELEASE, "one"), state);
    assert_eq!(there.writes(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_release_whose_cluster_is_not_known_is_not_taken_for_gone() {
    let (here, there) = (World::new(), World::new());
    let mut tf = here.terraform().await;
    here.managed(&mut tf, "one").await;
    let (state, mut private) = (tf.state(RELEASE, "one"), tf.private(RELEASE, "one"));
    // As an apply leaves it that could not read which cluster this is.
    let mut seen: Json = private.get("seen.v1").unwrap();
    seen["cluster"] = json!("");
    private.set("seen.v1", &seen);

    let mut elsewhere = there.terraform().await;
    elsewhere.set_state(RELEASE, "one", 1, state.clone(), &private);
    let refreshed = elsewhere.refresh(RELEASE, "one").await;
    refreshed.expect_error("", "its cluster is not known");
    refreshed.expect_error("", "The state of the last run is kept");
    assert!(!refreshed.gone);
    elsewhere.destroy(RELEASE, "one").await.expect_error("", "its cluster is not known");
    assert_eq!(elsewhere.state(RELEASE, "one"), state);

    // Where it is, and as soon as that may be read, it is noted.
    tf.set_state(RELEASE, "one", 1, state, &private);
    tf.refresh(RELEASE, "one").await.expect_ok();
    let identity = ObjectRef::new("v1", "Namespace", None, "kube-system");
    there.api.edit(&identity, |namespace| namespace["metadata"]["uid"] = OTHER.into());
    let mut elsewhere = there.terraform().await;
    elsewhere.set_state(RELEASE, "one", 1, tf.state(RELEASE, "one"), &tf.private(RELEASE, "one"));
    elsewhere.refresh(RELEASE, "one").await.expect_error("", OTHER);
}

#[tokio::test(start_paused = true)]
async fn a_configuration_that_is_not_known_yet_keeps_the_state_and_plans_unknown() {
    let world = World::new();
    let mut tf = world.terraform().await;
    let config = world.managed(&mut tf, "one").await;
    let (state, private) = (tf.state(RELEASE, "one"), tf.private(RELEASE, "one"));

    let mut unsure = world.unconfigured().provider_config_at_plan(json!({ "host": unknown() }));
    unsure = unsure.configure(json!({ "host": "the-world" })).await.unwrap();
    unsure.set_state(RELEASE, "one", 1, state.clone(), &private);
    let asked = world.api.seen().len();
    let refreshed = unsure.refresh(RELEASE, "one").await;
    refreshed.expect_ok();
    refreshed.expect_warning("", "not known yet");
    assert!(!refreshed.gone);
    assert_eq!(unsure.state(RELEASE, "one"), state);
    let planned = unsure.plan(RELEASE, "one", config.clone()).await;
    planned.expect_action(Action::NoOp).expect_ok();

    let mut changed = config;
    changed["set"][0]["value"] = "other".into();
    let planned = unsure.plan(RELEASE, "one", changed.clone()).await;
    planned.expect_action(Action::Update).expect_ok();
    for path in ["revision", "manifest_digest", "chart_digest", "changes", "last_run"] {
        assert!(planned.unknown().contains(&path.to_owned()), "{path} is known: {planned}");
    }
    changed["name"] = "two".into();
    let planned = unsure.plan(RELEASE, "two", changed).await;
    planned.expect_action(Action::Create).expect_ok();
    assert!(planned.unknown().contains(&"changes".to_owned()), "{planned}");
    let planned = unsure.import(RELEASE, "three", "ffe/one", world.release("one", json!({}))).await;
    planned.expect_action(Action::Refused).expect_error("", "-target");
    assert_eq!(world.api.seen().len(), asked, "a cluster that is not known was asked");
}

#[tokio::test(start_paused = true)]
async fn what_a_client_can_put_off_is_put_off_until_the_configuration_is_known() {
    let world = World::new();
    let mut tf = world.terraform().await;
    let config = world.managed(&mut tf, "one").await;
    let (state, private) = (tf.state(RELEASE, "one"), tf.private(RELEASE, "one"));
    let patient = world.unconfigured().deferral_allowed(true).provider_config_at_plan(json!({ "host": unknown() }));
    let mut patient = patient.configure(json!({ "host": "the-world" })).await.unwrap();
    patient.set_state(RELEASE, "one", 1, state.clone(), &private);
    let expected = Some(Deferred::ProviderConfigUnknown);
    assert_eq!(patient.refresh(RELEASE, "one").await.deferred, expected);
    assert_eq!(patient.state(RELEASE, "one"), state);
    assert_eq!(patient.plan(RELEASE, "one", config.clone()).await.deferred, expected);
    let created = patient.plan(RELEASE, "two", world.release("two", json!({}))).await;
    assert_eq!((created.action, created.deferred), (Action::Create, expected));
    assert_eq!(patient.import(RELEASE, "three", "ffe/one", config).await.deferred, expected);
}

#[tokio::test(start_paused = true)]
async fn inputs_that_are_not_known_yet_are_no_reason_to_fail() {
    let world = World::new();
    let mut tf = world.terraform().await;
    for (name, value) in [
        ("values", json!([unknown()])),
        ("set", json!([{ "name": "text", "value": unknown() }])),
        ("set_list", json!([{ "name": "hosts", "value": [unknown()] }])),
        ("set_wo", json!([{ "name": "text", "value": unknown() }])),
        ("chart", unknown()),
        ("version", unknown()),
        ("repository", unknown()),
        ("repository_username", unknown()),
        ("repository_password_wo", unknown()),
        ("ca_file", unknown()),
        ("crds", unknown()),
        ("take_ownership", unknown()),
        ("adopt", unknown()),
        ("namespace", unknown()),
        ("name", unknown()),
    ] {
        let planned = tf.plan(RELEASE, "one", world.release("one", json!({ name: value }))).await;
        assert!(planned.unknown().contains(&"changes".to_owned()), "{name}: {planned}");
        planned.expect_action(Action::Create).expect_ok();
    }
    assert_eq!(world.writes(), 0);
}
