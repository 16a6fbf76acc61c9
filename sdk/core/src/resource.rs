//! Resources: what an author writes, and the erased form that the rest of the SDK works with.

use async_trait::async_trait;

use crate::{Context, Deferred, Diagnostics, Model, Path, Private};

/// A managed resource.
///
/// An author writes `create`, `read`, `delete`, mostly `update`, and what else the resource needs; the
/// rules of the protocol around them (defaults, unknowns, write-only attributes, replacement) are
/// the engine's.
#[async_trait]
pub trait Resource: Send + Sync + 'static {
    /// The attributes.
    type Model: Model + Send + Sync + Clone + 'static;

    /// The full name, `provider_thing`.
    fn type_name(&self) -> &'static str;

    /// Checks a configuration, which may have unknowns, beyond what the schema's own rules check.
    async fn validate(&self, _cx: &Context, _config: &Self::Model) -> Diagnostics {
        Diagnostics::new()
    }

    /// Fills in what is a pure function of the configuration, so that it is known at plan and follows
    /// the configuration (an attribute removed from it falls back here). Must not look at `planned`'s
    /// own computed values: they are the prior ones.
    ///
    /// Values that the configuration sets and write-only values are as in the configuration already.
    fn settle(&self, _config: &Self::Model, _planned: &mut Self::Model) {}

    /// Changes the plan further, or refuses it. Called for every plan except a destroy.
    ///
    /// What is planned here as known must be what apply returns.
    async fn plan(&self, _cx: &Context, _plan: &mut Plan<Self::Model>) -> Diagnostics {
        Diagnostics::new()
    }

    /// Warns about a destroy or refuses it.
    async fn plan_destroy(&self, _cx: &Context, _prior: &Self::Model, _private: &Private) -> Diagnostics {
        Diagnostics::new()
    }

    /// Makes it. With an error, [`Applied::state`] should be `None`: Terraform marks a state that comes
    /// with an error as tainted, and destroys it first in the next apply.
    async fn create(&self, cx: &Context, request: Create<Self::Model>) -> Applied<Self::Model>;

    /// Looks what is there now.
    async fn read(&self, cx: &Context, request: Read<Self::Model>) -> Refreshed<Self::Model>;

    /// Changes it in place. With an error, the state is what is true now; `None` keeps the prior state.
    async fn update(&self, cx: &Context, request: Update<Self::Model>) -> Applied<Self::Model>;

    /// Removes it. An error keeps it in state.
    async fn delete(&self, cx: &Context, request: Delete<Self::Model>) -> Diagnostics;

    /// Puts an import off to a later run. Asked before every import, and only where the client allows it; elsewhere it is
    /// looked for all the same.
    async fn defer_import(&self, _cx: &Context, _id: &str) -> Option<Deferred> {
        None
    }

    /// Finds an existing one by the identifier that the user gave.
    ///
    /// # Errors
    /// When there is none, when the identifier is malformed, or when this resource cannot be imported.
    async fn import(&self, _cx: &Context, _id: &str) -> Result<Imported<Self::Model>, Diagnostics> {
        Err(Diagnostics::error("Import is not supported", format!("{} cannot be imported.", self.type_name())))
    }

    /// How a state of an older schema version becomes one of the version after it: entry `n` of the list
    /// upgrades version `n`.
    fn upgrades(&self) -> Vec<StateUpgrade> {
        Vec::new()
    }

    /// Takes over the state of another resource type (a `moved` block).
    ///
    /// # Errors
    /// When the source is one that this resource knows but its state cannot be taken over.
    async fn move_from(
        &self,
        _cx: &Context,
        _source: &MoveSource,
    ) -> Result<Option<Imported<Self::Model>>, Diagnostics> {
        Ok(None)
    }
}

/// A step from one schema version to the next, on the state's JSON.
pub type StateUpgrade = fn(serde_json::Value) -> Result<serde_json::Value, Diagnostics>;

/// A plan in the making.
#[derive(Clone, Debug)]
pub struct Plan<M> {
    /// As written, with unknowns, write-only values included.
    pub config: M,
    /// The state before; `None` when it is to be created.
    pub prior: Option<M>,
    /// What it will be. Computed attributes are unknown where something changes.
    pub planned: M,
    /// Private state, which may be changed.
    pub private: Private,
    /// Changed attributes that cannot be changed in place. More may be added.
    pub requires_replace: Vec<Path>,
    /// Set to put the whole off to a later run, where the client allows it.
    pub deferred: Option<Deferred>,
    pub(crate) touched: bool,
    /// `planned` as it is when something changes.
    pub(crate) marked: M,
}

impl<M: Clone> Plan<M> {
    /// Whether it is to be created.
    pub fn is_create(&self) -> bool {
        self.prior.is_none()
    }

    /// Whether anything differs from the state before. Always so for a create.
    pub fn is_change(&self) -> bool {
        self.touched
    }

    /// Makes this an update though no attribute of the configuration differs (a write-only value changed, something
    /// drifted): every computed attribute that is not settled by the configuration becomes unknown, as
    /// for any other change.
    ///
    /// Call it before setting computed attributes of one's own.
    pub fn touch(&mut self) {
        if !self.touched {
            self.touched = true;
            self.planned = self.marked.clone();
        }
    }
}

/// A create to carry out.
#[derive(Clone, Debug)]
pub struct Create<M> {
    /// As written, wholly known, write-only values included.
    pub config: M,
    /// What was planned; computed attributes may be unknown and must be filled in.
    pub planned: M,
    /// Private state from the plan.
    pub private: Private,
}

/// An update to carry out.
#[derive(Clone, Debug)]
pub struct Update<M> {
    /// As written, wholly known, write-only values included.
    pub config: M,
    /// The state before.
    pub prior: M,
    /// What was planned; computed attributes may be unknown and must be filled in.
    pub planned: M,
    /// Private state from the plan.
    pub private: Private,
}

/// A read to carry out.
#[derive(Clone, Debug)]
pub struct Read<M> {
    /// The state before.
    pub state: M,
    /// Private state.
    pub private: Private,
}

/// A delete to carry out.
#[derive(Clone, Debug)]
pub struct Delete<M> {
    /// The state before.
    pub state: M,
    /// Private state.
    pub private: Private,
}

/// What a create or an update came to.
#[derive(Clone, Debug)]
pub struct Applied<M> {
    /// The state after; see [`Resource::create`] and [`Resource::update`] for what `None` means.
    pub state: Option<M>,
    /// Private state.
    pub private: Private,
    /// Errors and warnings.
    pub diagnostics: Diagnostics,
}

impl<M> Applied<M> {
    /// Done.
    pub fn done(state: M, private: Private) -> Applied<M> {
        Applied { state: Some(state), private, diagnostics: Diagnostics::new() }
    }

    /// Not done: nothing is there after a create, all is as before after an update.
    pub fn failed(diagnostics: impl Into<Diagnostics>) -> Applied<M> {
        Applied { state: None, private: Private::default(), diagnostics: diagnostics.into() }
    }

    /// The same with more messages.
    #[must_use]
    pub fn with(mut self, diagnostics: Diagnostics) -> Applied<M> {
        self.diagnostics.extend(diagnostics);
        self
    }
}

/// What a read came to.
#[derive(Clone, Debug)]
pub struct Refreshed<M> {
    /// What is there; `None` when it is certain that it is gone.
    pub state: Option<M>,
    /// Private state.
    pub private: Private,
    /// Errors and warnings.
    pub diagnostics: Diagnostics,
    /// Set when it could not be read in this run.
    pub deferred: Option<Deferred>,
}

impl<M> Refreshed<M> {
    /// It is there.
    pub fn present(state: M, private: Private) -> Refreshed<M> {
        Refreshed { state: Some(state), private, diagnostics: Diagnostics::new(), deferred: None }
    }

    /// It is certain that it is gone.
    pub fn gone() -> Refreshed<M> {
        Refreshed { state: None, private: Private::default(), diagnostics: Diagnostics::new(), deferred: None }
    }

    /// The same with more messages.
    #[must_use]
    pub fn with(mut self, diagnostics: Diagnostics) -> Refreshed<M> {
        self.diagnostics.extend(diagnostics);
        self
    }
}

/// Something that exists and is now to be managed.
#[derive(Clone, Debug)]
pub struct Imported<M> {
    /// What is known of it. Terraform reads it right after.
    pub state: M,
    /// Private state.
    pub private: Private,
    /// Warnings.
    pub diagnostics: Diagnostics,
}

/// The other end of a `moved` block.
#[derive(Clone, Debug)]
pub struct MoveSource {
    /// Such as `registry.terraform.io/hashicorp/helm`.
    pub provider_address: String,
    /// Such as `helm_release`.
    pub type_name: String,
    /// The schema version of the state.
    pub schema_version: i64,
    /// The state as that provider stored it.
    pub state: serde_json::Value,
}
