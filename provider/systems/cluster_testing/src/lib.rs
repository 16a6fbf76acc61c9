//! A small Kubernetes API in memory, for unit tests without a cluster.
//!
//! It keeps objects and serves get, list (label and field selectors, pages, metadata only), create,
//! replace (with the check of `resourceVersion`), merge patch, server-side apply (fields that are
//! given no more are removed; there are no conflicts), delete (finalizers, UID), discovery and a
//! watch that says nothing. Anything else, and every kind of failure, is scripted with
//! [`FakeApi::fail`] and [`FakeApi::answer`]. It has no controllers: tests write the status themselves.

mod serve;
mod store;

use std::sync::{Arc, Mutex, PoisonError};

use ffe_cluster::{Cluster, Object, ObjectRef};
use kube::Client;
use serde_json::{Value, json};

pub use store::Stored;

use store::Store;

/// URL that clusters made from a [`FakeApi`] give as their API server.
pub const SERVER: &str = "https://fake:6443";
/// UID of its kube-system namespace.
pub const IDENTITY: &str = "0d5e7f9a-0000-4000-8000-000000000001";

/// The API. Clones share their objects.
#[derive(Clone, Default)]
pub struct FakeApi {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    store: Store,
    scripts: Vec<Script>,
    events: Vec<Event>,
    seen: Vec<SeenRequest>,
}

/// Something that happens around one request.
struct Event {
    method: String,
    path: String,
    /// How many such requests come before it
    left: usize,
    what: What,
}

enum What {
    /// Before it is served, behind the client's back
    Meanwhile(Box<dyn FnOnce(&FakeApi) + Send>),
    /// It is served, and the client gets no answer
    LoseAnswer,
}

/// A request that came.
#[derive(Debug, Clone, PartialEq)]
pub struct SeenRequest {
    /// `GET`
    pub method: String,
    /// `/api/v1/namespaces/ffe/secrets/a`
    pub path: String,
    /// Without the question mark
    pub query: String,
    /// Null without one
    pub body: Value,
}

struct Script {
    method: String,
    path: String,
    left: Option<u32>,
    status: u16,
    body: String,
}

impl FakeApi {
    /// One with the namespaces kube-system and default.
    pub fn new() -> Self {
        let api = Self::default();
        api.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system", "uid": IDENTITY}}));
        api.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}));
        api
    }

    /// A cluster that this is the API of.
    pub fn cluster(&self) -> Cluster {
        Cluster::from_client(self.client(), SERVER)
    }

    /// A client of it.
    pub fn client(&self) -> Client {
        let api = self.clone();
        Client::new(
            tower::service_fn(move |request| {
                let api = api.clone();
                async move { Ok::<_, std::convert::Infallible>(api.serve(request).await) }
            }),
            "default",
        )
    }

    /// Puts an object there, or another one in its place. UID, version and times are filled in.
    ///
    /// # Panics
    /// Without `apiVersion`, `kind` and `metadata.name`, and for a kind that is not known.
    pub fn put(&self, object: Value) {
        self.with(|state| state.store.put(object));
    }

    /// The same for a typed object.
    pub fn put_object<K: Object>(&self, object: &K) {
        let named = ObjectRef::to(object);
        let mut value = serde_json::to_value(object).unwrap_or_default();
        value["apiVersion"] = Value::from(named.api_version);
        value["kind"] = Value::from(named.kind);
        self.put(value);
    }

    /// What is there now.
    pub fn get(&self, object: &ObjectRef) -> Option<Value> {
        self.with(|state| state.store.get(object).cloned())
    }

    /// Everything that is there, of all kinds.
    pub fn all(&self) -> Vec<Value> {
        self.with(|state| state.store.all())
    }

    /// Takes an object away behind everybody's back.
    pub fn remove(&self, object: &ObjectRef) {
        self.with(|state| state.store.remove(object));
    }

    /// Changes an object behind everybody's back: a status, a drift.
    pub fn edit(&self, object: &ObjectRef, change: impl FnOnce(&mut Value)) {
        self.with(|state| state.store.edit(object, change));
    }

    /// Serves a further kind, a custom resource for example.
    pub fn register(&self, api_version: &str, kind: &str, plural: &str, namespaced: bool) {
        self.with(|state| state.store.register(api_version, kind, plural, namespaced));
    }

    /// Answers the next `times` requests (None: all) of this method whose path ends so with a
    /// Kubernetes status.
    pub fn fail(&self, method: &str, path: &str, times: Option<u32>, code: u16, reason: &str, message: &str) {
        let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure",
            "code": code, "reason": reason, "message": message, "details": {}});
        self.answer(method, path, times, code, &status.to_string());
    }

    /// The same with a status that names its object: with 404 and `NotFound` that is proof that the
    /// object does not exist.
    pub fn fail_with_details(&self, method: &str, path: &str, times: Option<u32>, code: u16, reason: &str, name: &str) {
        let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure",
            "code": code, "reason": reason, "message": format!("{name}: {reason}"), "details": {"name": name}});
        self.answer(method, path, times, code, &status.to_string());
    }

    /// The same with any answer.
    pub fn answer(&self, method: &str, path: &str, times: Option<u32>, status: u16, body: &str) {
        let script =
            Script { method: method.to_owned(), path: path.to_owned(), left: times, status, body: body.to_owned() };
        self.with(|state| state.scripts.push(script));
    }

    /// Serves a request of this method whose path ends so, and gives the client no answer; `after` such requests come before it.
    pub fn lose_answer(&self, method: &str, path: &str, after: usize) {
        self.happen(method, path, after, What::LoseAnswer);
    }

    /// Does something right before such a request is served: what somebody else did since the client has looked.
    pub fn meanwhile(&self, method: &str, path: &str, after: usize, change: impl FnOnce(&FakeApi) + Send + 'static) {
        self.happen(method, path, after, What::Meanwhile(Box::new(change)));
    }

    fn happen(&self, method: &str, path: &str, left: usize, what: What) {
        let event = Event { method: method.to_owned(), path: path.to_owned(), left, what };
        self.with(|state| state.events.push(event));
    }

    /// Ends all scripted answers.
    pub fn heal(&self) {
        self.with(|state| state.scripts.clear());
    }

    /// The requests that came, in order.
    pub fn seen(&self) -> Vec<SeenRequest> {
        self.with(|state| state.seen.clone())
    }

    /// Those of one method whose path ends so.
    pub fn count(&self, method: &str, path: &str) -> usize {
        self.seen().iter().filter(|seen| seen.method == method && seen.path.ends_with(path)).count()
    }

    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
