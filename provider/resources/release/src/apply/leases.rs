//! The leases that keep others away while a run or a destroy is at work.

use ffe_cluster::{Cancel, Cluster};
use ffe_lease::{HeldLease, Holder, LeaseError, LeaseOptions};
use ffe_session::diagnostic;
use tfplugin::{Diagnostic, Diagnostics, Path};
use tokio::task::JoinHandle;

use crate::apply::stop::Stop;

/// What the names of databases' leases begin with.
const DATABASE: &str = "ffe-database.";

/// Leases that are held. Losing one cancels the work, as the user would.
pub(crate) struct Leases {
    held: Vec<HeldLease>,
    cancel: Cancel,
    follower: JoinHandle<()>,
}

impl Leases {
    /// Takes leases in one namespace, in this order; `id` names the holder, and `what` says what it is doing.
    ///
    /// # Errors
    /// When somebody else holds one (the error says who, where and since when), or the user stops it. Then none is held.
    pub(crate) async fn take(
        cluster: &Cluster,
        namespace: &str,
        names: &[String],
        id: &str,
        what: &str,
        cancel: &Cancel,
    ) -> Result<Leases, Stop> {
        let options = LeaseOptions::from_environment()
            .map_err(|error| Stop::failed(diagnostic(&error, "The lease's duration is unusable")))?;
        let mut held = Vec::new();
        for name in names {
            let holder = Holder::this_process(id.to_owned(), what.to_owned());
            match ffe_lease::acquire(cluster, namespace, name, holder, &options, cancel).await {
                Ok(lease) => held.push(lease),
                Err(error) => {
                    // Whoever comes next need not wait until these have expired.
                    for lease in held {
                        if let Err(error) = HeldLease::release(lease).await {
                            tracing::warn!(%error, "a lease was not given back");
                        }
                    }
                    return Err(not_taken(&error));
                }
            }
        }
        let (cancel, follower) = cancelled_with(cancel, held.iter().map(|lease| lease.lost().clone()).collect());
        Ok(Leases { held, cancel, follower })
    }

    /// Fires when the user wants to stop, and when a lease is lost.
    pub(crate) fn cancel(&self) -> Cancel {
        self.cancel.clone()
    }

    /// Whether all are held still.
    ///
    /// # Errors
    /// When one is lost.
    pub(crate) fn check(&self) -> Result<(), Stop> {
        if self.held.iter().all(HeldLease::still_held) { Ok(()) } else { Err(Stop::LeaseLost) }
    }

    /// Gives them back. An error of that is a warning: they expire by themselves.
    pub(crate) async fn give_back(&mut self) -> Diagnostics {
        self.follower.abort();
        let mut warnings = Diagnostics::new();
        for lease in self.held.drain(..) {
            if let Err(error) = lease.release().await {
                warnings.push(Diagnostic::warning("A lease was not given back", error.to_string()));
            }
        }
        warnings
    }

    /// Gives them back and removes them, where nothing is left to lock.
    pub(crate) async fn remove(mut self) {
        self.follower.abort();
        for lease in self.held.drain(..) {
            if let Err(error) = lease.delete().await {
                tracing::warn!(%error, "a lease was not removed");
            }
        }
    }
}

/// The name of a release's lease.
pub(crate) fn release_lease(release: &str) -> String {
    format!("ffe-release.{release}")
}

/// The name of the lease of a database, which the Secret of its connection stands for.
pub(crate) fn database_lease(secret: &str) -> String {
    format!("{DATABASE}{secret}")
}

/// The error for a lease that was not taken.
fn not_taken(error: &LeaseError) -> Stop {
    match error {
        LeaseError::Cancelled { .. } => Stop::Cancelled,
        LeaseError::Cluster(error) => Stop::cluster(error, "The lease could not be acquired"),
        LeaseError::Held { lease, .. } => {
            // Another release may use the same database.
            let what = if lease.name.starts_with(DATABASE) { "database" } else { "release" };
            let advice = error.advice().map(|advice| format!("\n\n{advice}")).unwrap_or_default();
            Stop::failed(
                Diagnostic::error(
                    format!("Somebody else is at work on the {what}"),
                    format!("{error}. Nothing was changed.{advice}"),
                )
                .at(Path::attribute("name")),
            )
        }
    }
}

/// A token that fires when the user wants to stop, and when a lease is lost.
fn cancelled_with(user: &Cancel, lost: Vec<Cancel>) -> (Cancel, JoinHandle<()>) {
    let (both, user) = (Cancel::new(), user.clone());
    let follower = both.clone();
    let following = tokio::spawn(async move {
        let lost = futures::future::select_all(lost.iter().map(|lost| Box::pin(lost.cancelled())));
        tokio::select! {
            () = user.cancelled() => {}
            _ = lost => tracing::error!("the lease is lost: stopping before anybody else may begin"),
        }
        follower.cancel();
    });
    (both, following)
}
