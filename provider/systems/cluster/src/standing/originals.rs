//! What objects were before they were taken over, field by field.
//!
//! Kept in a Secret beside what the owner has, because one of them may be a Secret. Before an object is applied, the present
//! value of each field that is going to be set is written down, once: what is there later is the owner's.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::ObjectMeta;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::cluster::Cluster;
use crate::error::{Error, Kind, Result};
use crate::mark::{Mark, Owner};
use crate::object::ObjectRef;

use super::Standing;

/// What fits into a Secret beside its own metadata.
const ROOM: usize = 900 << 10;

/// Where it is kept what an owner's objects were before.
#[derive(Debug, Clone)]
pub struct Originals {
    namespace: String,
    owner: Owner,
}

/// What one object was.
#[derive(Serialize, Deserialize)]
struct Original {
    uid: String,
    /// JSON pointers of fields with their values; null where there was none.
    fields: BTreeMap<String, Value>,
}

impl Originals {
    /// Those of an owner, kept in this namespace.
    pub fn new(namespace: &str, owner: &Owner) -> Self {
        Self { namespace: namespace.to_owned(), owner: owner.clone() }
    }

    fn name(&self) -> String {
        format!("ffe-originals-{}", self.owner.label_value())
    }

    fn secret(&self) -> ObjectRef {
        ObjectRef::of::<Secret>(Some(&self.namespace), &self.name())
    }

    /// Writes down what an object of somebody else's has where `wished` is going to set something.
    ///
    /// # Errors
    /// Those of any request, and when it is too large to be kept.
    pub async fn keep(&self, cluster: &Cluster, wished: &Value, run_id: &str) -> Result<()> {
        let object = ObjectRef::from_value(wished)?;
        let Some(live) = cluster.find_ref(&object).await? else { return Ok(()) };
        let uid = live.metadata.uid.clone().unwrap_or_default();
        let live = serde_json::to_value(live).unwrap_or_default();
        let mut known = self.read(cluster, &object).await?.filter(|known| known.uid == uid);
        let original = known.get_or_insert_with(|| Original { uid, fields: BTreeMap::new() });
        let before = original.fields.len();
        for (pointer, value) in present(wished, &live) {
            original.fields.entry(pointer).or_insert(value);
        }
        if original.fields.len() == before {
            return Ok(());
        }
        let text = serde_json::to_vec(original).unwrap_or_default();
        if text.len() > ROOM {
            return Err(Error::Malformed {
                what: object.to_string(),
                message: "what it is now is too large to be kept for the day on which it is given back".to_owned(),
            });
        }
        self.write(cluster, &object, text, run_id).await
    }

    async fn write(&self, cluster: &Cluster, object: &ObjectRef, text: Vec<u8>, run_id: &str) -> Result<()> {
        let data = BTreeMap::from([(entry(object), ByteString(text))]);
        let mut metadata =
            ObjectMeta { namespace: Some(self.namespace.clone()), name: Some(self.name()), ..ObjectMeta::default() };
        Mark::complete(self.owner.clone(), run_id).write(&mut metadata);
        let secret = Secret { metadata, data: Some(data.clone()), ..Secret::default() };
        match cluster.create(&secret).await {
            Err(error) if matches!(error.kind(), Kind::AlreadyExists | Kind::Unavailable) => {
                let patch = json!({ "data": data });
                cluster.merge::<Secret>(Some(&self.namespace), &self.name(), &patch).await.map(drop)
            }
            made => made.map(drop),
        }
    }

    async fn read(&self, cluster: &Cluster, object: &ObjectRef) -> Result<Option<Original>> {
        let found: Option<Secret> = cluster.find(Some(&self.namespace), &self.name()).await?;
        let Some(text) = found.and_then(|found| found.data).and_then(|mut data| data.remove(&entry(object))) else {
            return Ok(None);
        };
        serde_json::from_slice(&text.0).map(Some).map_err(|_| Error::Malformed {
            what: self.secret().to_string(),
            message: format!("its entry {} does not say what {object} was before", entry(object)),
        })
    }

    /// The object with nothing but what it had before in the fields that were set since; none where that is not known.
    pub(super) async fn of(&self, cluster: &Cluster, object: &ObjectRef, uid: &str) -> Result<Option<Value>> {
        let Some(original) = self.read(cluster, object).await?.filter(|original| original.uid == uid) else {
            return Ok(None);
        };
        let mut before = json!({ "apiVersion": object.api_version, "kind": object.kind, "metadata": { "name": object.name, "labels": {}, "annotations": {} } });
        if let Some(namespace) = &object.namespace {
            before["metadata"]["namespace"] = Value::from(namespace.clone());
        }
        for (pointer, value) in original.fields.into_iter().filter(|(_, value)| !value.is_null()) {
            put(&mut before, &pointer, value);
        }
        Ok(Some(before))
    }

    /// Drops what is known of an object that was given back.
    pub(super) async fn forget(&self, cluster: &Cluster, object: &ObjectRef) -> Result<()> {
        let patch = json!({ "data": { entry(object): null } });
        match cluster.merge::<Secret>(Some(&self.namespace), &self.name(), &patch).await {
            Err(error) if error.is_not_found() => Ok(()),
            patched => patched.map(drop),
        }
    }

    /// Removes everything that is kept: nothing is taken over any more.
    ///
    /// # Errors
    /// Those of any request.
    pub async fn remove(&self, cluster: &Cluster) -> Result<()> {
        match cluster.standing(&self.secret(), &self.owner).await? {
            Standing::Made(made) => made.delete(cluster).await.map(drop),
            _ => Ok(()),
        }
    }
}

/// A key of a Secret for an object.
fn entry(object: &ObjectRef) -> String {
    let digest = Sha256::digest(format!("{} {object}", object.api_version));
    format!("{}.{}", object.kind, hex::encode(&digest[..8]))
}

/// What is there at each field that `wished` says, but for those that name the object.
fn present(wished: &Value, live: &Value) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    walk(wished, Some(live), "", &mut found);
    for name in ["/apiVersion", "/kind", "/metadata/name", "/metadata/namespace"] {
        found.remove(name);
    }
    found
}

fn walk(wished: &Value, live: Option<&Value>, at: &str, found: &mut BTreeMap<String, Value>) {
    match (wished, live) {
        // What is an object here and something else there is a whole.
        (Value::Object(fields), None | Some(Value::Null | Value::Object(_))) => {
            for (name, value) in fields {
                let step = name.replace('~', "~0").replace('/', "~1");
                walk(value, live.and_then(|live| live.get(name)), &format!("{at}/{step}"), found);
            }
        }
        _ => drop(found.insert(at.to_owned(), live.cloned().unwrap_or(Value::Null))),
    }
}

fn put(object: &mut Value, pointer: &str, value: Value) {
    let steps = pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~"));
    let place = steps.fold(object, |place, step| {
        if !place.is_object() {
            *place = json!({});
        }
        &mut place[step]
    });
    *place = value;
}
