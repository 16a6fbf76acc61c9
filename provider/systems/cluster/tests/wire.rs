//! What goes over the wire, against the API in memory.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::time::Duration;

use ffe_cluster::{
    ApplyOptions, Comparison, DeleteOptions, Deleted, Kind, Mark, ObjectRef, Owner, Ownership, Presence, Query,
    ownership,
};
use ffe_cluster_testing::{FakeApi, IDENTITY, SERVER, SeenRequest};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use serde_json::{Value, json};

fn map(name: &str, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}, "data": data})
}

fn named(name: &str) -> ObjectRef {
    ObjectRef::of::<ConfigMap>(Some("default"), name)
}

#[tokio::test]
async fn lists_are_read_to_the_last_page_and_never_from_a_cache() {
    let api = FakeApi::new();
    for i in 0..1203 {
        api.put(map(&format!("m{i}"), json!({})));
    }
    let all: Vec<ConfigMap> = api.cluster().list(Some("default"), &Query::default()).await.unwrap();
    assert_eq!(all.len(), 1203);
    let lists: Vec<SeenRequest> = api.seen();
    assert_eq!(lists.len(), 3);
    assert!(lists.iter().all(|seen| seen.query.contains("limit=500") && !seen.query.contains("resourceVersion")));
}

#[tokio::test]
async fn metadata_lists_hold_no_content() {
    let api = FakeApi::new();
    api.put(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "default",
        "labels": {"owner": "helm"}}, "data": {"release": "aHVudGVyMg=="}}));
    let found = api.cluster().list_metadata::<Secret>(Some("default"), &Query::labels("owner=helm")).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].name.as_deref(), Some("s"));
}

#[tokio::test]
async fn absence_needs_proof() {
    let api = FakeApi::new();
    api.put(map("there", json!({})));
    let confirm = |name: &'static str, uid: &'static str| {
        let cluster = api.cluster();
        async move { cluster.confirm::<ConfigMap>(Some("default"), name, uid).await }
    };
    assert_eq!(confirm("gone", IDENTITY).await.unwrap(), Presence::Absent);
    assert!(matches!(confirm("there", IDENTITY).await.unwrap(), Presence::Present(_)));

    let other = confirm("gone", "another-cluster").await.unwrap_err();
    assert_eq!(other.kind(), Kind::OtherCluster);
    let text = other.to_string();
    assert!(text.contains(IDENTITY) && text.contains("another-cluster") && text.contains(SERVER), "{text}");

    for (code, reason, kind) in [
        (401, "Unauthorized", Kind::Unauthorized),
        (403, "Forbidden", Kind::Forbidden),
        (404, "NotFound", Kind::NotServed),
        (500, "InternalError", Kind::Unavailable),
        (503, "ServiceUnavailable", Kind::Unavailable),
    ] {
        api.fail("GET", "/configmaps", Some(1), code, reason, "no");
        let error = confirm("gone", IDENTITY).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(!error.is_not_found(), "{error}");
    }
    api.answer("GET", "/configmaps", Some(1), 200, "<html>welcome to the proxy</html>");
    assert_eq!(confirm("gone", IDENTITY).await.unwrap_err().kind(), Kind::Protocol);
    api.fail("GET", "/namespaces/kube-system", Some(1), 403, "Forbidden", "no");
    assert_eq!(confirm("gone", IDENTITY).await.unwrap_err().kind(), Kind::Forbidden);
}

#[tokio::test]
async fn apply_sets_removes_and_leaves_what_is_not_ours() {
    let api = FakeApi::new();
    let cluster = api.cluster();
    cluster.apply_value(&map("a", json!({"x": "1", "y": "2"})), ApplyOptions::default()).await.unwrap();
    api.edit(&named("a"), |object| object["data"]["theirs"] = json!("3"));
    cluster.apply_value(&map("a", json!({"x": "4"})), ApplyOptions::default()).await.unwrap();
    assert_eq!(api.get(&named("a")).unwrap()["data"], json!({"x": "4", "theirs": "3"}));
    let sent = api.seen().into_iter().rfind(|seen| seen.method == "PATCH").unwrap();
    assert!(sent.query.contains("fieldManager=terraform-provider-ffe"), "{}", sent.query);
    assert!(sent.query.contains("fieldValidation=Strict") && !sent.query.contains("force=true"), "{}", sent.query);
}

#[tokio::test]
async fn a_read_object_can_be_applied_again() {
    let api = FakeApi::new();
    let cluster = api.cluster();
    let mut made: ConfigMap =
        cluster.apply_value(&map("a", json!({"x": "1"})), ApplyOptions::default()).await.unwrap().try_parse().unwrap();
    made.data = Some(BTreeMap::from([("x".to_owned(), "2".to_owned())]));
    cluster.apply(&made, ApplyOptions::forced()).await.unwrap();
    let sent = api.seen().pop().unwrap();
    for field in ["resourceVersion", "uid", "managedFields", "creationTimestamp"] {
        assert!(sent.body["metadata"].get(field).is_none(), "{field} in {}", sent.body);
    }
    assert!(sent.query.contains("force=true"), "{}", sent.query);
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let api = FakeApi::new();
    let tried = api.cluster().apply_value(&map("a", json!({"x": "1"})), ApplyOptions::dry()).await.unwrap();
    assert_eq!(tried.data["data"]["x"], "1");
    assert_eq!(api.get(&named("a")), None);
}

#[tokio::test]
async fn conflicts_of_apply_name_who_owns_what() {
    let api = FakeApi::new();
    api.answer(
        "PATCH",
        "/configmaps/a",
        None,
        409,
        &json!({"kind": "Status", "status": "Failure", "code": 409, "reason": "Conflict", "message": "1 conflict",
            "details": {"causes": [{"reason": "FieldManagerConflict",
                "message": "conflict with \"helm\" using v1", "field": ".data.x"}]}})
        .to_string(),
    );
    let error = api.cluster().apply_value(&map("a", json!({"x": "1"})), ApplyOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict);
    assert_eq!(error.conflicts()[0].manager, "helm");
    assert!(error.to_string().contains("ConfigMap default/a"), "{error}");
}

#[tokio::test]
async fn kinds_that_are_not_served_are_not_absent_and_may_come_later() {
    let api = FakeApi::new();
    let cluster = api.cluster();
    let object = ObjectRef::new("cert-manager.io/v1", "Certificate", Some("default"), "a");
    assert_eq!(cluster.find_ref(&object).await.unwrap_err().kind(), Kind::NotServed);
    api.register("cert-manager.io/v1", "Certificate", "certificates", true);
    assert!(cluster.find_ref(&object).await.unwrap().is_none());
    cluster.find_ref(&object).await.unwrap();
    assert_eq!(api.count("GET", "/apis/cert-manager.io/v1"), 2, "asked once without, once with an answer");
    // One answer is for all kinds of a group, and for all who ask at the same time.
    let kinds = ["Deployment", "StatefulSet", "DaemonSet", "Deployment"];
    let asked = kinds.map(|kind| ObjectRef::new("apps/v1", kind, Some("default"), "a"));
    let found = futures::future::join_all(asked.iter().map(|object| cluster.is_namespaced(object))).await;
    assert!(found.into_iter().all(|namespaced| namespaced.unwrap()));
    assert_eq!(api.count("GET", "/apis/apps/v1"), 1);
    let scale = ObjectRef::new("apps/v1", "Scale", Some("default"), "a");
    assert_eq!(cluster.is_namespaced(&scale).await.unwrap_err().kind(), Kind::NotServed);
}

#[tokio::test]
async fn replace_is_a_compare_and_swap() {
    let api = FakeApi::new();
    let cluster = api.cluster();
    api.put(map("a", json!({"x": "1"})));
    let first: ConfigMap = cluster.get(Some("default"), "a").await.unwrap();
    let mut second = first.clone();
    second.data = Some(BTreeMap::from([("x".to_owned(), "2".to_owned())]));
    cluster.replace(&second).await.unwrap();
    let lost = cluster.replace(&first).await.unwrap_err();
    assert_eq!(lost.kind(), Kind::Conflict);
    assert_eq!(api.get(&named("a")).unwrap()["data"]["x"], "2");
}

#[tokio::test]
async fn deleting_is_exact_and_can_be_repeated() {
    let api = FakeApi::new();
    let cluster = api.cluster();
    api.put(map("a", json!({})));
    let other = DeleteOptions { uid: Some("somebody-else".to_owned()), ..DeleteOptions::default() };
    assert_eq!(cluster.delete(&named("a"), &other).await.unwrap(), Deleted::WasGone);
    assert!(api.get(&named("a")).is_some());
    assert_eq!(cluster.delete(&named("a"), &DeleteOptions::default()).await.unwrap(), Deleted::Accepted);
    assert_eq!(cluster.delete(&named("a"), &DeleteOptions::default()).await.unwrap(), Deleted::WasGone);
    let unknown = ObjectRef::new("x.y/v1", "Thing", None, "a");
    assert_eq!(cluster.delete(&unknown, &DeleteOptions::default()).await.unwrap(), Deleted::WasGone);
}

#[tokio::test]
async fn marks_are_written_and_read() {
    let api = FakeApi::new();
    let cluster = api.cluster();
    let namespace = ObjectRef::of::<Namespace>(None, "default");
    api.edit(&namespace, |object| object["metadata"]["labels"] = json!({"app.kubernetes.io/managed-by": "flux"}));
    let owner = Owner::new("ffe_environment", "default");
    let mark = Mark::complete(owner.clone(), "run-1").adopted();
    cluster.write_mark(&namespace, &mark).await.unwrap();
    let found = cluster.namespace("default").await.unwrap().unwrap();
    assert_eq!(ownership(Some(&found.metadata), &owner), Ownership::OursComplete(mark));
}

#[tokio::test]
async fn a_mark_takes_the_place_of_the_one_before_and_what_is_others_stays() {
    let api = FakeApi::new();
    let cluster = api.cluster();
    api.put(map("ours", json!({"a": "b"})));
    api.edit(&named("ours"), |object| {
        object["metadata"]["labels"] = json!({"team": "core"});
        object["metadata"]["annotations"] = json!({"note": "theirs"});
    });
    let owner = Owner::new("ffe_release", "default/ours");
    // Adopted first, and then no more: the note of the adoption goes.
    cluster.write_mark(&named("ours"), &Mark::complete(owner.clone(), "run-1").adopted()).await.unwrap();
    cluster.write_mark(&named("ours"), &Mark::complete(owner.clone(), "run-2")).await.unwrap();
    let found: ConfigMap = cluster.get(Some("default"), "ours").await.unwrap();
    assert_eq!(Mark::read(&found.metadata), Some(Mark::complete(owner, "run-2")));
    let labels = found.metadata.labels.unwrap();
    assert_eq!(
        (labels["team"].as_str(), labels["app.kubernetes.io/managed-by"].as_str()),
        ("core", "terraform-provider-ffe")
    );
    assert_eq!(found.metadata.annotations.unwrap()["note"], "theirs");
    assert_eq!(found.data.unwrap()["a"], "b");
}

#[tokio::test]
async fn an_owner_selects_its_own_objects_and_no_others() {
    let api = FakeApi::new();
    let cluster = api.cluster();
    let (ours, theirs) = (Owner::new("ffe_release", "default/a"), Owner::new("ffe_release", "default/b"));
    for (name, owner) in [("a", &ours), ("b", &theirs)] {
        api.put(map(name, json!({})));
        cluster.write_mark(&named(name), &Mark::complete(owner.clone(), "run")).await.unwrap();
    }
    api.put(map("foreign", json!({})));
    let found: Vec<ConfigMap> = cluster.list(Some("default"), &ours.selector()).await.unwrap();
    let names: Vec<_> = found.into_iter().filter_map(|object| object.metadata.name).collect();
    assert_eq!(names, ["a"]);
}

#[tokio::test]
async fn digests_live_in_the_cluster() {
    let api = FakeApi::new();
    let cluster = api.cluster();
    let owner = Owner::new("ffe_environment", "production");
    assert!(cluster.find_digests("default", &owner).await.unwrap().is_none());
    assert_eq!(api.count("POST", "/secrets"), 0, "a plan writes nothing");

    let values = BTreeMap::from([("API_KEY".to_owned(), b"hunter2".to_vec())]);
    let mark = Mark::creating(owner.clone(), "run-1");
    let mut digests = cluster.digests("default", &mark).await.unwrap();
    let first = digests.record(&cluster, "secrets_wo", &values).await.unwrap();
    let mut again = cluster.digests("default", &mark).await.unwrap();
    assert_eq!(again.compare("secrets_wo", &values), Comparison::Same);
    assert_eq!(again.revision("secrets_wo"), Some(first.as_str()));
    assert_eq!(
        again.record(&cluster, "secrets_wo", &values).await.unwrap(),
        first,
        "the same values, the same revision"
    );

    let changed = BTreeMap::from([("API_KEY".to_owned(), b"hunter3".to_vec())]);
    assert_eq!(again.compare("secrets_wo", &changed), Comparison::Changed);
    assert_ne!(again.record(&cluster, "secrets_wo", &changed).await.unwrap(), first);
    again.forget(&cluster, "secrets_wo").await.unwrap();
    let last = cluster.find_digests("default", &owner).await.unwrap().unwrap();
    assert_eq!(last.compare("secrets_wo", &changed), Comparison::NotRecorded);
    let everything = format!("{:?}{:?}", api.all(), api.seen());
    assert!(!everything.contains("hunter"), "the value itself is nowhere");
    cluster.delete_digests("default", &owner).await.unwrap();
    assert!(cluster.find_digests("default", &owner).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_burst_shares_one_list() {
    let api = FakeApi::new();
    let cluster = api.cluster();
    api.put(map("a", json!({})));
    let list = || async { cluster.lists().list::<ConfigMap>(&cluster, Some("default"), "").await };
    let all = futures::future::join_all((0..100).map(|_| list())).await;
    assert!(all.iter().all(|list| list.as_ref().is_ok_and(|list| list.len() == 1)));
    assert_eq!(api.count("GET", "/configmaps"), 1);

    // a write of ours ends the sharing
    cluster.apply_value(&map("b", json!({})), ApplyOptions::default()).await.unwrap();
    assert_eq!(list().await.unwrap().len(), 2);
    assert_eq!(api.count("GET", "/configmaps"), 2);
    // so does time
    api.put(map("c", json!({})));
    assert_eq!(list().await.unwrap().len(), 2);
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!(list().await.unwrap().len(), 3);
    // and another selector is another list
    let none = cluster.lists().list::<ConfigMap>(&cluster, Some("default"), "x=y").await.unwrap();
    assert!(none.is_empty());
}

#[tokio::test]
async fn kinds_known_at_run_time_are_shared_likewise() {
    let api = FakeApi::new();
    let cluster = api.cluster();
    api.put(map("a", json!({})));
    let kind = ObjectRef::new("v1", "ConfigMap", Some("default"), "whatever");
    let list = |query: Query| {
        let (cluster, kind) = (cluster.clone(), kind.clone());
        async move { cluster.lists().list_kind(&cluster, &kind, &query).await.unwrap().len() }
    };
    assert_eq!((list(Query::default()).await, list(Query::default()).await), (1, 1));
    assert_eq!(cluster.lists().list::<ConfigMap>(&cluster, Some("default"), "").await.unwrap().len(), 1);
    assert_eq!(api.count("GET", "/configmaps"), 1, "the same list by another way");
    assert_eq!(list(Query::fields("metadata.name!=a")).await, 0);
    // A namespace given for a cluster-wide kind is left out.
    let kind = ObjectRef::new("v1", "Namespace", Some("default"), "");
    assert!(!cluster.is_namespaced(&kind).await.unwrap());
    assert_eq!(cluster.lists().list_kind(&cluster, &kind, &Query::default()).await.unwrap().len(), 2);
    let error = cluster.lists().list_kind(&cluster, &ObjectRef::new("a.b/v1", "C", None, ""), &Query::default()).await;
    assert_eq!(error.unwrap_err().kind(), Kind::NotServed);
}

#[tokio::test]
async fn what_is_tried_out_is_not_done() {
    let api = FakeApi::new();
    api.put(map("a", json!({ "x": "1", "y": "1" })));
    let tried = api.cluster().try_out(&map("a", json!({ "x": "2" }))).await.unwrap();
    assert_eq!(tried.data["data"], json!({ "x": "2", "y": "1" }));
    assert_eq!(api.get(&ObjectRef::of::<ConfigMap>(Some("default"), "a")).unwrap()["data"]["x"], "1");
    let query = &api.seen().last().unwrap().query.clone();
    for part in ["dryRun=All", "force=true", "fieldValidation=Ignore"] {
        assert!(query.contains(part), "{query}");
    }
}

#[tokio::test]
async fn a_burst_shares_one_failure() {
    let api = FakeApi::new();
    let cluster = api.cluster();
    api.fail("GET", "/configmaps", Some(1), 403, "Forbidden", "no");
    let list = || async { cluster.lists().list::<ConfigMap>(&cluster, Some("default"), "").await };
    let all = futures::future::join_all((0..20).map(|_| list())).await;
    assert!(all.iter().all(|list| list.as_ref().is_err_and(|error| error.kind() == Kind::Forbidden)), "{all:?}");
    assert_eq!(api.count("GET", "/configmaps"), 1);
    assert!(list().await.is_ok(), "one who comes later asks anew");
}
