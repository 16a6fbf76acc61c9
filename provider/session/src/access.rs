//! Whether somebody outside of the cluster can be asked: what a block of the configuration and the environment come to.

use std::sync::Arc;

use tfplugin::{Diagnostic, Diagnostics};

use crate::session::Unavailable;

/// Whether it can be asked.
#[derive(Default)]
pub(crate) enum Access<T: ?Sized> {
    /// Nothing is configured.
    #[default]
    None,
    /// Something is not known yet.
    Unknown,
    /// What was given cannot be used.
    Invalid(Diagnostic),
    Ready(Arc<T>),
}

impl<T: ?Sized> Access<T> {
    /// The client, or why there is none; `missing` says what to set.
    pub(crate) fn get(&self, missing: impl FnOnce() -> Diagnostic) -> Result<Arc<T>, Unavailable> {
        match self {
            Access::Ready(client) => Ok(Arc::clone(client)),
            Access::Unknown => Err(Unavailable::Unknown),
            Access::Invalid(refused) => Err(Unavailable::Invalid(Diagnostics::from(refused.clone()))),
            Access::None => Err(Unavailable::Invalid(Diagnostics::from(missing()))),
        }
    }
}
