//! Secrets and ConfigMaps that must be there before the pods can start.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::workloads::pod_spec;
use super::{Manifest, Object, ObjectId};

/// What kind of object is referred to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Referenced {
    /// A Secret.
    Secret,
    /// A ConfigMap.
    ConfigMap,
}

impl Referenced {
    /// The kind's name in the API.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::Secret => "Secret",
            Self::ConfigMap => "ConfigMap",
        }
    }
}

/// An object that pods of the release need and that the release does not make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// What it is.
    pub kind: Referenced,
    /// Where it must be.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Keys that it must have; empty when it is taken as a whole.
    pub keys: BTreeSet<String>,
    /// Who needs it.
    pub used_by: Vec<ObjectId>,
}

type Wanted = BTreeMap<(Referenced, String, String), (BTreeSet<String>, Vec<ObjectId>)>;

impl Manifest {
    /// References of all workloads and hooks, optional ones and objects of this manifest left out.
    #[must_use]
    pub fn references(&self, default_namespace: &str) -> Vec<Reference> {
        let namespace_of =
            |object: &Object| object.id.namespace.clone().unwrap_or_else(|| default_namespace.to_owned());
        let mut wanted = Wanted::new();
        for object in self.objects.iter().chain(self.hooks.iter().map(|hook| &hook.object)) {
            let Some(spec) = pod_spec(object) else { continue };
            let namespace = namespace_of(object);
            each(spec, &mut |kind, name, key| {
                let entry = wanted.entry((kind, namespace.clone(), name.to_owned())).or_default();
                entry.0.extend(key.map(str::to_owned));
                if !entry.1.contains(&object.id) {
                    entry.1.push(object.id.clone());
                }
            });
        }
        for made in self.objects.iter().chain(self.hooks.iter().map(|hook| &hook.object)) {
            let kind = match made.id.kind.as_str() {
                "Secret" => Referenced::Secret,
                "ConfigMap" => Referenced::ConfigMap,
                _ => continue,
            };
            wanted.remove(&(kind, namespace_of(made), made.id.name.clone()));
        }
        let references = wanted.into_iter();
        references
            .map(|((kind, namespace, name), (keys, used_by))| Reference { kind, namespace, name, keys, used_by })
            .collect()
    }
}

/// Calls `found` with kind, name and key of every reference that is not optional.
fn each(spec: &Value, found: &mut dyn FnMut(Referenced, &str, Option<&str>)) {
    for field in ["initContainers", "containers"] {
        for container in items(spec, field) {
            for variable in items(container, "env") {
                let Some(from) = variable.get("valueFrom") else { continue };
                one(from.get("secretKeyRef"), "name", Referenced::Secret, found);
                one(from.get("configMapKeyRef"), "name", Referenced::ConfigMap, found);
            }
            for source in items(container, "envFrom") {
                one(source.get("secretRef"), "name", Referenced::Secret, found);
                one(source.get("configMapRef"), "name", Referenced::ConfigMap, found);
            }
        }
    }
    for volume in items(spec, "volumes") {
        one(volume.get("secret"), "secretName", Referenced::Secret, found);
        one(volume.get("configMap"), "name", Referenced::ConfigMap, found);
        let Some(projected) = volume.get("projected") else { continue };
        for source in items(projected, "sources") {
            one(source.get("secret"), "name", Referenced::Secret, found);
            one(source.get("configMap"), "name", Referenced::ConfigMap, found);
        }
    }
}

fn one(reference: Option<&Value>, name: &str, kind: Referenced, found: &mut dyn FnMut(Referenced, &str, Option<&str>)) {
    let Some(reference) = reference else { return };
    if reference.get("optional").and_then(Value::as_bool) == Some(true) {
        return;
    }
    let Some(name) = reference.get(name).and_then(Value::as_str).filter(|name| !name.is_empty()) else { return };
    let mut keys: Vec<&str> = items(reference, "items").filter_map(|item| item.get("key")?.as_str()).collect();
    keys.extend(reference.get("key").and_then(Value::as_str));
    if keys.is_empty() {
        found(kind, name, None);
    }
    for key in keys {
        found(kind, name, Some(key));
    }
}

fn items<'v>(value: &'v Value, field: &str) -> impl Iterator<Item = &'v Value> {
    value.get(field).and_then(Value::as_array).into_iter().flatten()
}
