//! Who it concerns is told: that a run has begun, and how it ended. A notice that does not arrive is a warning.

use std::time::Duration;

use ffe_cluster::Cancel;
use ffe_cluster::k8s_openapi::api::core::v1::Namespace;
use ffe_notify::{Event, Notice};
use tfplugin::Diagnostic;
use tfplugin::logging::redacted;

use crate::apply::run::Run;
use crate::journal::Outcome;
use crate::journal::Phase;

/// The label of an environment's namespace that has its name.
const ENVIRONMENT: &str = "ffe.three-rivers.tech/environment";
/// How long a notice may take once the user has asked to stop.
const HURRY: Duration = Duration::from_secs(3);

/// Tells that the run has begun.
pub(crate) async fn started(run: &mut Run) {
    send(run, Event::Started, None, None).await;
}

/// Tells how the run ended; `cause` is the first line of what went wrong, and the phase it went wrong in.
pub(crate) async fn ended(run: &mut Run, outcome: Outcome, failure: Option<(Phase, String)>) {
    let event = match outcome {
        Outcome::Succeeded => Event::Succeeded,
        Outcome::RolledBack | Outcome::Uninstalled => Event::RolledBack,
        _ => Event::Failed,
    };
    let (phase, cause) = failure.unzip();
    send(run, event, phase, cause).await;
}

async fn send(run: &mut Run, event: Event, phase: Option<Phase>, cause: Option<String>) {
    let settings = run.inputs.config.notify.known().cloned();
    let enabled = settings.as_ref().and_then(|notify| notify.enabled.known().copied()).unwrap_or(true);
    if !enabled || !run.notifier.wants(event) {
        return;
    }
    let record = run.record().clone();
    let mut notice = Notice::new(event, &run.inputs.namespace, &run.inputs.name, &record.id);
    notice.environment = environment(run).await;
    notice.revision_from = record.revision_before.map(i64::from);
    notice.revision_to = record.revision_after.map(i64::from);
    notice.app_version_to = run.chart.metadata.app_version.clone();
    notice.schema_from = record.schema_before.unwrap_or_default();
    notice.schema_to = record.schema_after.unwrap_or_default();
    notice.phase = phase.map(|phase| phase.name().to_owned());
    notice.duration = (event != Event::Started).then(|| run.started.elapsed());
    notice.cause = cause.map(|cause| redacted(&cause).into_owned());
    let fields = settings.as_ref().and_then(|notify| notify.fields.known()).into_iter().flatten();
    notice.fields = fields.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect();

    // After Ctrl-C the notice of it shall still leave, in a hurry.
    let cancel = Cancel::new();
    let hurry = run.cancel.is_cancelled();
    let sending = run.notifier.send(&notice, &cancel);
    let failures = if hurry { tokio::time::timeout(HURRY, sending).await.unwrap_or_default() } else { sending.await };
    for failure in failures {
        let advice = failure.advice().map(|advice| format!(" {advice}")).unwrap_or_default();
        run.warnings.push(Diagnostic::warning("A notice did not arrive", format!("{failure}.{advice}")));
    }
}

async fn environment(run: &Run) -> Option<String> {
    let namespace = run.cluster.find::<Namespace>(None, &run.inputs.namespace).await.ok()??;
    namespace.metadata.labels?.get(ENVIRONMENT).cloned()
}
