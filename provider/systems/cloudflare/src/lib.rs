//! DNS records at Cloudflare, through its API v4.
//!
//! [`Cloudflare::zone_of`] finds the zone of a host, [`Cloudflare::ensure`] brings about one record for it as a
//! [`Wish`] says, [`Cloudflare::release`] takes away what is ours. What is ours says the record's comment ([`Owner`]);
//! [`decide`] is the pure rule between what exists and what is wished.
//!
//! Invariants: a record of somebody else is never changed without being told to adopt it, and never deleted; a write
//! whose answer did not come is never repeated before looking at what it did; the token is in no text. Nothing here
//! knows Terraform or Kubernetes.

mod answer;
mod client;
mod decision;
mod error;
mod name;
mod owner;
mod patience;
mod record;
mod records;
#[cfg(any(test, feature = "testing"))]
pub mod standin;
mod zones;

pub use client::{BASE_URL, Cloudflare};
pub use decision::{Adopt, Decision, decide};
pub use error::{Error, Reason};
pub use owner::{Holder, Owner};
pub use patience::RetryOptions;
pub use record::{Record, RecordKind, Wish};
pub use records::{Change, Ensured, Released};
pub use zones::Zone;
