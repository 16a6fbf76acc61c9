//! A data source on plain values.

use std::sync::Arc;

use async_trait::async_trait;

use super::Typed;
use crate::plan::propose;
use crate::{Context, DataSource, Deferred, Diagnostics, Field, Model, Path, Schema, Type, Value};

/// A data source whose model is forgotten.
#[derive(Clone)]
pub struct AnyDataSource(Arc<dyn ErasedDataSource>);

#[async_trait]
trait ErasedDataSource: Send + Sync {
    fn type_name(&self) -> &'static str;
    fn schema(&self) -> &Schema;
    fn ty(&self) -> &Type;
    async fn validate(&self, cx: &Context, config: &Value) -> Diagnostics;
    async fn defer(&self, cx: &Context, config: &Value) -> Option<Deferred>;
    async fn read(&self, cx: &Context, config: &Value) -> Result<(Value, Diagnostics), Diagnostics>;
}

impl AnyDataSource {
    /// Forgets the model.
    pub fn new<D: DataSource>(source: D) -> AnyDataSource {
        AnyDataSource(Arc::new(Typed::new(source, D::Model::schema())))
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

    /// Checks a configuration: by the schema, then by the data source.
    pub async fn validate(&self, cx: &Context, config: &Value) -> Diagnostics {
        self.schema().hide(config);
        self.0.validate(cx, config).await.redacted()
    }

    /// Whether the look-up is put off, by a client's leave.
    pub async fn defer(&self, cx: &Context, config: &Value) -> Option<Deferred> {
        self.schema().hide(config);
        if cx.client.deferral_allowed { self.0.defer(cx, config).await } else { None }
    }

    /// Looks it up.
    ///
    /// # Errors
    /// As [`DataSource::read`].
    pub async fn read(&self, cx: &Context, config: &Value) -> Result<(Value, Diagnostics), Diagnostics> {
        self.schema().hide(config);
        let (state, diagnostics) = self.0.read(cx, config).await.map_err(Diagnostics::redacted)?;
        self.schema().hide(&state);
        Ok((state, diagnostics.redacted()))
    }
}

impl<D: DataSource> From<D> for AnyDataSource {
    fn from(source: D) -> AnyDataSource {
        AnyDataSource::new(source)
    }
}

#[async_trait]
impl<D: DataSource> ErasedDataSource for Typed<D> {
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
        let (mut diagnostics, config) = self.checked::<D::Model>(config, cx.client);
        if let Some(config) = config {
            diagnostics.extend(self.inner.validate(cx, &config).await);
        }
        diagnostics
    }

    async fn defer(&self, cx: &Context, config: &Value) -> Option<Deferred> {
        // What does not fit the model is an error of the call itself.
        let config = D::Model::from_value(&propose(&self.schema, config, config), &Path::root()).ok()?;
        self.inner.defer(cx, &config).await
    }

    async fn read(&self, cx: &Context, config: &Value) -> Result<(Value, Diagnostics), Diagnostics> {
        // A default of a data source is what the author's code sees.
        let config = D::Model::from_value(&propose(&self.schema, config, config), &Path::root())?;
        let (state, diagnostics) = self.inner.read(cx, config).await?;
        Ok((state.to_value(), diagnostics))
    }
}
