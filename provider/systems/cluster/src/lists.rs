//! One list for a burst of reads.
//!
//! A refresh asks about hundreds of objects of one kind at nearly the same time. The first caller
//! lists, those that come while it does so wait for its answer, and those that come within a short
//! window after it share it. Any write of ours ends the sharing.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kube::api::ObjectMeta;
use tokio::time::Instant;

use crate::access::Query;
use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::object::{Object, ObjectRef};

/// How long an answer is shared after it came.
const WINDOW: Duration = Duration::from_secs(1);

type Answer = Result<Arc<Vec<ObjectMeta>>, Arc<Error>>;

/// Metadata lists by kind, namespace and selectors.
pub struct MetadataListCache {
    window: Duration,
    entries: Mutex<HashMap<Key, Arc<Entry>>>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    api_version: String,
    kind: String,
    namespace: Option<String>,
    query: Query,
}

#[derive(Default)]
struct Entry {
    /// Held by the one who lists: the others queue here
    slot: tokio::sync::Mutex<Option<Shared>>,
    /// Counts invalidations: an answer that was begun before one is not shared after it
    writes: Mutex<u64>,
}

struct Shared {
    finished: Instant,
    writes: u64,
    answer: Answer,
}

impl Entry {
    fn writes(&self) -> u64 {
        *self.writes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MetadataListCache {
    /// One that shares answers for this long.
    pub fn new(window: Duration) -> Self {
        Self { window, entries: Mutex::default() }
    }

    /// The metadata of all objects of a kind in a namespace (None: everywhere) that a label selector
    /// matches, sorted by name. At most a second old, and never older than our own last write of that kind.
    ///
    /// # Errors
    /// Those of a list. One failure is shared by all who were waiting for it.
    pub async fn list<K: Object>(
        &self,
        cluster: &Cluster,
        namespace: Option<&str>,
        labels: &str,
    ) -> Result<Arc<Vec<ObjectMeta>>> {
        let query = if labels.is_empty() { Query::default() } else { Query::labels(labels) };
        let kind = ObjectRef::of::<K>(namespace, "");
        self.shared(kind, query, async |_, query| cluster.list_metadata::<K>(namespace, query).await).await
    }

    /// The same for a kind known at run time: all objects of the kind of `kind` in its namespace, its name left aside.
    /// A namespace given for a cluster-wide kind is left out.
    ///
    /// # Errors
    /// As [`MetadataListCache::list`], and [`crate::Kind::NotServed`].
    pub async fn list_kind(&self, cluster: &Cluster, kind: &ObjectRef, query: &Query) -> Result<Arc<Vec<ObjectMeta>>> {
        let namespaced = cluster.is_namespaced(kind).await?;
        let namespace = kind.namespace.clone().filter(|_| namespaced);
        let whole = ObjectRef { namespace, ..kind.named("") };
        self.shared(whole, query.clone(), async |whole, query| cluster.list_metadata_ref(whole, query).await).await
    }

    async fn shared(
        &self,
        whole: ObjectRef,
        query: Query,
        list: impl AsyncFnOnce(&ObjectRef, &Query) -> Result<Vec<ObjectMeta>>,
    ) -> Result<Arc<Vec<ObjectMeta>>> {
        let arrived = Instant::now();
        let key = Key {
            api_version: whole.api_version.clone(),
            kind: whole.kind.clone(),
            namespace: whole.namespace.clone(),
            query: query.clone(),
        };
        let entry = Arc::clone(self.entries.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default());

        let mut slot = entry.slot.lock().await;
        if let Some(shared) = slot.as_ref() {
            match &shared.answer {
                Ok(list) if shared.writes == entry.writes() && shared.finished.elapsed() < self.window => {
                    return Ok(Arc::clone(list));
                }
                Err(error) if shared.finished >= arrived => return Err(Error::Shared(Arc::clone(error))),
                _ => {}
            }
        }
        let writes = entry.writes();
        let answer = list(&whole, &query).await.map(slim).map(Arc::new).map_err(Arc::new);
        let result = answer.clone().map_err(Error::Shared);
        *slot = Some(Shared { finished: Instant::now(), writes, answer });
        result
    }

    /// To be called after a write that did not go through [`Cluster`] (Helm's, for example).
    pub fn invalidate<K: Object>(&self, namespace: Option<&str>) {
        self.invalidate_kind(&K::api_version(&()), &K::kind(&()), namespace);
    }

    /// The same for a kind known at run time.
    pub(crate) fn invalidate_kind(&self, api_version: &str, kind: &str, namespace: Option<&str>) {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, entry) in entries.iter() {
            let concerned = key.namespace.is_none() || namespace.is_none() || key.namespace.as_deref() == namespace;
            if key.api_version == api_version && key.kind == kind && concerned {
                *entry.writes.lock().unwrap_or_else(PoisonError::into_inner) += 1;
            }
        }
    }
}

/// Without the bookkeeping of field managers, which is most of the bytes; by name, so that hundreds of readers find theirs.
fn slim(mut list: Vec<ObjectMeta>) -> Vec<ObjectMeta> {
    list.sort_by(|one, other| one.name.cmp(&other.name));
    for meta in &mut list {
        meta.managed_fields = None;
    }
    list
}

impl Default for MetadataListCache {
    fn default() -> Self {
        Self::new(WINDOW)
    }
}

impl fmt::Debug for MetadataListCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetadataListCache").field("window", &self.window).finish_non_exhaustive()
    }
}
