//! A provider as the server and the test driver see it: every call of the protocol, on plain values.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use crate::erased::{AnyDataSource, AnyEphemeralResource, AnyResource};
use crate::{
    ClientCapabilities, Context, Deferred, Diagnostics, Field, Function, Model, MoveSource, Path, Private, Schema,
    Value, validate,
};

/// What an author implements for the whole.
#[async_trait]
pub trait Provider: Send + Sync + 'static {
    /// The provider's configuration.
    type Config: Model + Send + Sync + 'static;

    /// The local name: the prefix of its resources' names.
    fn name(&self) -> &'static str;

    /// The resources. They share with the provider whatever `configure` makes, usually behind an `Arc`.
    fn resources(&self) -> Vec<AnyResource> {
        Vec::new()
    }

    /// The data sources.
    fn data_sources(&self) -> Vec<AnyDataSource> {
        Vec::new()
    }

    /// The ephemeral resources.
    fn ephemeral_resources(&self) -> Vec<AnyEphemeralResource> {
        Vec::new()
    }

    /// The functions.
    fn functions(&self) -> Vec<Arc<dyn Function>> {
        Vec::new()
    }

    /// Checks the configuration, which may have unknowns, beyond what the schema's own rules check.
    async fn validate(&self, _cx: &Context, _config: &Self::Config) -> Diagnostics {
        Diagnostics::new()
    }

    /// Takes the configuration. At plan it may have unknowns, which must not fail: they are known at apply.
    async fn configure(&self, cx: &Context, config: Self::Config) -> Diagnostics;
}

/// A prior state to plan a change of.
#[derive(Clone, Debug)]
pub struct PlanRequest {
    /// Null when it is to be created.
    pub prior: Value,
    /// Terraform's proposal; null when it is to be destroyed.
    pub proposed: Value,
    /// As written.
    pub config: Value,
    /// Private state as bytes.
    pub prior_private: Vec<u8>,
}

/// A planned change.
#[derive(Clone, Debug)]
pub struct PlanResponse {
    /// Null for a destroy.
    pub planned: Value,
    /// Sorted, existing paths.
    pub requires_replace: Vec<Path>,
    /// Private state for apply.
    pub planned_private: Vec<u8>,
    /// Set only where the client allows it.
    pub deferred: Option<Deferred>,
    /// Errors and warnings.
    pub diagnostics: Diagnostics,
}

/// A planned change to carry out.
#[derive(Clone, Debug)]
pub struct ApplyRequest {
    /// Null when it is to be created.
    pub prior: Value,
    /// Null when it is to be destroyed.
    pub planned: Value,
    /// As written, wholly known.
    pub config: Value,
    /// Private state from the plan.
    pub planned_private: Vec<u8>,
}

/// A state with its private part, as apply, read and import return it.
#[derive(Clone, Debug)]
pub struct StateResponse {
    /// The state; null when there is none.
    pub state: Value,
    /// Private state as bytes.
    pub private: Vec<u8>,
    /// Set only where the client allows it.
    pub deferred: Option<Deferred>,
    /// Errors and warnings.
    pub diagnostics: Diagnostics,
}

#[async_trait]
trait AnyProvider: Send + Sync {
    async fn validate(&self, cx: &Context, config: &Value) -> Diagnostics;
    async fn configure(&self, cx: &Context, config: &Value) -> Diagnostics;
}

#[async_trait]
impl<P: Provider> AnyProvider for P {
    async fn validate(&self, cx: &Context, config: &Value) -> Diagnostics {
        match P::Config::from_value(config, &Path::root()) {
            Ok(config) => Provider::validate(self, cx, &config).await,
            Err(diagnostic) => diagnostic.into(),
        }
    }

    async fn configure(&self, cx: &Context, config: &Value) -> Diagnostics {
        match P::Config::from_value(config, &Path::root()) {
            Ok(config) => Provider::configure(self, cx, config).await,
            Err(diagnostic) => diagnostic.into(),
        }
    }
}

/// Things by their names; what comes twice is noted.
fn by_name<K: Ord + Clone + std::fmt::Display, T>(
    kind: &str,
    things: Vec<T>,
    name: impl Fn(&T) -> K,
    twice: &mut Vec<String>,
) -> BTreeMap<K, T> {
    let mut map = BTreeMap::new();
    for thing in things {
        let name = name(&thing);
        if map.insert(name.clone(), thing).is_some() {
            twice.push(format!("{kind} {name}"));
        }
    }
    map
}

/// A provider, ready to be called.
pub struct Engine {
    provider: Box<dyn AnyProvider>,
    name: &'static str,
    schema: Schema,
    resources: BTreeMap<&'static str, AnyResource>,
    data_sources: BTreeMap<&'static str, AnyDataSource>,
    ephemeral_resources: BTreeMap<&'static str, AnyEphemeralResource>,
    functions: BTreeMap<String, Arc<dyn Function>>,
    /// Kinds and names that were given twice.
    twice: Vec<String>,
}

impl Engine {
    /// The provider with its parts looked up by name. Of two with one name the later counts; [`Engine::problems`] tells.
    pub fn new<P: Provider>(provider: P) -> Engine {
        let mut twice = Vec::new();
        Engine {
            name: provider.name(),
            schema: P::Config::schema(),
            resources: by_name("resource", provider.resources(), AnyResource::type_name, &mut twice),
            data_sources: by_name("data source", provider.data_sources(), AnyDataSource::type_name, &mut twice),
            ephemeral_resources: by_name(
                "ephemeral resource",
                provider.ephemeral_resources(),
                AnyEphemeralResource::type_name,
                &mut twice,
            ),
            functions: by_name("function", provider.functions(), |one| one.signature().name, &mut twice),
            twice,
            provider: Box::new(provider),
        }
    }

    /// What cannot work: names that are there twice or lack the provider's prefix, and what [`Schema::problems`] finds.
    /// Empty for a provider that may be served; tests with `tfplugin-testing` look at it by themselves.
    pub fn problems(&self) -> Vec<String> {
        let mut problems: Vec<String> = self.twice.iter().map(|what| format!("{what}: there are two of it")).collect();
        let prefix = format!("{}_", self.name);
        let mut check = |kind: &str, name: &str, schema: &Schema| {
            if kind != "provider" && !name.starts_with(&prefix) {
                problems.push(format!("{kind} {name}: its name does not begin with {prefix}"));
            }
            problems.extend(schema.problems().iter().map(|problem| format!("{kind} {name}: {problem}")));
        };
        check("provider", self.name, &self.schema);
        self.resources.iter().for_each(|(name, one)| check("resource", name, one.schema()));
        self.data_sources.iter().for_each(|(name, one)| check("data source", name, one.schema()));
        self.ephemeral_resources.iter().for_each(|(name, one)| check("ephemeral resource", name, one.schema()));
        problems
    }

    /// The provider's local name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The schema of the provider's configuration.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The resources by name.
    pub fn resources(&self) -> &BTreeMap<&'static str, AnyResource> {
        &self.resources
    }

    /// The data sources by name.
    pub fn data_sources(&self) -> &BTreeMap<&'static str, AnyDataSource> {
        &self.data_sources
    }

    /// The ephemeral resources by name.
    pub fn ephemeral_resources(&self) -> &BTreeMap<&'static str, AnyEphemeralResource> {
        &self.ephemeral_resources
    }

    /// The functions by name.
    pub fn functions(&self) -> &BTreeMap<String, Arc<dyn Function>> {
        &self.functions
    }

    /// One resource.
    ///
    /// # Errors
    /// When the provider has none of that name.
    pub fn resource(&self, type_name: &str) -> Result<&AnyResource, Diagnostics> {
        self.resources.get(type_name).ok_or_else(|| self.unsupported("resource", type_name))
    }

    /// One data source.
    ///
    /// # Errors
    /// When the provider has none of that name.
    pub fn data_source(&self, type_name: &str) -> Result<&AnyDataSource, Diagnostics> {
        self.data_sources.get(type_name).ok_or_else(|| self.unsupported("data source", type_name))
    }

    /// One ephemeral resource.
    ///
    /// # Errors
    /// When the provider has none of that name.
    pub fn ephemeral_resource(&self, type_name: &str) -> Result<&AnyEphemeralResource, Diagnostics> {
        self.ephemeral_resources.get(type_name).ok_or_else(|| self.unsupported("ephemeral resource", type_name))
    }

    fn unsupported(&self, kind: &str, type_name: &str) -> Diagnostics {
        Diagnostics::error(
            format!("Unknown {kind} {type_name}"),
            format!("The {} provider of this version has no {kind} of that name.", self.name),
        )
    }

    /// Checks the provider's configuration.
    pub async fn validate(&self, cx: &Context, config: &Value) -> Diagnostics {
        self.schema.hide(config);
        // The provider's own configuration is never stored, so write-only is no question here.
        let client = ClientCapabilities { write_only_attributes_allowed: true, ..cx.client };
        let mut diagnostics = validate(&self.schema, config, client);
        if !diagnostics.has_errors() {
            diagnostics.extend(self.provider.validate(cx, config).await);
        }
        diagnostics.redacted()
    }

    /// Takes the provider's configuration.
    pub async fn configure(&self, cx: &Context, config: &Value) -> Diagnostics {
        self.schema.hide(config);
        self.provider.configure(cx, config).await.redacted()
    }

    /// Takes over a state from another resource type (a `moved` block).
    ///
    /// # Errors
    /// When no resource of that name takes over such a state.
    pub async fn move_state(
        &self,
        cx: &Context,
        target: &str,
        source: &MoveSource,
    ) -> Result<(Value, Private, Diagnostics), Diagnostics> {
        let resource = self.resource(target)?;
        resource.move_from(cx, source).await?.ok_or_else(|| {
            Diagnostics::error(
                format!("Cannot move {} to {target}", source.type_name),
                format!(
                    "{target} does not take over the state of {} from {}. Remove the moved block and import the object instead.",
                    source.type_name, source.provider_address
                ),
            )
        })
    }
}
