//! What the provider's configuration comes to, and the rules that hold for every resource.
//!
//! Resources share one [`Session`]. It hands out the cluster, Helm and the providers of DNS, made on first use, or says why there
//! are none. The other modules are what two resources would otherwise write twice: errors of the
//! cluster as diagnostics, refusing what is not ours, checks of attributes, what others may change, the lease of a run, what is kept beside the
//! state, what a refresh answers where it cannot look, inputs kept for import, what is said of an issuer.
//!
//! Invariant: nothing here knows a particular resource.

mod access;
mod cancel;
pub mod checks;
mod cloudflare;
mod config;
pub mod drift;
mod errors;
mod ignored;
pub mod inputs;
pub mod issuers;
pub mod lock;
pub mod ownership;
pub mod private;
mod refresh;
mod rfc2136;
mod session;

pub use cancel::{CancelGuard, cancellation};
pub use config::{Cloudflare, Exec, Helm, Kubernetes, Notification, ProviderConfig, Registry, Rfc2136};
pub use errors::{configuration_diagnostic, diagnostic, diagnostic_of_recorded, dns_diagnostic, with_detail};
pub use ignored::{DriftIgnore, DriftSettings, Ignored, check_ignored, is_at_or_below};
pub use ownership::refuse_foreign;
pub use refresh::{cluster_to_read, not_refreshed};
pub use session::{HelmKit, Session, Unavailable};

/// A new identifier of a run: 12 hexadecimal digits, random.
///
/// It names the run in marks, journals and Job names, so it is a valid part of a DNS label.
pub fn new_run_id() -> String {
    let mut id = uuid::Uuid::new_v4().simple().to_string();
    id.truncate(12);
    id
}
