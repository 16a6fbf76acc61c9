//! Data sources.

use async_trait::async_trait;

use crate::{Context, Deferred, Diagnostics, Model};

/// Something that is looked up and not managed.
#[async_trait]
pub trait DataSource: Send + Sync + 'static {
    /// The attributes.
    type Model: Model + Send + Sync + 'static;

    /// The full name, `provider_thing`.
    fn type_name(&self) -> &'static str;

    /// Checks a configuration, which may have unknowns, beyond what the schema's own rules check.
    async fn validate(&self, _cx: &Context, _config: &Self::Model) -> Diagnostics {
        Diagnostics::new()
    }

    /// Puts it off to a later run. Asked before every look-up, and only where the client allows it; elsewhere it is
    /// looked up all the same.
    async fn defer(&self, _cx: &Context, _config: &Self::Model) -> Option<Deferred> {
        None
    }

    /// Looks it up. The result has everything that the configuration set, and nothing unknown.
    ///
    /// # Errors
    /// When it is not there or cannot be reached.
    async fn read(&self, cx: &Context, config: Self::Model) -> Result<(Self::Model, Diagnostics), Diagnostics>;
}
