//! The beginning of a run: can it be made ready, is somebody else at work, has a Helm that died left something.

use std::sync::Arc;

use ffe_cluster::{Cluster, Kind};
use ffe_helm::binary::UninstallRequest;
use ffe_helm::records::{RecordKey, Status};
use ffe_notify::Notifier;
use ffe_session::{CancelGuard, HelmKit, diagnostic};
use tfplugin::{Diagnostic, Diagnostics, Path};

use crate::apply::run::{Run, Stop};
use crate::journal::Journal;
use crate::journal::claim::is_half_done;
use crate::rendering::render::chart_diagnostic;
use crate::settings::inputs::Inputs;

/// Prepares a run: the namespace is there and the chart can be had. Nothing is written yet.
///
/// # Errors
/// When one of them is not.
pub(crate) async fn prepare(
    cluster: Cluster,
    kit: Arc<HelmKit>,
    inputs: Inputs,
    notifier: Notifier,
    guard: CancelGuard,
) -> Result<Run, Diagnostics> {
    require_namespace(&cluster, &inputs.namespace).await?;
    let chart =
        kit.charts.resolve(&inputs.chart, &guard.token()).await.map_err(|error| chart_diagnostic(&inputs, &error))?;
    let mut run = Run::new(inputs, cluster, kit, notifier, guard);
    run.chart = Some(chart);
    Ok(run)
}

/// Refuses what somebody else's Helm is at work on: a pending record that no run of ours can have begun, until it is older than
/// its timeout. Nothing is written before this.
///
/// # Errors
/// When somebody else is at work.
pub(crate) async fn refuse_others(run: &Run, journal: Option<&Journal>) -> Result<(), Stop> {
    let (namespace, name) = (&run.inputs.namespace, &run.inputs.name);
    let Some(key) = half_done(run).await? else { return Ok(()) };
    let last = journal.and_then(|journal| journal.content.runs.last());
    let ours = last.is_some_and(|last| last.may_have_begun(key.revision));
    if !ours && !is_older(&key, run.inputs.timeout) {
        return Err(Stop::failed(Diagnostic::error(
            format!("The release {namespace}/{name} is {}", key.status),
            format!(
                "Somebody else is at work on it, or was interrupted less than {} ago. Wait for them, or look at it with: helm history {name} -n {namespace}\n\n\
                 If nobody is at work: the first apply after that time (timeout of the release) puts it in order by itself.",
                ffe_cluster::format_duration(run.inputs.timeout)
            ),
        )));
    }
    Ok(())
}

/// The newest record, if Helm was interrupted at it.
async fn half_done(run: &Run) -> Result<Option<RecordKey>, Stop> {
    let history = run.kit.records.history_now(&run.inputs.namespace, &run.inputs.name).await;
    let history = history.map_err(|error| Stop::helm(&error, "The release's records cannot be read"))?;
    Ok(history.into_iter().next_back().filter(|key| is_half_done(key.status)))
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
    let Some(key) = half_done(run).await? else { return Ok(()) };
    let done = if key.status == Status::Uninstalling {
        tracing::warn!(revision = key.revision, "finishing an uninstallation that was interrupted");
        let request = UninstallRequest { wait: true, ..UninstallRequest::new(name, namespace, run.inputs.timeout) };
        run.uninstall(&request).await?;
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

fn is_older(key: &RecordKey, than: std::time::Duration) -> bool {
    key.written.is_some_and(|at| {
        let age = jiff::Timestamp::now().as_second() - at.as_second();
        u64::try_from(age).is_ok_and(|age| age > than.as_secs())
    })
}

async fn require_namespace(cluster: &Cluster, namespace: &str) -> Result<(), Diagnostics> {
    match cluster.namespace(namespace).await {
        Ok(Some(_)) => Ok(()),
        Ok(None) => Err(Diagnostic::error(
            format!("The namespace {namespace} does not exist"),
            format!(
                "On {}. Make it first, or refer to ffe_environment's namespace so that it is made before the release.",
                cluster.server()
            ),
        )
        .at(Path::attribute("namespace"))
        .into()),
        // Who may not read namespaces may still deploy into one.
        Err(error) if error.kind() == Kind::Forbidden => Ok(()),
        Err(error) => Err(diagnostic(&error, "The namespace cannot be looked at").into()),
    }
}
