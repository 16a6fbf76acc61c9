//! DNS records at Cloudflare, through its API v4.
//!
//! [`Cloudflare::zone_of`] finds the zone of a host, [`Cloudflare::ensure`] brings about one record for it as a
//! [`Wish`] says, [`Cloudflare::release`] takes away what is ours. What is ours says the record's comment ([`Owner`]);
//! what
//! is to be done says the rule of all providers, [`decide`].
//!
//! Invariants: a record of somebody else is never changed without being told to adopt it, and never deleted; a write
//! whose answer did not come is never repeated before looking at what it did; the token is in no text. Nothing here
//! knows Terraform or Kubernetes.

mod answer;
mod client;
mod error;
mod patience;
mod provider;
mod records;
#[cfg(any(test, feature = "testing"))]
pub mod standin;
mod zones;

pub use client::{BASE_URL, Cloudflare};
pub use error::{Error, Reason};
pub use ffe_dns::{Adopt, Change, Decision, Ensured, Holder, Owner, Record, RecordKind, Released, Wish, Zone, decide};
pub use patience::RetryOptions;

use ffe_dns::{decision, name, owner, record};
