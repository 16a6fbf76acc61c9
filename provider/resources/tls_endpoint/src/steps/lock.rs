//! Nobody else is at work: a lease on the endpoint. What is looked at is looked at under it.

use ffe_cluster::{Cancel, Cluster, Kind};
use ffe_session::lock::{Lock, Locked};
use tfplugin::{Diagnostic, Diagnostics, Path};

use crate::names::{Names, TYPE_NAME};
use crate::run::{Run, Stop};

pub(crate) async fn go(run: &mut Run<'_>) -> Result<(), Stop> {
    let names = &run.spec.names;
    require_namespace(run.cluster, &names.namespace).await?;
    let what = format!("terraform apply of {TYPE_NAME} {}", names.import_id());
    let lock = take(run.cluster, names, (run.run_id.as_str(), what.as_str()), &run.cancel).await?;
    run.cancel = lock.cancel();
    run.lock = Some(lock);
    Ok(())
}

/// Keeps others away from the endpoint; `what` a run does, by its identifier.
///
/// # Errors
/// When somebody else is at work on it, the cluster refuses, or the user stops it.
pub(crate) async fn take(
    cluster: &Cluster,
    names: &Names,
    (run_id, what): (&str, &str),
    cancel: &Cancel,
) -> Result<Lock, Stop> {
    let (namespace, lease) = (names.namespace.as_str(), names.lease());
    let locked = Locked { namespace, name: &lease, run_id, what, subject: "endpoint", named_by: "name" };
    Lock::take(cluster, &locked, cancel).await.map_err(|refused| refused.map_or(Stop::Cancelled, Stop::Failed))
}

/// Gives the lease back. An error of that is a warning: it expires by itself.
pub(crate) async fn let_go(run: &mut Run<'_>) -> Option<Diagnostic> {
    run.lock.take()?.let_go().await
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
