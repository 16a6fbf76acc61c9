//! An ephemeral resource on plain values.

use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;

use super::Typed;
use crate::plan::propose;
use crate::{
    Context, Deferred, Diagnostics, EphemeralResource, Field, Model, Path, Private, Renewed, Schema, Type, Value,
};

/// An ephemeral resource whose model is forgotten.
#[derive(Clone)]
pub struct AnyEphemeralResource(Arc<dyn ErasedEphemeral>);

/// An opened ephemeral resource on plain values: result, private, renewal time, warnings.
pub type OpenedValue = (Value, Private, Option<SystemTime>, Diagnostics);

#[async_trait]
trait ErasedEphemeral: Send + Sync {
    fn type_name(&self) -> &'static str;
    fn schema(&self) -> &Schema;
    fn ty(&self) -> &Type;
    async fn validate(&self, cx: &Context, config: &Value) -> Diagnostics;
    async fn defer(&self, cx: &Context, config: &Value) -> Option<Deferred>;
    async fn open(&self, cx: &Context, config: &Value) -> Result<OpenedValue, Diagnostics>;
    async fn renew(&self, cx: &Context, private: Private) -> Result<Renewed, Diagnostics>;
    async fn close(&self, cx: &Context, private: Private) -> Diagnostics;
}

impl AnyEphemeralResource {
    /// Forgets the model.
    pub fn new<E: EphemeralResource>(ephemeral: E) -> AnyEphemeralResource {
        AnyEphemeralResource(Arc::new(Typed::new(ephemeral, E::Model::schema())))
    }

    /// The full name, `provider_thing`.
    pub fn type_name(&self) -> &'static str {
        self.0.type_name()
    }

    /// The schema.
    pub fn schema(&self) -> &Schema {
        self.0.schema()
    }

    /// The type of the whole.
    pub fn ty(&self) -> &Type {
        self.0.ty()
    }

    /// Checks a configuration: by the schema, then by the resource.
    pub async fn validate(&self, cx: &Context, config: &Value) -> Diagnostics {
        self.schema().hide(config);
        self.0.validate(cx, config).await.redacted()
    }

    /// Whether opening it is put off, by a client's leave.
    pub async fn defer(&self, cx: &Context, config: &Value) -> Option<Deferred> {
        self.schema().hide(config);
        if cx.client.deferral_allowed { self.0.defer(cx, config).await } else { None }
    }

    /// Opens it.
    ///
    /// # Errors
    /// As [`EphemeralResource::open`].
    pub async fn open(&self, cx: &Context, config: &Value) -> Result<OpenedValue, Diagnostics> {
        self.schema().hide(config);
        let (result, private, renew_at, diagnostics) = self.0.open(cx, config).await.map_err(Diagnostics::redacted)?;
        self.schema().hide(&result);
        Ok((result, private, renew_at, diagnostics.redacted()))
    }

    /// Makes it last longer.
    ///
    /// # Errors
    /// As [`EphemeralResource::renew`].
    pub async fn renew(&self, cx: &Context, private: Private) -> Result<Renewed, Diagnostics> {
        self.0.renew(cx, private).await.map_err(Diagnostics::redacted)
    }

    /// Ends it.
    pub async fn close(&self, cx: &Context, private: Private) -> Diagnostics {
        self.0.close(cx, private).await.redacted()
    }
}

impl<E: EphemeralResource> From<E> for AnyEphemeralResource {
    fn from(ephemeral: E) -> AnyEphemeralResource {
        AnyEphemeralResource::new(ephemeral)
    }
}

#[async_trait]
impl<E: EphemeralResource> ErasedEphemeral for Typed<E> {
    fn type_name(&self) -> &'static str {
        self.inner.type_name()
    }

    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn ty(&self) -> &Type {
        &self.ty
    }

    async fn validate(&self, cx: &Context, config: &Value) -> Diagnostics {
        let (mut diagnostics, config) = self.checked::<E::Model>(config, cx.client);
        if let Some(config) = config {
            diagnostics.extend(self.inner.validate(cx, &config).await);
        }
        diagnostics
    }

    async fn defer(&self, cx: &Context, config: &Value) -> Option<Deferred> {
        // What does not fit the model is an error of the call itself.
        let config = E::Model::from_value(&propose(&self.schema, config, config), &Path::root()).ok()?;
        self.inner.defer(cx, &config).await
    }

    async fn open(&self, cx: &Context, config: &Value) -> Result<OpenedValue, Diagnostics> {
        let config = E::Model::from_value(&propose(&self.schema, config, config), &Path::root())?;
        let opened = self.inner.open(cx, config).await?;
        Ok((opened.result.to_value(), opened.private, opened.renew_at, opened.diagnostics))
    }

    async fn renew(&self, cx: &Context, private: Private) -> Result<Renewed, Diagnostics> {
        self.inner.renew(cx, private).await
    }

    async fn close(&self, cx: &Context, private: Private) -> Diagnostics {
        self.inner.close(cx, private).await
    }
}
