//! Which objects are watched, what was found in them last, and which have moved since.

use std::collections::BTreeMap;
use std::sync::Arc;

use ffe_cluster::kube::api::ObjectMeta;
use ffe_cluster::{Cluster, Error, ObjectRef, Query, public_digest};
use ffe_helm::manifest::{Manifest, ObjectId};
use ffe_session::Ignored;
use serde::{Deserialize, Serialize};
use tfplugin::{Attr, Private};

use crate::rendering::changes::display;
use crate::settings::model::Drifted;

const KEY: &str = "drift.v1";
/// Release records are Secrets too, one for each revision: they are no object of any manifest.
const NO_RECORDS: &str = "type!=helm.sh/release.v1";

/// What is kept in the private state. Nothing of it is secret: what is shown is kept as it is shown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Watched {
    /// The UID of Helm's record that the objects are from.
    record: String,
    /// What did not count when they were compared.
    ignored: Ignored,
    /// The objects of its manifest that count.
    pub(super) objects: Vec<Watch>,
}

/// One object.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Watch {
    pub(super) api_version: String,
    pub(super) kind: String,
    /// As rendered; the release's own where it does not say.
    pub(super) namespace: String,
    pub(super) name: String,
    /// As it was compared last; empty before that.
    pub(super) uid: String,
    pub(super) version: String,
    /// What of its metadata counts, as [`settled`] has it: it is the same where only its status has changed.
    pub(super) settled: String,
    /// It was not there.
    pub(super) gone: bool,
    /// What was found then.
    pub(super) found: Vec<Found>,
}

/// One difference, as it is shown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Found {
    pub(super) path: String,
    pub(super) was: Option<String>,
    pub(super) is: Option<String>,
}

impl Watched {
    /// From private state, if it is about this record under these rules.
    pub(super) fn load(private: &Private, record: &str, ignored: &Ignored) -> Option<Watched> {
        private.get::<Watched>(KEY).filter(|watched| watched.record == record && watched.ignored == *ignored)
    }

    /// Those of a record, none of them compared yet.
    pub(super) fn of(record: &str, ignored: &Ignored, manifest: &Manifest, namespace: &str) -> Watched {
        let objects = manifest.ids().filter(|id| !id.name.is_empty() && !ignored.object(&id.kind, &id.name));
        let mut objects: Vec<Watch> = objects.map(|id| Watch::new(id, namespace)).collect();
        // Rendered twice, it is one object.
        objects.sort_by_key(Watch::reference);
        objects.dedup_by_key(|watch| watch.reference());
        Watched { record: record.to_owned(), ignored: ignored.clone(), objects }
    }

    /// Into private state.
    pub(super) fn store(&self, private: &mut Private) {
        private.set(KEY, self);
    }

    /// Out of it.
    pub(super) fn forget(private: &mut Private) {
        private.remove(KEY);
    }

    /// Everything that was found, for the state.
    pub(super) fn found(&self, namespace: &str) -> Vec<Drifted> {
        let each = |watch: &Watch| {
            let object = watch.display(namespace);
            let drifted = |found: &Found| Drifted {
                object: Attr::Known(object.clone()),
                path: Attr::Known(found.path.clone()),
                was: found.was.clone().into(),
                is: found.is.clone().into(),
            };
            watch.found.iter().map(drifted).collect::<Vec<_>>()
        };
        self.objects.iter().flat_map(each).collect()
    }
}

impl Watch {
    fn new(id: &ObjectId, namespace: &str) -> Watch {
        Watch {
            api_version: id.api_version.clone(),
            kind: id.kind.clone(),
            namespace: id.namespace.clone().unwrap_or_else(|| namespace.to_owned()),
            name: id.name.clone(),
            ..Watch::default()
        }
    }

    /// Its name for the API; for a kind outside of namespaces the namespace is left out there.
    pub(super) fn reference(&self) -> ObjectRef {
        ObjectRef::new(&self.api_version, &self.kind, Some(&self.namespace), &self.name)
    }

    /// Its name for people.
    pub(super) fn display(&self, namespace: &str) -> String {
        let id = ObjectId {
            api_version: self.api_version.clone(),
            kind: self.kind.clone(),
            namespace: Some(self.namespace.clone()),
            name: self.name.clone(),
        };
        display(&id, namespace)
    }

    fn is_as_seen(&self, meta: &ObjectMeta) -> bool {
        let is_same = !self.uid.is_empty() && meta.uid.as_deref() == Some(&self.uid);
        let is_settled = || !self.settled.is_empty() && self.settled == settled(meta);
        is_same && (meta.resource_version.as_deref() == Some(&self.version) || is_settled())
    }
}

/// The generation of an object, which the API server raises with each change outside of metadata and status, and a digest of
/// what its metadata says. Empty for a kind that has no generation: of that only the resource version tells.
///
/// A Deployment's status changes long after it was applied, and with each pod that comes or goes.
pub(super) fn settled(meta: &ObjectMeta) -> String {
    let Some(generation) = meta.generation.filter(|generation| *generation > 0) else { return String::new() };
    // Controllers count in these, behind everybody's back.
    let counts = |key: &&String| !key.starts_with("deployment.kubernetes.io/");
    let annotations = meta.annotations.iter().flatten().filter(|(key, _)| counts(key));
    let annotations: BTreeMap<&String, &String> = annotations.collect();
    let said = (&meta.labels, annotations, &meta.finalizers, &meta.owner_references, meta.deletion_timestamp.is_some());
    let digest = public_digest([("metadata", serde_json::to_string(&said).unwrap_or_default().as_str())]);
    format!("{generation}.{}", digest.get(..16).unwrap_or(&digest))
}

/// What a manifest says of an object.
pub(super) fn applied<'a>(manifest: &'a Manifest, watch: &Watch, namespace: &str) -> Option<&'a serde_json::Value> {
    let is = |id: &ObjectId| Watch::new(id, namespace).reference() == watch.reference();
    manifest.objects.iter().rev().find(|object| is(&object.id)).map(|object| &object.body)
}

/// What the lists show.
#[derive(Default)]
pub(super) struct Listed {
    /// Positions of the objects that are not as they were compared last, or gone.
    pub(super) moved: Vec<usize>,
    /// Kinds that could not be listed, and why.
    pub(super) unlisted: Vec<(String, Arc<Error>)>,
}

/// Looks which objects have moved: one shared list for each kind and namespace.
pub(super) async fn list_moved(cluster: &Cluster, watched: &Watched) -> Listed {
    let mut groups: BTreeMap<ObjectRef, Vec<usize>> = BTreeMap::new();
    for (position, watch) in watched.objects.iter().enumerate() {
        groups.entry(watch.reference().named("")).or_default().push(position);
    }
    let lists = groups.keys().map(|kind| {
        let records = kind.kind == "Secret" && kind.api_version == "v1";
        let query = if records { Query::fields(NO_RECORDS) } else { Query::default() };
        async move { cluster.lists().list_kind(cluster, kind, &query).await }
    });
    let lists = futures::future::join_all(lists).await;
    let mut listed = Listed::default();
    for ((kind, positions), list) in groups.iter().zip(lists) {
        match list {
            Ok(list) => {
                listed.moved.extend(positions.iter().copied().filter(|position| {
                    let watch = &watched.objects[*position];
                    let found = list.binary_search_by(|meta| meta.name.as_deref().cmp(&Some(&watch.name)));
                    !found.map_or(watch.gone, |at| watch.is_as_seen(&list[at]))
                }));
            }
            Err(error) => listed.unlisted.push((kind.kind.clone(), Arc::new(error))),
        }
    }
    listed.moved.sort_unstable();
    listed
}
