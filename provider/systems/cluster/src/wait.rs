//! Waiting is watching: progress is logged as it happens, what cannot heal ends the wait at once
//! with its cause, and a request to stop ends it without touching the cluster.

mod engine;
mod progress;
mod rollout;

use std::future::Future;
use std::time::Duration;

use kube::api::DynamicObject;

pub use progress::{Progress, progress};

use crate::Cancel;
use crate::access::typed;
use crate::cluster::Cluster;
use crate::diagnose::Patience;
use crate::error::{Error, Result};
use crate::object::{Object, ObjectRef};
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

impl Cluster {
    /// Waits until `status` says that the object is ready; it is given None while there is no such
    /// object. `what` is for people: `certificate ffe/api to be issued`.
    ///
    /// # Errors
    /// [`crate::Kind::Failed`] when `status` says so, [`Error::Timeout`], [`Error::Cancelled`], and
    /// those of requests; an API server that is away is waited out.
    pub async fn wait_for<K, F>(
        &self,
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
        self.wait_for_ref(&object, what, options, |found| match found.map(|found| typed::<K>(&object, found.clone())) {
            None => status(None),
            Some(Ok(found)) => status(Some(&found)),
            Some(Err(error)) => Progress::Failed(error.to_string()),
        })
        .await?
        .map(|found| typed(&object, found))
        .transpose()
    }

    /// The same for a kind known at run time.
    ///
    /// # Errors
    /// As [`Cluster::wait_for`].
    pub async fn wait_for_ref<F>(
        &self,
        object: &ObjectRef,
        what: &str,
        options: &WaitOptions,
        status: F,
    ) -> Result<Option<DynamicObject>>
    where
        F: Fn(Option<&DynamicObject>) -> Progress + Send + Sync,
    {
        let triggers = engine::triggers(self, &[engine::Watched::One(object.clone())]).await?;
        let mut look = StatusLook { cluster: self, object, status };
        engine::run(what, object, triggers, options, &mut look).await
    }

    /// Waits until an object is gone; with a UID also when another one of its name has taken its
    /// place.
    ///
    /// # Errors
    /// [`Error::Timeout`], which names what holds it (finalizers, remaining content of a namespace),
    /// [`Error::Cancelled`], and those of requests.
    pub async fn wait_deleted(&self, object: &ObjectRef, uid: Option<&str>, options: &WaitOptions) -> Result<()> {
        let status = |found: Option<&DynamicObject>| match found {
            None => Progress::Ready,
            Some(found) if uid.is_some() && found.metadata.uid.as_deref() != uid => Progress::Ready,
            Some(found) => Progress::Waiting(progress::held_by(found)),
        };
        self.wait_for_ref(object, &format!("deletion of {object}"), options, status).await.map(drop)
    }

    /// Waits until a workload is rolled out: a Deployment, StatefulSet or DaemonSet has all its pods
    /// of the present content available, a Job is complete, a Pod is ready, a PersistentVolumeClaim
    /// is bound. What cannot heal ends it at once.
    ///
    /// # Errors
    /// [`Error::Failed`] and [`Error::Timeout`], both with a diagnosis, [`Error::Cancelled`], and
    /// those of requests.
    pub async fn wait_rollout(&self, workload: &ObjectRef, options: &WaitOptions) -> Result<()> {
        rollout::wait(self, workload, options).await
    }

    /// Waits for several at once. The first that fails ends the wait.
    ///
    /// # Errors
    /// As [`Cluster::wait_rollout`].
    pub async fn wait_all(&self, workloads: &[ObjectRef], options: &WaitOptions) -> Result<()> {
        futures::future::try_join_all(workloads.iter().map(|workload| self.wait_rollout(workload, options)))
            .await
            .map(drop)
    }
}

struct StatusLook<'a, F> {
    cluster: &'a Cluster,
    object: &'a ObjectRef,
    status: F,
}

impl<F> Look for StatusLook<'_, F>
where
    F: Fn(Option<&DynamicObject>) -> Progress + Send + Sync,
{
    type Output = Option<DynamicObject>;

    fn look(&mut self) -> impl Future<Output = Result<Seen<Self::Output>>> + Send {
        let Self { cluster, object, status } = self;
        async move {
            let found = cluster.find_ref(object).await?;
            Ok(match status(found.as_ref()) {
                Progress::Ready => Seen::Done(found),
                Progress::Waiting(what) => Seen::Waiting(what),
                Progress::Failed(why) => return Err(failed(object, &why)),
            })
        }
    }
}

/// A failure that a status function reports, without evidence beyond its words.
fn failed(object: &ObjectRef, why: &str) -> Error {
    Error::Failed(Box::new(crate::diagnose::Diagnosis {
        object: object.clone(),
        cause: crate::diagnose::Cause::Unknown,
        reason: "Failed".to_owned(),
        message: why.to_owned(),
        details: Vec::new(),
        events: Vec::new(),
        log: Vec::new(),
        advice: format!("See the status of {object}, correct what it names, and apply again."),
    }))
}
