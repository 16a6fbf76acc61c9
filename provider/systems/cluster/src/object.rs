//! Names of Kubernetes objects, and what a type must be to be read and written by this crate.

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::GroupVersionKind;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Error, Result};

/// A Kubernetes type known at compile time: every type of `k8s_openapi`, namespaced or not.
pub trait Object:
    kube::Resource<DynamicType = ()> + Serialize + DeserializeOwned + Clone + fmt::Debug + Send + Sync + 'static
{
}

impl<K> Object for K where
    K: kube::Resource<DynamicType = ()> + Serialize + DeserializeOwned + Clone + fmt::Debug + Send + Sync + 'static
{
}

/// The full name of one object; displayed as `Deployment ffe/backend`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectRef {
    /// `v1`, `apps/v1`, `cert-manager.io/v1`
    pub api_version: String,
    /// `Deployment`
    pub kind: String,
    /// None for kinds that live outside of namespaces
    pub namespace: Option<String>,
    /// `metadata.name`; empty when a whole kind is meant
    pub name: String,
}

impl ObjectRef {
    /// Names an object of a kind known at run time.
    pub fn new(api_version: &str, kind: &str, namespace: Option<&str>, name: &str) -> Self {
        Self {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        }
    }

    /// Names an object of a kind known at compile time.
    pub fn of<K: Object>(namespace: Option<&str>, name: &str) -> Self {
        Self::new(&K::api_version(&()), &K::kind(&()), namespace, name)
    }

    /// Names a typed object by its own metadata.
    pub fn to<K: Object>(object: &K) -> Self {
        let meta = object.meta();
        Self::of::<K>(meta.namespace.as_deref(), meta.name.as_deref().unwrap_or_default())
    }

    /// Reads the name off an object given as JSON (`apiVersion`, `kind`, `metadata`).
    ///
    /// # Errors
    /// [`Error::Malformed`] when one of the three is missing.
    pub fn from_value(object: &Value) -> Result<Self> {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
        let need = |pointer: &'static str| {
            text(pointer).ok_or_else(|| Error::Malformed {
                what: "object".to_owned(),
                message: format!("it has no {}", pointer.trim_start_matches('/').replace('/', ".")),
            })
        };
        Ok(Self::new(
            need("/apiVersion")?,
            need("/kind")?,
            text("/metadata/namespace").filter(|namespace| !namespace.is_empty()),
            need("/metadata/name")?,
        ))
    }

    /// The group, version and kind, as discovery wants them.
    pub fn gvk(&self) -> GroupVersionKind {
        let (group, version) = self.api_version.split_once('/').unwrap_or(("", &self.api_version));
        GroupVersionKind::gvk(group, version, &self.kind)
    }

    /// The same object by another name.
    #[must_use]
    pub fn named(&self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self.clone() }
    }

    /// How events refer to it: kind, namespace and name without the API's version.
    pub fn is(&self, kind: &str, meta: &ObjectMeta) -> bool {
        self.kind == kind
            && meta.name.as_deref() == Some(&self.name)
            && meta.namespace.as_deref() == self.namespace.as_deref()
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind)?;
        match (&self.namespace, self.name.as_str()) {
            (None, "") => Ok(()),
            (None, name) => write!(f, " {name}"),
            (Some(namespace), "") => write!(f, " in namespace {namespace}"),
            (Some(namespace), name) => write!(f, " {namespace}/{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use k8s_openapi::api::apps::v1::Deployment;
    use k8s_openapi::api::core::v1::Namespace;
    use serde_json::json;

    use super::*;

    #[test]
    fn names_read_like_sentences() {
        assert_eq!(ObjectRef::of::<Deployment>(Some("ffe"), "backend").to_string(), "Deployment ffe/backend");
        assert_eq!(ObjectRef::of::<Namespace>(None, "ffe").to_string(), "Namespace ffe");
        assert_eq!(ObjectRef::of::<Deployment>(Some("ffe"), "").to_string(), "Deployment in namespace ffe");
    }

    #[test]
    fn json_names_itself_or_says_what_is_missing() {
        let object =
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "namespace": "b"}});
        let named = ObjectRef::from_value(&object).unwrap();
        assert_eq!(named, ObjectRef::of::<Deployment>(Some("b"), "a"));
        assert_eq!(named.gvk().group, "apps");
        let error = ObjectRef::from_value(&json!({"apiVersion": "v1", "kind": "Pod"})).unwrap_err();
        assert!(error.to_string().contains("metadata.name"), "{error}");
    }
}
