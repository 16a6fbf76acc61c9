//! Reaching a Kubernetes API, and reading and writing its objects.
//!
//! [`Cluster`] is the handle: made from [`KubernetesSettings`], cheap to clone, connected at the
//! first request. It reads, writes ([`Cluster::apply_value`], [`Cluster::put`]), proves that something is absent
//! ([`Cluster::confirm`]) and says whose an object is ([`Cluster::standing`]). It knows nothing of
//! Terraform: [`Error`] says what went wrong, and the resources turn that into diagnostics.
//!
//! What waits for objects and explains them is `ffe-workloads`, leases are `ffe-lease`, and an API
//! in memory for tests is `ffe-cluster-testing`.

mod absence;
mod access;
mod apply;
mod cluster;
pub mod config;
mod delete;
pub mod digest;
mod discovery;
mod door;
pub mod drift;
mod duration;
mod error;
mod identity;
mod lists;
pub mod mark;
pub mod namespace;
mod object;
mod quantity;
mod standing;

pub use absence::Presence;
pub use access::Query;
pub use apply::{ApplyOptions, FIELD_MANAGER};
pub use cluster::{Cluster, Timeouts};
pub use config::{Connection, Environment, ExecSettings, KubernetesSettings};
pub use delete::{DeleteOptions, Deleted};
pub use digest::{Comparison, Digests, public_digest};
pub use door::{Door, Guard, Write};
pub use duration::{DurationError, format_duration, parse_duration};
pub use error::{Error, Explanation, FieldConflict, Kind, Result, Source};
pub use lists::MetadataListCache;
pub use mark::{Mark, MarkState, Owner, Ownership, ownership};
pub use object::{Object, ObjectRef};
pub use quantity::{Quantity, QuantityError};
pub use standing::{Adopted, Made, Originals, Standing, was_applied};

pub use k8s_openapi;
pub use kube;

/// A request to stop, handed to everything that takes long: clone it, ask `is_cancelled()`, await
/// `cancelled()`.
pub use tokio_util::sync::CancellationToken as Cancel;
