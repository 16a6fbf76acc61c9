//! Reading and writing objects, typed and dynamic.
//!
//! Typed calls take the namespace of namespaced kinds and None for the others. Lists are uncached
//! (no `resourceVersion`) and read to the last page.

use kube::api::{
    Api, DynamicObject, ListParams, ObjectMeta, PartialObjectMeta, Patch, PatchParams, PostParams, ValidationDirective,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::apply::FIELD_MANAGER;
use crate::cluster::Cluster;
use crate::discovery::Served;
use crate::error::{Error, Result};
use crate::object::{Object, ObjectRef};

/// Objects on one page of a list.
pub(crate) const PAGE: u32 = 500;

/// Which objects a list shall hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Query {
    /// Label selector, `owner=helm,status=deployed`
    pub labels: Option<String>,
    /// Field selector, `metadata.name=backend`
    pub fields: Option<String>,
}

impl Query {
    /// By label selector.
    pub fn labels(selector: impl Into<String>) -> Self {
        Self { labels: Some(selector.into()), fields: None }
    }

    /// By field selector.
    pub fn fields(selector: impl Into<String>) -> Self {
        Self { labels: None, fields: Some(selector.into()) }
    }

    /// The one object of this name.
    pub fn named(name: &str) -> Self {
        Self::fields(format!("metadata.name={name}"))
    }

    fn params(&self) -> ListParams {
        let mut params = ListParams::default().limit(PAGE);
        params.label_selector.clone_from(&self.labels);
        params.field_selector.clone_from(&self.fields);
        params
    }
}

impl Cluster {
    /// Reads one object.
    ///
    /// # Errors
    /// [`crate::Kind::NotFound`] when the API says that it does not exist, and those of any request.
    pub async fn get<K: Object>(&self, namespace: Option<&str>, name: &str) -> Result<K> {
        let object = ObjectRef::of::<K>(namespace, name);
        let api = self.api_of(&Served::typed::<K>(namespace), namespace).await?;
        let found = api.get(name).await.map_err(|error| self.failed("read", &object, error))?;
        typed(&object, found)
    }

    /// Reads one object, None when it does not exist. For paths that write; to drop something from
    /// the state use [`Cluster::confirm`].
    ///
    /// # Errors
    /// Those of any request.
    pub async fn find<K: Object>(&self, namespace: Option<&str>, name: &str) -> Result<Option<K>> {
        absent_is_none(self.get(namespace, name).await)
    }

    /// Lists objects; `None` as the namespace of a namespaced kind means all of them.
    ///
    /// # Errors
    /// Those of any request.
    pub async fn list<K: Object>(&self, namespace: Option<&str>, query: &Query) -> Result<Vec<K>> {
        let object = ObjectRef::of::<K>(namespace, "");
        let api = self.api_of(&Served::typed::<K>(namespace), namespace).await?;
        let found: Vec<DynamicObject> = self.pages(&api, &object, query).await?;
        found.into_iter().map(|found| typed(&object, found)).collect()
    }

    /// Lists metadata only: a small fraction of the bytes, and no content of Secrets.
    ///
    /// # Errors
    /// Those of any request.
    pub async fn list_metadata<K: Object>(&self, namespace: Option<&str>, query: &Query) -> Result<Vec<ObjectMeta>> {
        let object = ObjectRef::of::<K>(namespace, "");
        self.metadata(&Served::typed::<K>(namespace), &object, query).await
    }

    /// The same for a kind known at run time: all objects of the kind of `kind` in its namespace, its name left aside.
    ///
    /// # Errors
    /// [`crate::Kind::NotServed`], and those of any request.
    pub async fn list_metadata_ref(&self, kind: &ObjectRef, query: &Query) -> Result<Vec<ObjectMeta>> {
        let served = self.serves(kind).await?;
        self.metadata(&served, &kind.named(""), query).await
    }

    async fn metadata(&self, served: &Served, object: &ObjectRef, query: &Query) -> Result<Vec<ObjectMeta>> {
        let api = self.metadata_api_of(served, object.namespace.as_deref()).await?;
        let found: Vec<PartialObjectMeta<DynamicObject>> = self.pages(&api, object, query).await?;
        Ok(found.into_iter().map(|found| found.metadata).collect())
    }

    async fn pages<T>(&self, api: &Api<T>, object: &ObjectRef, query: &Query) -> Result<Vec<T>>
    where
        T: Clone + std::fmt::Debug + DeserializeOwned,
    {
        let mut params = query.params();
        let mut all = Vec::new();
        loop {
            let page = api.list(&params).await.map_err(|error| self.failed("list", object, error))?;
            all.extend(page.items);
            // a page may be empty and still not be the last
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params.continue_token = Some(token),
                None => return Ok(all),
            }
        }
    }

    /// Reads one object of a kind known at run time.
    ///
    /// # Errors
    /// [`crate::Kind::NotFound`], [`crate::Kind::NotServed`], and those of any request.
    pub async fn get_ref(&self, object: &ObjectRef) -> Result<DynamicObject> {
        let served = self.serves(object).await?;
        let api = self.api_of(&served, object.namespace.as_deref()).await?;
        api.get(&object.name).await.map_err(|error| self.failed("read", object, error))
    }

    /// The same, None when the object does not exist.
    ///
    /// # Errors
    /// [`crate::Kind::NotServed`], and those of any request.
    pub async fn find_ref(&self, object: &ObjectRef) -> Result<Option<DynamicObject>> {
        absent_is_none(self.get_ref(object).await)
    }

    /// Lists objects of a kind known at run time.
    ///
    /// # Errors
    /// [`crate::Kind::NotServed`], and those of any request.
    pub async fn list_ref(
        &self,
        api_version: &str,
        kind: &str,
        namespace: Option<&str>,
        query: &Query,
    ) -> Result<Vec<DynamicObject>> {
        let object = ObjectRef::new(api_version, kind, namespace, "");
        let served = self.serves(&object).await?;
        let api = self.api_of(&served, namespace).await?;
        self.pages(&api, &object, query).await
    }

    /// Makes an object that must not exist yet.
    ///
    /// # Errors
    /// [`crate::Kind::AlreadyExists`], and those of any request.
    pub async fn create<K: Object>(&self, object: &K) -> Result<K> {
        let (named, api) = self.place_of(object).await?;
        let body = untyped(&named, object)?;
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        let made = api.create(&params, &body).await.map_err(|error| self.failed("create", &named, error))?;
        self.lists().invalidate::<K>(named.namespace.as_deref());
        typed(&named, made)
    }

    /// Replaces an object. With `metadata.resourceVersion` in it this is a compare-and-swap.
    ///
    /// # Errors
    /// [`crate::Kind::Conflict`] when the swap lost, and those of any request.
    pub async fn replace<K: Object>(&self, object: &K) -> Result<K> {
        let (named, api) = self.place_of(object).await?;
        let body = untyped(&named, object)?;
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        let made =
            api.replace(&named.name, &params, &body).await.map_err(|error| self.failed("replace", &named, error))?;
        self.lists().invalidate::<K>(named.namespace.as_deref());
        typed(&named, made)
    }

    /// Applies a JSON merge patch. With `metadata.resourceVersion` in it this is a compare-and-swap.
    ///
    /// # Errors
    /// [`crate::Kind::NotFound`], [`crate::Kind::Conflict`], and those of any request.
    pub async fn merge<K: Object>(&self, namespace: Option<&str>, name: &str, patch: &Value) -> Result<K> {
        let object = ObjectRef::of::<K>(namespace, name);
        let api = self.api_of(&Served::typed::<K>(namespace), namespace).await?;
        let patched = self.send_merge(&api, &object, patch).await?;
        self.lists().invalidate::<K>(namespace);
        typed(&object, patched)
    }

    /// The same for a kind known at run time.
    ///
    /// # Errors
    /// As [`Cluster::merge`], and [`crate::Kind::NotServed`].
    pub async fn merge_ref(&self, object: &ObjectRef, patch: &Value) -> Result<DynamicObject> {
        let served = self.serves(object).await?;
        let api = self.api_of(&served, object.namespace.as_deref()).await?;
        let patched = self.send_merge(&api, object, patch).await?;
        self.lists().invalidate_kind(&object.api_version, &object.kind, object.namespace.as_deref());
        Ok(patched)
    }

    /// Replaces an object of a kind known at run time. With `metadata.resourceVersion` in it this is a compare-and-swap.
    ///
    /// # Errors
    /// As [`Cluster::replace`], and [`crate::Kind::NotServed`].
    pub async fn replace_ref(&self, object: &DynamicObject) -> Result<DynamicObject> {
        let value = serde_json::to_value(object).unwrap_or_default();
        let named = ObjectRef::from_value(&value)?;
        let served = self.serves(&named).await?;
        let api = self.api_of(&served, named.namespace.as_deref()).await?;
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        let made = api.replace(&named.name, &params, object).await;
        let made = made.map_err(|error| self.failed("replace", &named, error))?;
        self.lists().invalidate_kind(&named.api_version, &named.kind, named.namespace.as_deref());
        Ok(made)
    }

    pub(crate) async fn send_merge(
        &self,
        api: &Api<DynamicObject>,
        object: &ObjectRef,
        patch: &Value,
    ) -> Result<DynamicObject> {
        let params = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            field_validation: Some(ValidationDirective::Strict),
            ..PatchParams::default()
        };
        api.patch(&object.name, &params, &Patch::Merge(patch))
            .await
            .map_err(|error| self.failed("patch", object, error))
    }

    /// Where an object that is written stands: by its own metadata.
    pub(crate) async fn place_of<K: Object>(&self, object: &K) -> Result<(ObjectRef, Api<DynamicObject>)> {
        let named = ObjectRef::to(object);
        if named.name.is_empty() {
            return Err(Error::Malformed { what: named.kind, message: "it has no metadata.name".to_owned() });
        }
        let namespace = named.namespace.as_deref();
        let api = self.api_of(&Served::typed::<K>(namespace), namespace).await?;
        Ok((named, api))
    }
}

/// "Not found" as an answer instead of an error.
pub(crate) fn absent_is_none<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

pub(crate) fn typed<K: Object>(object: &ObjectRef, found: DynamicObject) -> Result<K> {
    serde_json::to_value(found).and_then(serde_json::from_value).map_err(|error| unreadable(object, &error))
}

pub(crate) fn untyped<K: Object>(named: &ObjectRef, object: &K) -> Result<DynamicObject> {
    let mut value = serde_json::to_value(object).map_err(|error| unreadable(named, &error))?;
    if let Some(fields) = value.as_object_mut() {
        fields.insert("apiVersion".to_owned(), Value::from(named.api_version.clone()));
        fields.insert("kind".to_owned(), Value::from(named.kind.clone()));
    }
    serde_json::from_value(value).map_err(|error| unreadable(named, &error))
}

/// Without serde's text, which may quote a value.
fn unreadable(object: &ObjectRef, error: &serde_json::Error) -> Error {
    Error::Malformed {
        what: object.to_string(),
        message: format!("it does not have the shape of its kind (line {}, column {})", error.line(), error.column()),
    }
}
