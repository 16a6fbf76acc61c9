//! What an owner may do to an object, against the API in memory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use ffe_cluster::{
    ApplyOptions, Deleted, Error, FIELD_MANAGER, Kind, Mark, ObjectRef, Originals, Owner, Ownership, Standing,
};
use ffe_cluster_testing::FakeApi;
use serde_json::{Value, json};

/// The name under which a create owns its fields, until the first apply.
const MAKER: &str = "terraform-provider-ffe.make";

/// How often a delete that meets another version of its object is sent.
const TRIES: usize = 11;

fn owner() -> Owner {
    Owner::new("ffe_environment", "default/shop")
}

fn named(name: &str) -> ObjectRef {
    ObjectRef::new("v1", "ConfigMap", Some("default"), name)
}

fn config(name: &str, data: Value, mark: Option<&Mark>) -> Value {
    let mut object = json!({ "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": name, "namespace": "default" }, "data": data });
    if let Some(mark) = mark {
        mark.write_value(&mut object);
    }
    object
}

fn made() -> Mark {
    Mark::complete(owner(), "run-1")
}

#[tokio::test]
async fn of_two_that_make_one_object_one_wins_and_the_other_is_told() {
    let api = FakeApi::new();
    let (one, two) = (made(), Mark::complete(Owner::new("ffe_environment", "default/other"), "run-2"));
    let (cluster, elsewhere) = (api.cluster(), api.cluster());
    let (first, second) = (config("a", json!({ "K": "1" }), Some(&one)), config("a", json!({ "K": "2" }), Some(&two)));
    let (first, second) = tokio::join!(cluster.put(&first, None), elsewhere.put(&second, None));
    assert!(first.is_ok() != second.is_ok());
    assert_eq!(first.err().or(second.err()).unwrap().kind(), Kind::AlreadyExists);
}

#[tokio::test]
async fn what_somebody_makes_in_the_same_moment_is_not_merged_into() {
    let api = FakeApi::new();
    api.meanwhile("POST", "/configmaps", 0, |api| api.put(config("a", json!({ "THEIRS": "1" }), None)));
    let error = api.cluster().put(&config("a", json!({ "OURS": "1" }), Some(&made())), None).await.unwrap_err();
    assert_eq!(error.kind(), Kind::AlreadyExists);
    assert_eq!(api.get(&named("a")).unwrap()["data"], json!({ "THEIRS": "1" }));
}

#[tokio::test]
async fn what_was_made_goes_field_by_field_when_it_is_given_no_more() {
    let api = FakeApi::new();
    let cluster = api.cluster();
    cluster.put(&config("a", json!({ "A": "1", "B": "2" }), Some(&made())), None).await.unwrap();
    let live = api.get(&named("a")).unwrap();
    let managers: Vec<&str> = live["metadata"]["managedFields"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|one| one["manager"].as_str())
        .collect();
    assert_eq!(managers, [FIELD_MANAGER], "{live}");
    cluster.apply_value(&config("a", json!({ "B": "2" }), Some(&made())), ApplyOptions::forced()).await.unwrap();
    assert_eq!(api.get(&named("a")).unwrap()["data"], json!({ "B": "2" }));
}

#[tokio::test]
async fn a_lost_answer_is_no_loss_and_the_next_apply_takes_the_maker_off() {
    let api = FakeApi::new();
    api.lose_answer("POST", "/configmaps", 0);
    api.cluster().put(&config("a", json!({}), Some(&made())), None).await.unwrap();

    // A run that dies right after the create.
    api.fail("PATCH", "/configmaps/b", Some(1), 403, "Forbidden", "no");
    assert!(api.cluster().put(&config("b", json!({}), Some(&made())), None).await.is_err());
    assert!(api.get(&named("b")).unwrap().to_string().contains(MAKER));
    api.cluster().apply_value(&config("b", json!({}), Some(&made())), ApplyOptions::forced()).await.unwrap();
    assert!(!api.get(&named("b")).unwrap().to_string().contains(MAKER));
}

#[tokio::test]
async fn an_object_that_was_made_anew_since_is_not_written_to() {
    let api = FakeApi::new();
    api.put(config("a", json!({}), Some(&made())));
    let uid = api.get(&named("a")).unwrap()["metadata"]["uid"].as_str().unwrap().to_owned();
    for theirs in [Some(config("a", json!({ "THEIRS": "1" }), None)), None] {
        api.remove(&named("a"));
        let there = theirs.is_some();
        theirs.into_iter().for_each(|theirs| api.put(theirs));
        let wished = config("a", json!({ "OURS": "1" }), Some(&made()));
        let error = api.cluster().apply_to(&wished, &uid, ApplyOptions::forced()).await.unwrap_err();
        assert!(matches!(error, Error::Remade { .. }), "{error}");
        assert_eq!(api.get(&named("a")).map(|one| one["data"].clone()), there.then(|| json!({ "THEIRS": "1" })));
    }
}

async fn standing(api: &FakeApi, name: &str) -> Standing {
    api.cluster().standing(&named(name), &owner()).await.unwrap()
}

#[tokio::test]
async fn only_what_is_there_and_ours_is_a_proof() {
    let api = FakeApi::new();
    api.put(config("made", json!({}), Some(&made())));
    api.put(config("adopted", json!({}), Some(&made().adopted())));
    api.put(config("theirs", json!({}), None));
    api.put(config("others", json!({}), Some(&Mark::complete(Owner::new("ffe_release", "x"), "r"))));
    assert!(matches!(standing(&api, "made").await, Standing::Made(_)));
    assert!(matches!(standing(&api, "adopted").await, Standing::Adopted(_)));
    assert!(matches!(standing(&api, "theirs").await, Standing::Others(Ownership::Foreign { .. })));
    assert!(matches!(standing(&api, "others").await, Standing::Others(Ownership::OtherResource(_))));
    assert!(matches!(standing(&api, "none").await, Standing::Absent));
    let unknown = ObjectRef::new("example.com/v1", "Thing", Some("default"), "a");
    assert!(matches!(api.cluster().standing(&unknown, &owner()).await.unwrap(), Standing::Absent));
}

#[tokio::test]
async fn what_became_somebody_elses_after_the_look_is_not_deleted() {
    let api = FakeApi::new();
    for (name, change) in [("remade", Some(config("remade", json!({ "THEIRS": "1" }), None))), ("given", None)] {
        api.put(config(name, json!({}), Some(&made())));
        let Standing::Made(proof) = standing(&api, name).await else { panic!("it is ours") };
        match change {
            Some(theirs) => {
                api.remove(&named(name));
                api.put(theirs);
            }
            None => api.edit(&named(name), |one| one["metadata"]["annotations"] = json!({})),
        }
        assert_eq!(proof.delete(&api.cluster()).await.unwrap(), Deleted::WasGone);
        assert!(api.get(&named(name)).is_some(), "{name}");
    }
    // A change that leaves it ours is caught up with.
    api.put(config("busy", json!({}), Some(&made())));
    let Standing::Made(proof) = standing(&api, "busy").await else { panic!("it is ours") };
    api.edit(&named("busy"), |one| one["data"] = json!({ "A": "1" }));
    assert_eq!(proof.delete(&api.cluster()).await.unwrap(), Deleted::Accepted);
    assert!(api.get(&named("busy")).is_none());
}

#[tokio::test]
async fn what_could_not_be_looked_at_is_no_absence() {
    for (code, reason, kind) in [(500, "InternalError", Kind::Unavailable), (403, "Forbidden", Kind::Forbidden)] {
        let api = FakeApi::new();
        api.put(config("a", json!({}), Some(&made())));
        api.fail("GET", "/configmaps/a", None, code, reason, "not now");
        let error = api.cluster().standing(&named("a"), &owner()).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
}

#[tokio::test]
async fn a_delete_that_is_refused_is_not_tried_for_ever() {
    for (code, reason, tries) in [(409, "Conflict", TRIES), (403, "Forbidden", 1)] {
        let api = FakeApi::new();
        api.put(config("a", json!({}), Some(&made())));
        let Standing::Made(proof) = standing(&api, "a").await else { panic!("it is ours") };
        api.fail("DELETE", "/configmaps/a", None, code, reason, "no");
        proof.delete(&api.cluster()).await.unwrap_err();
        assert_eq!(api.count("DELETE", "/configmaps/a"), tries, "{reason}");
        assert!(api.get(&named("a")).is_some());
    }
}

#[tokio::test]
async fn what_we_made_anew_after_the_look_is_another_object() {
    let api = FakeApi::new();
    api.put(config("a", json!({}), Some(&made())));
    let Standing::Made(proof) = standing(&api, "a").await else { panic!("it is ours") };
    api.remove(&named("a"));
    api.put(config("a", json!({ "NEW": "1" }), Some(&made())));
    assert_eq!(proof.delete(&api.cluster()).await.unwrap(), Deleted::WasGone);
    assert_eq!(api.get(&named("a")).unwrap()["data"], json!({ "NEW": "1" }));
}

#[tokio::test]
async fn what_was_taken_over_is_given_back_as_it_was() {
    let api = FakeApi::new();
    let (cluster, originals) = (api.cluster(), Originals::new("default", &owner()));
    let mut theirs = config("a", json!({ "SAME": "1", "OTHER": "old", "THEIRS": "x" }), None);
    theirs["metadata"]["labels"] = json!({ "team": "theirs", "app.kubernetes.io/managed-by": "flux" });
    api.put(theirs.clone());
    let mark = made().adopted();
    let apply = async |data: Value| {
        let mut wished = config("a", data, None);
        wished["metadata"]["labels"] = json!({ "team": "ours", "more": "ours" });
        originals.keep(&cluster, &wished, "run-1").await.unwrap();
        mark.write_value(&mut wished);
        cluster.apply_value(&wished, ApplyOptions::forced()).await.unwrap();
    };
    apply(json!({ "SAME": "1", "OTHER": "new", "NEW": "1" })).await;
    // Later another one of theirs is set, and what was set before does not count as theirs.
    apply(json!({ "SAME": "1", "OTHER": "newer", "THEIRS": "y" })).await;
    assert_eq!(api.get(&named("a")).unwrap()["data"], json!({ "SAME": "1", "OTHER": "newer", "THEIRS": "y" }));

    let Standing::Adopted(adopted) = standing(&api, "a").await else { panic!("it is adopted") };
    adopted.give_back(&cluster, &originals).await.unwrap();
    let back = api.get(&named("a")).unwrap();
    assert_eq!((&back["data"], &back["metadata"]["labels"]), (&theirs["data"], &theirs["metadata"]["labels"]));
    assert!(!back.to_string().contains("ffe"), "{back}");
    originals.remove(&cluster).await.unwrap();
    assert!(api.all().iter().all(|one| one["kind"] != "Secret"));
}

#[tokio::test]
async fn what_could_not_be_given_back_keeps_mark_and_originals_for_the_next_try() {
    let api = FakeApi::new();
    let (cluster, originals) = (api.cluster(), Originals::new("default", &owner()));
    api.put(config("a", json!({ "KEY": "theirs" }), None));
    let mut wished = config("a", json!({ "KEY": "ours" }), None);
    originals.keep(&cluster, &wished, "run-1").await.unwrap();
    made().adopted().write_value(&mut wished);
    cluster.apply_value(&wished, ApplyOptions::forced()).await.unwrap();
    api.fail("PATCH", "/configmaps/a", None, 403, "Forbidden", "not today");
    let Standing::Adopted(adopted) = standing(&api, "a").await else { panic!("it is adopted") };
    assert_eq!(adopted.give_back(&cluster, &originals).await.unwrap_err().kind(), Kind::Forbidden);
    api.heal();
    let Standing::Adopted(adopted) = standing(&api, "a").await else { panic!("it is adopted still") };
    adopted.give_back(&cluster, &originals).await.unwrap();
    assert_eq!(api.get(&named("a")).unwrap()["data"], json!({ "KEY": "theirs" }));
}

#[tokio::test]
async fn what_it_had_before_and_must_not_have_any_more_stays_as_it_is_and_the_mark_goes() {
    let api = FakeApi::new();
    let (cluster, originals) = (api.cluster(), Originals::new("default", &owner()));
    api.put(config("a", json!({ "KEY": "theirs" }), None));
    let mut wished = config("a", json!({ "KEY": "ours" }), None);
    originals.keep(&cluster, &wished, "run-1").await.unwrap();
    made().adopted().write_value(&mut wished);
    cluster.apply_value(&wished, ApplyOptions::forced()).await.unwrap();
    // Such as a field that is immutable since, or a value that a policy has forbidden.
    api.fail("PATCH", "/configmaps/a", Some(1), 422, "Invalid", "it is forbidden now");
    let Standing::Adopted(adopted) = standing(&api, "a").await else { panic!("it is adopted") };
    adopted.give_back(&cluster, &originals).await.unwrap();
    assert_eq!(api.get(&named("a")).unwrap()["data"], json!({ "KEY": "ours" }));
    assert!(matches!(standing(&api, "a").await, Standing::Others(Ownership::Foreign { .. })));
}

#[tokio::test]
async fn a_mark_that_may_not_be_taken_off_is_an_error() {
    let api = FakeApi::new();
    api.put(config("a", json!({}), Some(&made().adopted())));
    let Standing::Adopted(adopted) = standing(&api, "a").await else { panic!("it is adopted") };
    api.fail("PATCH", "/configmaps/a", None, 403, "Forbidden", "no");
    let error = adopted.give_back(&api.cluster(), &Originals::new("default", &owner())).await.unwrap_err();
    assert_eq!((error.kind(), api.count("PATCH", "/configmaps/a")), (Kind::Forbidden, 1));
}

#[tokio::test]
async fn without_its_original_an_object_stays_as_it_is_and_loses_the_mark() {
    let api = FakeApi::new();
    let cluster = api.cluster();
    api.put(config("a", json!({ "THEIRS": "1" }), None));
    let wished = config("a", json!({ "OURS": "1" }), Some(&made().adopted()));
    cluster.apply_value(&wished, ApplyOptions::forced()).await.unwrap();
    let Standing::Adopted(adopted) = standing(&api, "a").await else { panic!("it is adopted") };
    adopted.give_back(&cluster, &Originals::new("default", &owner())).await.unwrap();
    let back = api.get(&named("a")).unwrap();
    assert_eq!(back["data"], json!({ "THEIRS": "1", "OURS": "1" }));
    assert!(!back.to_string().contains("ffe"), "{back}");
}
