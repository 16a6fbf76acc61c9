//! One object as it should be, beside what is there in its place.

use ffe_cluster::kube::api::{DynamicObject, ObjectMeta};
use ffe_cluster::{Cluster, Error, Kind, Mark, ObjectRef, Owner, Ownership, Result, ownership};
use serde_json::Value as Json;

/// Labels that only describe.
pub(crate) const DESCRIPTIVE: [&str; 2] = ["app.kubernetes.io/part-of", "app.kubernetes.io/component"];

/// What an object is of the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Stands for the endpoint.
    Record,
    Route,
    Credentials,
    Issuer,
    Certificate,
    Alert,
}

/// An object as it should be. Not `Debug`: it may hold a secret.
#[derive(Clone)]
pub(crate) struct Desired {
    pub(crate) part: Part,
    pub(crate) reference: ObjectRef,
    /// Without our mark.
    pub(crate) object: Json,
}

impl Desired {
    /// An object that has apiVersion, kind, name and namespace.
    ///
    /// # Errors
    /// Without one of them.
    pub(crate) fn new(part: Part, object: Json) -> Result<Desired> {
        Ok(Desired { part, reference: ObjectRef::from_value(&object)?, object })
    }

    /// What is in the cluster in its place. A kind that is not served has no objects.
    ///
    /// # Errors
    /// Those of a request.
    pub(crate) async fn find(self, cluster: &Cluster) -> Result<Found> {
        let live = find(cluster, &self.reference).await?;
        Ok(Found { desired: self, live })
    }

    /// With a mark.
    pub(crate) fn marked(&self, mark: &Mark) -> Json {
        let mut object = self.wished(mark.adopted);
        mark.write_value(&mut object);
        object
    }

    /// What is applied beside the mark. Somebody else's object keeps the labels that it has.
    pub(crate) fn wished(&self, adopted: bool) -> Json {
        let mut object = self.object.clone();
        if adopted && let Some(labels) = object.pointer_mut("/metadata/labels").and_then(Json::as_object_mut) {
            labels.retain(|key, _| !DESCRIPTIVE.contains(&key.as_str()));
        }
        object
    }
}

/// An object as it should be, beside what is there.
#[derive(Clone)]
pub(crate) struct Found {
    pub(crate) desired: Desired,
    pub(crate) live: Option<DynamicObject>,
}

impl Found {
    /// Whose the live object is.
    pub(crate) fn ownership(&self, owner: &Owner) -> Ownership {
        ownership(self.meta(), owner)
    }

    /// The live object's metadata.
    pub(crate) fn meta(&self) -> Option<&ObjectMeta> {
        self.live.as_ref().map(|live| &live.metadata)
    }

    /// The live object.
    pub(crate) fn json(&self) -> Option<Json> {
        self.live.as_ref().and_then(|live| serde_json::to_value(live).ok())
    }
}

/// An object, if there is one. A kind that is not served has none.
///
/// # Errors
/// Those of a request.
pub(crate) async fn find(cluster: &Cluster, object: &ObjectRef) -> Result<Option<DynamicObject>> {
    unserved(cluster.find_ref(object).await)
}

/// Whether there is such an object and it is this owner's.
///
/// # Errors
/// Those of a request.
pub(crate) async fn is_there_and_ours(cluster: &Cluster, object: &ObjectRef, owner: &Owner) -> Result<bool> {
    let found = find(cluster, object).await?;
    let whose = ownership(found.as_ref().map(|found| &found.metadata), owner);
    Ok(matches!(whose, Ownership::OursComplete(_) | Ownership::OursUnfinished(_)))
}

/// Looks for all of them at once.
///
/// # Errors
/// Those of a request.
pub(crate) async fn find_all(cluster: &Cluster, desired: Vec<Desired>) -> Result<Vec<Found>> {
    futures::future::try_join_all(desired.into_iter().map(|desired| desired.find(cluster))).await
}

/// The answer of a request, none where the kind is not served.
///
/// # Errors
/// Every other error.
pub(crate) fn unserved<T: Default>(answer: Result<T, Error>) -> Result<T, Error> {
    match answer {
        Err(error) if error.kind() == Kind::NotServed => Ok(T::default()),
        other => other,
    }
}
