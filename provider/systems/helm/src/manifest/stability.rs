//! Digests of what was rendered, and what differs between two renderings of the same.
//!
//! Digests go into state, and a digest of a short secret can be guessed. So the contents of Secrets do not go in.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Manifest, Object, ObjectId};

/// A field that is different each time the chart is rendered (a generated password, a timestamp).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UnstableField {
    /// The object; its name as in the first rendering.
    pub object: ObjectId,
    /// JSON pointer of the field; empty for the object as a whole.
    pub path: String,
}

/// How a manifest is digested: without what Secrets hold.
#[derive(Default, Clone, Copy)]
pub struct Digests<'a> {
    /// Fields that do not count.
    pub unstable: &'a [UnstableField],
}

impl Digests<'_> {
    /// `sha256:…` of all objects, whatever their order; hooks do not count.
    #[must_use]
    pub fn of(&self, manifest: &Manifest) -> String {
        let all: Vec<_> =
            self.each(manifest).into_iter().map(|(id, digest)| format!("{} {id} {digest}", id.api_version)).collect();
        hash(all.join("\n").as_bytes())
    }

    /// The digest of each object. Of objects that are rendered twice, the last counts.
    #[must_use]
    pub fn each(&self, manifest: &Manifest) -> BTreeMap<ObjectId, String> {
        let whole = |object: &&Object| self.unstable.iter().any(|u| u.path.is_empty() && u.object == object.id);
        let stable = manifest.objects.iter().filter(|object| !whole(object));
        stable.map(|object| (object.id.clone(), hash(self.canonical(object).to_string().as_bytes()))).collect()
    }

    fn canonical(&self, object: &Object) -> Value {
        let mut body = object.body.clone();
        for field in self.unstable.iter().filter(|field| field.object == object.id) {
            if let Some(value) = body.pointer_mut(&field.path) {
                *value = Value::Null;
            }
        }
        if object.id.kind == "Secret" {
            for field in ["data", "stringData"] {
                if let Some(Value::Object(map)) = body.get_mut(field) {
                    map.values_mut().for_each(|value| *value = Value::Null);
                }
            }
        }
        sorted(body)
    }
}

fn hash(content: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(content)))
}

impl Manifest {
    /// The digest with every field: see [`Digests`].
    #[must_use]
    pub fn digest(&self) -> String {
        Digests::default().of(self)
    }

    /// What differs between this rendering and another one of the same inputs.
    #[must_use]
    pub fn unstable_fields(&self, other: &Self) -> Vec<UnstableField> {
        let index = |manifest: &Self| -> BTreeMap<ObjectId, Value> {
            manifest.objects.iter().map(|object| (object.id.clone(), object.body.clone())).collect()
        };
        let (ours, theirs) = (index(self), index(other));
        let mut found = Vec::new();
        for (id, body) in &ours {
            match theirs.get(id) {
                Some(again) => compare(id, String::new(), body, again, &mut found),
                None => found.push(UnstableField { object: id.clone(), path: String::new() }),
            }
        }
        let only_there = theirs.keys().filter(|id| !ours.contains_key(id));
        found.extend(only_there.map(|id| UnstableField { object: id.clone(), path: String::new() }));
        found
    }
}

fn compare(object: &ObjectId, path: String, a: &Value, b: &Value, found: &mut Vec<UnstableField>) {
    let mut paths = Vec::new();
    differing(path, a, b, Keys::MustBeTheSame, &mut paths);
    found.extend(paths.into_iter().map(|path| UnstableField { object: object.clone(), path }));
}

/// JSON pointers of what differs between two states of one object: never a value, so it may be shown of a Secret too. A field
/// that comes or goes is named itself; lists of different length differ as a whole.
#[must_use]
pub fn changed_fields(before: &Value, after: &Value) -> Vec<String> {
    let mut paths = Vec::new();
    differing(String::new(), before, after, Keys::MayComeAndGo, &mut paths);
    paths
}

/// What maps with different keys come to.
#[derive(Clone, Copy, PartialEq)]
enum Keys {
    /// They differ as a whole.
    MustBeTheSame,
    /// They differ where a key is missing.
    MayComeAndGo,
}

fn differing(path: String, a: &Value, b: &Value, keys: Keys, found: &mut Vec<String>) {
    match (a, b) {
        (a, b) if a == b => {}
        (Value::Object(a), Value::Object(b))
            if keys == Keys::MayComeAndGo || (a.len() == b.len() && a.keys().all(|key| b.contains_key(key))) =>
        {
            let all: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in all {
                let path = format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"));
                match (a.get(key), b.get(key)) {
                    (Some(a), Some(b)) => differing(path, a, b, keys, found),
                    _ => found.push(path),
                }
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (i, (a, b)) in a.iter().zip(b).enumerate() {
                differing(format!("{path}/{i}"), a, b, keys, found);
            }
        }
        _ => found.push(path),
    }
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(entries.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}
