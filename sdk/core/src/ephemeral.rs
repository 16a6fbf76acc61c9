//! Ephemeral resources: values that exist for one run only and are never stored.

use std::time::SystemTime;

use async_trait::async_trait;

use crate::{Context, Deferred, Diagnostics, Model, Private};

/// Something opened for a run and closed after it.
#[async_trait]
pub trait EphemeralResource: Send + Sync + 'static {
    /// The attributes.
    type Model: Model + Send + Sync + 'static;

    /// The full name, `provider_thing`.
    fn type_name(&self) -> &'static str;

    /// Checks a configuration, which may have unknowns, beyond what the schema's own rules check.
    async fn validate(&self, _cx: &Context, _config: &Self::Model) -> Diagnostics {
        Diagnostics::new()
    }

    /// Puts it off to a later run. Asked before it is opened, and only where the client allows it; elsewhere it is opened
    /// all the same.
    async fn defer(&self, _cx: &Context, _config: &Self::Model) -> Option<Deferred> {
        None
    }

    /// Opens it.
    ///
    /// # Errors
    /// When it cannot be opened.
    async fn open(&self, cx: &Context, config: Self::Model) -> Result<Opened<Self::Model>, Diagnostics>;

    /// Makes it last longer: called at [`Opened::renew_at`].
    ///
    /// # Errors
    /// When it cannot be renewed.
    async fn renew(&self, _cx: &Context, private: Private) -> Result<Renewed, Diagnostics> {
        Ok(Renewed { private, renew_at: None })
    }

    /// Ends it.
    async fn close(&self, _cx: &Context, _private: Private) -> Diagnostics {
        Diagnostics::new()
    }
}

/// Something that was opened.
#[derive(Clone, Debug)]
pub struct Opened<M> {
    /// Its values.
    pub result: M,
    /// What `renew` and `close` need.
    pub private: Private,
    /// When it must be renewed.
    pub renew_at: Option<SystemTime>,
    /// Warnings.
    pub diagnostics: Diagnostics,
}

/// Something that was renewed.
#[derive(Clone, Debug)]
pub struct Renewed {
    /// What the next `renew` and `close` need.
    pub private: Private,
    /// When it must be renewed again.
    pub renew_at: Option<SystemTime>,
}
