//! How a provider is tested: in this process, by a driver that does what Terraform core does. It asserts core's rules
//! at every step, so a test says only what is particular to the resource.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;

use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tfplugin_testing::{Action, Terraform, Told, unknown};

use crate::provider::Notes;

const SECRET: &str = "under the stone";

/// A configured provider and its directory. The driver fails the test when the secret turns up where it must not.
async fn provider() -> (Terraform, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let config = json!({ "directory": directory.path() });
    (Terraform::new(Notes::default()).canary(SECRET).configure(config).await.unwrap(), directory)
}

fn list(text: &str) -> Json {
    json!({ "name": "list", "text": text })
}

#[tokio::test]
async fn a_note_is_made_changed_replaced_and_removed() {
    let (mut tf, directory) = provider().await;
    let read = |file: &str| fs::read_to_string(directory.path().join(file)).unwrap();

    let made = tf.apply("notes_note", "list", list("bread")).await;
    made.expect_silence();
    assert_eq!(made.action(), Action::Create);
    assert_eq!(
        made.state,
        json!({
            "name": "list", "text": "bread", "text_wo": null, "text_wo_version": null,
            "format": "plain", "file": "list.txt", "size": 5
        })
    );
    assert_eq!(read("list.txt"), "bread");

    let changed = tf.apply("notes_note", "list", list("bread, milk")).await;
    changed.expect_silence();
    assert_eq!((changed.action(), changed.planned.changed()), (Action::Update, vec!["size".into(), "text".into()]));
    assert!(changed.planned.unknown().is_empty(), "the size of a known text is known");

    let mut markdown = list("bread, milk");
    markdown["format"] = "markdown".into();
    let replaced = tf.apply("notes_note", "list", markdown).await;
    replaced.expect_silence();
    assert_eq!((replaced.action(), replaced.planned.requires_replace.clone()), (Action::Replace, vec!["file".into()]));
    assert_eq!(read("list.md"), "bread, milk");
    assert!(!directory.path().join("list.txt").exists());

    tf.destroy("notes_note", "list").await.expect_silence();
    assert!(!directory.path().join("list.md").exists());
}

#[tokio::test]
async fn a_secret_text_is_in_the_file_and_nowhere_else() {
    let (mut tf, directory) = provider().await;
    let config = |text: &str, version: i64| json!({ "name": "s", "text_wo": text, "text_wo_version": version });
    let read = || fs::read_to_string(directory.path().join("s.txt")).unwrap();

    let made = tf.apply("notes_note", "s", config(SECRET, 1)).await;
    made.expect_silence();
    assert_eq!((read(), &made.state["text"]), (SECRET.to_owned(), &Json::Null));

    tf.assert_empty_plan("notes_note", "s", config("other", 1)).await;
    tf.apply("notes_note", "s", config("other", 2)).await.expect_silence();
    assert_eq!(read(), "other");

    let both = json!({ "name": "s", "text": "a", "text_wo": "b" });
    tf.plan("notes_note", "s", both).await.expect_error("text_wo", "either text or text_wo");
}

#[tokio::test]
async fn what_others_do_to_the_file_is_found() {
    let (mut tf, directory) = provider().await;
    tf.apply("notes_note", "list", list("bread")).await.expect_silence();

    fs::write(directory.path().join("list.txt"), "cake").unwrap();
    let corrected = tf.apply("notes_note", "list", list("bread")).await;
    assert_eq!((corrected.action(), &corrected.planned.drift), (Action::Update, &vec!["size".into(), "text".into()]));

    fs::remove_file(directory.path().join("list.txt")).unwrap();
    assert!(tf.refresh("notes_note", "list").await.gone);

    // What cannot be read is not gone.
    tf.apply("notes_note", "list", list("bread")).await.expect_silence();
    fs::write(directory.path().join("list.txt"), [0xff]).unwrap();
    let unreadable = tf.refresh("notes_note", "list").await;
    unreadable.expect_error("", "UTF-8");
    assert!(!unreadable.gone);
}

#[tokio::test]
async fn an_existing_file_is_imported_and_never_overwritten() {
    let (mut tf, directory) = provider().await;
    fs::write(directory.path().join("list.txt"), "bread").unwrap();

    let refused = tf.apply("notes_note", "list", list("cake")).await;
    refused.expect_error("name", "terraform import");
    assert_eq!(fs::read_to_string(directory.path().join("list.txt")).unwrap(), "bread");

    tf.import("notes_note", "list", "list", list("bread")).await.expect_action(Action::NoOp);
    tf.import("notes_note", "gone", "gone", list("x")).await.expect_error("", "no note named gone");
}

#[tokio::test]
async fn a_name_that_is_no_file_name_is_refused() {
    let (tf, _directory) = provider().await;
    for name in ["", "../up", "a/b", ".hidden"] {
        let config = json!({ "name": name });
        tf.validate("notes_note", config).await.expect_error("name", "must be a file name");
    }
    tf.validate("notes_note", json!({ "name": "a", "format": "word" })).await.expect_error("format", "one of");
}

#[tokio::test]
async fn everything_may_be_unknown_at_plan() {
    let (tf, _directory) = provider().await;
    let mut tf = tf.provider_config_at_plan(json!({ "directory": unknown() }));
    let known = json!({ "name": "list", "text": "bread" });
    let made = tf.apply_resolving("notes_note", "list", json!({ "name": unknown(), "text": unknown() }), known).await;
    made.expect_silence();
    assert_eq!(made.planned.unknown(), ["file", "name", "size", "text"]);
}

#[tokio::test]
async fn notes_are_listed_and_opened() {
    let (mut tf, _directory) = provider().await;
    assert_eq!(tf.data("notes_listing", json!({})).await.result["files"], json!([]));
    for name in ["a1", "a2", "b"] {
        tf.apply("notes_note", name, json!({ "name": name, "text": name })).await.expect_silence();
    }
    let listed = tf.data("notes_listing", json!({ "prefix": "a" })).await;
    assert_eq!(listed.result["files"], json!([{ "name": "a1.txt", "size": 2 }, { "name": "a2.txt", "size": 2 }]));

    let opened = tf.open("notes_content", json!({ "file": "b.txt" })).await;
    assert_eq!(opened.result["text"], "b");
    tf.close(opened).await.expect_silence();
    tf.open("notes_content", json!({ "file": "gone" })).await.expect_error("file", "no file gone");
}

#[tokio::test]
async fn a_title_becomes_a_name() {
    let (tf, _directory) = provider().await;
    assert_eq!(tf.call("slug", vec!["  Größe: 3 Liter! ".into()]).await.unwrap(), "größe-3-liter");
    assert_eq!(tf.call("slug", vec!["!".into()]).await.unwrap_err().argument, Some(0));
}
