//! The driver: a provider, its configuration, and a state file.

mod apply;
mod destroy;
mod guard;
mod import;
mod plan;
mod reads;
mod refresh;
mod variants;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde_json::Value as Json;
use tfplugin_core::{Cancel, ClientCapabilities, Context, Diagnostics, Engine, Path, Private, Provider, Schema, Value};

use crate::canary::Canary;
use crate::fail;
use crate::grpc::{Grpc, Shared};
use crate::json;
use crate::peer::{InProcess, Peer};
use crate::state::{Address, Stored};

use variants::tolerate;

pub use reads::{Data, Opened};

/// What is checked beyond what core checks. All of it by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checks {
    /// After an apply, reading gives the same state.
    pub refresh_after_apply: bool,
    /// After an apply, the plan with the same configuration is empty.
    pub empty_plan_after_apply: bool,
    /// A configuration that is valid is also valid while some of it, or all, is unknown.
    pub validate_unknowns: bool,
}

impl Default for Checks {
    fn default() -> Checks {
        Checks { refresh_after_apply: true, empty_plan_after_apply: true, validate_unknowns: true }
    }
}

/// Terraform core with one provider and a state file.
///
/// Resources are named as in a configuration: the type and a name. Configurations are JSON; attributes left out
/// are null, [`unknown`](crate::unknown) stands for a value that is known only at apply.
pub struct Terraform {
    engine: Arc<Engine>,
    peer: Box<dyn Peer>,
    grpc: bool,
    cx: Context,
    checks: Checks,
    canaries: Vec<Canary>,
    config: Json,
    config_at_plan: Option<Json>,
    stored: BTreeMap<Address, Stored>,
    /// The configuration each resource was last applied or imported with.
    configs: BTreeMap<Address, Json>,
}

impl Terraform {
    /// A provider that is not configured yet, and an empty state. The client can do all that
    /// Terraform 1.11 can; deferral is not allowed.
    ///
    /// Fails the test when one of the provider's schemas has problems.
    pub fn new<P: Provider>(provider: P) -> Terraform {
        let engine = Arc::new(Engine::new(provider));
        Terraform::with(Arc::clone(&engine), Box::new(InProcess(engine)), false)
    }

    /// The same, with every call going through the provider's gRPC service as it is served to Terraform (without a
    /// socket). A panic of the provider is then a message, as it is there. Needs a tokio runtime.
    pub fn over_grpc<P: Provider>(provider: P) -> Terraform {
        let (engine, peer) = behind_service(provider);
        Terraform::with(engine, peer, true)
    }

    fn with(engine: Arc<Engine>, peer: Box<dyn Peer>, grpc: bool) -> Terraform {
        check_schemas(&engine);
        let client = ClientCapabilities { deferral_allowed: false, write_only_attributes_allowed: true };
        Terraform {
            peer,
            engine,
            grpc,
            cx: Context { cancel: Cancel::new(), client },
            checks: Checks::default(),
            canaries: Vec::new(),
            config: Json::Null,
            config_at_plan: None,
            stored: BTreeMap::new(),
            configs: BTreeMap::new(),
        }
    }

    /// Checks the provider's configuration and hands it over.
    ///
    /// # Errors
    /// What the provider says against it.
    pub async fn configure(mut self, config: Json) -> Result<Terraform, Diagnostics> {
        self.config = config;
        self.configure_with(&self.config).await.into_result()?;
        Ok(self)
    }

    /// A secret: the test fails when it turns up in a state, a plan, private state or a message, plain or
    /// encoded.
    #[must_use]
    pub fn canary(mut self, secret: &str) -> Terraform {
        self.canaries.push(Canary::new(secret));
        self
    }

    /// Whether the client takes "deferred" for an answer.
    #[must_use]
    pub fn deferral_allowed(mut self, allowed: bool) -> Terraform {
        self.cx.client.deferral_allowed = allowed;
        self
    }

    /// Whether the client knows write-only attributes, as Terraform does from 1.11 on.
    #[must_use]
    pub fn write_only_allowed(mut self, allowed: bool) -> Terraform {
        self.cx.client.write_only_attributes_allowed = allowed;
        self
    }

    /// The configuration that the provider gets before each plan, such as one with unknowns in it. Before an
    /// apply it gets the one of [`Terraform::configure`].
    #[must_use]
    pub fn provider_config_at_plan(mut self, config: Json) -> Terraform {
        self.config_at_plan = Some(config);
        self
    }

    /// Without [`Checks::refresh_after_apply`].
    #[must_use]
    pub fn without_refresh_check(mut self) -> Terraform {
        self.checks.refresh_after_apply = false;
        self
    }

    /// Without [`Checks::empty_plan_after_apply`].
    #[must_use]
    pub fn without_empty_plan_check(mut self) -> Terraform {
        self.checks.empty_plan_after_apply = false;
        self
    }

    /// Without [`Checks::validate_unknowns`].
    #[must_use]
    pub fn without_unknown_validation(mut self) -> Terraform {
        self.checks.validate_unknowns = false;
        self
    }

    /// Replaces the checks in the middle of a test.
    pub fn set_checks(&mut self, checks: Checks) {
        self.checks = checks;
    }

    /// The same state under another build of the provider, which is given the same configuration.
    ///
    /// # Errors
    /// What the provider says against the configuration.
    pub async fn with_provider<P: Provider>(&mut self, provider: P) -> Result<(), Diagnostics> {
        (self.engine, self.peer) = if self.grpc {
            behind_service(provider)
        } else {
            let engine = Arc::new(Engine::new(provider));
            (Arc::clone(&engine), Box::new(InProcess(engine)) as Box<dyn Peer>)
        };
        check_schemas(&self.engine);
        self.configure_with(&self.config).await.into_result().map(|_| ())
    }

    /// Puts a provider that answers differently in the place of the real one.
    #[cfg(test)]
    pub(crate) fn with_peer(mut self, wrap: impl FnOnce(Box<dyn Peer>) -> Box<dyn Peer>) -> Terraform {
        self.peer = wrap(self.peer);
        self
    }

    /// What interrupts the calls in flight and those to come, until [`Terraform::uncancel`].
    pub fn cancel(&self) -> Cancel {
        self.cx.cancel.clone()
    }

    /// Ends an interruption, as the next run does.
    pub fn uncancel(&mut self) {
        self.cx.cancel = Cancel::new();
    }

    /// What lies in the state file; null where there is nothing.
    pub fn state(&self, kind: &str, name: &str) -> Json {
        self.stored
            .get(&Address::new(kind, name))
            .map_or(Json::Null, |stored| serde_json::from_slice(&stored.json).unwrap_or_default())
    }

    /// The private state that lies in the state file; empty where there is nothing.
    pub fn private(&self, kind: &str, name: &str) -> Private {
        self.stored
            .get(&Address::new(kind, name))
            .map_or_else(Private::default, |stored| Private::from_bytes(&stored.private))
    }

    /// Whether the next apply replaces it whatever the plan says.
    pub fn is_tainted(&self, kind: &str, name: &str) -> bool {
        self.stored.get(&Address::new(kind, name)).is_some_and(|stored| stored.tainted)
    }

    /// `terraform taint`. Fails the test when it is not in the state.
    pub fn taint(&mut self, kind: &str, name: &str) {
        let address = Address::new(kind, name);
        match self.stored.get_mut(&address) {
            Some(stored) => stored.tainted = true,
            None => fail(format!("{address} is not in the state, so it cannot be tainted")),
        }
    }

    /// `terraform state rm`.
    pub fn forget(&mut self, kind: &str, name: &str) {
        self.stored.remove(&Address::new(kind, name));
    }

    /// Puts a state there as some version of the provider has written it.
    pub fn set_state(&mut self, kind: &str, name: &str, schema_version: i64, state: Json, private: &Private) {
        let stored = Stored {
            version: schema_version,
            json: state.to_string().into_bytes(),
            private: private.to_bytes(),
            tainted: false,
        };
        self.stored.insert(Address::new(kind, name), stored);
    }

    async fn configure_with(&self, config: &Json) -> Diagnostics {
        let schema = self.engine.schema();
        // Without a provider block there is still a configuration: nothing is set.
        let config = if config.is_null() { Json::Object(serde_json::Map::new()) } else { config.clone() };
        let config = self.parse("the provider's configuration", schema, &config);
        let mut told = self.peer.validate_provider(&self.cx, &config).await;
        if !told.has_errors() {
            for (which, variant) in self.variants(&config) {
                let errors = self.peer.validate_provider(&self.cx, &variant).await;
                tolerate(&format!("provider {}", self.engine.name()), &which, &errors);
            }
            told.extend(self.peer.configure(&self.cx, &config).await);
        }
        self.heed(&format!("provider {}", self.engine.name()), schema, &told);
        told
    }

    /// What a run does first in its plan phase.
    async fn configure_for_plan(&self) -> Diagnostics {
        match &self.config_at_plan {
            Some(config) => self.configure_with(config).await,
            None => Diagnostics::new(),
        }
    }

    /// What a run does first in its apply phase.
    async fn configure_for_apply(&self) -> Diagnostics {
        match &self.config_at_plan {
            Some(_) => self.configure_with(&self.config).await,
            None => Diagnostics::new(),
        }
    }

    fn schema(&self, kind: &str) -> Schema {
        match self.engine.resource(kind) {
            Ok(resource) => resource.schema().clone(),
            Err(errors) => fail(errors),
        }
    }

    fn parse(&self, of: &str, schema: &Schema, config: &Json) -> Value {
        json::read(config, &schema.ty(), &Path::root()).unwrap_or_else(|error| fail(format!("{of}: {error}")))
    }
}

/// The provider twice: for its schema, and behind its service.
fn behind_service<P: Provider>(provider: P) -> (Arc<Engine>, Box<dyn Peer>) {
    let provider = Arc::new(provider);
    let engine = Arc::new(Engine::new(Shared(Arc::clone(&provider))));
    (Arc::clone(&engine), Box::new(Grpc::new(Shared(provider), engine)))
}

fn check_schemas(engine: &Engine) {
    let problems = engine.problems();
    if !problems.is_empty() {
        fail(format!("the provider's schema has problems:\n{}", problems.join("\n")));
    }
}

impl fmt::Debug for Terraform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stored: Vec<String> = self.stored.keys().map(Address::to_string).collect();
        f.debug_struct("Terraform").field("provider", &self.engine.name()).field("state", &stored).finish()
    }
}
