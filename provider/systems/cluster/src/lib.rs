//! Everything of this provider that talks to the Kubernetes API.
//!
//! [`Cluster`] is the handle: made from [`KubernetesSettings`], cheap to clone, connected at the
//! first request. It reads, writes ([`Cluster::apply`]), waits ([`Cluster::wait_rollout`]), explains
//! ([`Cluster::diagnose`]), runs Jobs ([`Cluster::run_job`]) and reaches into the cluster
//! ([`Cluster::http_get`]). It knows nothing of Terraform: [`Error`] says what went wrong, and the
//! resources turn that into diagnostics.

mod absence;
mod access;
mod apply;
mod cluster;
pub mod config;
mod delete;
pub mod diagnose;
pub mod digest;
mod discovery;
mod door;
pub mod drift;
mod duration;
mod error;
mod identity;
mod job;
mod lease;
mod lists;
mod logs;
pub mod mark;
pub mod namespace;
mod object;
pub mod portforward;
mod quantity;
mod standing;
pub mod wait;

#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use absence::Presence;
pub use access::Query;
pub use apply::{ApplyOptions, FIELD_MANAGER};
pub use cluster::{Cluster, Timeouts};
pub use config::{Connection, Environment, ExecSettings, KubernetesSettings};
pub use delete::{DeleteOptions, Deleted, Propagation};
pub use diagnose::Diagnosis;
pub use digest::{Comparison, Digests, public_digest};
pub use door::{Door, Guard, Write};
pub use duration::{DurationError, format_duration, parse_duration};
pub use error::{Error, FieldConflict, Kind, Result, Source};
pub use job::{JobOptions, JobOutcome, every_key_of, one_shot_job};
pub use lease::{HeldLease, Holder, LeaseError, LeaseOptions};
pub use lists::MetadataListCache;
pub use logs::tidy as tidy_log_line;
pub use mark::{Mark, MarkState, Owner, Ownership, ownership};
pub use object::{Object, ObjectRef};
pub use portforward::{Forwarded, HttpAnswer, ServicePort};
pub use quantity::{Quantity, QuantityError};
pub use standing::{Adopted, Made, Originals, Standing, was_applied};
pub use wait::{FailFast, Progress, WaitOptions};

pub use k8s_openapi;
pub use kube;

/// A request to stop, handed to everything that takes long: clone it, ask `is_cancelled()`, await
/// `cancelled()`.
pub use tokio_util::sync::CancellationToken as Cancel;
