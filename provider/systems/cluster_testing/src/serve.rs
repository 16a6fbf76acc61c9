//! Requests to the API in memory.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, StreamBody};
use kube::client::{Body, DynBody};
use serde_json::{Value, json};

use super::store::{Stored, merge, own, take_string_data};
use super::{Event, FakeApi, SeenRequest, State, What};
use ffe_cluster::ObjectRef;

type Answer = Response<Box<DynBody>>;

/// What a path leads to.
struct Place {
    kind: Stored,
    namespace: Option<String>,
    name: Option<String>,
    subresource: Option<String>,
}

impl FakeApi {
    pub(super) async fn serve(&self, request: Request<Body>) -> Answer {
        let (parts, body) = request.into_parts();
        let bytes = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let path = parts.uri.path().to_owned();
        let query = percent_decode(parts.uri.query().unwrap_or_default());
        let body: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let metadata_only = header("accept").contains("as=PartialObjectMetadata");
        let applies = header("content-type").starts_with("application/apply-patch");

        let mut lost = false;
        for what in self.with(|state| state.due(parts.method.as_str(), &path)) {
            match what {
                What::Meanwhile(change) => change(self),
                What::LoseAnswer => lost = true,
            }
        }
        let answer = self.with(|state| {
            state.seen.push(SeenRequest {
                method: parts.method.to_string(),
                path: path.clone(),
                query: query.clone(),
                body: body.clone(),
            });
            if let Some(answer) = state.scripted(parts.method.as_str(), &path) {
                return answer;
            }
            if query.split('&').any(|pair| pair == "watch=true") {
                return silence();
            }
            let asked = Asked { method: &parts.method, query: &query, body, metadata_only, applies };
            state.route(&path, asked)
        });
        if lost { failure(StatusCode::GATEWAY_TIMEOUT, "Timeout", "the answer was lost", json!({})) } else { answer }
    }
}

struct Asked<'a> {
    method: &'a Method,
    query: &'a str,
    body: Value,
    metadata_only: bool,
    applies: bool,
}

impl Asked<'_> {
    fn parameter(&self, name: &str) -> &str {
        self.query
            .split('&')
            .find_map(|pair| pair.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')))
            .unwrap_or_default()
    }

    fn dry_run(&self) -> bool {
        self.parameter("dryRun") == "All"
    }
}

impl State {
    /// What happens around this request.
    fn due(&mut self, method: &str, path: &str) -> Vec<What> {
        let mut due = Vec::new();
        for event in std::mem::take(&mut self.events) {
            let asked = event.method == method && path.ends_with(&event.path);
            match event.left.checked_sub(1) {
                None if asked => due.push(event.what),
                Some(left) if asked => self.events.push(Event { left, ..event }),
                _ => self.events.push(event),
            }
        }
        due
    }

    fn scripted(&mut self, method: &str, path: &str) -> Option<Answer> {
        let script = self
            .scripts
            .iter_mut()
            .find(|script| script.method == method && path.ends_with(&script.path) && script.left != Some(0))?;
        script.left = script.left.map(|left| left - 1);
        Some(text(StatusCode::from_u16(script.status).unwrap_or(StatusCode::IM_A_TEAPOT), script.body.clone()))
    }

    fn route(&mut self, path: &str, asked: Asked<'_>) -> Answer {
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let (api_version, rest) = match segments.as_slice() {
            ["version"] => return version(),
            ["api", version, rest @ ..] => ((*version).to_owned(), rest),
            ["apis", group, version, rest @ ..] => (format!("{group}/{version}"), rest),
            _ => return text(StatusCode::NOT_FOUND, "404 page not found".to_owned()),
        };
        if rest.is_empty() {
            return self.discover(&api_version);
        }
        let Some(place) = self.place(&api_version, rest) else {
            return text(StatusCode::NOT_FOUND, "404 page not found".to_owned());
        };
        match (asked.method, &place.name) {
            (&Method::GET, None) => self.list(&place, &asked),
            (&Method::GET, Some(_)) => self.read(&place, &asked),
            (&Method::POST, None) => self.create(&place, &asked),
            (&Method::PUT, Some(_)) => self.replace(&place, &asked),
            (&Method::PATCH, Some(_)) => self.patch(&place, &asked),
            (&Method::DELETE, Some(_)) => self.delete(&place, &asked),
            _ => failure(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", "not served", json!({})),
        }
    }

    fn place(&self, api_version: &str, rest: &[&str]) -> Option<Place> {
        let owned = |text: &&str| (*text).to_owned();
        // /namespaces/a/secrets, but not /namespaces/a nor /namespaces/a/status
        if let ["namespaces", namespace, plural, rest @ ..] = rest
            && let Some(kind) = self.store.by_plural(api_version, plural)
        {
            return Some(Place {
                kind,
                namespace: Some((*namespace).to_owned()),
                name: rest.first().map(owned),
                subresource: rest.get(1).map(owned),
            });
        }
        let [plural, rest @ ..] = rest else { return None };
        Some(Place {
            kind: self.store.by_plural(api_version, plural)?,
            namespace: None,
            name: rest.first().map(owned),
            subresource: rest.get(1).map(owned),
        })
    }

    fn discover(&self, api_version: &str) -> Answer {
        let kinds = self.store.kinds_of(api_version);
        if kinds.is_empty() {
            return text(StatusCode::NOT_FOUND, "404 page not found".to_owned());
        }
        let resources: Vec<Value> = kinds
            .iter()
            .map(|kind| {
                json!({"name": kind.plural, "singularName": kind.kind.to_lowercase(), "namespaced": kind.namespaced,
                    "kind": kind.kind, "verbs": ["get", "list", "watch", "create", "update", "patch", "delete"]})
            })
            .collect();
        ok(&json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api_version, "resources": resources}))
    }

    fn list(&self, place: &Place, asked: &Asked<'_>) -> Answer {
        let (labels, fields) = (asked.parameter("labelSelector"), asked.parameter("fieldSelector"));
        let mut items = self.store.list(&place.kind, place.namespace.as_deref(), labels, fields);
        if asked.metadata_only {
            items = items.iter().map(partial).collect();
        }
        let from: usize = asked.parameter("continue").parse().unwrap_or(0);
        let limit: usize = asked.parameter("limit").parse().ok().filter(|limit| *limit > 0).unwrap_or(usize::MAX);
        let to = from.saturating_add(limit).min(items.len());
        let more = if to < items.len() { to.to_string() } else { String::new() };
        let page: Vec<Value> = items.get(from..to).unwrap_or_default().to_vec();
        ok(&json!({"apiVersion": place.kind.api_version, "kind": format!("{}List", place.kind.kind),
            "metadata": {"resourceVersion": self.store.version().to_string(), "continue": more}, "items": page}))
    }

    fn read(&self, place: &Place, asked: &Asked<'_>) -> Answer {
        let named = named(place);
        match self.store.get(&named) {
            Some(object) if asked.metadata_only => ok(&partial(object)),
            Some(object) => ok(object),
            None => not_found(place),
        }
    }

    fn create(&mut self, place: &Place, asked: &Asked<'_>) -> Answer {
        let mut object = asked.body.clone();
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let place =
            Place { name: Some(name), kind: place.kind.clone(), namespace: place.namespace.clone(), subresource: None };
        let named = named(&place);
        if let Some(answer) = self.homeless(&place) {
            return answer;
        }
        if self.store.get(&named).is_some() {
            let message = format!("{} {:?} already exists", place.kind.plural, named.name);
            return failure(StatusCode::CONFLICT, "AlreadyExists", &message, details(&place));
        }
        adorn(&mut object, &named);
        if asked.dry_run() {
            return ok(&object);
        }
        own(&mut object, asked.parameter("fieldManager"), "Update");
        ok(&self.store.write(named, object))
    }

    fn replace(&mut self, place: &Place, asked: &Asked<'_>) -> Answer {
        let named = named(place);
        let Some(before) = self.store.get(&named).cloned() else { return not_found(place) };
        if let Some(answer) = lost_race(place, &before, &asked.body) {
            return answer;
        }
        let mut object = asked.body.clone();
        adorn(&mut object, &named);
        if place.subresource.is_some() {
            let mut whole = before;
            whole["status"] = object["status"].take();
            object = whole;
        }
        if asked.dry_run() { ok(&object) } else { ok(&self.store.write(named, object)) }
    }

    fn patch(&mut self, place: &Place, asked: &Asked<'_>) -> Answer {
        let named = named(place);
        if let Some(answer) = self.homeless(place) {
            return answer;
        }
        let mut object = if asked.applies {
            if let Some(answer) = self.remade(&named, place, &asked.body) {
                return answer;
            }
            if asked.dry_run() {
                let mut object = self.store.get(&named).cloned().unwrap_or_else(|| json!({}));
                merge(&mut object, &asked.body);
                object
            } else {
                self.store.apply(&named, asked.parameter("fieldManager"), &asked.body)
            }
        } else {
            let Some(before) = self.store.get(&named) else { return not_found(place) };
            if let Some(answer) = lost_race(place, before, &asked.body) {
                return answer;
            }
            let mut object = before.clone();
            merge(&mut object, &asked.body);
            if asked.body["metadata"]["managedFields"].is_array() && !asked.dry_run() {
                let managed = object["metadata"]["managedFields"].as_array_mut();
                managed.into_iter().for_each(|managed| managed.retain(|one| one["manager"].is_string()));
                self.store.disowned(&named, &object);
            }
            object
        };
        adorn(&mut object, &named);
        if asked.dry_run() {
            if named.kind == "Secret" {
                take_string_data(&mut object);
            }
            return ok(&object);
        }
        let done = object["metadata"]["finalizers"].as_array().is_none_or(Vec::is_empty);
        if done && !object["metadata"]["deletionTimestamp"].is_null() {
            self.store.remove(&named);
            return ok(&object);
        }
        ok(&self.store.write(named, object))
    }

    fn delete(&mut self, place: &Place, asked: &Asked<'_>) -> Answer {
        let named = named(place);
        let Some(object) = self.store.get(&named).cloned() else { return not_found(place) };
        for field in ["uid", "resourceVersion"] {
            let wanted = &asked.body["preconditions"][field];
            if !wanted.is_null() && *wanted != object["metadata"][field] {
                let message = format!("the {field} in the precondition ({wanted}) does not match the one in record");
                return failure(StatusCode::CONFLICT, "Conflict", &message, details(place));
            }
        }
        if asked.body["dryRun"].is_array() {
            return ok(&object);
        }
        if object["metadata"]["finalizers"].as_array().is_some_and(|finalizers| !finalizers.is_empty()) {
            self.store.edit(&named, |object| object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:01Z"));
        } else {
            self.store.remove(&named);
        }
        ok(&object)
    }

    /// An apply with a UID is for that very object.
    fn remade(&self, named: &ObjectRef, place: &Place, body: &Value) -> Option<Answer> {
        let uid = body["metadata"]["uid"].as_str()?;
        match self.store.get(named) {
            Some(there) if there["metadata"]["uid"] == uid => None,
            Some(_) => {
                let message = "metadata.uid: Invalid value: field is immutable";
                Some(failure(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message, details(place)))
            }
            None => {
                let message = "uid mismatch: the provided object specified a uid, and no existing object was found";
                Some(failure(StatusCode::CONFLICT, "Conflict", message, details(place)))
            }
        }
    }

    /// A namespaced object needs its namespace.
    fn homeless(&self, place: &Place) -> Option<Answer> {
        let namespace = place.namespace.as_deref()?;
        let home = ObjectRef::new("v1", "Namespace", None, namespace);
        if self.store.get(&home).is_some() {
            return None;
        }
        let message = format!("namespaces {namespace:?} not found");
        Some(failure(StatusCode::NOT_FOUND, "NotFound", &message, json!({"name": namespace, "kind": "namespaces"})))
    }
}

fn named(place: &Place) -> ObjectRef {
    ObjectRef::new(
        &place.kind.api_version,
        &place.kind.kind,
        place.namespace.as_deref(),
        place.name.as_deref().unwrap_or_default(),
    )
}

fn adorn(object: &mut Value, named: &ObjectRef) {
    object["apiVersion"] = Value::from(named.api_version.clone());
    object["kind"] = Value::from(named.kind.clone());
    object["metadata"]["name"] = Value::from(named.name.clone());
    if let Some(namespace) = &named.namespace {
        object["metadata"]["namespace"] = Value::from(namespace.clone());
    }
}

fn partial(object: &Value) -> Value {
    json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": object["metadata"]})
}

fn details(place: &Place) -> Value {
    json!({"name": place.name, "kind": place.kind.plural})
}

fn not_found(place: &Place) -> Answer {
    let message = format!("{} {:?} not found", place.kind.plural, place.name.as_deref().unwrap_or_default());
    failure(StatusCode::NOT_FOUND, "NotFound", &message, details(place))
}

fn lost_race(place: &Place, before: &Value, given: &Value) -> Option<Answer> {
    let given = given["metadata"]["resourceVersion"].as_str()?;
    if before["metadata"]["resourceVersion"].as_str() == Some(given) {
        return None;
    }
    let message = "the object has been modified; please apply your changes to the latest version and try again";
    Some(failure(StatusCode::CONFLICT, "Conflict", message, details(place)))
}

fn failure(code: StatusCode, reason: &str, message: &str, details: Value) -> Answer {
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code.as_u16(),
        "reason": reason, "message": message, "details": details});
    text(code, status.to_string())
}

fn ok(body: &Value) -> Answer {
    text(StatusCode::OK, body.to_string())
}

fn text(status: StatusCode, body: String) -> Answer {
    let body: Box<DynBody> = Box::new(Full::new(Bytes::from(body)).map_err(|never| match never {}));
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    answer
}

/// A watch during which nothing happens.
fn silence() -> Answer {
    let nothing = futures::stream::pending::<Result<hyper::body::Frame<Bytes>, tower::BoxError>>();
    Response::new(Box::new(StreamBody::new(nothing)))
}

fn version() -> Answer {
    ok(&json!({"major": "1", "minor": "36", "gitVersion": "v1.36.3", "gitCommit": "", "gitTreeState": "clean",
        "buildDate": "2026-01-01T00:00:00Z", "goVersion": "go1.26", "compiler": "gc", "platform": "linux/amd64"}))
}

fn percent_decode(query: &str) -> String {
    let mut bytes = Vec::with_capacity(query.len());
    let mut rest = query.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits = [rest.next().unwrap_or(b'0'), rest.next().unwrap_or(b'0')];
                let text = String::from_utf8_lossy(&digits).into_owned();
                bytes.push(u8::from_str_radix(&text, 16).unwrap_or(b'?'));
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
