//! What a way back stands on, looked at before anything moves: what was deployed before can be read.

use crate::apply::run::Run;
use crate::apply::stop::Stop;
use crate::apply::way_back::release_back::revision_to_go_back_to;

/// Reads the revisions that this run may lead back to, or whose pods it may have to end.
///
/// # Errors
/// When one of them cannot be read.
pub(crate) async fn require_readable(run: &Run) -> Result<(), Stop> {
    let unreadable = |error: ffe_helm::Error| Stop::helm(&error, "The release's records cannot be read");
    let history = run.kit.records.history_now(&run.inputs.namespace, &run.inputs.name).await.map_err(unreadable)?;
    let needed = [run.record().revision_before, run.journal.last_verified(), revision_to_go_back_to(run, &history)];
    for key in history.iter().filter(|key| needed.contains(&Some(key.revision))) {
        run.manifest_of(key).await?;
    }
    Ok(())
}
