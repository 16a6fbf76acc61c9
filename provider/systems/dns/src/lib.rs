//! DNS records of hosts, whoever keeps them.
//!
//! A [`Provider`] finds the zone of a host, brings about the one record for it that a [`Wish`] says, and takes away what is ours.
//! Whose a record is says its mark ([`Owner`]); [`decide`] is the pure rule between what exists and what is wished, and the same
//! for every provider.
//!
//! Invariants: a record of somebody else is never changed without being told to adopt it, and never deleted; a write whose
//! answer did not come is never repeated before looking at what it did. Nothing here knows Terraform or Kubernetes, or a
//! particular provider.

pub mod decision;
mod error;
pub mod name;
pub mod owner;
mod provider;
pub mod record;

pub use decision::{Adopt, Decision, decide};
pub use error::Error;
pub use owner::{Holder, Owner};
pub use provider::{Change, Ensured, Provider, Released, Zone};
pub use record::{Record, RecordKind, Wish};
