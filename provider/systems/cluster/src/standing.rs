//! What an owner may do to an object, by what a look at the live object shows: make one that is not there, so that two
//! writers cannot both win; delete what was made; give back what was taken over, as it was.
//!
//! [`Made`] and [`Adopted`] are proofs. Only [`Cluster::standing`] makes them, from the object as it is now; what deletes asks
//! for the one, what gives back for the other, so that neither can be done by a name alone.

mod make;
mod originals;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Map, Value, json};

use crate::apply::{ApplyOptions, FIELD_MANAGER};
use crate::cluster::Cluster;
use crate::delete::{DeleteOptions, Deleted};
use crate::error::{Error, Kind, Result};
use crate::mark::{MANAGED_BY, MANAGER, OWNER_LABEL, Owner, Ownership, PREFIX, ownership};
use crate::object::ObjectRef;

use make::MAKER;
pub use originals::Originals;

/// How often a change that somebody else makes meanwhile is caught up with.
const ATTEMPTS: usize = 10;

/// What an object is to an owner.
#[derive(Debug, Clone)]
pub enum Standing {
    /// Nothing is there, or its kind is not served
    Absent,
    /// The owner has made it
    Made(Made),
    /// The owner has taken it over
    Adopted(Adopted),
    /// Somebody else's
    Others(Ownership),
}

/// Proof that an object was made by an owner.
#[derive(Debug, Clone)]
pub struct Made(Seen);

/// Proof that an object was taken over by an owner: there was one before.
#[derive(Debug, Clone)]
pub struct Adopted(Seen);

#[derive(Debug, Clone)]
struct Seen {
    object: ObjectRef,
    owner: Owner,
    uid: String,
    resource_version: String,
}

impl Cluster {
    /// Looks at an object.
    ///
    /// # Errors
    /// Those of any request.
    pub async fn standing(&self, object: &ObjectRef, owner: &Owner) -> Result<Standing> {
        let found = match self.find_ref(object).await {
            Err(error) if error.kind() == Kind::NotServed => None,
            found => found?,
        };
        let Some(meta) = found.map(|found| found.metadata) else { return Ok(Standing::Absent) };
        Ok(match ownership(Some(&meta), owner) {
            Ownership::OursComplete(mark) | Ownership::OursUnfinished(mark) => {
                let seen = Seen {
                    object: object.clone(),
                    owner: owner.clone(),
                    uid: meta.uid.unwrap_or_default(),
                    resource_version: meta.resource_version.unwrap_or_default(),
                };
                if mark.adopted { Standing::Adopted(Adopted(seen)) } else { Standing::Made(Made(seen)) }
            }
            Ownership::Absent => Standing::Absent,
            theirs => Standing::Others(theirs),
        })
    }
}

impl Made {
    /// The object.
    pub fn object(&self) -> &ObjectRef {
        &self.0.object
    }

    /// The UID that it had when it was looked at.
    pub fn uid(&self) -> &str {
        &self.0.uid
    }

    /// Deletes it, if it is still the one that was looked at, and the owner's. One that became another since is left alone.
    ///
    /// # Errors
    /// Those of any request.
    pub async fn delete(self, cluster: &Cluster) -> Result<Deleted> {
        let mut seen = self.0;
        let mut attempt = 0;
        loop {
            let options =
                DeleteOptions { uid: Some(seen.uid.clone()), resource_version: Some(seen.resource_version.clone()) };
            let error = match cluster.delete(&seen.object, &options).await {
                Err(error) if error.kind() == Kind::Conflict && attempt < ATTEMPTS => error,
                deleted => return deleted,
            };
            tracing::debug!(%error, object = %seen.object, "it has changed since it was looked at");
            attempt += 1;
            match cluster.standing(&seen.object, &seen.owner).await? {
                Standing::Made(again) if again.0.uid == seen.uid => seen = again.0,
                _ => return Ok(Deleted::WasGone),
            }
        }
    }
}

impl Adopted {
    /// The object.
    pub fn object(&self) -> &ObjectRef {
        &self.0.object
    }

    /// Gives it back: each field that the owner has set gets the value that it had before, or goes where it had none, and the
    /// mark goes. Where it is not known what it had, its fields stay as they are. One that is gone is no error.
    ///
    /// # Errors
    /// Those of any request.
    pub async fn give_back(self, cluster: &Cluster, originals: &Originals) -> Result<()> {
        let Seen { object, uid, .. } = self.0;
        if let Some(before) = originals.of(cluster, &object, &uid).await? {
            match cluster.apply_to(&before, &uid, ApplyOptions::forced()).await {
                Err(Error::Remade { .. }) => return Ok(()),
                Err(error) if error.kind() == Kind::Invalid => {
                    tracing::warn!(%error, %object, "what it had before is not taken back; it stays as it is");
                }
                given => drop(given?),
            }
        }
        cluster.disown(&object, &uid).await?;
        originals.forget(cluster, &object).await
    }
}

impl Cluster {
    /// Takes mark and field ownership off an object, and leaves it as it is.
    async fn disown(&self, object: &ObjectRef, uid: &str) -> Result<()> {
        for attempt in 0.. {
            let Some(found) = self.find_ref(object).await? else { return Ok(()) };
            if found.metadata.uid.as_deref() != Some(uid) {
                return Ok(());
            }
            match self.merge_ref(object, &without_us(&found.metadata)).await {
                Err(error) if error.kind() == Kind::Conflict && attempt < ATTEMPTS => {}
                Err(error) if error.is_not_found() => return Ok(()),
                patched => return patched.map(drop),
            }
        }
        Ok(())
    }
}

/// The patch that takes us off an object: mark, labels of ours, and the fields that we own, whose values stay.
fn without_us(meta: &ObjectMeta) -> Value {
    let ours = |key: &&String| key.starts_with(PREFIX);
    let annotations = meta.annotations.iter().flatten().map(|(key, _)| key).filter(ours);
    let annotations: Map<String, Value> = annotations.map(|key| (key.clone(), Value::Null)).collect();
    let labels = meta.labels.iter().flatten();
    let labels = labels.filter(|(key, value)| {
        ours(key) || key.as_str() == OWNER_LABEL || (key.as_str() == MANAGED_BY && value.as_str() == MANAGER)
    });
    let labels: Map<String, Value> = labels.map(|(key, _)| (key.clone(), Value::Null)).collect();
    let others = meta.managed_fields.iter().flatten();
    let others = others.filter(|entry| !matches!(entry.manager.as_deref(), Some(FIELD_MANAGER | MAKER)));
    let mut others: Vec<Value> = others.filter_map(|entry| serde_json::to_value(entry).ok()).collect();
    if others.is_empty() {
        // An empty list is taken for one that was left out.
        others.push(json!({}));
    }
    json!({ "metadata": {
        "resourceVersion": meta.resource_version, "annotations": annotations, "labels": labels, "managedFields": others,
    } })
}

/// Whether we have applied this very object: what was deleted and made anew by somebody else has no fields of ours.
pub fn was_applied(meta: &ObjectMeta) -> bool {
    let mut entries = meta.managed_fields.iter().flatten();
    entries.any(|entry| entry.manager.as_deref() == Some(FIELD_MANAGER) && entry.operation.as_deref() == Some("Apply"))
}
