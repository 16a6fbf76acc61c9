//! Leases: who may work on a release, or on a database, by the rules of client-go's leader election.
//!
//! A lease is a `coordination.k8s.io/v1` Lease object. Its holder renews it every few seconds; who
//! wants it meanwhile is refused as soon as the holder is seen to live ([`LeaseError::Held`]), and
//! takes it over when its record has not changed for its whole duration, measured by the observer's
//! own monotonic clock. Clocks of two machines are never compared: the times in the record are for
//! people. Every write is a compare-and-swap.
//!
//! A holder that cannot renew within the renew deadline, which is shorter than the duration, has
//! [lost](HeldLease::lost) the lease before anybody else may have it.

mod held;
mod observe;
mod record;

use std::fmt;
use std::future::Future;
use std::time::Duration;

use ffe_cluster::{Cancel, Cluster, Error, Kind, ObjectRef, Result, format_duration, parse_duration};
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use tokio::time::{Instant, sleep_until, timeout_at};

pub use held::HeldLease;

use observe::{Observation, Verdict};

/// Environment variable with the duration of leases, a Go duration; the deadline and the pauses
/// follow in proportion. For tests that wait for leases to expire.
const VARIABLE: &str = "FFE_LEASE_DURATION";
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(3600);

/// Who holds a lease, as its object says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The run: one operation on one resource
    pub identity: String,
    /// Name of the machine; empty in a lease that something else made
    pub host: String,
    /// Process id on that machine; 0 in a lease that something else made
    pub process: u32,
    /// When it took the lease, by that machine's clock; acquiring fills it in
    pub since: Timestamp,
    /// What is being done: `terraform apply of ffe_release ns/name`
    pub what: String,
}

impl Holder {
    /// A holder in this process.
    pub fn this_process(identity: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            identity: identity.into(),
            host: hostname::get().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
            process: std::process::id(),
            since: Timestamp::now(),
            what: what.into(),
        }
    }

    fn in_process_of(&self, other: &Self) -> bool {
        self.process != 0 && self.process == other.process && self.host == other.host
    }

    /// The same run in the same process. A run that another process takes up again is another holder.
    fn is(&self, other: &Self) -> bool {
        self.identity == other.identity && self.in_process_of(other)
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "run {}", self.identity)?;
        if !self.host.is_empty() {
            write!(f, " on host {} (process {})", self.host, self.process)?;
        }
        write!(f, " since {:.0}", self.since)?;
        if !self.what.is_empty() {
            write!(f, ": {}", self.what)?;
        }
        Ok(())
    }
}

/// The times of a lease. They must stand in the order retry < renew deadline < duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseOptions {
    /// How long a record must stay unchanged until others may take the lease
    pub duration: Duration,
    /// How long after its last renewal the holder counts the lease as lost
    pub renew_deadline: Duration,
    /// Pause between renewals, and between looks at a lease that somebody else holds
    pub retry: Duration,
}

impl Default for LeaseOptions {
    /// 15, 10 and 2 seconds, as in client-go
    fn default() -> Self {
        Self::lasting(Duration::from_secs(15))
    }
}

impl LeaseOptions {
    /// All three times in the proportions of the default.
    fn lasting(duration: Duration) -> Self {
        Self { duration, renew_deadline: duration * 2 / 3, retry: duration * 2 / 15 }
    }

    /// The default, or what `FFE_LEASE_DURATION` sets.
    ///
    /// # Errors
    /// [`Kind::Config`] when that is no duration between one second and one hour.
    pub fn from_environment() -> Result<Self> {
        Self::from_variable(&std::env::var(VARIABLE).unwrap_or_default())
    }

    fn from_variable(value: &str) -> Result<Self> {
        if value.is_empty() {
            return Ok(Self::default());
        }
        let duration = parse_duration(value)
            .map_err(|error| unusable(format!("the environment variable {VARIABLE} is no duration: {error}")))?;
        if !(SHORTEST..=LONGEST).contains(&duration) {
            let message = format!(
                "the environment variable {VARIABLE} is {value}; set it to a duration from {} to {}, or unset it",
                format_duration(SHORTEST),
                format_duration(LONGEST)
            );
            return Err(unusable(message));
        }
        Ok(Self::lasting(duration))
    }

    /// How long one write may take: the deadline leaves room for a second one.
    fn attempt(&self) -> Duration {
        self.renew_deadline / 2
    }
}

/// About the environment, which is no attribute of the configuration.
fn unusable(message: String) -> Error {
    Error::Config { attribute: None, message, source: None }
}

/// Why a lease could not be acquired.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Somebody else holds it and renews it.
    #[error("{lease} is held by {holder}")]
    Held {
        /// The Lease object
        lease: Box<ObjectRef>,
        /// Who has it
        holder: Box<Holder>,
    },
    /// The user asked to stop while it was waited for.
    #[error("stopped on request while waiting for {what}")]
    Cancelled {
        /// The Lease object, and its holder where one was seen
        what: String,
    },
    /// The API server could not be asked, or refused.
    #[error(transparent)]
    Cluster(#[from] Error),
}

impl LeaseError {
    /// What to do next, where there is something to say that the text does not say already.
    pub fn advice(&self) -> Option<String> {
        match self {
            Self::Held { .. } => Some(
                "Wait until that run has ended, then run the same command again. A run that was killed needs no \
                 clean-up: once it renews its lease no more, the next run waits until the lease has expired, and \
                 takes over."
                    .to_owned(),
            ),
            Self::Cancelled { .. } => None,
            Self::Cluster(error) => error.advice(),
        }
    }
}

/// Acquires a lease in a namespace that exists, and renews it from then on.
///
/// One that is free is taken at once. One that is held is watched: as soon as its holder is seen
/// to renew it, this ends with [`LeaseError::Held`]; a holder that does not is waited out for the
/// duration in its record and replaced. Another run within this very process, as when two
/// resources of one apply share a database, is waited for until it releases. A run that holds the
/// lease in this process already gets it again.
///
/// An API server that is away is tolerated for the renew deadline.
///
/// # Errors
/// [`LeaseError`]; after [`LeaseError::Cluster`] the lease may have been taken all the same when
/// an answer was lost, and expires by itcluster.
pub async fn acquire(
    cluster: &Cluster,
    namespace: &str,
    name: &str,
    holder: Holder,
    options: &LeaseOptions,
    cancel: &Cancel,
) -> Result<HeldLease, LeaseError> {
    let object = ObjectRef::of::<Lease>(Some(namespace), name);
    if holder.identity.is_empty() {
        let message = "its holder has no identity, and a lease without one is free".to_owned();
        return Err(Error::Malformed { what: object.to_string(), message }.into());
    }
    let mut observation = Observation::new(holder.clone(), options.duration);
    let mut answered = Instant::now();
    let mut waiting: Option<Holder> = None;
    loop {
        let found = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(cancelled(&object, waiting.as_ref())),
            found = cluster.find::<Lease>(Some(namespace), name) => found,
        };
        let (until, failed) = match found {
            Err(error) => (Instant::now() + options.retry, Some(error)),
            Ok(lease) => {
                answered = Instant::now();
                match observation.look(lease.as_ref(), answered) {
                    Verdict::Held(by) => {
                        return Err(LeaseError::Held { lease: Box::new(object), holder: Box::new(by) });
                    }
                    Verdict::Wait { by, until } => {
                        if waiting.as_ref() != Some(&by) {
                            announce(&object, &by, &holder, until.saturating_duration_since(answered));
                            waiting = Some(by);
                        }
                        (until.min(answered + options.retry), None)
                    }
                    Verdict::Take { expired } => {
                        if let Some(by) = expired {
                            tracing::warn!(target: "ffe::lease", "{object}: taken over from {by}, which renews it no more");
                        }
                        let holder = Holder { since: Timestamp::now(), ..holder.clone() };
                        let wanted = record::taken(lease.as_ref(), &object, &holder, options.duration);
                        // not ended by cancel: whether it was carried out would not be known
                        match swap(cluster, &object, &wanted, answered + options.attempt()).await {
                            Ok(lease) => return Ok(HeldLease::start(cluster, lease, answered, holder, *options)),
                            Err(error) if raced(&error, lease.is_some()) => (Instant::now(), None),
                            Err(error) => (Instant::now() + options.retry, Some(error)),
                        }
                    }
                }
            }
        };
        if let Some(error) = failed {
            if !error.is_transient() || answered.elapsed() >= options.renew_deadline {
                return Err(error.into());
            }
            tracing::info!(target: "ffe::lease", "{object}: {error}; it is tried again");
        }
        tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(cancelled(&object, waiting.as_ref())),
            () = sleep_until(until) => {}
        }
    }
}

/// Creates the object, or replaces the very version that `wanted` was made from.
async fn swap(cluster: &Cluster, object: &ObjectRef, wanted: &Lease, until: Instant) -> Result<Lease> {
    if wanted.metadata.resource_version.is_none() {
        before(cluster, until, object, cluster.create(wanted)).await
    } else {
        before(cluster, until, object, cluster.replace(wanted)).await
    }
}

/// An answer that takes longer than a lease can wait is no answer.
async fn before<T>(
    cluster: &Cluster,
    until: Instant,
    object: &ObjectRef,
    answer: impl Future<Output = Result<T>>,
) -> Result<T> {
    let started = Instant::now();
    timeout_at(until, answer).await.unwrap_or_else(|_| {
        Err(Error::Request {
            kind: Kind::Unavailable,
            operation: "update",
            object: Box::new(object.clone()),
            server: cluster.server().to_owned(),
            message: format!("no answer within {} ms", started.elapsed().as_millis()),
            source: None,
        })
    })
}

/// Was somebody else faster? A lease that is gone before it was replaced counts too; one that could
/// not be created because its namespace is missing does not.
fn raced(error: &Error, existed: bool) -> bool {
    match error.kind() {
        Kind::Conflict | Kind::AlreadyExists => true,
        Kind::NotFound => existed,
        _ => false,
    }
}

fn cancelled(object: &ObjectRef, by: Option<&Holder>) -> LeaseError {
    LeaseError::Cancelled { what: by.map_or_else(|| object.to_string(), |by| format!("{object}, held by {by}")) }
}

fn announce(object: &ObjectRef, by: &Holder, me: &Holder, left: Duration) {
    if by.in_process_of(me) {
        tracing::info!(target: "ffe::lease", "{object}: waiting for {by}, in this same process");
        return;
    }
    // for people: a moment by this machine's clock
    let until = Timestamp::now().saturating_add(left).unwrap_or(Timestamp::MAX);
    tracing::info!(
        target: "ffe::lease",
        "{object}: held by {by}, not seen renewed; waiting until {until:.0} to take over, unless it is renewed"
    );
}

#[cfg(test)]
mod tests;
