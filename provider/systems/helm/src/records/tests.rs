#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::{Arc, Mutex};

use base64::Engine;
use http::{Request, Response};
use kube::client::Body;
use serde_json::{Value, json};

use super::*;

/// An API server that holds records and writes down what it is asked.
#[derive(Clone, Default)]
struct Server {
    records: Arc<Mutex<Vec<Value>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn add(&self, namespace: &str, name: &str, revision: u32, status: &str) {
        let data = pack(&json!({
            "name": name, "namespace": namespace, "version": revision, "manifest": "", "config": {"n": revision},
            "info": {"status": status, "description": "d", "first_deployed": "2026-01-02T03:04:05.678+02:00", "deleted": ""},
            "chart": {"metadata": {"name": "c", "version": "1.2.3", "appVersion": "7"}, "values": null}, "hooks": null
        }));
        self.records.lock().unwrap().push(json!({
            "metadata": {
                "name": object_name(name, revision), "namespace": namespace, "uid": format!("u-{name}-{revision}"),
                "resourceVersion": "5",
                "labels": {"owner": "helm", "name": name, "version": revision.to_string(), "status": status,
                           "createdAt": "1700000000", "modifiedAt": "1700000001"},
            },
            "type": "helm.sh/release.v1",
            "data": {"release": base64::engine::general_purpose::STANDARD.encode(data)},
        }));
    }

    fn cluster(&self) -> Cluster {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let server = server.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect_bytes().await.unwrap_or_default();
                let (status, answer) = server.answer(&parts, &body);
                let response = Response::builder().status(status).body(Body::from(answer.to_string().into_bytes()));
                Ok::<_, std::io::Error>(response.unwrap())
            }
        });
        Cluster::from_client(kube::Client::new(service, "default"), "https://fake.example")
    }

    fn answer(&self, request: &http::request::Parts, body: &[u8]) -> (u16, Value) {
        let uri = request.uri.to_string();
        self.asked.lock().unwrap().push(format!("{} {uri}", request.method));
        let mut records = self.records.lock().unwrap();
        let path = request.uri.path();
        let found = records.iter().position(|r| path.ends_with(r["metadata"]["name"].as_str().unwrap()));
        match (request.method.as_str(), found) {
            ("GET", Some(at)) => (200, records[at].clone()),
            ("PUT", Some(at)) => {
                let new: Value = serde_json::from_slice(body).unwrap();
                if new["metadata"]["resourceVersion"] != records[at]["metadata"]["resourceVersion"] {
                    return (409, failure(409, "Conflict"));
                }
                records[at] = new;
                records[at]["metadata"]["resourceVersion"] = "6".into();
                (200, records[at].clone())
            }
            ("DELETE", Some(at)) => {
                records.remove(at);
                (200, json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}))
            }
            ("GET", None) if path.ends_with("/secrets") => {
                let wanted =
                    |r: &&Value| path.split('/').nth(4).is_none_or(|namespace| r["metadata"]["namespace"] == namespace);
                let items: Vec<_> = records.iter().filter(wanted).map(|r| json!({"metadata": r["metadata"]})).collect();
                (
                    200,
                    json!({"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": {}, "items": items}),
                )
            }
            ("GET", None) if path == "/api/v1" => (
                200,
                json!({"kind": "APIResourceList", "groupVersion": "v1", "resources": [
                    {"name": "secrets", "singularName": "secret", "namespaced": true, "kind": "Secret", "verbs": ["delete"]}
                ]}),
            ),
            _ => {
                let mut answer = failure(404, "NotFound");
                answer["details"] = json!({"kind": "secrets", "name": path.rsplit('/').next()});
                (404, answer)
            }
        }
    }

    fn asked(&self, part: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|line| line.contains(part)).count()
    }
}

fn failure(code: u16, reason: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": reason, "code": code, "message": reason})
}

fn pack(release: &Value) -> Vec<u8> {
    use std::io::Write;
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(release.to_string().as_bytes()).unwrap();
    base64::engine::general_purpose::STANDARD.encode(packer.finish().unwrap()).into_bytes()
}

fn records(server: &Server) -> Records {
    Records::new(server.cluster(), Driver::Secret)
}

#[tokio::test]
async fn a_burst_of_reads_costs_one_list_and_opens_nothing() {
    let server = Server::default();
    for revision in [10, 9, 2] {
        server.add("ns", "web", revision, if revision == 10 { "deployed" } else { "superseded" });
    }
    server.add("ns", "db", 1, "failed");
    let records = records(&server);
    let (web, db, none) =
        tokio::join!(records.latest("ns", "web"), records.latest("ns", "db"), records.history("ns", "other"));
    assert_eq!(web.unwrap().unwrap().revision, 10);
    assert_eq!(db.unwrap().unwrap().status, Status::Failed);
    assert_eq!(none.unwrap(), []);
    assert_eq!(server.asked("/secrets"), 1);
    records.invalidate("ns");
    let history = records.history("ns", "web").await.unwrap();
    assert_eq!(history.iter().map(|key| key.revision).collect::<Vec<_>>(), [2, 9, 10]);
    assert_eq!(server.asked("/secrets"), 2);
    assert_eq!(history[0].written.unwrap().as_second(), 1_700_000_001);
    assert!(history[0].is_same("u-web-2", "5") && !history[0].is_same("u-web-2", "6"));
}

#[tokio::test]
async fn a_record_is_opened() {
    let server = Server::default();
    server.add("ns", "web", 1, "deployed");
    let records = records(&server);
    let key = records.latest("ns", "web").await.unwrap().unwrap();
    let release = records.open(&key).await.unwrap().unwrap();
    assert_eq!((release.revision, release.status), (1, Status::Deployed));
    assert_eq!((release.chart.version.as_str(), release.app_version()), ("1.2.3", Some("7")));
    assert_eq!(release.first_deployed.unwrap().to_string(), "2026-01-02T01:04:05.678Z");
    assert_eq!(release.deleted, None);
    assert_eq!(release.config["n"], 1);
    server.records.lock().unwrap().clear();
    assert_eq!(records.open(&key).await.unwrap(), None);
}

#[tokio::test]
async fn a_pending_record_is_unlocked_only_as_it_was_seen() {
    let server = Server::default();
    server.add("ns", "web", 1, "pending-install");
    let records = records(&server);
    let key = records.latest("ns", "web").await.unwrap().unwrap();
    assert!(key.status.is_pending());
    records.unlock(&key, "interrupted").await.unwrap();
    let failed = records.latest("ns", "web").await.unwrap().unwrap();
    assert_eq!(failed.status, Status::Failed);
    let release = records.open(&failed).await.unwrap().unwrap();
    assert_eq!((release.status, release.description.as_str()), (Status::Failed, "interrupted"));
    assert_eq!(release.config["n"], 1);
    let error = records.unlock(&key, "again").await.unwrap_err();
    assert!(matches!(&error, Error::Cluster(e) if e.kind() == ffe_cluster::Kind::Conflict), "{error}");
}

#[tokio::test]
async fn a_deleted_record_is_gone_from_the_list() {
    let server = Server::default();
    server.add("ns", "web", 1, "superseded");
    let records = records(&server);
    let key = records.latest("ns", "web").await.unwrap().unwrap();
    records.delete(&key).await.unwrap();
    assert_eq!(records.latest("ns", "web").await.unwrap(), None);
}

#[test]
fn only_helms_own_objects_are_records() {
    let meta = |name: &str, owner: &str, version: &str| ObjectMeta {
        name: Some(name.into()),
        namespace: Some("ns".into()),
        uid: Some("u".into()),
        resource_version: Some("1".into()),
        labels: Some(
            [("owner", owner), ("name", "web"), ("version", version)].map(|(k, v)| (k.into(), v.into())).into(),
        ),
        ..ObjectMeta::default()
    };
    assert!(RecordKey::from_metadata(&meta("sh.helm.release.v1.web.v1", "helm", "1")).is_some());
    assert_eq!(RecordKey::from_metadata(&meta("something", "helm", "1")), None);
    assert_eq!(RecordKey::from_metadata(&meta("sh.helm.release.v1.web.v1", "me", "1")), None);
    assert_eq!(RecordKey::from_metadata(&meta("sh.helm.release.v1.web.vx", "helm", "x")), None);
}

#[test]
fn broken_records_say_what_is_wrong_and_quote_nothing() {
    assert_eq!(decode(b"%%%").unwrap_err(), "it is not base64");
    let e = decode(&pack(&json!({"name": 5, "secret": "hunter2"}))).unwrap_err();
    assert!(e.contains("not a release") && !e.contains("hunter2"), "{e}");
    let plain = base64::engine::general_purpose::STANDARD.encode(r#"{"name":"x","version":3}"#);
    let release = decode(plain.as_bytes()).unwrap();
    assert_eq!((release.revision, release.status), (3, Status::Unknown));
    assert!(
        decode(&base64::engine::general_purpose::STANDARD.encode([0x1f, 0x8b, 8, 0, 1]).into_bytes())
            .unwrap_err()
            .contains("cannot be unpacked")
    );
}

#[test]
fn debug_shows_no_values() {
    let release = decode(&pack(&json!({"name": "x", "config": {"p": "hunter2"}, "manifest": "hunter2"}))).unwrap();
    assert!(!format!("{release:?}").contains("hunter2"));
}

/// Records as both majors wrote them (chart `golden`, `--set color=red,n=1000000`).
#[test]
fn golden_records_of_both_majors() {
    for (text, major) in [
        (include_str!("../../tests/fixtures/release-helm3.txt"), 3),
        (include_str!("../../tests/fixtures/release-helm4.txt"), 4),
    ] {
        let release = decode(text.as_bytes()).unwrap();
        assert_eq!((release.name.as_str(), release.revision, release.status), ("golden", 1, Status::Deployed));
        assert_eq!(release.namespace, format!("ffe-helm-golden{major}"));
        assert_eq!(release.description, format!("made by Helm {major}"));
        assert_eq!((release.chart.name.as_str(), release.chart.version.as_str()), ("golden", "1.2.3"));
        assert_eq!(release.app_version(), Some("7"));
        assert_eq!(Value::Object(release.config.clone()), json!({"color": "red", "n": 1_000_000}));
        assert_eq!(Value::Object(release.default_values.clone()), json!({"color": "blue"}));
        assert_eq!(release.notes.trim_end(), "Hello golden");
        assert!(release.first_deployed.is_some() && release.last_deployed.is_some() && release.deleted.is_none());
        assert_eq!(release.apply_method.as_deref(), (major == 4).then_some("ssa"));
        let manifest = release.parsed_manifest().unwrap();
        assert_eq!(manifest.objects[0].body["data"]["color"], "red");
        assert_eq!(manifest.objects[0].source.as_deref(), Some("golden/templates/a.yaml"));
        assert_eq!((manifest.hooks[0].weight, manifest.hooks[0].events.len()), (-2, 2));
        assert_eq!(release.hooks[0].last_run.phase, "Succeeded");
        assert!(release.hooks[0].last_run.completed_at.is_some());

        let failed = decode(&release::with_status(text.as_bytes(), Status::Failed, "interrupted").unwrap()).unwrap();
        let expected = Release { status: Status::Failed, description: "interrupted".into(), ..release };
        assert!(failed == expected, "something else changed");
    }
}
