//! What accompanies every call: cancellation and what the client can do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use event_listener::Event;

/// Tells everything in flight to stop at its next safe point. Clones share one fate.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<CancelState>);

#[derive(Debug, Default)]
struct CancelState {
    cancelled: AtomicBool,
    event: Event,
}

impl Cancel {
    /// Not cancelled.
    pub fn new() -> Cancel {
        Cancel::default()
    }

    /// Cancels. It cannot be undone.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::SeqCst);
        self.0.event.notify(usize::MAX);
    }

    /// Whether it was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::SeqCst)
    }

    /// Ends when it is cancelled.
    pub async fn cancelled(&self) {
        while !self.is_cancelled() {
            let listener = self.0.event.listen();
            // Looked at again after the listener stands, so that no cancel falls between.
            if self.is_cancelled() {
                return;
            }
            listener.await;
        }
    }
}

/// What the client says it can do (plugin protocol 6, `ClientCapabilities`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientCapabilities {
    /// A response may say "deferred" (6.6).
    pub deferral_allowed: bool,
    /// A configuration may set write-only attributes (6.8).
    pub write_only_attributes_allowed: bool,
}

/// The circumstances of one call.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// Set when the user wants to stop.
    pub cancel: Cancel,
    /// What the client can do.
    pub client: ClientCapabilities,
}

/// Why something is put off to a later run (plugin protocol 6, `Deferred.Reason`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deferred {
    /// The resource's configuration has unknowns that it cannot be planned with.
    ResourceConfigUnknown,
    /// The provider's configuration has unknowns that it cannot work with.
    ProviderConfigUnknown,
    /// Something that must exist first does not.
    AbsentPrerequisite,
}
