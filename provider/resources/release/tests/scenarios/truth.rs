//! The state tells what is true, whatever became of an apply: with a stand-in for Helm, in real time.

use std::time::Duration;

use serde_json::{Value as Json, json};
use tfplugin_testing::{Action, Outcome, Terraform, Told};

use crate::world::{RELEASE, World, journal_of, later, record_of};

/// A check that fails: nobody listens there.
fn failing() -> Json {
    json!({ "url": "http://127.0.0.1:1", "timeout": "1s" })
}

fn with_text(world: &World, text: &str, more: Json) -> Json {
    let mut config = world.release("one", json!({ "set": [{ "name": "text", "value": text }] }));
    if let (Some(config), Json::Object(more)) = (config.as_object_mut(), more) {
        config.extend(more);
    }
    config
}

async fn installed(world: &World) -> (Terraform, Json) {
    let mut tf = world.terraform().await;
    let config = with_text(world, "hello", json!({}));
    let done = tf.apply(RELEASE, "one", config.clone()).await;
    done.expect_ok();
    assert_eq!(world.helm().calls(), ["install"]);
    (tf, config)
}

/// What was listed is no longer shared: time goes by at once, and nothing that a helper of ours does is hurried by it.
async fn pass_the_window() {
    tokio::time::pause();
    later().await;
    tokio::time::resume();
}

fn journal(world: &World) -> Json {
    let mut content = Json::Null;
    world.edit_journal("one", |journal| content = journal.clone());
    content
}

fn last_run(world: &World) -> Json {
    journal(world)["runs"].as_array().unwrap().last().unwrap().clone()
}

/// How the last run ended, as the state has it.
fn outcome(state: &Json) -> &str {
    state["last_run"].as_str().unwrap().split(' ').next().unwrap()
}

#[tokio::test]
async fn a_run_that_cannot_begin_leaves_the_state_as_it_was() {
    let world = World::with_helm();
    let (mut tf, _) = installed(&world).await;
    let before = tf.state(RELEASE, "one");
    let reason = "leases.coordination.k8s.io \"ffe-release.one\" is forbidden";
    world.api.fail("PUT", "/leases/ffe-release.one", Some(1), 403, "Forbidden", reason);
    let wanted = with_text(&world, "hallo", json!({}));
    let done = tf.apply(RELEASE, "one", wanted.clone()).await;
    done.expect_error("", "The lease could not be acquired");
    assert_eq!(tf.state(RELEASE, "one"), before, "nothing was done");
    assert_eq!(world.helm().calls(), Vec::<String>::new());
    // What is noted of the release is as it was too: the same is planned again, and applied.
    tf.apply(RELEASE, "one", wanted).await.expect_ok();
    assert_eq!(world.helm().calls(), ["upgrade"]);
}

/// What was undone leaves the state as it was, but for what has happened; and the change is planned again.
async fn is_as_before(world: &World, tf: &mut Terraform, before: &Json, done: &Outcome, config: &Json, wanted: &Json) {
    assert!(done.diagnostics().has_errors(), "{:?}", done.diagnostics());
    assert!(!done.tainted);
    let after = tf.state(RELEASE, "one");
    for same in
        ["set", "verify", "remediation", "chart_digest", "manifest_digest", "changes", "drift", "drifted", "resources"]
    {
        assert_eq!(after[same], before[same], "{same}");
    }
    assert_eq!(after["status"], "deployed");
    let map = world.api.get(&ffe_cluster::ObjectRef::new("v1", "ConfigMap", Some("ffe"), "one")).unwrap();
    assert_eq!(map["data"]["text"], "hello");
    let planned = tf.plan(RELEASE, "one", wanted.clone()).await;
    planned.expect_action(Action::Update).expect_ok();
    assert!(planned.changed().iter().any(|path| path.starts_with("set")), "{planned}");
    tf.assert_empty_plan(RELEASE, "one", config.clone()).await;
}

#[tokio::test]
async fn an_update_that_helm_refuses_is_undone() {
    let world = World::with_helm();
    let (mut tf, config) = installed(&world).await;
    let before = tf.state(RELEASE, "one");
    world.helm().fail("upgrade", "the server rejected our request");
    let wanted = with_text(&world, "other", json!({}));
    let done = tf.apply(RELEASE, "one", wanted.clone()).await;
    done.expect_error("", "the server rejected our request");
    done.expect_warning("", "It was rolled back to the last revision that passed its checks");
    assert_eq!(world.helm().calls(), ["upgrade", "rollback"]);
    is_as_before(&world, &mut tf, &before, &done, &config, &wanted).await;
    let after = tf.state(RELEASE, "one");
    assert_eq!((&after["revision"], outcome(&after)), (&json!(3), "rolled_back"));
    // The same change, and nothing in its way.
    tf.apply(RELEASE, "one", wanted).await.expect_ok();
    assert_eq!(tf.state(RELEASE, "one")["revision"], 4);
}

#[tokio::test]
async fn an_update_whose_checks_fail_is_undone() {
    let world = World::with_helm();
    let (mut tf, config) = installed(&world).await;
    let before = tf.state(RELEASE, "one");
    let wanted = with_text(&world, "other", json!({ "verify": failing() }));
    let done = tf.apply(RELEASE, "one", wanted.clone()).await;
    done.expect_error("verify.path", "failed its checks");
    assert_eq!(world.helm().calls(), ["upgrade", "rollback"]);
    is_as_before(&world, &mut tf, &before, &done, &config, &wanted).await;
    assert_eq!(last_run(&world)["outcome"], "rolled_back");
}

#[tokio::test]
async fn an_update_that_fails_before_it_deploys_changes_nothing() {
    let world = World::with_helm();
    let (mut tf, config) = installed(&world).await;
    let before = tf.state(RELEASE, "one");
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: one}\nspec: {containers: [{name: a, image: a, envFrom: [{secretRef: {name: absent}}]}]}\n";
    let mut wanted = with_text(&world, "other", json!({}));
    wanted["values"] = json!([json!({ "manifest": pod }).to_string()]);
    let done = tf.apply(RELEASE, "one", wanted.clone()).await;
    done.expect_error("", "Secret ffe/absent does not exist");
    done.expect_warning("", "The deployment was not started");
    assert_eq!(world.helm().calls(), Vec::<String>::new());
    is_as_before(&world, &mut tf, &before, &done, &config, &wanted).await;
    let after = tf.state(RELEASE, "one");
    assert_eq!((&after["revision"], outcome(&after)), (&json!(1), "failed"));
}

#[tokio::test]
async fn a_create_that_is_undone_leaves_no_state_and_says_what_remains() {
    let world = World::with_helm();
    let mut tf = world.terraform().await;
    let done = tf.apply(RELEASE, "one", with_text(&world, "hello", json!({ "verify": failing() }))).await;
    done.expect_error("verify.path", "failed its checks");
    done.expect_warning("", "has been uninstalled; the next apply installs it again");
    done.expect_warning("", "Secret ffe-journal.one");
    assert!(done.state.is_null() && !done.tainted, "{}", done.state);
    assert_eq!(world.helm().calls(), ["install", "uninstall"]);
    assert!(world.api.get(&record_of("one", 1)).is_none() && world.api.get(&journal_of("one")).is_some());
    // What remains is in nobody's way.
    let done = tf.apply(RELEASE, "one", with_text(&world, "hello", json!({}))).await;
    done.expect_ok();
    assert_eq!((done.action(), world.helm().calls()), (Action::Create, vec!["install".to_owned()]));
    assert_eq!(journal(&world)["runs"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn an_update_that_is_left_as_it_is_saves_what_is_true() {
    let world = World::with_helm();
    let (mut tf, _) = installed(&world).await;
    let none = json!({ "verify": failing(), "remediation": { "strategy": "none" } });
    let wanted = with_text(&world, "other", none);
    let done = tf.apply(RELEASE, "one", wanted.clone()).await;
    done.expect_error("verify.path", "failed its checks");
    done.expect_warning("", "It was left as it is");
    assert_eq!(world.helm().calls(), ["upgrade"]);
    let after = tf.state(RELEASE, "one");
    assert_eq!(after["set"][0]["value"], "other", "what is there is what was asked for");
    assert_eq!((&after["revision"], &after["status"]), (&json!(2), &json!("failed")));
    assert_eq!(outcome(&after), "failed");
    // The same again is planned: it has not passed its checks.
    let planned = tf.plan(RELEASE, "one", wanted.clone()).await;
    planned.expect_action(Action::Update).expect_ok();
    let mut good = wanted;
    good["verify"] = Json::Null;
    tf.apply(RELEASE, "one", good).await.expect_ok();
    assert_eq!(tf.state(RELEASE, "one")["status"], "deployed");
}

#[tokio::test]
async fn a_create_that_is_left_as_it_is_leaves_no_state_and_is_gone_on_with() {
    let world = World::with_helm();
    let mut tf = world.terraform().await;
    let none = json!({ "verify": failing(), "remediation": { "strategy": "none" } });
    let done = tf.apply(RELEASE, "one", with_text(&world, "hello", none)).await;
    done.expect_error("verify.path", "failed its checks");
    done.expect_warning("", "It is not in Terraform's state; the next apply goes on with it");
    done.expect_warning("", "helm uninstall one -n ffe");
    assert!(done.state.is_null() && !done.tainted, "{}", done.state);
    assert_eq!(world.helm().calls(), ["install"]);
    let done = tf.apply(RELEASE, "one", with_text(&world, "hello", json!({}))).await;
    done.expect_ok();
    assert_eq!((done.action(), world.helm().calls()), (Action::Create, Vec::new()), "it is there already");
    assert_eq!((&done.state["status"], &done.state["revision"]), (&json!("deployed"), &json!(1)));
}

#[tokio::test]
async fn drift_that_comes_back_is_said_and_planned_again() {
    let world = World::with_helm();
    let mut tf = world.terraform().await.without_empty_plan_check().without_refresh_check();
    let config = with_text(&world, "hello", json!({ "drift": { "mode": "correct" } }));
    tf.apply(RELEASE, "one", config.clone()).await.expect_ok();
    let object = ffe_cluster::ObjectRef::new("v1", "ConfigMap", Some("ffe"), "one");
    world.api.edit(&object, |map| map["data"]["text"] = "theirs".into());
    let again = object.clone();
    world.helm().on("upgrade", move |api| api.edit(&again, |map| map["data"]["text"] = "theirs".into()));
    pass_the_window().await;
    let done = tf.apply(RELEASE, "one", config.clone()).await;
    done.expect_ok();
    done.expect_warning("", "The drift of the release one was not put right");
    done.expect_warning("", "ConfigMap/one /data/text: was hello, is theirs");
    assert_eq!(done.state["drifted"], json!([]), "what was planned");
    pass_the_window().await;
    tf.plan(RELEASE, "one", config).await.expect_action(Action::Update);
}

#[tokio::test]
async fn a_correction_that_fails_is_rolled_back_to_what_was_applied() {
    let world = World::with_helm();
    let mut tf = world.terraform().await;
    let config = with_text(&world, "hello", json!({ "drift": { "mode": "correct" } }));
    tf.apply(RELEASE, "one", config.clone()).await.expect_ok();
    let object = ffe_cluster::ObjectRef::new("v1", "ConfigMap", Some("ffe"), "one");
    world.api.remove(&object);
    world.helm().fail("upgrade", "the server is busy");
    pass_the_window().await;
    let done = tf.apply(RELEASE, "one", config.clone()).await;
    done.expect_error("", "the server is busy");
    assert_eq!(world.helm().calls(), ["install", "upgrade", "rollback"]);
    assert!(world.api.get(&object).is_some(), "a rollback deploys too");
    assert_eq!((&done.state["drifted"], &done.state["status"]), (&json!([]), &json!("deployed")));
    tf.assert_empty_plan(RELEASE, "one", config).await;
}

#[tokio::test]
async fn an_update_that_ends_uninstalled_is_planned_anew() {
    let world = World::with_helm();
    let (mut tf, config) = installed(&world).await;
    let wanted = with_text(&world, "other", json!({ "verify": failing(), "remediation": { "strategy": "uninstall" } }));
    let done = tf.apply(RELEASE, "one", wanted).await;
    done.expect_error("verify.path", "failed its checks");
    assert_eq!(world.helm().calls(), ["upgrade", "uninstall"]);
    assert_eq!((&done.state["status"], outcome(&done.state)), (&json!("uninstalled"), "uninstalled"));
    tf.plan(RELEASE, "one", config.clone()).await.expect_action(Action::Create);
    tf.apply(RELEASE, "one", config).await.expect_ok();
}

#[tokio::test]
async fn drift_is_put_right_by_deploying_again_and_by_nothing_else() {
    let world = World::with_helm();
    let mut tf = world.terraform().await;
    world.api.put(json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "db", "namespace": "ffe" } }));
    let migration = json!({ "engine": "command", "upgrade_command": ["true"], "image": "none:1", "backup": "always",
        "database_secret": "db" });
    let config = with_text(&world, "hello", json!({ "drift": { "mode": "correct" }, "migration": migration.clone() }));
    // A migration would need Jobs, which nobody runs here: it is there only from the second configuration on.
    let mut first = config.clone();
    first["migration"] = Json::Null;
    tf.apply(RELEASE, "one", first).await.expect_ok();
    let digest = tf.state(RELEASE, "one")["manifest_digest"].clone();
    let mut private = tf.private(RELEASE, "one");
    let mut state = tf.state(RELEASE, "one");
    for (name, value) in migration.as_object().unwrap() {
        state["migration"][name] = value.clone();
    }
    private.remove("drift.v1");
    tf.set_state(RELEASE, "one", 1, state, &private);
    tf.assert_empty_plan(RELEASE, "one", config.clone()).await;
    world.helm().calls();

    let object = ffe_cluster::ObjectRef::new("v1", "ConfigMap", Some("ffe"), "one");
    world.api.edit(&object, |map| map["data"]["text"] = "theirs".into());
    pass_the_window().await;
    let planned = tf.plan(RELEASE, "one", config.clone()).await;
    planned.expect_action(Action::Update).expect_ok();
    assert_eq!(planned.before["drifted"][0]["path"], "/data/text");
    assert_eq!(planned.after["drifted"], json!([]), "{planned}");
    assert_eq!(planned.after["changes"], "change ConfigMap/one: /data/text");

    let done = tf.apply(RELEASE, "one", config.clone()).await;
    done.expect_ok();
    assert_eq!(world.helm().calls(), ["upgrade"]);
    assert_eq!(world.api.get(&object).unwrap()["data"]["text"], "hello");
    let phases: Vec<(String, String)> = last_run(&world)["phases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|page| (page["name"].as_str().unwrap().to_owned(), page["outcome"].as_str().unwrap().to_owned()))
        .collect();
    let outcome = |name: &str| phases.iter().find(|(phase, _)| phase == name).map(|(_, outcome)| outcome.as_str());
    for (phase, expected) in
        [("backup", "skipped"), ("migrate", "skipped"), ("deploy", "succeeded"), ("record", "succeeded")]
    {
        assert_eq!(outcome(phase), Some(expected), "{phase}: {phases:?}");
    }
    assert_eq!((&done.state["revision"], &done.state["manifest_digest"]), (&json!(2), &digest));
    assert!(!world.api.seen().iter().any(|seen| seen.path.ends_with("/jobs")), "a Job was made or listed");
}

#[tokio::test]
async fn a_change_deploys_over_drift_and_says_nothing_of_it_any_more() {
    let world = World::with_helm();
    let (mut tf, _) = installed(&world).await;
    let object = ffe_cluster::ObjectRef::new("v1", "ConfigMap", Some("ffe"), "one");
    world.api.remove(&object);
    pass_the_window().await;
    tf.refresh(RELEASE, "one").await.expect_warning("", "ConfigMap/one: deleted");
    tf.apply(RELEASE, "one", with_text(&world, "other", json!({}))).await.expect_ok();
    assert_eq!(tf.state(RELEASE, "one")["drifted"], json!([]));
    assert_eq!(world.api.get(&object).unwrap()["data"]["text"], "other");
    // A change that deploys nothing leaves it.
    world.helm().calls();
    world.api.remove(&object);
    pass_the_window().await;
    let done = tf.apply(RELEASE, "one", with_text(&world, "other", json!({ "timeout": "9m" }))).await;
    done.expect_ok();
    assert_eq!(world.helm().calls(), Vec::<String>::new());
    assert_eq!(done.state["drifted"][0]["object"], "ConfigMap/one");
}

/// Lets time go by itself once the journal has been refused once: nothing but the API in memory is waited for then.
async fn hurry(world: &World, puts: usize) {
    while world.api.count("PUT", "/secrets/ffe-journal.one") <= puts {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::pause();
}

#[tokio::test]
async fn a_release_that_cannot_be_recorded_is_not_taken_back() {
    let world = World::with_helm();
    let mut tf = world.terraform().await.without_empty_plan_check();
    let config = with_text(&world, "hello", json!({}));
    // From the moment on at which Helm has installed.
    world.helm().on("install", |api| {
        api.fail(
            "PUT",
            "/secrets/ffe-journal.one",
            None,
            403,
            "Forbidden",
            "User \"us\" cannot update resource \"secrets\"",
        );
    });
    let written = async {
        while world.api.count("PUT", "/secrets/ffe-journal.one") < 3 || world.api.get(&record_of("one", 1)).is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        hurry(&world, world.api.count("PUT", "/secrets/ffe-journal.one")).await;
    };
    let (done, ()) = tokio::join!(tf.apply(RELEASE, "one", config.clone()), written);
    tokio::time::resume();
    done.expect_ok();
    for part in ["but the journal could not be updated", "nothing was undone", "User \"us\" cannot update"] {
        done.expect_warning("", part);
    }
    assert_eq!(world.helm().calls(), ["install"], "it was taken back");
    assert_eq!((&done.state["status"], &done.state["revision"]), (&json!("deployed"), &json!(1)));
    assert_eq!((outcome(&done.state), done.tainted), ("interrupted", false));
    assert_eq!(last_run(&world)["outcome"], "running");

    // The next apply records it, and does nothing else.
    world.api.heal();
    tf.plan(RELEASE, "one", config.clone()).await.expect_action(Action::Update);
    let id = last_run(&world)["id"].clone();
    tf.apply(RELEASE, "one", config.clone()).await.expect_ok();
    assert_eq!(world.helm().calls(), Vec::<String>::new());
    let run = last_run(&world);
    assert_eq!((&run["id"], &run["outcome"], &run["verified"]), (&id, &json!("succeeded"), &json!(true)));
    assert_eq!(outcome(&tf.state(RELEASE, "one")), "succeeded");
    tf.assert_empty_plan(RELEASE, "one", config).await;
}
