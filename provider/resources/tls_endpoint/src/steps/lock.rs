//! Nobody else is at work: a lease on the endpoint. What is looked at is looked at under it.

use ffe_cluster::{Cancel, Cluster, Kind};
use ffe_lease::{Holder, LeaseError, LeaseOptions};
use ffe_session::diagnostic;
use tfplugin::{Diagnostic, Diagnostics, Path};

use crate::names::TYPE_NAME;
use crate::run::{Run, Stop};

pub(crate) async fn go(run: &mut Run<'_>) -> Result<(), Stop> {
    let names = &run.spec.names;
    require_namespace(run.cluster, &names.namespace).await?;
    let options = LeaseOptions::from_environment()
        .map_err(|error| Stop::failed(diagnostic(&error, "The lease's duration is unusable")))?;
    let holder =
        Holder::this_process(run.run_id.clone(), format!("terraform apply of {TYPE_NAME} {}", names.import_id()));
    let lease = ffe_lease::acquire(run.cluster, &names.namespace, &names.lease(), holder, &options, &run.cancel).await;
    let lease = lease.map_err(|error| refused(&error))?;
    let (cancel, bridge) = either(&run.cancel, lease.lost());
    run.cancel = cancel;
    run.bridge = Some(bridge);
    run.lease = Some(lease);
    Ok(())
}

/// Gives the lease back. An error of that is a warning: it expires by itself.
pub(crate) async fn let_go(run: &mut Run<'_>) -> Option<Diagnostic> {
    if let Some(bridge) = run.bridge.take() {
        bridge.abort();
    }
    let given = run.lease.take()?.release().await;
    given.err().map(|error| Diagnostic::warning("The lease on the endpoint was not given back", error.to_string()))
}

/// The error for a lease that cannot be had.
pub(crate) fn refused(error: &LeaseError) -> Stop {
    match error {
        LeaseError::Cancelled { .. } => Stop::Cancelled,
        LeaseError::Cluster(error) => Stop::cluster(error, "The lease could not be acquired"),
        LeaseError::Held { .. } => {
            let advice = error.advice().map(|advice| format!("\n\n{advice}")).unwrap_or_default();
            Stop::failed(
                Diagnostic::error(
                    "Somebody else is at work on the endpoint",
                    format!("{error}. Nothing was changed.{advice}"),
                )
                .at(Path::attribute("name")),
            )
        }
    }
}

/// A token that fires when the user wants to stop, or when the lease is lost.
fn either(user: &Cancel, lost: &Cancel) -> (Cancel, tokio::task::JoinHandle<()>) {
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

async fn require_namespace(cluster: &Cluster, namespace: &str) -> Result<(), Stop> {
    match cluster.namespace(namespace).await {
        Ok(Some(_)) => Ok(()),
        Ok(None) => Err(Stop::failed(Diagnostics::from(
            Diagnostic::error(
                format!("The namespace {namespace} does not exist"),
                format!(
                    "On {}. Make it first, or refer to ffe_environment's namespace so that it is made before the endpoint.",
                    cluster.server()
                ),
            )
            .at(Path::attribute("namespace")),
        ))),
        // Who may not read namespaces may still be allowed to work in one.
        Err(error) if error.kind() == Kind::Forbidden => Ok(()),
        Err(error) => Err(Stop::cluster(&error, "The namespace cannot be looked at")),
    }
}
