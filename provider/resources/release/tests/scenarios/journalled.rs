//! The journal: what disturbs its writing, and what is kept in it. With stand-ins for Helm and for the Jobs, in real time.

use std::collections::VecDeque;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};
use tfplugin_testing::{Action, Told as _};

use crate::migrations::{failing, installed, runs, version};
use crate::schema::{Controller, revision};
use crate::world::{NAMESPACE, RELEASE, World, journal_of};

const JOURNAL: &str = "/secrets/ffe-journal.one";

/// What happens around one write of the journal.
#[derive(Clone, Copy, Debug)]
enum Disturbance {
    LostAnswer,
    Label,
    LabelAndLostAnswer,
}

fn disturb(world: &World, disturbance: Disturbance, at: usize) {
    if matches!(disturbance, Disturbance::Label | Disturbance::LabelAndLostAnswer) {
        world.api.meanwhile("PUT", JOURNAL, at, move |api| {
            api.edit(&journal_of("one"), |journal| {
                journal["metadata"]["labels"]["team"] = at.to_string().into();
                journal["metadata"]["annotations"]["example.com/seen"] = at.to_string().into();
            });
        });
    }
    if matches!(disturbance, Disturbance::LostAnswer | Disturbance::LabelAndLostAnswer) {
        world.api.lose_answer("PUT", JOURNAL, at);
    }
}

/// Upgrades with a migration, the journal of each disturbed at another write.
async fn every_write_is_caught_up_with(more: Json) {
    let world = World::with_helm();
    let (mut tf, controller) = installed(&world).await;
    let fails = more.get("verify").is_some();
    // The first shows how many writes there are.
    let mut points = VecDeque::from([None]);
    let (mut image, mut label) = (3, Json::Null);
    while let Some(disturbed) = points.pop_front() {
        if let Some((disturbance, at)) = disturbed {
            disturb(&world, disturbance, at);
            if !matches!(disturbance, Disturbance::LostAnswer) {
                label = json!(at.to_string());
            }
        }
        let before = world.api.count("PUT", JOURNAL);
        let done = tf.apply(RELEASE, "one", version(&world, image + 1, more.clone())).await;
        let calls: &[&str] = if fails {
            done.expect_error("verify.path", "failed its checks");
            done.expect_warning("", "It was rolled back to the last revision that passed its checks");
            &["upgrade", "rollback"]
        } else {
            done.expect_ok();
            image += 1;
            &["upgrade"]
        };
        assert_eq!((controller.schema().at, world.helm().calls()), (image, owned(calls)), "{disturbed:?}");
        let metadata = world.api.get(&journal_of("one")).unwrap()["metadata"].clone();
        let kept = (&metadata["labels"]["team"], &metadata["annotations"]["example.com/seen"]);
        assert_eq!(kept, (&label, &label), "{disturbed:?}");
        let last = runs(&world).pop().unwrap();
        let outcome = if fails { "rolled_back" } else { "succeeded" };
        assert_eq!(
            (&last["outcome"], &last["schema_after"]),
            (&json!(outcome), &json!([revision(image)])),
            "{disturbed:?}"
        );
        // It goes with the fixture that reads the journal.
        label = Json::Null;
        if disturbed.is_none() {
            let writes = world.api.count("PUT", JOURNAL) - before;
            assert!(writes > 10, "{writes}");
            let labels = [Disturbance::Label, Disturbance::LabelAndLostAnswer];
            // What comes before a failure is the same.
            let first = if fails { writes / 2 } else { 0 };
            points.extend((first..writes).map(|at| Some((Disturbance::LostAnswer, at))));
            points.extend((first..writes).step_by(3).map(|at| Some((labels[at % 2], at))));
        }
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[tokio::test]
async fn a_lost_answer_or_a_label_at_any_write_is_no_reason_to_go_back() {
    every_write_is_caught_up_with(json!({})).await;
}

#[tokio::test]
async fn a_lost_answer_or_a_label_at_any_write_does_not_stop_the_way_back() {
    every_write_is_caught_up_with(failing()).await;
}

#[tokio::test]
async fn the_first_write_is_caught_up_with_too() {
    // The key of its digests is made first, then the journal.
    for at in 0..2 {
        let world = World::with_helm();
        let controller = Controller::new(&world.api, 3);
        let mut tf = world.terraform().await;
        world.api.lose_answer("POST", &format!("/namespaces/{NAMESPACE}/secrets"), at);
        tf.apply(RELEASE, "one", version(&world, 3, json!({}))).await.expect_ok();
        assert_eq!((world.helm().calls(), controller.jobs()), (vec!["install".to_owned()], vec!["inspect".to_owned()]));
    }
}

#[tokio::test]
async fn what_somebody_else_has_written_is_not_written_over() {
    let world = World::with_helm();
    let (mut tf, controller) = installed(&world).await;
    controller.jobs();
    world.helm().calls();
    world.api.meanwhile("PUT", JOURNAL, 1, |api| {
        api.edit(&journal_of("one"), |journal| {
            let text = STANDARD.decode(journal["data"]["journal"].as_str().unwrap()).unwrap();
            let mut content: Json = serde_json::from_slice(&text).unwrap();
            content["runs"].as_array_mut().unwrap().push(json!({ "id": "eeeeeeeeeeee", "outcome": "running" }));
            journal["data"]["journal"] = STANDARD.encode(content.to_string()).into();
        });
    });
    let done = tf.apply(RELEASE, "one", version(&world, 4, json!({}))).await;
    done.expect_error("", "The journal cannot be written");
    assert_eq!((controller.schema().at, world.helm().calls()), (3, Vec::<String>::new()));
    assert_eq!(runs(&world).pop().unwrap()["id"], "eeeeeeeeeeee");
}

#[tokio::test]
async fn a_journal_that_cannot_be_written_stops_the_run_after_some_tries() {
    let world = World::with_helm();
    let (mut tf, controller) = installed(&world).await;
    world.helm().calls();
    world.api.fail("PUT", JOURNAL, None, 503, "ServiceUnavailable", "etcd has no leader");
    let before = world.api.count("PUT", JOURNAL);
    let done = tf.apply(RELEASE, "one", version(&world, 4, json!({}))).await;
    done.expect_error("", "etcd has no leader");
    assert!(world.api.count("PUT", JOURNAL) - before > 1);
    assert_eq!((controller.schema().at, world.helm().calls()), (3, Vec::<String>::new()));
}

fn text(world: &World) -> String {
    let journal = world.api.get(&journal_of("one")).unwrap();
    String::from_utf8(STANDARD.decode(journal["data"]["journal"].as_str().unwrap()).unwrap()).unwrap()
}

fn with_secrets(world: &World) -> Json {
    let document =
        "# ours\ntext: hello\ndb: {host: db.local, password: doc-canary}\nurl: \"postgres://u:url-canary@h/d\"\n";
    let key = "tls:\n  key: |\n    -----BEGIN PRIVATE KEY-----\n    key-canary\n    -----END PRIVATE KEY-----\n";
    world.release(
        "one",
        json!({
            "values": [document, key],
            "set": [{ "name": "smtp.token", "value": "set-canary" }],
            "set_wo": [{ "name": "admin.password", "value": "wo-canary" }],
        }),
    )
}

#[tokio::test]
async fn no_secret_is_in_the_journal_and_an_import_still_plans_nothing() {
    let world = World::with_helm();
    let mut tf = world.terraform().await;
    let config = with_secrets(&world);
    tf.apply(RELEASE, "one", config.clone()).await.expect_ok();
    let journal = text(&world);
    assert!(!journal.contains("canary"), "{journal}");
    assert!(journal.contains("db.local") && journal.contains("# ours"), "{journal}");
    let digests = |text: &str| text.matches("\"keyed:").count();
    assert_eq!(digests(&journal), 2, "{journal}");
    let mut other = world.terraform().await;
    let planned = other.import(RELEASE, "one", "ffe/one", config.clone()).await;
    planned.expect_action(Action::NoOp).expect_silence();
    assert_eq!(other.state(RELEASE, "one")["values"], config["values"]);
    other.assert_empty_plan(RELEASE, "one", config).await;
    assert!(!other.state(RELEASE, "one").to_string().contains("wo-canary"));
}

#[tokio::test]
async fn what_an_import_lacks_is_said_and_makes_no_new_revision() {
    let world = World::with_helm();
    let controller = Controller::new(&world.api, 3);
    let mut tf = world.terraform().await;
    let mut config = version(&world, 3, json!({}));
    config["migration"]["env"] = json!({ "API_TOKEN": "env-canary", "LEVEL": "info" });
    tf.apply(RELEASE, "one", config.clone()).await.expect_ok();
    assert!(!text(&world).contains("canary"));
    world.helm().calls();
    controller.jobs();
    let mut other = world.terraform().await;
    let planned = other.import(RELEASE, "one", "ffe/one", config.clone()).await;
    planned.expect_action(Action::Update);
    planned.expect_warning("", "migration.env[\"API_TOKEN\"]");
    assert!(
        planned.changed().iter().all(|path| path.starts_with("migration.env") || !path.contains("values")),
        "{planned}"
    );
    other.apply(RELEASE, "one", config).await.expect_ok();
    assert_eq!(
        (world.helm().calls(), other.state(RELEASE, "one")["revision"].clone()),
        (Vec::<String>::new(), json!(1))
    );
}

#[tokio::test]
async fn a_record_of_somebody_elses_upgrade_gives_no_secrets() {
    let world = World::with_helm();
    let mut tf = world.terraform().await;
    let config = with_secrets(&world);
    tf.apply(RELEASE, "one", config.clone()).await.expect_ok();
    let mut record = crate::world::read_record(&world.api, "one", 1);
    record["config"]["db"]["password"] = "theirs-canary".into();
    let first = record["info"]["first_deployed"].as_str().unwrap().to_owned();
    let manifest = record["manifest"].as_str().unwrap().to_owned();
    let told = (first.as_str(), "Upgrade complete");
    crate::world::put_record_of(&world.api, "one", 1, "superseded", &manifest, &record["config"], told);
    crate::world::put_record_of(&world.api, "one", 2, "deployed", &manifest, &record["config"], told);
    let mut other = world.terraform().await;
    let planned = other.import(RELEASE, "one", "ffe/one", config).await;
    planned.expect_action(Action::Update);
    planned.expect_warning("", "values, set[0].value");
    assert!(!other.state(RELEASE, "one").to_string().contains("theirs-canary"));
}

#[tokio::test]
async fn a_journal_of_an_earlier_version_loses_its_secrets_at_the_next_run() {
    let world = World::with_helm();
    let mut tf = world.terraform().await;
    let config = with_secrets(&world);
    tf.apply(RELEASE, "one", config.clone()).await.expect_ok();
    world.edit_journal("one", |journal| {
        let mut inputs = config.clone();
        inputs.as_object_mut().unwrap().remove("set_wo");
        journal["inputs"] = inputs.to_string().into();
        journal.as_object_mut().unwrap().remove("written");
        journal["runs"][0]["inputs_digest"] = "0123456789abcdef0123456789abcdef".into();
        journal["applied"]["manifest_digest"] = tf.state(RELEASE, "one")["manifest_digest"].clone();
    });
    let mut other = world.terraform().await;
    other.import(RELEASE, "one", "ffe/one", config.clone()).await.expect_action(Action::NoOp).expect_silence();
    let mut later = config;
    later["timeout"] = "9m".into();
    other.apply(RELEASE, "one", later).await.expect_ok();
    let journal = text(&world);
    assert!(!journal.contains("canary") && !journal.contains("0123456789abcdef"), "{journal}");
}

/// What a version of the provider has left that knew the first format of the journal alone: its journal as that version serializes it
/// (commit c303231), with its digests without a key, and Helm's records.
fn left_by_the_first_format(world: &World, objects: &str) {
    for object in serde_json::from_str::<Vec<Json>>(objects).unwrap() {
        world.api.put(object);
    }
    let format = world.read_journal("one")["inputs"].clone();
    assert!(format.is_string(), "{format}");
}

/// A run that died in its first install, behind the migration from 3 to 4.
const OPEN: &str = include_str!("fixtures/first_format_open.json");
/// A release that is well.
const CLOSED: &str = include_str!("fixtures/first_format_closed.json");

/// The configuration of those: with a chart that lies in the same place whoever runs it.
fn of_the_first_format(world: &World, image: usize) -> Json {
    let mut config = version(world, image, json!({}));
    config["chart"] = "tests/scenarios/fixtures/one".into();
    config
}

#[tokio::test]
async fn a_run_that_an_earlier_version_has_begun_is_gone_on_with() {
    let world = World::with_helm();
    left_by_the_first_format(&world, OPEN);
    let id = world.read_journal("one")["runs"][0]["id"].clone();
    let controller = Controller::new(&world.api, 4);
    let mut tf = world.terraform().await;
    tf.apply(RELEASE, "one", of_the_first_format(&world, 4)).await.expect_ok();
    let journal = world.read_journal("one");
    let journalled = journal["runs"].as_array().unwrap();
    assert_eq!((journalled.len(), &journalled[0]["id"], &journalled[0]["outcome"]), (1, &id, &json!("succeeded")));
    assert_eq!(controller.jobs(), ["inspect"], "what it has migrated is not migrated again");
    assert_eq!(world.helm().calls(), Vec::<String>::new(), "what it has installed is not installed again");
    assert_eq!((&journal["inputs"], journal["written"].is_object()), (&json!(2), true));
    tf.assert_empty_plan(RELEASE, "one", of_the_first_format(&world, 4)).await;
}

#[tokio::test]
async fn a_run_that_an_earlier_version_has_begun_is_taken_back_where_something_else_is_wanted() {
    let world = World::with_helm();
    left_by_the_first_format(&world, OPEN);
    let controller = Controller::new(&world.api, 4);
    let mut tf = world.terraform().await;
    let mut config = of_the_first_format(&world, 5);
    config["verify"] = failing()["verify"].clone();
    tf.apply(RELEASE, "one", config).await.expect_error("verify.path", "failed its checks");
    assert_eq!(controller.schema().at, 3, "where that run began");
    let outcomes: Vec<Json> = runs(&world).iter().map(|run| run["outcome"].clone()).collect();
    assert_eq!(outcomes, ["interrupted", "uninstalled"]);
    tf.apply(RELEASE, "one", of_the_first_format(&world, 3)).await.expect_ok();
}

#[tokio::test]
async fn an_attribute_that_an_earlier_version_did_not_know_is_another_run() {
    let world = World::with_helm();
    left_by_the_first_format(&world, OPEN);
    let _controller = Controller::new(&world.api, 4);
    let mut tf = world.terraform().await;
    let mut config = of_the_first_format(&world, 4);
    config["migration"]["allow_downgrade"] = true.into();
    tf.apply(RELEASE, "one", config).await.expect_ok();
    assert_eq!(runs(&world).len(), 2);
}

#[tokio::test]
async fn a_release_of_an_earlier_version_is_imported_and_deployed_over() {
    let world = World::with_helm();
    left_by_the_first_format(&world, CLOSED);
    let controller = Controller::new(&world.api, 3);
    let mut tf = world.terraform().await;
    let config = of_the_first_format(&world, 3);
    // Not in the state: it is ours, and is not taken over unasked.
    tf.apply(RELEASE, "one", config.clone()).await.expect_error("name", "terraform import ffe_release.<name> ffe/one");
    tf.import(RELEASE, "one", "ffe/one", config.clone()).await.expect_action(Action::NoOp).expect_silence();
    tf.apply(RELEASE, "one", of_the_first_format(&world, 4)).await.expect_ok();
    assert_eq!((controller.schema().at, world.helm().calls()), (4, vec!["upgrade".to_owned()]));
    assert_eq!(world.read_journal("one")["inputs"], 2);
}

#[tokio::test]
async fn a_journal_of_a_later_format_is_refused() {
    let world = World::with_helm();
    let (mut tf, _controller) = installed(&world).await;
    world.helm().calls();
    let was = world.read_journal("one");
    world.edit_journal("one", |journal| journal["inputs"] = 3.into());
    let done = tf.apply(RELEASE, "one", version(&world, 4, json!({}))).await;
    done.expect_error("", "it has the format 3, and this version of the provider reads formats up to 2");
    done.expect_error("", "It may be of a newer version of the provider");
    // Nor is one that says nothing an empty one.
    world.edit_journal("one", |journal| *journal = json!({}));
    tf.destroy(RELEASE, "one").await.expect_error("", "it names neither its format nor a run");
    assert_eq!(world.helm().calls(), Vec::<String>::new());
    world.edit_journal("one", |journal| *journal = was);
    tf.apply(RELEASE, "one", version(&world, 4, json!({}))).await.expect_ok();
}
