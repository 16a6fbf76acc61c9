//! The kinds of objects that an environment consists of, and one object of any of them as it should be.

use ffe_cluster::k8s_openapi::api::apps::v1::StatefulSet;
use ffe_cluster::k8s_openapi::api::core::v1::{
    ConfigMap, LimitRange, Namespace, PersistentVolumeClaim, ResourceQuota, Secret, Service, ServiceAccount,
};
use ffe_cluster::k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use ffe_cluster::k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use ffe_cluster::{Cluster, Error, Mark, Object, ObjectRef, Originals, Owner, Ownership, Result, ownership};
use serde_json::{Value as Json, json};

macro_rules! kinds {
    ($($kind:ident),*) => {
        /// A kind known at compile time: no discovery is needed to reach its objects.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Kind {
            $(
                #[allow(missing_docs)]
                $kind
            ),*
        }

        impl Kind {
            fn reference(self, namespace: Option<&str>, name: &str) -> ObjectRef {
                match self { $(Kind::$kind => ObjectRef::of::<$kind>(namespace, name)),* }
            }

            async fn find(self, cluster: &Cluster, object: &ObjectRef) -> Result<Option<Json>> {
                match self { $(Kind::$kind => find::<$kind>(cluster, object).await),* }
            }

            /// Whether the JSON is an object of this kind, field by field.
            #[cfg(test)]
            pub(crate) fn fits(self, json: &Json) -> std::result::Result<Json, String> {
                match self {
                    $(Kind::$kind => serde_json::from_value::<$kind>(json.clone())
                        .and_then(serde_json::to_value)
                        .map_err(|error| error.to_string())),*
                }
            }
        }
    };
}

kinds!(
    Namespace,
    ServiceAccount,
    Role,
    RoleBinding,
    ResourceQuota,
    LimitRange,
    ConfigMap,
    Secret,
    Service,
    PersistentVolumeClaim,
    StatefulSet
);

async fn find<K: Object>(cluster: &Cluster, object: &ObjectRef) -> Result<Option<Json>> {
    let found = cluster.find::<K>(object.namespace.as_deref(), &object.name).await?;
    found.map(|found| to_json(object, &found)).transpose()
}

fn to_json<K: Object>(object: &ObjectRef, found: &K) -> Result<Json> {
    serde_json::to_value(found).map_err(|_| malformed(object))
}

/// Without serde's own text, which may quote a value.
fn malformed(object: &ObjectRef) -> Error {
    Error::Malformed { what: object.to_string(), message: "it does not have the shape of its kind".to_owned() }
}

/// An object as it should be. Not `Debug`: it may hold a secret.
#[derive(Clone)]
pub(crate) struct Desired {
    pub(crate) kind: Kind,
    pub(crate) reference: ObjectRef,
    /// Without our mark.
    pub(crate) object: Json,
}

impl Desired {
    /// `body` is everything beside apiVersion, kind, name and namespace.
    pub(crate) fn new(kind: Kind, namespace: Option<&str>, name: &str, body: Json) -> Desired {
        let reference = kind.reference(namespace, name);
        let mut object = json!({ "apiVersion": reference.api_version, "kind": reference.kind });
        if let (Some(object), Json::Object(body)) = (object.as_object_mut(), body) {
            object.extend(body);
            let metadata = object.entry("metadata").or_insert_with(|| json!({}));
            metadata["name"] = Json::from(name);
            if let Some(namespace) = namespace {
                metadata["namespace"] = Json::from(namespace);
            }
        }
        Desired { kind, reference, object }
    }

    /// The same with one more annotation.
    #[must_use]
    pub(crate) fn annotated(mut self, key: &str, value: &str) -> Desired {
        self.object["metadata"]["annotations"][key] = Json::from(value);
        self
    }

    /// What is in the cluster in its place.
    pub(crate) async fn find(self, cluster: &Cluster) -> Result<Found> {
        let live = self.kind.find(cluster, &self.reference).await?;
        Ok(Found { desired: self, live })
    }

    /// Writes it under a mark: made where there was none, else applied to the one that has this UID. What somebody else's
    /// object has is kept first. Returns its UID.
    pub(crate) async fn put(
        &self,
        cluster: &Cluster,
        mark: &Mark,
        uid: Option<&str>,
        originals: &Originals,
    ) -> Result<Option<String>> {
        if mark.adopted {
            originals.keep(cluster, &self.object, &mark.run_id).await?;
        }
        let mut object = self.object.clone();
        mark.write_value(&mut object);
        cluster.put(&object, uid).await.map(|written| written.metadata.uid)
    }
}

/// An object as it should be, beside what is there.
#[derive(Clone)]
pub(crate) struct Found {
    pub(crate) desired: Desired,
    pub(crate) live: Option<Json>,
}

impl Found {
    /// The live object's metadata.
    pub(crate) fn meta(&self) -> Option<ObjectMeta> {
        let metadata = self.live.as_ref()?.get("metadata")?;
        serde_json::from_value(metadata.clone()).ok()
    }

    /// Whose the live object is.
    pub(crate) fn ownership(&self, owner: &Owner) -> Ownership {
        ownership(self.meta().as_ref(), owner)
    }

    /// The live object's UID.
    pub(crate) fn uid(&self) -> Option<String> {
        self.meta()?.uid
    }

    /// A value of the live Secret.
    pub(crate) fn secret(&self, key: &str) -> Option<String> {
        secret_value(self.live.as_ref()?, key)
    }
}

/// A value of a Secret.
pub(crate) fn secret_value(secret: &Json, key: &str) -> Option<String> {
    use base64::Engine as _;
    let text = secret.get("data")?.get(key)?.as_str()?;
    String::from_utf8(base64::engine::general_purpose::STANDARD.decode(text).ok()?).ok()
}

/// Looks for all of them at once.
pub(crate) async fn find_all(cluster: &Cluster, desired: Vec<Desired>) -> Result<Vec<Found>> {
    futures::future::try_join_all(desired.into_iter().map(|desired| desired.find(cluster))).await
}
