//! What apply will do, as far as it can be known.
//!
//! Nothing here runs while nothing has changed: without a change of the configuration, of a local chart, of a
//! write-only value or of the release itself there is no Helm process and no call to the cluster beyond what
//! write-only values need.

use std::path::Path as FsPath;

use ffe_cluster::{Cancel, Cluster, Comparison};
use ffe_helm::manifest::Manifest;
use ffe_session::{HelmKit, Session, Unavailable, diagnostic};
use tfplugin::{Attr, Deferred, Diagnostic, Diagnostics, Path, Plan};

use crate::inputs::{Inputs, chart_ref, has_unknown_inputs, merged_values, pinned_version};
use crate::journal::{Outcome, owner};
use crate::model::Release;
use crate::outputs::Seen;
use crate::phases::record::{SET_WO, write_only};
use crate::render::{changes, render};
use crate::scripts;
use crate::start::{Claim, chart_diagnostic, is_half_done, look};

/// Completes the plan.
///
/// # Errors
/// When it is clear already that apply would fail.
pub(crate) async fn plan(
    session: &Session,
    plan: &mut Plan<Release>,
    cancel: &Cancel,
) -> Result<Diagnostics, Diagnostics> {
    // Mistakes in values and paths show in every plan, also where parts are unknown.
    merged_values(&plan.config, false)?;
    let cluster = match session.cluster() {
        Ok(cluster) => cluster,
        Err(Unavailable::Unknown) => {
            plan.deferred = Some(Deferred::ProviderConfigUnknown);
            return Ok(Diagnostics::new());
        }
        Err(Unavailable::Invalid(errors)) => return Err(errors),
    };
    if !plan.is_change() && is_moved(session, &cluster, plan).await? {
        plan.touch();
    }
    if !plan.is_change() {
        return Ok(Diagnostics::new());
    }
    plan.planned.changes = Attr::Unknown;
    if has_unknown_inputs(&plan.config) {
        return Ok(Diagnostics::new());
    }
    let kit = session.helm().map_err(Unavailable::into_diagnostics)?;
    foresee(&cluster, &kit, plan, cancel).await
}

/// Whether something outside of the configuration differs from what the last apply left.
async fn is_moved(session: &Session, cluster: &Cluster, plan: &Plan<Release>) -> Result<bool, Diagnostics> {
    let Some(prior) = &plan.prior else { return Ok(true) };
    let seen = Seen::load(&plan.private);
    if prior.status.as_str() != Some("deployed") {
        tracing::info!(status = ?prior.status, "the release is not deployed; planning to deploy it");
        return Ok(true);
    }
    let outcome = prior.last_run.known().and_then(|run| run.outcome.as_str());
    if outcome == Some(Outcome::Failed.word()) && prior.changes.is_known() && seen.applied_digest.is_empty() {
        tracing::info!("the last run failed and was left so; planning to deploy again");
        return Ok(true);
    }
    let is_ours = prior.revision.known() == Some(&seen.applied_revision);
    if !is_ours || prior.manifest_digest.as_str() != Some(seen.applied_digest.as_str()) {
        tracing::info!("the release was changed by somebody else; planning to deploy it again");
        return Ok(true);
    }
    let reference = chart_ref(&plan.config, None);
    if reference.source(FsPath::new(".")).is_ok_and(|source| source.is_local()) {
        let kit = session.helm().map_err(Unavailable::into_diagnostics)?;
        let chart = kit.charts.resolve(&reference, &Cancel::new()).await;
        let chart = chart.map_err(|error| {
            Diagnostic::error(format!("The chart {} cannot be used", reference.chart), error.to_string())
                .at(Path::attribute("chart"))
        })?;
        if prior.chart_digest.as_str() != Some(chart.digest.as_str()) {
            tracing::info!("the chart's content has changed");
            return Ok(true);
        }
    }
    write_only_moved(cluster, plan).await
}

/// Whether `set_wo` is another than the one applied last. With a version attribute that alone decides, and it is an ordinary
/// attribute of the configuration.
async fn write_only_moved(cluster: &Cluster, plan: &Plan<Release>) -> Result<bool, Diagnostics> {
    let values = write_only(&plan.config);
    let recorded = plan.prior.as_ref().is_some_and(|prior| prior.set_wo_revision.is_known());
    if plan.config.set_wo_version.is_known() || (values.is_empty() && !recorded) {
        return Ok(false);
    }
    if values.is_empty() {
        return Ok(true);
    }
    let (Some(namespace), Some(name)) = (plan.config.namespace.as_str(), plan.config.name.as_str()) else {
        return Ok(true);
    };
    let digests = cluster.find_digests(namespace, &owner(namespace, name)).await;
    let digests = digests.map_err(|error| diagnostic(&error, "The digest of set_wo cannot be read"))?;
    Ok(digests.is_none_or(|digests| digests.compare(SET_WO, &values) != Comparison::Same))
}

/// Renders what will be deployed and compares it with what is.
async fn foresee(
    cluster: &Cluster,
    kit: &HelmKit,
    plan: &mut Plan<Release>,
    cancel: &Cancel,
) -> Result<Diagnostics, Diagnostics> {
    let mut diagnostics = Diagnostics::new();
    let inputs = Inputs::read(&plan.config, pinned_version(&plan.config, plan.prior.as_ref()))?;
    let adopt = plan.config.adopt.known() == Some(&true);
    if plan.is_create()
        && let Claim::Refused(refusal) = look(cluster, kit, &inputs.namespace, &inputs.name, adopt).await?
    {
        return Err(refusal.into());
    }
    let chart = kit.charts.resolve(&inputs.chart, cancel).await.map_err(|error| chart_diagnostic(&inputs, &error))?;
    plan.planned.chart_digest = Attr::Known(chart.digest.clone());
    plan.planned.chart_version = Attr::Known(chart.metadata.version.clone());

    let key = kit.records.latest(&inputs.namespace, &inputs.name).await;
    let unreadable =
        |error: ffe_helm::Error| Diagnostics::error("The release's records cannot be read", error.to_string());
    let key = key.map_err(unreadable)?;
    let before = match &key {
        Some(key) if !is_half_done(key.status) => kit.records.open(key).await.map_err(unreadable)?,
        _ => None,
    };
    let before = before.and_then(|release| Manifest::parse(&release.manifest).ok());
    let after = render(cluster, kit, &inputs, &chart, before.is_some(), cancel).await?;
    plan.planned.changes = Attr::Known(changes(before.as_ref(), &after, &inputs.namespace));
    let foreseen = scripts::foresee(&plan.config, plan.prior.as_ref())?;
    plan.planned.pending_revisions = foreseen.pending;
    diagnostics.extend(foreseen.warnings);

    if plan.config.lint.known() == Some(&true) {
        let found = kit
            .helm
            .with_secrets(inputs.helm_secrets())
            .lint(&chart.path, &inputs.namespace, &inputs.values, cancel)
            .await;
        for message in found.map_err(|error| chart_diagnostic(&inputs, &error))? {
            diagnostics.push(
                Diagnostic::warning(format!("helm lint: {}", inputs.chart.chart), message.message)
                    .at(Path::attribute("chart")),
            );
        }
    }
    Ok(diagnostics)
}
