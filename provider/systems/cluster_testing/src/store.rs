//! The objects of the API in memory.
#![allow(clippy::panic)] // a wrong fixture shall end the test that brings it

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use ffe_cluster::ObjectRef;

/// Kinds that are served from the beginning.
const KINDS: [(&str, &str, &str, bool); 27] = [
    ("v1", "Namespace", "namespaces", false),
    ("v1", "Node", "nodes", false),
    ("v1", "ConfigMap", "configmaps", true),
    ("v1", "Secret", "secrets", true),
    ("v1", "Service", "services", true),
    ("v1", "ServiceAccount", "serviceaccounts", true),
    ("v1", "Pod", "pods", true),
    ("v1", "Event", "events", true),
    ("v1", "Endpoints", "endpoints", true),
    ("v1", "PersistentVolumeClaim", "persistentvolumeclaims", true),
    ("v1", "ResourceQuota", "resourcequotas", true),
    ("v1", "LimitRange", "limitranges", true),
    ("apps/v1", "Deployment", "deployments", true),
    ("apps/v1", "ReplicaSet", "replicasets", true),
    ("apps/v1", "StatefulSet", "statefulsets", true),
    ("apps/v1", "DaemonSet", "daemonsets", true),
    ("batch/v1", "Job", "jobs", true),
    ("batch/v1", "CronJob", "cronjobs", true),
    ("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", true),
    ("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", true),
    ("networking.k8s.io/v1", "Ingress", "ingresses", true),
    ("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies", true),
    ("rbac.authorization.k8s.io/v1", "Role", "roles", true),
    ("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings", true),
    ("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", false),
    ("coordination.k8s.io/v1", "Lease", "leases", true),
    ("storage.k8s.io/v1", "StorageClass", "storageclasses", false),
];

/// A kind that is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// `apps/v1`
    pub api_version: String,
    /// `Deployment`
    pub kind: String,
    /// `deployments`
    pub plural: String,
    /// Whether its objects live in namespaces
    pub namespaced: bool,
}

pub(super) struct Store {
    kinds: Vec<Stored>,
    objects: BTreeMap<ObjectRef, Value>,
    /// What each field manager applied last
    applied: BTreeMap<(ObjectRef, String), Value>,
    version: u64,
}

impl Default for Store {
    fn default() -> Self {
        let mut store = Self { kinds: Vec::new(), objects: BTreeMap::new(), applied: BTreeMap::new(), version: 0 };
        for (api_version, kind, plural, namespaced) in KINDS {
            store.register(api_version, kind, plural, namespaced);
        }
        store
    }
}

impl Store {
    pub(super) fn register(&mut self, api_version: &str, kind: &str, plural: &str, namespaced: bool) {
        self.kinds.push(Stored {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
            namespaced,
        });
    }

    pub(super) fn kinds_of(&self, api_version: &str) -> Vec<&Stored> {
        self.kinds.iter().filter(|kind| kind.api_version == api_version).collect()
    }

    pub(super) fn by_plural(&self, api_version: &str, plural: &str) -> Option<Stored> {
        self.kinds.iter().find(|kind| kind.api_version == api_version && kind.plural == plural).cloned()
    }

    pub(super) fn put(&mut self, object: Value) {
        let named = ObjectRef::from_value(&object).unwrap_or_else(|error| panic!("fixture: {error}"));
        let known = self.kinds.iter().any(|kind| kind.kind == named.kind && kind.api_version == named.api_version);
        assert!(known, "fixture: {named} is of a kind that is not served");
        self.write(named, object);
    }

    /// Stores with new version, and generation where the spec changed; returns what is stored.
    pub(super) fn write(&mut self, named: ObjectRef, mut object: Value) -> Value {
        self.version += 1;
        let before = self.objects.get(&named);
        let carried =
            |field: &str| before.map(|before| before["metadata"][field].clone()).filter(|value| !value.is_null());
        let meta = &mut object["metadata"];
        if meta["uid"].is_null() {
            let fresh = format!("00000000-0000-4000-8000-{:012}", self.version);
            meta["uid"] = carried("uid").unwrap_or_else(|| Value::from(fresh));
        }
        if meta["creationTimestamp"].is_null() {
            meta["creationTimestamp"] = carried("creationTimestamp").unwrap_or_else(|| json!("2026-01-01T00:00:00Z"));
        }
        let same_spec = before.is_some_and(|before| before["spec"] == object["spec"]);
        let generation = before.map_or(0, |before| before["metadata"]["generation"].as_i64().unwrap_or(0));
        if !object["spec"].is_null() {
            object["metadata"]["generation"] = json!(if same_spec { generation } else { generation + 1 });
        }
        object["metadata"]["resourceVersion"] = Value::from(self.version.to_string());
        if named.kind == "Secret" {
            take_string_data(&mut object);
        }
        self.objects.insert(named, object.clone());
        object
    }

    /// Applies like the server: given fields are set, fields that this manager gave before and gives
    /// no more are removed.
    pub(super) fn apply(&mut self, named: &ObjectRef, manager: &str, given: &Value) -> Value {
        let key = (named.clone(), manager.to_owned());
        let mut live = self.objects.get(named).cloned().unwrap_or_else(|| json!({}));
        if let Some(before) = self.applied.get(&key) {
            prune(&mut live, before, given);
        }
        merge(&mut live, given);
        own(&mut live, manager, "Apply");
        self.applied.insert(key, given.clone());
        live
    }

    /// Field managers that have nothing of an object any more.
    pub(super) fn disowned(&mut self, named: &ObjectRef, object: &Value) {
        let managed = object["metadata"]["managedFields"].as_array();
        let has = |manager: &str| managed.is_some_and(|all| all.iter().any(|one| one["manager"] == manager));
        self.applied.retain(|(one, manager), _| one != named || has(manager));
    }

    pub(super) fn get(&self, object: &ObjectRef) -> Option<&Value> {
        self.objects.get(object)
    }

    pub(super) fn all(&self) -> Vec<Value> {
        self.objects.values().cloned().collect()
    }

    pub(super) fn remove(&mut self, object: &ObjectRef) {
        self.objects.remove(object);
        self.applied.retain(|(named, _), _| named != object);
        if object.kind == "Namespace" {
            self.objects.retain(|named, _| named.namespace.as_deref() != Some(&object.name));
            self.applied.retain(|(named, _), _| named.namespace.as_deref() != Some(&object.name));
        }
    }

    pub(super) fn edit(&mut self, object: &ObjectRef, change: impl FnOnce(&mut Value)) {
        let mut value = self.objects.get(object).cloned().unwrap_or_else(|| panic!("fixture: there is no {object}"));
        change(&mut value);
        self.write(object.clone(), value);
    }

    /// Objects of a kind that the selectors match.
    pub(super) fn list(&self, kind: &Stored, namespace: Option<&str>, labels: &str, fields: &str) -> Vec<Value> {
        self.objects
            .iter()
            .filter(|(named, _)| named.kind == kind.kind && named.api_version == kind.api_version)
            .filter(|(named, _)| namespace.is_none() || named.namespace.as_deref() == namespace)
            .filter(|(_, object)| matches_labels(&object["metadata"]["labels"], labels))
            .filter(|(_, object)| matches_fields(object, fields))
            .map(|(_, object)| object.clone())
            .collect()
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }
}

/// Notes that a manager has fields of an object; which they are is not noted.
pub(super) fn own(object: &mut Value, manager: &str, operation: &str) {
    let managed = &mut object["metadata"]["managedFields"];
    if !managed.is_array() {
        *managed = json!([]);
    }
    let Some(managed) = managed.as_array_mut() else { return };
    if !managed.iter().any(|one| one["manager"] == manager && one["operation"] == operation) {
        managed.push(json!({ "manager": manager, "operation": operation, "fieldsType": "FieldsV1", "fieldsV1": {} }));
    }
}

/// JSON merge patch.
pub(super) fn merge(target: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Some(fields) = target.as_object_mut() else { return };
    for (name, value) in patch {
        if value.is_null() {
            fields.remove(name);
        } else {
            merge(fields.entry(name).or_insert(Value::Null), value);
        }
    }
}

/// Removes what was given before and is given no more.
fn prune(live: &mut Value, before: &Value, now: &Value) {
    let (Some(fields), Some(before)) = (live.as_object_mut(), before.as_object()) else { return };
    for (name, old) in before {
        match now.get(name) {
            // What others have in it stays.
            None if old.is_object() => {
                if let Some(field) = fields.get_mut(name) {
                    prune(field, old, &json!({}));
                }
                if fields.get(name).and_then(Value::as_object).is_some_and(serde_json::Map::is_empty) {
                    fields.remove(name);
                }
            }
            None => {
                fields.remove(name);
            }
            Some(new) => {
                if let Some(field) = fields.get_mut(name) {
                    prune(field, old, new);
                }
            }
        }
    }
}

pub(super) fn take_string_data(secret: &mut Value) {
    use base64::Engine as _;
    let Some(given) = secret.as_object_mut().and_then(|fields| fields.remove("stringData")) else { return };
    for (name, value) in given.as_object().into_iter().flatten() {
        let encoded = base64::engine::general_purpose::STANDARD.encode(value.as_str().unwrap_or_default());
        secret["data"][name] = Value::from(encoded);
    }
}

fn matches_labels(labels: &Value, selector: &str) -> bool {
    requirements(selector).all(|requirement| {
        let get = |key: &str| labels.get(key.trim()).and_then(Value::as_str);
        if let Some((key, value)) = requirement.split_once("!=") {
            get(key) != Some(value.trim())
        } else if let Some((key, value)) = requirement.split_once('=') {
            get(key) == Some(value.trim_start_matches('=').trim())
        } else if let Some((key, values)) = requirement.split_once(" notin ") {
            get(key).is_none_or(|value| !one_of(values, value))
        } else if let Some((key, values)) = requirement.split_once(" in ") {
            get(key).is_some_and(|value| one_of(values, value))
        } else if let Some(key) = requirement.strip_prefix('!') {
            get(key).is_none()
        } else {
            get(requirement).is_some()
        }
    })
}

fn one_of(values: &str, value: &str) -> bool {
    values.trim().trim_matches(['(', ')']).split(',').any(|candidate| candidate.trim() == value)
}

/// Splits at commas outside of parentheses.
fn requirements(selector: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0;
    selector
        .split(move |c| {
            match c {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            c == ',' && depth == 0
        })
        .map(str::trim)
        .filter(|requirement| !requirement.is_empty())
}

fn matches_fields(object: &Value, selector: &str) -> bool {
    requirements(selector).all(|requirement| {
        let (path, value, wanted) = match requirement.split_once("!=") {
            Some((path, value)) => (path, value, false),
            None => requirement.split_once('=').map_or((requirement, "", true), |(path, value)| (path, value, true)),
        };
        let found = path.split('.').try_fold(object, |at, field| at.get(field));
        let found = found.and_then(Value::as_str).unwrap_or_default();
        (found == value.trim_start_matches('=')) == wanted
    })
}
