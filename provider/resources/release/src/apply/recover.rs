//! What a Helm that was interrupted has left: somebody else's is waited for, our own is put in order.

use std::time::Duration;

use ffe_helm::binary::UninstallRequest;
use ffe_helm::records::{RecordKey, Status};
use ffe_session::HelmKit;
use tfplugin::Diagnostic;

use crate::apply::run::Run;
use crate::apply::stop::Stop;
use crate::apply::uninstall::uninstall;
use crate::journal::Journal;
use crate::journal::claim::{is_half_done, is_installed};
use crate::settings::inputs::Inputs;

/// Refuses what somebody else's Helm is at work on: a pending record that no run of ours can have begun, until it is older than
/// its timeout. Nothing is written before this.
///
/// # Errors
/// When somebody else is at work.
pub(crate) async fn refuse_others_at_work(
    kit: &HelmKit,
    inputs: &Inputs,
    journal: Option<&Journal>,
) -> Result<(), Stop> {
    let (namespace, name) = (&inputs.namespace, &inputs.name);
    let Some(key) = half_done(kit, inputs).await? else { return Ok(()) };
    let last = journal.and_then(|journal| journal.content.runs.last());
    let ours = last.is_some_and(|last| last.may_have_begun(key.revision));
    if !ours && !is_older(&key, inputs.timeout) {
        return Err(Stop::failed(Diagnostic::error(
            format!("The release {namespace}/{name} is {}", key.status),
            format!(
                "Somebody else is at work on it, or was interrupted less than {} ago. Wait for them, or look at it with: helm history {name} -n {namespace}\n\n\
                 If nobody is at work: the first apply after that time (timeout of the release) puts it in order by itself.",
                ffe_cluster::format_duration(inputs.timeout)
            ),
        )));
    }
    Ok(())
}

/// Ends what a Helm of ours had begun when it died, so that Helm works again.
///
/// The revision of an upgrade or a rollback becomes a failed one: which of its objects were written is not known, so that
/// revision, and not the one before it, is what the next upgrade or rollback starts from. An install begins anew:
/// objects that were made already are taken over, since they carry the release's own name. An uninstallation is finished,
/// because Helm neither upgrades nor installs what it has begun to remove.
///
/// # Errors
/// When Helm or the cluster fails.
pub(crate) async fn recover_pending(run: &Run) -> Result<(), Stop> {
    let (namespace, name) = (&run.inputs.namespace, &run.inputs.name);
    let Some(key) = half_done(&run.kit, &run.inputs).await? else { return Ok(()) };
    let done = if key.status == Status::Uninstalling {
        tracing::warn!(revision = key.revision, "finishing an uninstallation that was interrupted");
        let request = UninstallRequest { wait: true, ..UninstallRequest::new(name, namespace, run.inputs.timeout) };
        uninstall(run, &request).await?;
        Ok(())
    } else if key.status == Status::PendingInstall {
        tracing::warn!(revision = key.revision, "removing the record of an install that was interrupted");
        run.kit.records.delete(&key).await
    } else {
        tracing::warn!(revision = key.revision, status = %key.status, "an interrupted Helm operation has failed");
        run.kit.records.unlock(&key, "interrupted").await
    };
    run.kit.records.invalidate(namespace);
    done.map_err(|error| Stop::helm(&error, "What an interrupted Helm operation has left cannot be put in order"))
}

/// Puts in order what Helm has left, and notes what is deployed: what this attempt starts from.
///
/// # Errors
/// As [`recover_pending`], and when the records cannot be read.
pub(crate) async fn begin_attempt(run: &mut Run) -> Result<(), Stop> {
    recover_pending(run).await?;
    let history = run.kit.records.history_now(&run.inputs.namespace, &run.inputs.name).await;
    let history = history.map_err(|error| Stop::helm(&error, "The release's records cannot be read"))?;
    run.journal.forget_revisions_beyond(history.last().map_or(0, |key| key.revision));
    run.before = history.into_iter().next_back().filter(is_installed);
    Ok(())
}

/// The newest record, if Helm was interrupted at it.
async fn half_done(kit: &HelmKit, inputs: &Inputs) -> Result<Option<RecordKey>, Stop> {
    let history = kit.records.history_now(&inputs.namespace, &inputs.name).await;
    let history = history.map_err(|error| Stop::helm(&error, "The release's records cannot be read"))?;
    Ok(history.into_iter().next_back().filter(|key| is_half_done(key.status)))
}

fn is_older(key: &RecordKey, than: Duration) -> bool {
    key.written.is_some_and(|at| {
        let age = jiff::Timestamp::now().as_second() - at.as_second();
        u64::try_from(age).is_ok_and(|age| age > than.as_secs())
    })
}
