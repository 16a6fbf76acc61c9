//! What Helm recorded, read without Helm.
//!
//! Helm keeps each revision in a Secret (or ConfigMap) of its own. A refresh lists their metadata once per namespace for
//! all releases in it and opens a record only when it is another one than the caller knows: uid and resourceVersion say
//! so (the `modifiedAt` label has a resolution of one second).

mod release;
mod status;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use ffe_cluster::{Cluster, DeleteOptions, ObjectRef, Query};
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

pub use release::{HookRecord, HookRun, Release, decode};
pub use status::Status;

use crate::binary::Driver;
use crate::manifest::ObjectId;
use crate::{Error, Result};

/// The label that all records have.
const OWNER: &str = "owner=helm";
/// Records, and what is kept beside them: one list shows both.
const ALL: &str = "owner in (helm,ffe)";
/// Value of the label `owner` on a Secret that is kept beside a release's records: see [`Records::beside`].
pub const BESIDE: &str = "ffe";
/// Where the content is.
const FIELD: &str = "release";

/// One record, without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordKey {
    /// Name of the release.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The revision.
    pub revision: u32,
    /// Its status, as labelled.
    pub status: Status,
    /// Name of the object that holds it.
    pub object: String,
    /// The object's UID.
    pub uid: String,
    /// The object's version: with the UID, whether this is what one has seen.
    pub resource_version: String,
    /// When Helm last wrote it, to the second.
    pub written: Option<Timestamp>,
}

impl RecordKey {
    /// Whether this is the very record, unchanged, of which these were noted.
    #[must_use]
    pub fn is_same(&self, uid: &str, resource_version: &str) -> bool {
        self.uid == uid && self.resource_version == resource_version
    }

    /// From an object's metadata; `None` for what is not Helm's.
    #[must_use]
    pub fn from_metadata(meta: &ObjectMeta) -> Option<Self> {
        let labels = meta.labels.as_ref()?;
        let label = |name: &str| labels.get(name).map(String::as_str);
        let name = label("name")?;
        let revision: u32 = label("version")?.parse().ok()?;
        let object = meta.name.clone()?;
        // Labels can be put on anything; the name is Helm's own.
        if label("owner") != Some("helm") || object != object_name(name, revision) {
            return None;
        }
        let written = label("modifiedAt").or_else(|| label("createdAt"));
        Some(Self {
            name: name.to_owned(),
            namespace: meta.namespace.clone()?,
            revision,
            status: label("status").and_then(|status| status.parse().ok()).unwrap_or(Status::Unknown),
            object,
            uid: meta.uid.clone()?,
            resource_version: meta.resource_version.clone()?,
            written: written.and_then(|text| Timestamp::from_second(text.parse().ok()?).ok()),
        })
    }
}

/// The name of the object that holds a revision.
#[must_use]
pub fn object_name(release: &str, revision: u32) -> String {
    format!("sh.helm.release.v1.{release}.v{revision}")
}

/// The records in a cluster. Cheap to clone; lists are shared by everyone who uses this cluster.
#[derive(Clone)]
pub struct Records {
    cluster: Cluster,
    driver: Driver,
    /// The last list of each namespace by release, so that hundreds of releases do not each search all of it.
    indexes: Arc<Mutex<HashMap<String, Indexed>>>,
}

/// A list, for as long as others keep it, and its index.
type Indexed = (Weak<Vec<ObjectMeta>>, Index);
/// Release → its revisions, oldest first.
type Index = Arc<HashMap<String, Vec<RecordKey>>>;

impl std::fmt::Debug for Records {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Records").field("driver", &self.driver).finish_non_exhaustive()
    }
}

impl Records {
    /// Records that this driver keeps in this cluster.
    #[must_use]
    pub fn new(cluster: Cluster, driver: Driver) -> Self {
        Self { cluster, driver, indexes: Arc::default() }
    }

    /// All revisions of a release, oldest first, from the shared list: at most a second old. Empty is no proof of
    /// absence; [`Records::history_now`] is.
    ///
    /// # Errors
    /// The list failed.
    pub async fn history(&self, namespace: &str, name: &str) -> Result<Vec<RecordKey>> {
        let metas = self.shared_list(Some(namespace)).await?;
        Ok(self.index(namespace, &metas).get(name).cloned().unwrap_or_default())
    }

    /// The newest revision of a release, likewise.
    ///
    /// # Errors
    /// The list failed.
    pub async fn latest(&self, namespace: &str, name: &str) -> Result<Option<RecordKey>> {
        let metas = self.shared_list(Some(namespace)).await?;
        Ok(self.index(namespace, &metas).get(name).and_then(|history| history.last().cloned()))
    }

    /// The metadata of a Secret beside the records, labelled `owner` = [`BESIDE`], from the list that the records share. Where
    /// the records are kept in ConfigMaps it is asked for by its name.
    ///
    /// # Errors
    /// The list failed, or the request.
    pub async fn beside(&self, namespace: &str, name: &str) -> Result<Option<ObjectMeta>> {
        if self.driver != Driver::Secret {
            let found = self.cluster.find::<Secret>(Some(namespace), name).await?;
            return Ok(found.map(|secret| secret.metadata));
        }
        let metas = self.shared_list(Some(namespace)).await?;
        Ok(metas.iter().find(|meta| meta.name.as_deref() == Some(name)).cloned())
    }

    /// All revisions of a release, oldest first, asked of the API server now.
    ///
    /// # Errors
    /// The list failed.
    pub async fn history_now(&self, namespace: &str, name: &str) -> Result<Vec<RecordKey>> {
        let query = Query::labels(format!("{OWNER},name={name}"));
        let metas = self.list_now(namespace, &query).await?;
        let mut history: Vec<_> =
            metas.iter().filter_map(RecordKey::from_metadata).filter(|key| key.name == name).collect();
        sort(&mut history);
        Ok(history)
    }

    /// The names of all releases in a namespace, asked of the API server now.
    ///
    /// # Errors
    /// The list failed.
    pub async fn names_now(&self, namespace: &str) -> Result<BTreeSet<String>> {
        let query = Query::labels(OWNER);
        let metas = self.list_now(namespace, &query).await?;
        Ok(metas.iter().filter_map(RecordKey::from_metadata).map(|key| key.name).collect())
    }

    /// Which driver's records these are.
    #[must_use]
    pub fn driver(&self) -> Driver {
        self.driver
    }

    /// The newest revision of a release that the *other* storage driver keeps, asked of the API server now. Where its objects may
    /// not be listed, nothing is found: whoever keeps records there can list them.
    ///
    /// # Errors
    /// The list failed for another reason.
    pub async fn elsewhere(&self, namespace: &str, name: &str) -> Result<Option<(Driver, RecordKey)>> {
        let driver = match self.driver {
            Driver::Secret => Driver::ConfigMap,
            Driver::ConfigMap => Driver::Secret,
        };
        let other = Self { driver, ..self.clone() };
        match other.history_now(namespace, name).await {
            Ok(mut history) => Ok(history.pop().map(|key| (driver, key))),
            Err(Error::Cluster(error)) if error.kind() == ffe_cluster::Kind::Forbidden => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens a record. `None`: it is gone by now. What is opened may be newer than the key.
    ///
    /// # Errors
    /// The record cannot be read or decoded.
    pub async fn open(&self, key: &RecordKey) -> Result<Option<Release>> {
        let Some((_, data)) = self.content(key).await? else { return Ok(None) };
        decode(&data).map(Some).map_err(|problem| broken(key, problem))
    }

    /// Deletes a record, if it is still this very object. For pruning history of our own.
    ///
    /// # Errors
    /// It could not be deleted.
    pub async fn delete(&self, key: &RecordKey) -> Result<()> {
        let object = match self.driver {
            Driver::Secret => ObjectRef::of::<Secret>(Some(&key.namespace), &key.object),
            Driver::ConfigMap => ObjectRef::of::<ConfigMap>(Some(&key.namespace), &key.object),
        };
        let options = DeleteOptions { uid: Some(key.uid.clone()), ..DeleteOptions::default() };
        let deleted = self.cluster.delete(&object, &options).await;
        self.invalidate(&key.namespace);
        deleted.map(drop).map_err(Into::into)
    }

    /// Marks a pending record as failed, so that Helm goes on from it instead of refusing. Only when the record is still
    /// as it was listed, and only to be called by whoever knows that nobody is at work on the release.
    ///
    /// # Errors
    /// Somebody wrote the record meanwhile ([`ffe_cluster::Kind::Conflict`]), or it cannot be read or written.
    pub async fn unlock(&self, key: &RecordKey, description: &str) -> Result<()> {
        let failed = Status::Failed;
        self.rewrite(key, Some(failed), |data| release::with_status(data, failed, description)).await
    }

    /// Takes objects out of a record: Helm then neither deletes nor changes them when it goes on from it. Without a namespace it is an
    /// object outside of namespaces. Only when the record
    /// is still as it was listed, and only to be called by whoever knows that nobody is at work on the release.
    ///
    /// # Errors
    /// As [`Records::unlock`].
    pub async fn leave_out(&self, key: &RecordKey, objects: &[ObjectId]) -> Result<()> {
        let named = |id: &ObjectId| {
            let at = id.namespace.as_deref().unwrap_or(&key.namespace);
            let same =
                |one: &ObjectId| (&one.kind, &one.name, &one.api_version) == (&id.kind, &id.name, &id.api_version);
            objects.iter().any(|one| same(one) && one.namespace.as_deref().is_none_or(|own| own == at))
        };
        self.rewrite(key, None, |data| release::without_objects(data, &named)).await
    }

    async fn rewrite(
        &self,
        key: &RecordKey,
        status: Option<Status>,
        change: impl FnOnce(&[u8]) -> Result<Vec<u8>, String>,
    ) -> Result<()> {
        let Some((mut meta, data)) = self.content(key).await? else { return Ok(()) };
        let data = change(&data).map_err(|problem| broken(key, problem))?;
        meta.resource_version = Some(key.resource_version.clone());
        meta.managed_fields = None;
        if let Some(status) = status {
            meta.labels.get_or_insert_default().insert("status".into(), status.as_str().into());
        }
        let written = match self.driver {
            Driver::Secret => {
                let data = Some(BTreeMap::from([(FIELD.to_owned(), ByteString(data))]));
                let type_ = Some("helm.sh/release.v1".to_owned());
                self.cluster.replace(&Secret { metadata: meta, data, type_, ..Secret::default() }).await.map(drop)
            }
            Driver::ConfigMap => {
                let text = String::from_utf8_lossy(&data).into_owned();
                let data = Some(BTreeMap::from([(FIELD.to_owned(), text)]));
                self.cluster.replace(&ConfigMap { metadata: meta, data, ..ConfigMap::default() }).await.map(drop)
            }
        };
        self.invalidate(&key.namespace);
        written.map_err(Into::into)
    }

    /// Forgets shared lists of a namespace. To be called after Helm wrote.
    pub fn invalidate(&self, namespace: &str) {
        match self.driver {
            Driver::Secret => self.cluster.lists().invalidate::<Secret>(Some(namespace)),
            Driver::ConfigMap => self.cluster.lists().invalidate::<ConfigMap>(Some(namespace)),
        }
    }

    fn index(&self, namespace: &str, metas: &Arc<Vec<ObjectMeta>>) -> Index {
        let this_list = Arc::downgrade(metas);
        let mut indexes = self.indexes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, index)) = indexes.get(namespace).filter(|(of, _)| of.ptr_eq(&this_list)) {
            return Arc::clone(index);
        }
        let mut by_name: HashMap<String, Vec<RecordKey>> = HashMap::new();
        for key in metas.iter().filter_map(RecordKey::from_metadata) {
            by_name.entry(key.name.clone()).or_default().push(key);
        }
        for history in by_name.values_mut() {
            sort(history);
        }
        let index = Index::new(by_name);
        indexes.insert(namespace.to_owned(), (this_list, Arc::clone(&index)));
        index
    }

    async fn list_now(&self, namespace: &str, query: &Query) -> Result<Vec<ObjectMeta>> {
        Ok(match self.driver {
            Driver::Secret => self.cluster.list_metadata::<Secret>(Some(namespace), query).await?,
            Driver::ConfigMap => self.cluster.list_metadata::<ConfigMap>(Some(namespace), query).await?,
        })
    }

    async fn shared_list(&self, namespace: Option<&str>) -> Result<Arc<Vec<ObjectMeta>>> {
        let lists = self.cluster.lists();
        Ok(match self.driver {
            Driver::Secret => lists.list::<Secret>(&self.cluster, namespace, ALL).await?,
            Driver::ConfigMap => lists.list::<ConfigMap>(&self.cluster, namespace, OWNER).await?,
        })
    }

    async fn content(&self, key: &RecordKey) -> Result<Option<(ObjectMeta, Vec<u8>)>> {
        let namespace = Some(key.namespace.as_str());
        let (meta, data) = match self.driver {
            Driver::Secret => match self.cluster.find::<Secret>(namespace, &key.object).await? {
                Some(found) => (found.metadata, found.data.and_then(|mut data| data.remove(FIELD)).map(|data| data.0)),
                None => return Ok(None),
            },
            Driver::ConfigMap => match self.cluster.find::<ConfigMap>(namespace, &key.object).await? {
                Some(found) => {
                    (found.metadata, found.data.and_then(|mut data| data.remove(FIELD)).map(String::into_bytes))
                }
                None => return Ok(None),
            },
        };
        let data = data.ok_or_else(|| broken(key, format!("it has no field {FIELD:?}")))?;
        Ok(Some((meta, data)))
    }
}

/// As numbers: v10 is newer than v9.
fn sort(keys: &mut [RecordKey]) {
    keys.sort_by_key(|key| key.revision);
}

fn broken(key: &RecordKey, problem: String) -> Error {
    Error::Record { object: format!("{}/{}", key.namespace, key.object), problem }
}

#[cfg(test)]
mod tests;
