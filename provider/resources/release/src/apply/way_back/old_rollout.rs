//! The old version is ready again, now that its schema is back.

use ffe_cluster::Kind;
use ffe_session::diagnostic;
use tfplugin::{Diagnostic, Diagnostics};

use crate::apply::run::Run;
use crate::apply::stop::Stop;
use crate::journal::Outcome;
use crate::rendering::workloads::workloads;

/// Waits for the release that was rolled back, or that the failed migration ran beside; `release_back` is what the way back has made of
/// the release.
///
/// # Errors
/// When it does not become ready: it is then said that both versions are down.
pub(crate) async fn wait_until_ready(run: &Run, release_back: Option<Outcome>) -> Result<(), Diagnostics> {
    if release_back == Some(Outcome::Uninstalled) {
        return Ok(());
    }
    let Some(manifest) = run.deployed_now().await.map_err(Stop::into_diagnostics)? else { return Ok(()) };
    let objects = workloads(&manifest, &run.inputs.namespace, false);
    match ffe_workloads::wait_all(&run.cluster, &objects, &run.wait(run.inputs.timeout)).await {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == Kind::Cancelled => {
            Err(Diagnostic::error("The way back was interrupted", "The next apply goes on from what the journal says.")
                .into())
        }
        Err(error) => Err(diagnostic(&error, "The previous version did not become ready either").into()),
    }
}
