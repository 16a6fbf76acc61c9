//! A lease that is ours: renewing it, noticing its loss, giving it back.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ffe_cluster::{Cancel, Cluster, DeleteOptions, ObjectRef, Result, format_duration};
use k8s_openapi::api::coordination::v1::Lease;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::DropGuard;
use tokio_util::task::AbortOnDropHandle;

use super::{Holder, LeaseOptions, before, raced, record};

/// A lease that this process holds and renews in the background until it is released or dropped.
///
/// Dropping it stops renewing and fires [`HeldLease::lost`]; others take it over once it has expired.
/// [`HeldLease::release`] lets them have it at once.
#[must_use = "a lease that is dropped is renewed no more"]
pub struct HeldLease {
    tenure: Arc<Tenure>,
    renewing: AbortOnDropHandle<()>,
    dropped: DropGuard,
}

/// What the holder and its task share.
struct Tenure {
    cluster: Cluster,
    object: ObjectRef,
    me: Holder,
    transitions: i64,
    options: LeaseOptions,
    lost: Cancel,
    state: Mutex<State>,
}

struct State {
    /// As last written by us
    lease: Lease,
    /// Just before the last write that succeeded was sent: the server cannot have carried it out earlier, so
    /// that nobody sees the lease expire before our deadline
    renewed: Instant,
    loss: Option<String>,
}

/// What came of a renewal.
enum Renewal {
    Done(Box<Lease>),
    /// It is not ours any more
    Gone(String),
}

impl HeldLease {
    pub(super) fn start(cluster: &Cluster, lease: Lease, renewed: Instant, me: Holder, options: LeaseOptions) -> Self {
        let lost = Cancel::new();
        let tenure = Arc::new(Tenure {
            cluster: cluster.clone(),
            object: ObjectRef::to(&lease),
            // a lease that was ours already has its older time
            me: record::holder(&lease).unwrap_or(me),
            transitions: record::transitions(&lease),
            options,
            lost: lost.clone(),
            state: Mutex::new(State { lease, renewed, loss: None }),
        });
        tracing::debug!(target: "ffe::lease", "{}: acquired by {}", tenure.object, tenure.me);
        let renewing = AbortOnDropHandle::new(tokio::spawn(Arc::clone(&tenure).keep()));
        Self { tenure, renewing, dropped: lost.drop_guard() }
    }

    /// How often the lease has changed hands: a number that grows with each holder.
    pub fn transitions(&self) -> i64 {
        self.tenure.transitions
    }

    /// Ourselves, with the time of taking it.
    pub fn holder(&self) -> &Holder {
        &self.tenure.me
    }

    /// Fires when the lease could not be renewed within the renew deadline, somebody else took it, or
    /// this was dropped; not when it is released. What it guards must stop then, at once.
    pub fn lost(&self) -> &Cancel {
        &self.tenure.lost
    }

    /// Asks the clock, now: a process that was paused may run this before its timers. To be asked
    /// before each write to what the lease guards. False fires [`HeldLease::lost`].
    pub fn still_held(&self) -> bool {
        self.tenure.in_time()
    }

    /// Why it was lost, as a sentence for people; None as long as it is not.
    pub fn loss(&self) -> Option<String> {
        self.tenure.state().loss.clone()
    }

    /// Gives the lease back: the next one gets it at once. One that was lost meanwhile, or whose
    /// object is gone, is no error.
    ///
    /// # Errors
    /// Those of reading and writing, after trying for the renew deadline; the lease expires by itself
    /// then.
    pub async fn release(self) -> Result<()> {
        let (tenure, _) = self.end().await?;
        tracing::debug!(target: "ffe::lease", "{}: released", tenure.object);
        Ok(())
    }

    /// Gives the lease back and deletes its object, unless somebody takes it in between: for the time
    /// when what it guarded is gone.
    ///
    /// # Errors
    /// As [`HeldLease::release`], and those of a delete.
    pub async fn delete(self) -> Result<()> {
        let (tenure, emptied) = self.end().await?;
        let Some(emptied) = emptied else { return Ok(()) };
        let (cluster, object) = (&tenure.cluster, &tenure.object);
        let meta = emptied.metadata;
        let options = DeleteOptions { uid: meta.uid, resource_version: meta.resource_version };
        match cluster.delete(object, &options).await {
            Err(error) if !raced(&error, true) => Err(error),
            _ => Ok(()),
        }
    }

    /// Stops renewing and takes the holder out. None when it is not ours any more.
    async fn end(self) -> Result<(Arc<Tenure>, Option<Lease>)> {
        let Self { tenure, renewing, dropped } = self;
        dropped.disarm();
        // a renewal under way shall not come after the release
        renewing.abort();
        let _ended = renewing.await;
        let emptied = tenure.empty().await?;
        Ok((tenure, emptied))
    }
}

impl std::fmt::Debug for HeldLease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HeldLease")
            .field("object", &self.tenure.object)
            .field("holder", &self.tenure.me)
            .field("loss", &self.loss())
            .finish_non_exhaustive()
    }
}

impl Tenure {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Within the deadline, and nobody else's? Says so to everybody when it is not.
    fn in_time(&self) -> bool {
        let renewed = self.state().renewed;
        if !self.lost.is_cancelled() && renewed.elapsed() >= self.options.renew_deadline {
            let deadline = format_duration(self.options.renew_deadline);
            self.lose(format!("{} could not be renewed within {deadline}", self.object));
        }
        !self.lost.is_cancelled()
    }

    fn lose(&self, why: String) {
        tracing::warn!(target: "ffe::lease", "lost the lease: {why}");
        self.state().loss.get_or_insert(why);
        self.lost.cancel();
    }

    /// Renews until the lease is lost.
    async fn keep(self: Arc<Self>) {
        let mut next = self.state().renewed + self.options.retry;
        loop {
            let deadline = self.state().renewed + self.options.renew_deadline;
            sleep_until(next.min(deadline)).await;
            // the timer may have gone off long ago, while the process was paused
            if !self.in_time() {
                return;
            }
            let sent = Instant::now();
            next = sent + self.options.retry;
            let limit = deadline.min(sent + self.options.attempt());
            match before(&self.cluster, limit, &self.object, self.renew()).await {
                Ok(Renewal::Done(lease)) => {
                    let mut state = self.state();
                    state.lease = *lease;
                    state.renewed = sent;
                }
                Ok(Renewal::Gone(why)) => return self.lose(why),
                // everything is tolerated until the deadline: even a refusal may be a webhook's mood
                Err(error) => tracing::warn!(target: "ffe::lease", "not renewed, tried again: {error}"),
            }
        }
    }

    async fn renew(&self) -> Result<Renewal> {
        let done = |lease| Renewal::Done(Box::new(lease));
        let mine = self.state().lease.clone();
        match self.cluster.replace(&record::renewed(&mine)).await {
            Ok(lease) => return Ok(done(lease)),
            Err(error) if raced(&error, true) => {}
            Err(error) => return Err(error),
        }
        match self.look().await? {
            // deleted by hand, and nobody has made it since: create it or lose the race
            None => self.cluster.create(&record::anew(&mine)).await.map(done),
            // labelled by somebody, or written by us with an answer that was lost
            Some(found) if self.is_ours(&found) => self.cluster.replace(&record::renewed(&found)).await.map(done),
            Some(found) => Ok(Renewal::Gone(match record::holder(&found) {
                Some(by) => format!("{} was taken over by {by}", self.object),
                None => format!("somebody removed the holder of {}", self.object),
            })),
        }
    }

    /// Swaps the holder out, whatever version of it there is, as long as it is ours.
    async fn empty(&self) -> Result<Option<Lease>> {
        let until = Instant::now() + self.options.renew_deadline;
        let mut mine = self.state().lease.clone();
        loop {
            let emptied = record::emptied(&mine);
            let error = match before(&self.cluster, until, &self.object, self.cluster.replace(&emptied)).await {
                Ok(emptied) => return Ok(Some(emptied)),
                Err(error) => error,
            };
            if !raced(&error, true) && !error.is_transient() {
                return Err(error);
            }
            if !raced(&error, true) {
                sleep_until(until.min(Instant::now() + self.options.retry)).await;
            }
            if Instant::now() >= until {
                return Err(error);
            }
            match before(&self.cluster, until, &self.object, self.look()).await {
                Ok(Some(found)) if self.is_ours(&found) => mine = found,
                Ok(_) => return Ok(None),
                Err(error) if error.is_transient() => {}
                Err(error) => return Err(error),
            }
        }
    }

    async fn look(&self) -> Result<Option<Lease>> {
        self.cluster.find(self.object.namespace.as_deref(), &self.object.name).await
    }

    fn is_ours(&self, found: &Lease) -> bool {
        record::holder(found).is_some_and(|holder| holder.is(&self.me))
    }
}
