//! Waiting is watching: progress is logged as it happens, what cannot heal ends the wait at once
//! with its cause, and a request to stop ends it without touching the cluster.

mod engine;
mod progress;
mod rollout;

use std::future::Future;
use std::time::Duration;

use ffe_cluster::{Cancel, Cluster, Deleted, Error, Kind, Made, Object, ObjectRef, Result};
use kube::api::DynamicObject;

pub use progress::{Progress, progress};

use crate::diagnose::{Cause, Diagnosis, Patience};
pub(crate) use engine::{Look, Seen, run, triggers};
pub(crate) use rollout::{Bearing, describe, explain, watched};

/// How to wait.
#[derive(Debug, Clone)]
pub struct WaitOptions {
    /// From now on
    pub timeout: Duration,
    /// Ends the wait with [`Error::Cancelled`]
    pub cancel: Cancel,
    /// How often an unchanged state is logged
    pub progress_every: Duration,
    /// When to give up early
    pub fail_fast: FailFast,
}

impl WaitOptions {
    /// With the usual patience.
    pub fn new(timeout: Duration, cancel: Cancel) -> Self {
        Self { timeout, cancel, progress_every: Duration::from_secs(10), fail_fast: FailFast::default() }
    }
}

/// How long which trouble is borne with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailFast {
    /// Off: only the timeout ends a wait
    pub enabled: bool,
    /// Restarts of a container that are too many
    pub crash_restarts: i32,
    /// No node takes the pod, a volume is not provisioned, the workload itself is not there
    pub scheduling: Duration,
    /// A Secret, ConfigMap or service account is missing
    pub config: Duration,
    /// The registry or a webhook does not answer
    pub image_pull: Duration,
    /// A volume cannot be mounted: the Secret may be a certificate that is being issued
    pub mount: Duration,
    /// The quota is used up
    pub quota: Duration,
    /// A node has been asked for
    pub scale_up: Duration,
}

impl Default for FailFast {
    fn default() -> Self {
        Self {
            enabled: true,
            crash_restarts: 3,
            scheduling: Duration::from_secs(30),
            config: Duration::from_secs(10),
            image_pull: Duration::from_secs(30),
            mount: Duration::from_secs(120),
            quota: Duration::from_secs(10),
            scale_up: Duration::from_secs(600),
        }
    }
}

impl FailFast {
    /// Waiting to the end, whatever happens.
    pub fn never() -> Self {
        Self { enabled: false, ..Self::default() }
    }

    /// After how long trouble of this kind ends the wait; None: never.
    pub fn grace(&self, patience: Patience) -> Option<Duration> {
        if !self.enabled {
            return None;
        }
        match patience {
            Patience::None => Some(Duration::ZERO),
            Patience::Restarts(restarts) => (restarts >= self.crash_restarts).then_some(Duration::ZERO),
            Patience::Config => Some(self.config),
            Patience::Quota => Some(self.quota),
            Patience::Scheduling => Some(self.scheduling),
            Patience::ImagePull => Some(self.image_pull),
            Patience::Mount => Some(self.mount),
            Patience::ScaleUp => Some(self.scale_up),
            Patience::Forever => None,
        }
    }
}

/// Waits until `status` says that the object is ready; it is given None while there is no such
/// object. `what` is for people: `certificate ffe/api to be issued`.
///
/// # Errors
/// [`ffe_cluster::Kind::Failed`] when `status` says so, [`Error::Timeout`], [`Error::Cancelled`], and
/// those of requests; an API server that is away is waited out.
pub async fn wait_for<K, F>(
    cluster: &Cluster,
    namespace: Option<&str>,
    name: &str,
    what: &str,
    options: &WaitOptions,
    status: F,
) -> Result<Option<K>>
where
    K: Object,
    F: Fn(Option<&K>) -> Progress + Send + Sync,
{
    let object = ObjectRef::of::<K>(namespace, name);
    wait_until(cluster, &object, what, options, || cluster.find::<K>(namespace, name), status).await
}

/// The same for a kind known at run time.
///
/// # Errors
/// As [`wait_for`].
pub async fn wait_for_ref<F>(
    cluster: &Cluster,
    object: &ObjectRef,
    what: &str,
    options: &WaitOptions,
    status: F,
) -> Result<Option<DynamicObject>>
where
    F: Fn(Option<&DynamicObject>) -> Progress + Send + Sync,
{
    wait_until(cluster, object, what, options, || cluster.find_ref(object), status).await
}

async fn wait_until<T, Find, Found, F>(
    cluster: &Cluster,
    object: &ObjectRef,
    what: &str,
    options: &WaitOptions,
    find: Find,
    status: F,
) -> Result<Option<T>>
where
    T: Send,
    Find: Fn() -> Found + Send + Sync,
    Found: Future<Output = Result<Option<T>>> + Send,
    F: Fn(Option<&T>) -> Progress + Send + Sync,
{
    let triggers = engine::triggers(cluster, &[engine::Watched::One(object.clone())]).await?;
    let mut look = StatusLook { object, find, status };
    engine::run(what, object, triggers, options, &mut look).await
}

/// Waits until an object is gone; with a UID also when another one of its name has taken its
/// place.
///
/// # Errors
/// [`Error::Timeout`], which names what holds it (finalizers, remaining content of a namespace),
/// [`Error::Cancelled`], and those of requests.
pub async fn wait_deleted(
    cluster: &Cluster,
    object: &ObjectRef,
    uid: Option<&str>,
    options: &WaitOptions,
) -> Result<()> {
    let status = |found: Option<&DynamicObject>| match found {
        None => Progress::Ready,
        Some(found) if uid.is_some() && found.metadata.uid.as_deref() != uid => Progress::Ready,
        Some(found) => Progress::Waiting(progress::held_by(found)),
    };
    wait_for_ref(cluster, object, &format!("deletion of {object}"), options, status).await.map(drop)
}

/// Deletes an object that was made, and waits until it is gone.
///
/// # Errors
/// Those of [`Made::delete`] and [`wait_deleted`].
pub async fn delete_and_wait(cluster: &Cluster, made: Made, options: &WaitOptions) -> Result<()> {
    let (object, uid) = (made.object().clone(), made.uid().to_owned());
    if made.delete(cluster).await? == Deleted::WasGone {
        return Ok(());
    }
    match wait_deleted(cluster, &object, Some(&uid), options).await {
        // the kind itself was removed meanwhile
        Err(Error::Request { kind: Kind::NotServed, .. }) => Ok(()),
        other => other,
    }
}

/// Waits until a workload is rolled out: a Deployment, StatefulSet or DaemonSet has all its pods
/// of the present content available, a Job is complete, a Pod is ready, a PersistentVolumeClaim
/// is bound. What cannot heal ends it at once.
///
/// # Errors
/// [`Error::Failed`] and [`Error::Timeout`], both with an explanation, [`Error::Cancelled`], and
/// those of requests.
pub async fn wait_rollout(cluster: &Cluster, workload: &ObjectRef, options: &WaitOptions) -> Result<()> {
    rollout::wait(cluster, workload, options).await
}

/// Waits for several at once. The first that fails ends the wait.
///
/// # Errors
/// As [`wait_rollout`].
pub async fn wait_all(cluster: &Cluster, workloads: &[ObjectRef], options: &WaitOptions) -> Result<()> {
    futures::future::try_join_all(workloads.iter().map(|workload| wait_rollout(cluster, workload, options)))
        .await
        .map(drop)
}

struct StatusLook<'a, Find, F> {
    object: &'a ObjectRef,
    find: Find,
    status: F,
}

impl<T, Find, Found, F> Look for StatusLook<'_, Find, F>
where
    T: Send,
    Find: Fn() -> Found + Send + Sync,
    Found: Future<Output = Result<Option<T>>> + Send,
    F: Fn(Option<&T>) -> Progress + Send + Sync,
{
    type Output = Option<T>;

    async fn look(&mut self) -> Result<Seen<Self::Output>> {
        let found = (self.find)().await?;
        Ok(match (self.status)(found.as_ref()) {
            Progress::Ready => Seen::Done(found),
            Progress::Waiting(what) => Seen::Waiting(what),
            Progress::Failed(why) => return Err(failed(self.object, &why)),
        })
    }
}

/// A failure that a status function reports, without evidence beyond its words.
fn failed(object: &ObjectRef, why: &str) -> Error {
    Error::from(&Diagnosis {
        object: object.clone(),
        cause: Cause::Unknown,
        reason: "Failed".to_owned(),
        message: why.to_owned(),
        details: Vec::new(),
        events: Vec::new(),
        log: Vec::new(),
        advice: format!("See the status of {object}, correct what it names, and apply again."),
    })
}

#[cfg(test)]
mod tests;
