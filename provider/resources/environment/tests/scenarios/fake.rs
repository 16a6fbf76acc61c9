//! A Kubernetes API server as far as an environment needs one: objects by path, server-side apply that removes what the
//! manager applied before and applies no more, workloads that are ready at once, namespaces that take their content
//! along.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value as Json, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// The server. Ends with the test's runtime.
#[derive(Clone, Default)]
pub(crate) struct Fake(Arc<Mutex<Objects>>);

#[derive(Default)]
struct Objects {
    /// By path, `/api/v1/namespaces/a/secrets/b`.
    live: BTreeMap<String, Json>,
    /// What was applied last, by path.
    applied: BTreeMap<String, Json>,
    counter: u64,
    /// Status to answer with, for paths that contain a text.
    faults: Vec<(String, u16)>,
    /// Writes so far, those of leases aside.
    writes: u64,
    /// Volumes grow only while nobody uses them.
    grows_out_of_use: bool,
    /// Writes by the first door, renewals of leases aside.
    steps: u64,
    /// The write by the first door that waits, whom that is told, and who says that it goes on.
    held: Option<(u64, oneshot::Sender<()>, oneshot::Receiver<()>)>,
    /// Pods that a stricter Pod Security level would not admit, as the API server says it.
    violations: Vec<String>,
}

/// By which address a request came.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Door {
    First,
    /// Whoever comes by it is on another machine, as leases name their holders: in a test all are of one process.
    Elsewhere,
}

/// A write that waits.
pub(crate) struct Gate {
    reached: oneshot::Receiver<()>,
    open: oneshot::Sender<()>,
}

impl Gate {
    /// Until the write has come; returns what opens the gate.
    pub(crate) async fn reached(self) -> oneshot::Sender<()> {
        self.reached.await.unwrap();
        self.open
    }
}

/// Plural, kind, and whether it lives in namespaces.
type Served = (&'static str, &'static str, bool);

/// Kinds by group and version.
const KINDS: [(&str, &[Served]); 5] = [
    (
        "/api/v1",
        &[
            ("namespaces", "Namespace", false),
            ("serviceaccounts", "ServiceAccount", true),
            ("resourcequotas", "ResourceQuota", true),
            ("limitranges", "LimitRange", true),
            ("configmaps", "ConfigMap", true),
            ("secrets", "Secret", true),
            ("services", "Service", true),
            ("persistentvolumeclaims", "PersistentVolumeClaim", true),
            ("pods", "Pod", true),
            ("events", "Event", true),
        ],
    ),
    ("/apis/coordination.k8s.io/v1", &[("leases", "Lease", true)]),
    ("/apis/apps/v1", &[("statefulsets", "StatefulSet", true)]),
    ("/apis/rbac.authorization.k8s.io/v1", &[("roles", "Role", true), ("rolebindings", "RoleBinding", true)]),
    ("/apis/storage.k8s.io/v1", &[("storageclasses", "StorageClass", false)]),
];

impl Fake {
    /// Starts it; the address is that of its API.
    pub(crate) async fn start() -> (Fake, String) {
        let fake = Fake::default();
        for name in ["kube-system", "default"] {
            fake.put(
                &format!("/api/v1/namespaces/{name}"),
                json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } }),
            );
        }
        let address = fake.listen(Door::First).await;
        (fake, address)
    }

    /// Another address of the API, for who is on another machine.
    pub(crate) async fn elsewhere(&self) -> String {
        self.listen(Door::Elsewhere).await
    }

    async fn listen(&self, door: Door) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let server = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = server.clone();
                tokio::spawn(async move {
                    let service = service_fn(move |request| {
                        let server = server.clone();
                        async move { Ok::<_, Infallible>(server.answer(door, request).await) }
                    });
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        address
    }

    /// Has the write of this number by the first door wait, counted from 1, before anything comes of it.
    pub(crate) fn hold(&self, number: u64) -> Gate {
        let ((told, reached), (open, opened)) = (oneshot::channel(), oneshot::channel());
        self.0.lock().unwrap().held = Some((number, told, opened));
        Gate { reached, open }
    }

    /// How many writes came by the first door, renewals of leases aside.
    pub(crate) fn steps(&self) -> u64 {
        self.0.lock().unwrap().steps
    }

    async fn wait_at_the_gate(&self, door: Door, method: &Method, path: &str) {
        if door != Door::First || *method == Method::GET || (*method == Method::PUT && path.contains("/leases/")) {
            return;
        }
        let held = {
            let mut objects = self.0.lock().unwrap();
            objects.steps += 1;
            let is_it = objects.held.as_ref().is_some_and(|(number, ..)| *number == objects.steps);
            objects.held.take_if(|_| is_it)
        };
        if let Some((_, told, opened)) = held {
            told.send(()).unwrap();
            let _ = opened.await;
        }
    }

    /// Answers requests whose path contains the text with this status from now on.
    pub(crate) fn fail(&self, path: &str, status: u16) {
        self.0.lock().unwrap().faults.push((path.to_owned(), status));
    }

    /// Ends all faults.
    pub(crate) fn heal(&self) {
        self.0.lock().unwrap().faults.clear();
    }

    /// Volumes grow only while nobody uses them, from now on.
    pub(crate) fn grow_only_out_of_use(&self) {
        self.0.lock().unwrap().grows_out_of_use = true;
    }

    /// What the API server says when a namespace is to get another Pod Security level.
    pub(crate) fn violate(&self, what: &str) {
        self.0.lock().unwrap().violations.push(what.to_owned());
    }

    /// How many writes there were, those of leases aside.
    pub(crate) fn writes(&self) -> u64 {
        self.0.lock().unwrap().writes
    }

    /// Another cluster: its kube-system is another one.
    pub(crate) fn replace_identity(&self, uid: &str) {
        let mut objects = self.0.lock().unwrap();
        objects.live.get_mut("/api/v1/namespaces/kube-system").unwrap()["metadata"]["uid"] = json!(uid);
    }

    fn put(&self, path: &str, object: Json) {
        let mut objects = self.0.lock().unwrap();
        objects.store(path, object);
    }

    async fn answer(&self, door: Door, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let query: BTreeMap<String, String> =
            url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
        if query.get("watch").is_some_and(|watch| watch != "false") {
            // Nothing ever changes by itself here.
            std::future::pending::<()>().await;
        }
        let mut body: Json = serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap_or_default();
        if !query.contains_key("dryRun") {
            self.wait_at_the_gate(door, &parts.method, parts.uri.path()).await;
        }
        if door == Door::Elsewhere {
            be_elsewhere(&mut body, &["there"]);
        }
        let apply = parts
            .headers
            .get("content-type")
            .is_some_and(|kind| kind.as_bytes().starts_with(b"application/apply-patch"));
        let is_level = body["metadata"]["labels"].get("pod-security.kubernetes.io/enforce").is_some();
        let (status, mut answer) = self.0.lock().unwrap().handle(&parts.method, parts.uri.path(), &query, body, apply);
        if door == Door::Elsewhere {
            be_elsewhere(&mut answer, &["there", "here"]);
        }
        let mut response = Response::builder().status(status);
        if is_level && status == 200 && parts.method == Method::PATCH {
            for what in &self.0.lock().unwrap().violations {
                response = response.header("warning", format!("299 - \"{what}\""));
            }
        }
        response.header("content-type", "application/json").body(Full::new(Bytes::from(answer.to_string()))).unwrap()
    }
}

impl Objects {
    fn handle(
        &mut self,
        method: &Method,
        path: &str,
        query: &BTreeMap<String, String>,
        body: Json,
        apply: bool,
    ) -> (u16, Json) {
        if let Some((_, status)) = self.faults.iter().find(|(part, _)| path.contains(part.as_str())) {
            return failure(*status, "Fault", "injected");
        }
        if let Some((_, kinds)) = KINDS.iter().find(|(group, _)| *group == path) {
            return (200, discovery(path, kinds));
        }
        if *method != Method::GET && !query.contains_key("dryRun") && !path.contains("/leases") {
            self.writes += 1;
        }
        match (method, is_collection(path)) {
            (&Method::GET, true) => (200, self.list(path, query)),
            (&Method::GET, false) => self.live.get(path).map_or_else(|| missing(path), |object| (200, object.clone())),
            (&Method::POST, _) => {
                let path = format!("{path}/{}", body["metadata"]["name"].as_str().unwrap_or_default());
                if self.live.contains_key(&path) {
                    return failure(409, "AlreadyExists", &format!("{path} already exists"));
                }
                let mut body = body;
                let in_namespace = path.split("/namespaces/").nth(1).and_then(|rest| rest.split_once('/'));
                if let Some((namespace, _)) = in_namespace
                    && !self.live.contains_key(&format!("/api/v1/namespaces/{namespace}"))
                {
                    return missing(&format!("/api/v1/namespaces/{namespace}"));
                }
                own(&mut body, query.get("fieldManager").map_or("unknown", String::as_str), "Update");
                (201, self.store(&path, body))
            }
            (&Method::PUT, _) if !self.is_version(path, &body["metadata"]["resourceVersion"]) => {
                if self.live.contains_key(path) { failure(409, "Conflict", "modified") } else { missing(path) }
            }
            (&Method::PUT, _) => (200, self.store(path, body)),
            (&Method::PATCH, _) if apply && !self.is_same(path, &body["metadata"]["uid"]) => {
                failure(409, "Conflict", "uid mismatch")
            }
            (&Method::PATCH, _) if apply => (200, self.apply(path, body)),
            (&Method::PATCH, _) => match self.live.get(path).cloned() {
                None => missing(path),
                Some(mut object) => {
                    let version = &body["metadata"]["resourceVersion"];
                    if !version.is_null() && *version != object["metadata"]["resourceVersion"] {
                        return failure(409, "Conflict", "the object has been modified");
                    }
                    merge(&mut object, &body);
                    if query.contains_key("dryRun") {
                        return (200, object);
                    }
                    self.disown(path, &mut object);
                    (200, self.store(path, object))
                }
            },
            (&Method::DELETE, _) if !self.live.contains_key(path) => missing(path),
            (&Method::DELETE, _)
                if !self.is_same(path, &body["preconditions"]["uid"])
                    || !self.is_version(path, &body["preconditions"]["resourceVersion"]) =>
            {
                failure(409, "Conflict", "the UID in the precondition does not match")
            }
            (&Method::DELETE, _) => {
                let inside = format!("{path}/");
                self.live.retain(|other, _| !other.starts_with(&inside) && !in_namespace(other, path));
                self.applied.retain(|other, _| !other.starts_with(&inside) && other != path);
                self.live.remove(path).map_or_else(|| missing(path), |object| (200, object))
            }
            _ => failure(405, "MethodNotAllowed", path),
        }
    }

    /// Whether an object is the one that is meant, where one is.
    fn is_same(&self, path: &str, uid: &Json) -> bool {
        uid.is_null() || self.live.get(path).is_some_and(|object| object["metadata"]["uid"] == *uid)
    }

    /// Whether an object is of the version that is meant, where one is.
    fn is_version(&self, path: &str, version: &Json) -> bool {
        version.is_null() || self.live.get(path).is_some_and(|object| object["metadata"]["resourceVersion"] == *version)
    }

    /// Managers that have nothing of an object any more.
    fn disown(&mut self, path: &str, object: &mut Json) {
        if let Some(managed) = object["metadata"]["managedFields"].as_array_mut() {
            managed.retain(|one| one["manager"].is_string());
            if !managed.iter().any(|one| one["operation"] == "Apply") {
                self.applied.remove(path);
            }
        }
    }

    fn store(&mut self, path: &str, mut object: Json) -> Json {
        self.counter += 1;
        let counter = self.counter;
        object["metadata"]["resourceVersion"] = json!(counter.to_string());
        if object["metadata"]["uid"].is_null() && self.live.contains_key(path) {
            object["metadata"]["uid"] = self.live[path]["metadata"]["uid"].clone();
        }
        if object["metadata"]["uid"].is_null() {
            object["metadata"]["uid"] = json!(format!("00000000-0000-0000-0000-{counter:012}"));
            object["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
        }
        object["metadata"]["generation"] = json!(1);
        if let Some(Json::Object(texts)) = object.as_object_mut().and_then(|object| object.remove("stringData")) {
            for (key, text) in texts {
                object["data"][key] = json!(STANDARD.encode(text.as_str().unwrap_or_default()));
            }
        }
        if object["kind"] == "StatefulSet" {
            let broken = object["spec"]["template"]["spec"]["containers"][0]["image"]
                .as_str()
                .is_some_and(|image| image.contains("broken"));
            let replicas = object["spec"]["replicas"].as_i64().unwrap_or(1);
            self.grow_out_of_use(path, replicas == 0);
            let ready = if broken { 0 } else { replicas };
            object["status"] = json!({
                "observedGeneration": 1, "replicas": replicas, "readyReplicas": ready, "availableReplicas": ready, "updatedReplicas": 1,
                "currentReplicas": 1, "currentRevision": "r1", "updateRevision": "r1",
            });
        }
        self.live.insert(path.to_owned(), object.clone());
        object
    }

    /// A driver that lets a volume grow only while nobody uses it, and its file system when it is mounted.
    fn grow_out_of_use(&mut self, server: &str, is_stopped: bool) {
        if !self.grows_out_of_use {
            return;
        }
        let path = server.replace("/apis/apps/v1/", "/api/v1/").replace("/statefulsets/", "/persistentvolumeclaims/");
        let Some(claim) = self.live.get_mut(&path) else { return };
        let is_pending = claim["status"]["conditions"].is_array();
        if is_stopped {
            claim["status"]["conditions"] = json!([{ "type": "FileSystemResizePending", "status": "True" }]);
        } else if is_pending {
            let asked = claim["spec"]["resources"]["requests"]["storage"].clone();
            claim["status"] = json!({ "phase": "Bound", "capacity": { "storage": asked } });
        }
    }

    fn apply(&mut self, path: &str, body: Json) -> Json {
        let mut object = self.live.get(path).cloned().unwrap_or_else(|| json!({}));
        if let Some(before) = self.applied.insert(path.to_owned(), body.clone()) {
            remove(&mut object, &before, &body);
        }
        overlay(&mut object, &body);
        own(&mut object, "terraform-provider-ffe", "Apply");
        self.store(path, object)
    }

    fn list(&self, path: &str, query: &BTreeMap<String, String>) -> Json {
        let name = query.get("fieldSelector").and_then(|selector| selector.strip_prefix("metadata.name="));
        let label = query.get("labelSelector").and_then(|selector| selector.split_once('='));
        let prefix = format!("{path}/");
        let items: Vec<&Json> = self
            .live
            .iter()
            .filter(|(other, _)| other.strip_prefix(&prefix).is_some_and(|rest| !rest.contains('/')))
            .map(|(_, object)| object)
            .filter(|object| name.is_none_or(|name| object["metadata"]["name"] == name))
            .filter(|object| label.is_none_or(|(key, value)| object["metadata"]["labels"][key] == value))
            .collect();
        json!({ "apiVersion": "v1", "kind": "List", "metadata": { "resourceVersion": self.counter.to_string() }, "items": items })
    }
}

/// Notes that a manager has fields of an object; which they are is not noted.
fn own(object: &mut Json, manager: &str, operation: &str) {
    let managed = &mut object["metadata"]["managedFields"];
    if !managed.is_array() {
        *managed = json!([]);
    }
    let managed = managed.as_array_mut().unwrap();
    if !managed.iter().any(|one| one["manager"] == manager && one["operation"] == operation) {
        managed.push(json!({ "manager": manager, "operation": operation, "fieldsV1": {} }));
    }
}

/// A lease that names its holder's machine names one of these instead: the first, unless it is the second already.
fn be_elsewhere(lease: &mut Json, names: &[&str]) {
    let Some(host) = lease.pointer_mut("/metadata/annotations/ffe.three-rivers.tech~1lease-host") else { return };
    if let [own, other] = names {
        if host != own {
            *host = json!(other);
        }
    } else {
        *host = json!(names[0]);
    }
}

fn is_collection(path: &str) -> bool {
    let last = path.rsplit('/').next().unwrap_or_default();
    let plural = KINDS.iter().any(|(_, kinds)| kinds.iter().any(|(plural, _, _)| *plural == last));
    // `/api/v1/namespaces/secrets` is a namespace of that name.
    plural && !path.ends_with(&format!("/namespaces/{last}"))
}

fn in_namespace(other: &str, namespace: &str) -> bool {
    let Some(name) = namespace.strip_prefix("/api/v1/namespaces/") else { return false };
    !name.contains('/') && other.contains(&format!("/namespaces/{name}/"))
}

fn discovery(path: &str, kinds: &[Served]) -> Json {
    let resources: Vec<Json> = kinds
        .iter()
        .map(|(plural, kind, namespaced)| {
            json!({ "name": plural, "singularName": "", "kind": kind, "namespaced": namespaced, "verbs": ["get", "list", "patch"] })
        })
        .collect();
    let version = path.trim_start_matches("/apis/").trim_start_matches("/api/");
    json!({ "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": resources })
}

fn missing(path: &str) -> (u16, Json) {
    let (code, mut status) = failure(404, "NotFound", &format!("{path} not found"));
    // By this a client tells an object that is not there from a path that is not served.
    let mut parts = path.rsplit('/');
    status["details"] = json!({ "name": parts.next(), "kind": parts.next() });
    (code, status)
}

fn failure(code: u16, reason: &str, message: &str) -> (u16, Json) {
    (
        code,
        json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": message, "code": code }),
    )
}

/// A JSON merge patch (RFC 7386).
fn merge(object: &mut Json, patch: &Json) {
    let Json::Object(entries) = patch else {
        *object = patch.clone();
        return;
    };
    if !object.is_object() {
        *object = Json::Object(Map::new());
    }
    for (key, value) in entries {
        if value.is_null() {
            object.as_object_mut().map(|object| object.remove(key));
        } else {
            merge(&mut object[key.as_str()], value);
        }
    }
}

/// Everything of `body`, over what is there.
fn overlay(object: &mut Json, body: &Json) {
    match body {
        Json::Object(entries) => {
            if !object.is_object() {
                *object = Json::Object(Map::new());
            }
            for (key, value) in entries {
                overlay(&mut object[key.as_str()], value);
            }
        }
        body => *object = body.clone(),
    }
}

/// Takes away what was applied before and is not applied now.
fn remove(object: &mut Json, before: &Json, now: &Json) {
    let (Json::Object(entries), Some(fields)) = (before, object.as_object_mut()) else { return };
    for (key, value) in entries {
        match now.get(key) {
            None if value.is_object() && !value.as_object().is_some_and(Map::is_empty) => {
                if let Some(inner) = fields.get_mut(key) {
                    remove(inner, value, &json!({}));
                }
            }
            None => drop(fields.remove(key)),
            Some(now) => {
                if let Some(inner) = fields.get_mut(key) {
                    remove(inner, value, now);
                }
            }
        }
    }
}
