//! Nobody else is at work on a resource: a lease, held for as long as a run writes.

use ffe_cluster::{Cancel, Cluster, Kind};
use ffe_lease::{HeldLease, Holder, LeaseError, LeaseOptions};
use tfplugin::{Diagnostic, Diagnostics, Path};
use tokio::task::JoinHandle;

use crate::errors::diagnostic;

/// What is locked, and by whom.
#[derive(Clone, Copy, Debug)]
pub struct Locked<'a> {
    /// Where the lease is. It must exist.
    pub namespace: &'a str,
    /// The lease's name.
    pub name: &'a str,
    /// The run.
    pub run_id: &'a str,
    /// What the run does, such as `terraform apply of ffe_environment ffe/shop`.
    pub what: &'a str,
    /// What a message calls the resource, such as `environment`.
    pub subject: &'a str,
    /// The attribute that a refusal names.
    pub named_by: &'a str,
}

/// A lease that is held.
#[derive(Debug)]
pub struct Lock {
    lease: HeldLease,
    cancel: Cancel,
    bridge: JoinHandle<()>,
    subject: String,
}

impl Lock {
    /// Takes the lease. One whose holder lives is refused; one whose holder has died is waited for and taken over.
    ///
    /// # Errors
    /// When somebody else holds it (the error says who, on which host and since when), or the cluster refuses. None where the
    /// user stopped it.
    pub async fn take(cluster: &Cluster, locked: &Locked<'_>, cancel: &Cancel) -> Result<Lock, Option<Diagnostics>> {
        let options = LeaseOptions::from_environment()
            .map_err(|error| Some(diagnostic(&error, "The lease's duration is unusable").into()))?;
        let holder = Holder::this_process(locked.run_id, locked.what);
        let lease = ffe_lease::acquire(cluster, locked.namespace, locked.name, holder, &options, cancel).await;
        let lease = lease.map_err(|error| refused(&error, locked).map(Diagnostics::from))?;
        let (cancel, bridge) = either(cancel, lease.lost());
        Ok(Lock { lease, cancel, bridge, subject: locked.subject.to_owned() })
    }

    /// Fires when the user wants to stop, and when the lease is lost.
    pub fn cancel(&self) -> Cancel {
        self.cancel.clone()
    }

    /// Whether it is held still, asked of the clock: before each write.
    ///
    /// # Errors
    /// When it is lost: somebody else may be at work by now.
    pub fn check(&self) -> Result<(), Diagnostic> {
        if self.still_held() {
            return Ok(());
        }
        Err(Diagnostic::error(
            format!("The lease on the {} is lost", self.subject),
            format!(
                "{}. Nothing more was done, because somebody else may be at work by now. The next apply goes on from there.",
                self.loss().unwrap_or_default().trim_end_matches('.')
            ),
        ))
    }

    /// Whether it is held still, asked of the clock.
    pub fn still_held(&self) -> bool {
        self.lease.still_held()
    }

    /// Why it is lost, where it is.
    pub fn loss(&self) -> Option<String> {
        self.lease.loss()
    }

    /// Gives it back. An error of that is a warning: a lease expires by itself.
    pub async fn let_go(self) -> Option<Diagnostic> {
        self.bridge.abort();
        let summary = format!("The lease on the {} was not given back", self.subject);
        self.lease.release().await.err().map(|error| Diagnostic::warning(summary, error.to_string()))
    }

    /// Gives it back and removes it: nothing is left to lock.
    pub async fn remove(self) {
        self.bridge.abort();
        if let Err(error) = self.lease.delete().await {
            tracing::warn!(%error, "the lease was not removed");
        }
    }
}

/// The error for a lease that cannot be had.
fn refused(error: &LeaseError, locked: &Locked<'_>) -> Option<Diagnostic> {
    match error {
        LeaseError::Cancelled { .. } => None,
        LeaseError::Cluster(error) if error.kind() == Kind::Cancelled => None,
        LeaseError::Cluster(error) => Some(diagnostic(error, "The lease could not be acquired")),
        LeaseError::Held { .. } => {
            let advice = error.advice().map(|advice| format!("\n\n{advice}")).unwrap_or_default();
            let summary = format!("Somebody else is at work on the {}", locked.subject);
            let refused = Diagnostic::error(summary, format!("{error}. Nothing was changed.{advice}"));
            Some(refused.at(Path::attribute(locked.named_by)))
        }
    }
}

/// A token that fires when the user wants to stop, or when the lease is lost.
fn either(user: &Cancel, lost: &Cancel) -> (Cancel, JoinHandle<()>) {
    let (both, user, lost) = (Cancel::new(), user.clone(), lost.clone());
    let follower = both.clone();
    let bridge = tokio::spawn(async move {
        tokio::select! {
            () = user.cancelled() => {}
            () = lost.cancelled() => tracing::error!("the lease is lost: stopping before anybody else may begin"),
        }
        follower.cancel();
    });
    (both, bridge)
}
