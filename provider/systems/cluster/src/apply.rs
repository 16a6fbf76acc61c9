//! Server-side apply with our own field manager.

use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams, ValidationDirective};
use kube::core::Request;
use serde_json::Value;

use crate::access::{absent_is_none, typed, untyped};
use crate::cluster::Cluster;
use crate::error::{Error, Kind, Result};
use crate::object::{Object, ObjectRef};

/// The name that we own fields under.
pub const FIELD_MANAGER: &str = "terraform-provider-ffe";

/// How to apply.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ApplyOptions {
    /// Take fields that another manager owns
    pub force: bool,
    /// Only ask what would come of it, with admission and defaults
    pub dry_run: bool,
}

impl ApplyOptions {
    /// Taking fields from other managers.
    pub fn forced() -> Self {
        Self { force: true, dry_run: false }
    }

    /// Changing nothing.
    pub fn dry() -> Self {
        Self { force: false, dry_run: true }
    }

    fn params(self) -> PatchParams {
        PatchParams {
            dry_run: self.dry_run,
            force: self.force,
            field_manager: Some(FIELD_MANAGER.to_owned()),
            // a misspelt field must not vanish silently
            field_validation: Some(ValidationDirective::Strict),
        }
    }
}

impl Cluster {
    /// Applies an object: makes it, or changes exactly the fields that are given and removes those
    /// that we gave before and give no more.
    ///
    /// # Errors
    /// [`crate::Error::FieldConflict`] with the other managers and their fields unless forced,
    /// [`crate::Kind::Invalid`], and those of any request.
    pub async fn apply<K: Object>(&self, object: &K, options: ApplyOptions) -> Result<K> {
        let (named, api) = self.place_of(object).await?;
        let body = clean(untyped(&named, object)?);
        let applied = self.send(&api, &named, body, None, options).await?;
        typed(&named, applied)
    }

    /// The same for an object given as JSON, of any kind that the server serves. A namespaced object
    /// without a namespace goes to the default one.
    ///
    /// # Errors
    /// As [`Cluster::apply`], and [`crate::Kind::NotServed`].
    pub async fn apply_value(&self, object: &Value, options: ApplyOptions) -> Result<DynamicObject> {
        let (named, api, body) = self.placed(object).await?;
        self.send(&api, &named, body, None, options).await
    }

    /// The same for an object that was looked at: only if it is still this very one.
    ///
    /// # Errors
    /// As [`Cluster::apply_value`], and [`Error::Remade`].
    pub async fn apply_to(&self, object: &Value, uid: &str, options: ApplyOptions) -> Result<DynamicObject> {
        let (named, api, body) = self.placed(object).await?;
        self.send(&api, &named, body, Some(uid), options).await
    }

    /// What would come of applying an object by force, with admission and defaults, of any kind that the server serves.
    /// Nothing is changed. Fields that the kind does not have are no error: others wrote the object and were not told either.
    ///
    /// # Errors
    /// Those of any request, and [`crate::Kind::NotServed`].
    pub async fn try_out(&self, object: &Value) -> Result<DynamicObject> {
        let (named, api, body) = self.placed(object).await?;
        let params = PatchParams {
            field_validation: Some(ValidationDirective::Ignore),
            ..ApplyOptions { force: true, dry_run: true }.params()
        };
        let patch = Patch::Apply(&body);
        api.patch(&named.name, &params, &patch).await.map_err(|error| self.failed("try out", &named, error))
    }

    /// Whether the API server would take a new object, with admission and defaults. Nothing is changed.
    ///
    /// # Errors
    /// What it would answer; [`crate::Kind::Invalid`] for a field that the kind does not have, unless `lenient`.
    pub async fn try_create(&self, object: &Value, lenient: bool) -> Result<()> {
        let (named, api, body) = self.placed(object).await?;
        let failed = |error| self.failed("try to create", &named, error);
        let params = PostParams { dry_run: true, field_manager: Some(FIELD_MANAGER.to_owned()) };
        let strictness = if lenient { "Ignore" } else { "Strict" };
        let request = creation(&api, &params, &body, strictness).map_err(failed)?;
        self.client().await?.request::<DynamicObject>(request).await.map(drop).map_err(failed)
    }

    /// Whether the API server would take a change (a JSON merge patch) of an object that is there, with admission and defaults.
    /// Nothing is changed.
    ///
    /// # Errors
    /// As [`Cluster::try_create`], and [`crate::Kind::NotFound`].
    pub async fn try_merge(&self, object: &Value, patch: &Value, lenient: bool) -> Result<()> {
        let (named, api, _) = self.placed(object).await?;
        let params = PatchParams {
            dry_run: true,
            field_manager: Some(FIELD_MANAGER.to_owned()),
            field_validation: Some(if lenient { ValidationDirective::Ignore } else { ValidationDirective::Strict }),
            ..PatchParams::default()
        };
        let tried = api.patch(&named.name, &params, &Patch::Merge(patch)).await;
        tried.map(drop).map_err(|error| self.failed("try to change", &named, error))
    }

    pub(crate) async fn placed(&self, object: &Value) -> Result<(ObjectRef, Api<DynamicObject>, DynamicObject)> {
        let mut named = ObjectRef::from_value(object)?;
        let served = self.serves(&named).await?;
        if !served.namespaced {
            named.namespace = None;
        } else if named.namespace.is_none() {
            named.namespace = Some(self.default_namespace().to_owned());
        }
        let api = self.api_of(&served, named.namespace.as_deref()).await?;
        let body: DynamicObject = serde_json::from_value(object.clone())
            .map_err(|error| Error::Malformed { what: named.to_string(), message: error.to_string() })?;
        Ok((named, api, clean(body)))
    }

    pub(crate) async fn send(
        &self,
        api: &Api<DynamicObject>,
        named: &ObjectRef,
        mut body: DynamicObject,
        uid: Option<&str>,
        options: ApplyOptions,
    ) -> Result<DynamicObject> {
        body.metadata.uid = uid.map(str::to_owned);
        let applied = api
            .patch(&named.name, &options.params(), &Patch::Apply(&body))
            .await
            .map_err(|error| self.failed(if options.dry_run { "try out" } else { "apply" }, named, error));
        let applied = match (applied, uid) {
            (Err(error), Some(uid)) if matches!(error.kind(), Kind::Conflict | Kind::Invalid | Kind::NotFound) => {
                let there =
                    absent_is_none(api.get(&named.name).await.map_err(|error| self.failed("read", named, error)))?;
                let is_same = there.is_some_and(|there| there.metadata.uid.as_deref() == Some(uid));
                return Err(if is_same { error } else { Error::Remade { object: Box::new(named.clone()) } });
            }
            (applied, _) => applied?,
        };
        if options.dry_run {
            return Ok(applied);
        }
        self.lists().invalidate_kind(&named.api_version, &named.kind, named.namespace.as_deref());
        self.let_maker_go(api, named, applied).await
    }
}

/// The request that makes an object. kube's own parameters have no word for the validation of fields.
pub(crate) fn creation(
    api: &Api<DynamicObject>,
    params: &PostParams,
    body: &DynamicObject,
    strictness: &str,
) -> Result<http::Request<Vec<u8>>, kube::Error> {
    let body = serde_json::to_vec(body).map_err(kube::Error::SerdeError)?;
    let mut request = Request::new(api.resource_url()).create(params, body).map_err(kube::Error::BuildRequest)?;
    let uri = format!("{}&fieldValidation={strictness}", request.uri());
    *request.uri_mut() = uri.parse().map_err(|error| kube::Error::HttpError(http::Error::from(error)))?;
    Ok(request)
}

/// What an apply must not carry: the server's own bookkeeping, which a read object has.
fn clean(mut object: DynamicObject) -> DynamicObject {
    object.metadata.managed_fields = None;
    object.metadata.resource_version = None;
    object.metadata.creation_timestamp = None;
    object.metadata.generation = None;
    object.metadata.uid = None;
    if let Some(data) = object.data.as_object_mut() {
        data.remove("status");
    }
    object
}
