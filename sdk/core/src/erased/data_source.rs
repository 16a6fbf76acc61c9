//! A data source on plain values.

use std::sync::Arc;

use async_trait::async_trait;

use super::Typed;
use crate::plan::propose;
use crate::{Context, DataSource, Diagnostics, Field, Model, Path, Schema, Type, Value, validate};

/// A data source whose model is forgotten.
#[derive(Clone)]
pub struct AnyDataSource(Arc<dyn ErasedDataSource>);

#[async_trait]
trait ErasedDataSource: Send + Sync {
    fn type_name(&self) -> &'static str;
    fn schema(&self) -> &Schema;
    fn ty(&self) -> &Type;
    async fn validate(&self, cx: &Context, config: &Value) -> Diagnostics;
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
        self.0.validate(cx, config).await
    }

    /// Looks it up.
    ///
    /// # Errors
    /// As [`DataSource::read`].
    pub async fn read(&self, cx: &Context, config: &Value) -> Result<(Value, Diagnostics), Diagnostics> {
        self.0.read(cx, config).await
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
        let mut diagnostics = validate(&self.schema, config, cx.client);
        if !diagnostics.has_errors() {
            match D::Model::from_value(config, &Path::root()) {
                Ok(config) => diagnostics.extend(self.inner.validate(cx, &config).await),
                Err(error) => diagnostics.push(error),
            }
        }
        diagnostics
    }

    async fn read(&self, cx: &Context, config: &Value) -> Result<(Value, Diagnostics), Diagnostics> {
        // A default of a data source is what the author's code sees.
        let config = D::Model::from_value(&propose(&self.schema, config, config), &Path::root())?;
        let (state, diagnostics) = self.inner.read(cx, config).await?;
        Ok((state.to_value(), diagnostics))
    }
}
