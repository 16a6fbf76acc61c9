//! A resource on plain values: the order of a plan, what may be stored, upgrades.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use super::Typed;
use crate::json::Unexpected;
use crate::plan::{as_given, exists, has_unknown_elements, propose, replacements, unknowns, without_write_only};
use crate::resource::{Applied, Create, Delete, Imported, MoveSource, Plan, Read, Update};
use crate::{
    ApplyRequest, Context, Deferred, Diagnostic, Diagnostics, Field, Model, Path, PlanRequest, PlanResponse, Private,
    Resource, Schema, StateResponse, Type, Value, from_json,
};

/// A resource whose model is forgotten.
#[derive(Clone)]
pub struct AnyResource(Arc<dyn ErasedResource>);

#[async_trait]
trait ErasedResource: Send + Sync {
    fn type_name(&self) -> &'static str;
    fn schema(&self) -> &Schema;
    fn ty(&self) -> &Type;
    async fn validate(&self, cx: &Context, config: &Value) -> Diagnostics;
    async fn plan(&self, cx: &Context, request: PlanRequest) -> PlanResponse;
    async fn apply(&self, cx: &Context, request: ApplyRequest) -> StateResponse;
    async fn read(&self, cx: &Context, state: &Value, private: &[u8]) -> StateResponse;
    async fn defer_import(&self, cx: &Context, id: &str) -> Option<Deferred>;
    async fn import(&self, cx: &Context, id: &str) -> Result<(Value, Private, Diagnostics), Diagnostics>;
    fn upgrade(&self, version: i64, state: &[u8]) -> Result<Value, Diagnostics>;
    async fn move_from(
        &self,
        cx: &Context,
        source: &MoveSource,
    ) -> Result<Option<(Value, Private, Diagnostics)>, Diagnostics>;
}

impl AnyResource {
    /// Forgets the model.
    pub fn new<R: Resource>(resource: R) -> AnyResource {
        AnyResource(Arc::new(Typed::new(resource, R::Model::schema())))
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

    /// Plans a change, in the order of [`crate::plan`].
    pub async fn plan(&self, cx: &Context, request: PlanRequest) -> PlanResponse {
        [&request.prior, &request.proposed, &request.config].into_iter().for_each(|value| self.schema().hide(value));
        let planned = self.0.plan(cx, request).await;
        self.schema().hide(&planned.planned);
        PlanResponse { diagnostics: planned.diagnostics.redacted(), ..planned }
    }

    /// Carries out a planned change.
    pub async fn apply(&self, cx: &Context, request: ApplyRequest) -> StateResponse {
        [&request.prior, &request.planned, &request.config].into_iter().for_each(|value| self.schema().hide(value));
        let applied = self.0.apply(cx, request).await;
        self.schema().hide(&applied.state);
        StateResponse { diagnostics: applied.diagnostics.redacted(), ..applied }
    }

    /// Looks what is there now.
    pub async fn read(&self, cx: &Context, state: &Value, private: &[u8]) -> StateResponse {
        self.schema().hide(state);
        let read = self.0.read(cx, state, private).await;
        self.schema().hide(&read.state);
        StateResponse { diagnostics: read.diagnostics.redacted(), ..read }
    }

    /// Whether an import is put off, by a client's leave.
    pub async fn defer_import(&self, cx: &Context, id: &str) -> Option<Deferred> {
        if cx.client.deferral_allowed { self.0.defer_import(cx, id).await } else { None }
    }

    /// Finds an existing one.
    ///
    /// # Errors
    /// As [`Resource::import`].
    pub async fn import(&self, cx: &Context, id: &str) -> Result<(Value, Private, Diagnostics), Diagnostics> {
        let (state, private, diagnostics) = self.0.import(cx, id).await.map_err(Diagnostics::redacted)?;
        self.schema().hide(&state);
        Ok((state, private, diagnostics.redacted()))
    }

    /// A stored state of an older, or this, schema version as a value of this version. Attributes that
    /// the schema no longer has are left out.
    ///
    /// # Errors
    /// When the state is from a newer version, is not JSON, or does not fit the schema.
    pub fn upgrade(&self, version: i64, state: &[u8]) -> Result<Value, Diagnostics> {
        let upgraded = self.0.upgrade(version, state).map_err(Diagnostics::redacted)?;
        self.schema().hide(&upgraded);
        Ok(upgraded)
    }

    pub(crate) async fn move_from(
        &self,
        cx: &Context,
        source: &MoveSource,
    ) -> Result<Option<(Value, Private, Diagnostics)>, Diagnostics> {
        let moved = self.0.move_from(cx, source).await.map_err(Diagnostics::redacted)?;
        Ok(moved.map(|(state, private, diagnostics)| {
            self.schema().hide(&state);
            (state, private, diagnostics.redacted())
        }))
    }
}

impl<R: Resource> From<R> for AnyResource {
    fn from(resource: R) -> AnyResource {
        AnyResource::new(resource)
    }
}

impl<R: Resource> Typed<R> {
    fn model(&self, value: &Value) -> Result<R::Model, Diagnostics> {
        R::Model::from_value(value, &Path::root()).map_err(Diagnostics::from)
    }

    /// The same value after the resource has filled in what the configuration settles.
    fn settled(&self, config: &R::Model, planned: &Value) -> Result<Value, Diagnostics> {
        let mut model = self.model(planned)?;
        let read = self.opened(planned, &model);
        self.inner.settle(config, &mut model);
        Ok(self.written(planned, read.as_ref(), &model))
    }

    /// What a model is as a value, where that is not what it was made of ([`as_given`]).
    fn opened(&self, given: &Value, model: &R::Model) -> Option<Value> {
        has_unknown_elements(&self.schema.attributes, given).then(|| model.to_value())
    }

    /// A model as a planned value. `given` is what it was made of, `read` what [`Self::opened`] said of it then.
    fn written(&self, given: &Value, read: Option<&Value>, model: &R::Model) -> Value {
        let written = model.to_value();
        let written = match read {
            Some(read) => as_given(given, read, written),
            None => written,
        };
        without_write_only(&self.schema, &written)
    }

    async fn plan_change(&self, cx: &Context, request: &PlanRequest) -> Result<PlanResponse, Diagnostics> {
        let config = self.model(&request.config)?;
        let proposal = self.settled(&config, &propose(&self.schema, &request.proposed, &request.config))?;
        let marked = self.settled(&config, &unknowns(&self.schema, &proposal, &request.config))?;
        let create = request.prior.is_null();
        let touched = create || proposal != request.prior;
        let first = if touched { &marked } else { &proposal };
        let ask =
            |planned: &Value| if create { Vec::new() } else { replacements(&self.schema, &request.prior, planned) };

        let model = self.model(first)?;
        let read = self.opened(first, &model);
        let mut plan = Plan {
            prior: if create { None } else { Some(self.model(&request.prior)?) },
            planned: model,
            private: Private::from_bytes(&request.prior_private),
            requires_replace: ask(first),
            deferred: None,
            touched,
            marked: self.model(&marked)?,
            config,
        };
        let diagnostics = self.inner.plan(cx, &mut plan).await;
        let planned = self.written(first, read.as_ref(), &plan.planned);
        let mut requires_replace = plan.requires_replace;
        requires_replace.extend(ask(&planned));
        requires_replace.retain(|path| exists(&planned, path) || exists(&request.prior, path));
        requires_replace.sort();
        requires_replace.dedup();
        Ok(PlanResponse {
            planned,
            requires_replace,
            planned_private: plan.private.to_bytes(),
            deferred: plan.deferred.filter(|_| cx.client.deferral_allowed),
            diagnostics,
        })
    }

    /// A state as it may be stored: no write-only values, and an error where something is unknown.
    fn storable(&self, state: Option<R::Model>, diagnostics: &mut Diagnostics) -> Value {
        let Some(state) = state else { return Value::Null };
        let state = without_write_only(&self.schema, &state.to_value());
        if let Some(path) = state.first_unknown() {
            diagnostics.push(
                Diagnostic::error(
                    format!("{} returned an unknown value", self.inner.type_name()),
                    format!(
                        "{path} is still unknown after the operation. This is a bug in the provider; please report it."
                    ),
                )
                .at(path),
            );
            return null_unknowns(state);
        }
        state
    }

    async fn apply_change(&self, cx: &Context, request: &ApplyRequest) -> Result<Applied<R::Model>, Diagnostics> {
        let private = Private::from_bytes(&request.planned_private);
        if request.planned.is_null() {
            let state = self.model(&request.prior)?;
            let diagnostics = self.inner.delete(cx, Delete { state: state.clone(), private: private.clone() }).await;
            let state = diagnostics.has_errors().then_some(state);
            return Ok(Applied { state, private, diagnostics });
        }
        let (config, planned) = (self.model(&request.config)?, self.model(&request.planned)?);
        if request.prior.is_null() {
            return Ok(self.inner.create(cx, Create { config, planned, private }).await);
        }
        let prior = self.model(&request.prior)?;
        let mut applied =
            self.inner.update(cx, Update { config, prior: prior.clone(), planned, private: private.clone() }).await;
        if applied.state.is_none() && applied.diagnostics.has_errors() {
            applied.state = Some(prior);
            applied.private = private;
        }
        Ok(applied)
    }

    fn imported(&self, imported: Imported<R::Model>) -> (Value, Private, Diagnostics) {
        (without_write_only(&self.schema, &imported.state.to_value()), imported.private, imported.diagnostics)
    }
}

#[async_trait]
impl<R: Resource> ErasedResource for Typed<R> {
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
        let (mut diagnostics, config) = self.checked::<R::Model>(config, cx.client);
        if let Some(config) = config {
            diagnostics.extend(self.inner.validate(cx, &config).await);
        }
        diagnostics
    }

    async fn plan(&self, cx: &Context, request: PlanRequest) -> PlanResponse {
        let unplanned = |diagnostics| PlanResponse {
            planned: request.proposed.clone(),
            requires_replace: Vec::new(),
            planned_private: request.prior_private.clone(),
            deferred: None,
            diagnostics,
        };
        if request.proposed.is_null() {
            let diagnostics = match self.model(&request.prior) {
                Ok(prior) => self.inner.plan_destroy(cx, &prior, &Private::from_bytes(&request.prior_private)).await,
                Err(errors) => errors,
            };
            return unplanned(diagnostics);
        }
        self.plan_change(cx, &request).await.unwrap_or_else(unplanned)
    }

    async fn apply(&self, cx: &Context, request: ApplyRequest) -> StateResponse {
        match self.apply_change(cx, &request).await {
            Ok(Applied { state, private, mut diagnostics }) => {
                let state = self.storable(state, &mut diagnostics);
                StateResponse { state, private: private.to_bytes(), deferred: None, diagnostics }
            }
            Err(diagnostics) => {
                StateResponse { state: request.prior, private: request.planned_private, deferred: None, diagnostics }
            }
        }
    }

    async fn read(&self, cx: &Context, state: &Value, private: &[u8]) -> StateResponse {
        let model = match self.model(state) {
            Ok(model) => model,
            Err(diagnostics) => {
                return StateResponse { state: state.clone(), private: private.to_vec(), deferred: None, diagnostics };
            }
        };
        let read = self.inner.read(cx, Read { state: model, private: Private::from_bytes(private) }).await;
        let mut diagnostics = read.diagnostics;
        if read.state.is_none() && diagnostics.has_errors() {
            // An error is no proof of absence.
            return StateResponse { state: state.clone(), private: private.to_vec(), deferred: None, diagnostics };
        }
        let state = self.storable(read.state, &mut diagnostics);
        let deferred = read.deferred.filter(|_| cx.client.deferral_allowed);
        StateResponse { state, private: read.private.to_bytes(), deferred, diagnostics }
    }

    async fn defer_import(&self, cx: &Context, id: &str) -> Option<Deferred> {
        self.inner.defer_import(cx, id).await
    }

    async fn import(&self, cx: &Context, id: &str) -> Result<(Value, Private, Diagnostics), Diagnostics> {
        let imported = self.inner.import(cx, id).await?;
        Ok(self.imported(imported))
    }

    fn upgrade(&self, version: i64, state: &[u8]) -> Result<Value, Diagnostics> {
        let name = self.inner.type_name();
        let current = self.schema.version;
        if version > current {
            return Err(Diagnostics::error(
                format!("The state of this {name} is from a newer version of the provider"),
                format!(
                    "It has schema version {version}; this version of the provider knows up to {current}. Upgrade the provider."
                ),
            ));
        }
        let misfit = |error: &dyn std::fmt::Display| {
            Diagnostics::error(
                format!("The state of this {name} cannot be read"),
                format!("Schema version {version}: {error}."),
            )
        };
        let upgrades = self.inner.upgrades();
        let needed = upgrades.get(usize::try_from(version).unwrap_or(0)..).unwrap_or_default();
        if needed.len() as i64 != current - version {
            return Err(misfit(&format!("there is no upgrade from it to {current}")));
        }
        if needed.is_empty() {
            return from_json(state, &self.ty, Unexpected::Ignore).map_err(|error| misfit(&error));
        }
        let mut json = serde_json::from_slice(state).map_err(|error| misfit(&error))?;
        for upgrade in needed {
            json = upgrade(json)?;
        }
        from_json(json.to_string().as_bytes(), &self.ty, Unexpected::Ignore).map_err(|error| misfit(&error))
    }

    async fn move_from(
        &self,
        cx: &Context,
        source: &MoveSource,
    ) -> Result<Option<(Value, Private, Diagnostics)>, Diagnostics> {
        Ok(self.inner.move_from(cx, source).await?.map(|imported| self.imported(imported)))
    }
}

fn null_unknowns(value: Value) -> Value {
    match value {
        Value::Unknown => Value::Null,
        Value::List(elements) => Value::List(elements.into_iter().map(null_unknowns).collect()),
        Value::Set(elements) => Value::set(elements.into_iter().map(null_unknowns)),
        Value::Map(entries) => {
            Value::Map(entries.into_iter().map(|(key, value)| (key, null_unknowns(value))).collect::<BTreeMap<_, _>>())
        }
        Value::Dynamic(ty, value) => Value::Dynamic(ty, Box::new(null_unknowns(*value))),
        known => known,
    }
}
