//! Whose is this object? The mark that every object of ours carries, and the verdict over any object.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::access::Query;
use crate::cluster::Cluster;
use crate::error::Result;
use crate::object::ObjectRef;

/// What goes before the slash in our annotations and labels.
pub const PREFIX: &str = "ffe.three-rivers.tech";
/// Label by which tools tell who manages an object.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Our value of [`MANAGED_BY`].
pub const MANAGER: &str = "terraform-provider-ffe";
/// Label with [`Owner::label_value`]: finds everything of one resource.
pub(crate) const OWNER_LABEL: &str = "ffe.three-rivers.tech/owner";

const RESOURCE_TYPE: &str = "ffe.three-rivers.tech/resource-type";
const RESOURCE: &str = "ffe.three-rivers.tech/resource";
const RUN_ID: &str = "ffe.three-rivers.tech/run-id";
const STATE: &str = "ffe.three-rivers.tech/state";
const ADOPTED: &str = "ffe.three-rivers.tech/adopted";

/// A resource of the provider, as objects remember it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Owner {
    /// `ffe_release`
    pub resource_type: String,
    /// `namespace/name`, or what the resource's import id is
    pub id: String,
}

impl Owner {
    /// Names a resource.
    pub fn new(resource_type: &str, id: &str) -> Self {
        Self { resource_type: resource_type.to_owned(), id: id.to_owned() }
    }

    /// A short digest of both, fit for a label and for names of objects.
    pub fn label_value(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(self.resource_type.as_bytes());
        hash.update([0]);
        hash.update(self.id.as_bytes());
        hex::encode(&hash.finalize()[..8])
    }

    /// Selects everything that this resource owns.
    pub fn selector(&self) -> Query {
        Query::labels(format!("{OWNER_LABEL}={}", self.label_value()))
    }
}

/// How far the making of an object's resource has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MarkState {
    /// The resource's create has not finished: the next create resumes it
    Creating,
    /// The resource exists
    Complete,
}

impl MarkState {
    fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Complete => "complete",
        }
    }
}

/// What an object of ours says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Mark {
    /// The resource that it belongs to
    pub owner: Owner,
    /// The run that made it
    pub run_id: String,
    /// Whether the resource's create has finished
    pub state: MarkState,
    /// Somebody else made it: released on destroy, never deleted
    pub adopted: bool,
}

impl Mark {
    /// For an object that is made by a create under way.
    pub fn creating(owner: Owner, run_id: &str) -> Self {
        Self { owner, run_id: run_id.to_owned(), state: MarkState::Creating, adopted: false }
    }

    /// For an object of a resource that exists.
    pub fn complete(owner: Owner, run_id: &str) -> Self {
        Self { state: MarkState::Complete, ..Self::creating(owner, run_id) }
    }

    /// The same for an object that somebody else made.
    #[must_use]
    pub fn adopted(self) -> Self {
        Self { adopted: true, ..self }
    }

    /// The annotations that make up the mark.
    pub fn annotations(&self) -> BTreeMap<String, String> {
        let mut annotations = BTreeMap::from([
            (RESOURCE_TYPE.to_owned(), self.owner.resource_type.clone()),
            (RESOURCE.to_owned(), self.owner.id.clone()),
            (RUN_ID.to_owned(), self.run_id.clone()),
            (STATE.to_owned(), self.state.as_str().to_owned()),
        ]);
        if self.adopted {
            annotations.insert(ADOPTED.to_owned(), "true".to_owned());
        }
        annotations
    }

    /// The labels that make up the mark. An adopted object keeps its own managed-by.
    pub fn labels(&self) -> BTreeMap<String, String> {
        let mut labels = BTreeMap::from([(OWNER_LABEL.to_owned(), self.owner.label_value())]);
        if !self.adopted {
            labels.insert(MANAGED_BY.to_owned(), MANAGER.to_owned());
        }
        labels
    }

    /// Writes the mark into an object that is about to be applied.
    pub fn write(&self, meta: &mut ObjectMeta) {
        meta.annotations.get_or_insert_default().extend(self.annotations());
        meta.labels.get_or_insert_default().extend(self.labels());
    }

    /// The same for an object given as JSON; anything but a JSON object is left alone.
    pub fn write_value(&self, object: &mut Value) {
        let Some(object) = object.as_object_mut() else { return };
        let Some(meta) = object.entry("metadata").or_insert_with(|| json!({})).as_object_mut() else { return };
        for (field, entries) in [("annotations", self.annotations()), ("labels", self.labels())] {
            let place = meta.entry(field).or_insert_with(|| json!({}));
            if place.is_null() {
                *place = json!({});
            }
            if let Some(place) = place.as_object_mut() {
                place.extend(entries.into_iter().map(|(key, value)| (key, Value::from(value))));
            }
        }
    }

    /// Takes the mark off an object. `managed-by` goes only where it is ours.
    pub fn erase(meta: &mut ObjectMeta) {
        if let Some(annotations) = &mut meta.annotations {
            annotations.retain(|key, _| !key.starts_with(PREFIX));
        }
        if let Some(labels) = &mut meta.labels {
            labels.remove(OWNER_LABEL);
            if labels.get(MANAGED_BY).is_some_and(|manager| manager == MANAGER) {
                labels.remove(MANAGED_BY);
            }
        }
    }

    /// Reads the mark off an object; None when there is none, or only half of one.
    pub fn read(meta: &ObjectMeta) -> Option<Self> {
        let annotations = meta.annotations.as_ref()?;
        let get = |key: &str| annotations.get(key).map(String::as_str);
        Some(Self {
            owner: Owner::new(get(RESOURCE_TYPE)?, get(RESOURCE)?),
            run_id: get(RUN_ID).unwrap_or_default().to_owned(),
            // anything unknown counts as complete: resuming is the decision that needs proof
            state: if get(STATE) == Some("creating") { MarkState::Creating } else { MarkState::Complete },
            adopted: get(ADOPTED) == Some("true"),
        })
    }
}

/// The verdict over an object that stands where one of ours would.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ownership {
    /// Nothing there
    Absent,
    /// Left by a create of the same resource that did not finish: to be resumed
    OursUnfinished(Mark),
    /// The same resource, finished: imported, or made twice
    OursComplete(Mark),
    /// Not marked by us; with its managed-by label, where it has one
    Foreign {
        /// `Helm`, `flux`, …
        manager: Option<String>,
    },
    /// Marked for another resource of this provider
    OtherResource(Mark),
}

/// Whose is it, seen from `owner`? `None` for an object that was not found.
pub fn ownership(meta: Option<&ObjectMeta>, owner: &Owner) -> Ownership {
    let Some(meta) = meta else { return Ownership::Absent };
    match Mark::read(meta) {
        None => Ownership::Foreign { manager: meta.labels.as_ref().and_then(|labels| labels.get(MANAGED_BY)).cloned() },
        Some(mark) if mark.owner != *owner => Ownership::OtherResource(mark),
        Some(mark) if mark.state == MarkState::Creating => Ownership::OursUnfinished(mark),
        Some(mark) => Ownership::OursComplete(mark),
    }
}

impl Cluster {
    /// Writes the mark onto an object that exists, by a merge patch of its metadata alone: what
    /// else somebody applied stays theirs.
    ///
    /// # Errors
    /// Those of a patch; [`crate::Kind::NotFound`] when the object is gone.
    pub async fn write_mark(&self, object: &ObjectRef, mark: &Mark) -> Result<()> {
        let mut annotations: Map<String, Value> =
            mark.annotations().into_iter().map(|(key, value)| (key, Value::from(value))).collect();
        if !mark.adopted {
            annotations.insert(ADOPTED.to_owned(), Value::Null);
        }
        let patch = json!({"metadata": {"annotations": annotations, "labels": mark.labels()}});
        self.merge_ref(object, &patch).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn owner() -> Owner {
        Owner::new("ffe_release", "ffe/backend")
    }

    fn marked(mark: &Mark) -> ObjectMeta {
        let mut meta = ObjectMeta::default();
        mark.write(&mut meta);
        meta
    }

    #[test]
    fn what_is_written_is_read() {
        for mark in [
            Mark::creating(owner(), "run-1"),
            Mark::complete(owner(), "run-1"),
            Mark::complete(owner(), "run-1").adopted(),
        ] {
            assert_eq!(Mark::read(&marked(&mark)), Some(mark.clone()));
            let mut value = json!({"kind": "ConfigMap", "metadata": {"labels": null}});
            mark.write_value(&mut value);
            let meta: ObjectMeta = serde_json::from_value(value["metadata"].clone()).unwrap();
            assert_eq!(Mark::read(&meta), Some(mark));
        }
    }

    #[test]
    fn verdicts() {
        assert_eq!(ownership(None, &owner()), Ownership::Absent);
        let creating = Mark::creating(owner(), "r");
        assert_eq!(ownership(Some(&marked(&creating)), &owner()), Ownership::OursUnfinished(creating));
        let complete = Mark::complete(owner(), "r");
        assert_eq!(ownership(Some(&marked(&complete)), &owner()), Ownership::OursComplete(complete.clone()));
        let other = Owner::new("ffe_environment", "ffe/backend");
        assert_eq!(ownership(Some(&marked(&complete)), &other), Ownership::OtherResource(complete));
        let helm = ObjectMeta {
            labels: Some(BTreeMap::from([(MANAGED_BY.to_owned(), "Helm".to_owned())])),
            ..ObjectMeta::default()
        };
        assert_eq!(ownership(Some(&helm), &owner()), Ownership::Foreign { manager: Some("Helm".into()) });
    }

    #[test]
    fn half_a_mark_is_none() {
        let mut meta = marked(&Mark::complete(owner(), "r"));
        meta.annotations.as_mut().unwrap().remove(RESOURCE);
        assert_eq!(Mark::read(&meta), None);
    }

    #[test]
    fn an_adopted_object_keeps_its_manager_and_an_erased_one_keeps_the_rest() {
        let mut meta = ObjectMeta {
            labels: Some(BTreeMap::from([
                (MANAGED_BY.to_owned(), "Helm".to_owned()),
                ("team".to_owned(), "a".to_owned()),
            ])),
            annotations: Some(BTreeMap::from([("note".to_owned(), "b".to_owned())])),
            ..ObjectMeta::default()
        };
        let before = meta.clone();
        Mark::complete(owner(), "r").adopted().write(&mut meta);
        assert_eq!(meta.labels.as_ref().unwrap()[MANAGED_BY], "Helm");
        Mark::erase(&mut meta);
        assert_eq!(meta, before);
    }

    #[test]
    fn owners_have_short_distinct_label_values() {
        let value = owner().label_value();
        assert_eq!(value.len(), 16);
        assert_ne!(value, Owner::new("ffe_release", "ffe/backend2").label_value());
        assert_ne!(value, Owner::new("ffe_releaseffe", "/backend").label_value());
    }
}
