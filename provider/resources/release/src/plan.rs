//! What apply will do, as far as it can be known.
//!
//! Nothing here runs while nothing has changed: without a change of the configuration, of a local chart, of a
//! write-only value or of the release itself there is no Helm process and no call to the cluster beyond what
//! write-only values need.

mod going_back;
mod replacement;
mod scripts;
pub(crate) mod value_changes;

use std::path::Path as FsPath;

use ffe_cluster::{Cancel, Cluster, Comparison};
use ffe_helm::chart::{Chart, ChartRef};
use ffe_session::{HelmKit, Session, Unavailable, diagnostic};
use tfplugin::{Attr, Deferred, Diagnostic, Diagnostics, Path, Plan};

use crate::drift::correct;
use crate::journal::claim::{Claim, find_claim, is_half_done, is_installed};
use crate::journal::helm_revision::HelmRevision;
use crate::journal::owner;
use crate::rendering::changes::{lines, object_changes, unstable_fields};
use crate::rendering::crds;
use crate::rendering::promise::Promise;
use crate::rendering::render::{chart_diagnostic, render_to_promise};
use crate::settings::inputs::{Inputs, chart_ref, has_unknown_inputs, merged_values, pinned_version};
use crate::settings::model::Release;
use crate::settings::write_only::{SET_WO, write_only};
use crate::state::moves::Moved;
use crate::state::replaced::{InState, Planned, moved};
use crate::state::seen::Seen;
use crate::state::stale_plan;
use value_changes::{Before, value_changes};

/// Completes the plan.
///
/// # Errors
/// When it is clear already that apply would fail.
pub(crate) async fn plan(
    session: &Session,
    state: &InState,
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
    Promise::forget(&mut plan.private);
    let write_only = !plan.is_create() && write_only_moved(&cluster, plan).await?;
    let as_written = !plan.is_create() && !plan.is_change();
    if !plan.is_change() && (write_only || is_moved(session, plan).await?) {
        plan.touch();
    }
    let drift_alone = !plan.is_change() && correct::is_wanted(&plan.config, plan.prior.as_ref());
    if drift_alone {
        plan.touch();
    }
    if !plan.is_change() {
        return Ok(Diagnostics::new());
    }
    correct::plan_drift(plan, drift_alone);
    if has_unknown_inputs(&plan.config) {
        return Ok(Diagnostics::new());
    }
    let kit = session.helm().map_err(Unavailable::into_diagnostics)?;
    let unplanned = plan.planned.clone();
    match plan_deployment(&cluster, &kit, state, plan, write_only, cancel).await {
        Ok(diagnostics) => Ok(diagnostics),
        // The configuration is as it was applied. Terraform makes such a plan before each destroy as well, and does not say so:
        // what has gone meanwhile must not keep the release. An apply meets it again, before it changes anything.
        Err(NotPlanned::ByItsChart(errors)) if as_written => {
            plan.planned = unplanned;
            Promise::forget(&mut plan.private);
            Ok(as_warnings(errors, AT_APPLY))
        }
        Err(NotPlanned::ByItsChart(errors) | NotPlanned::Otherwise(errors)) => Err(errors),
    }
}

/// Why a deployment cannot be planned.
enum NotPlanned {
    /// The chart or the revision files cannot be used as they are now.
    ByItsChart(Diagnostics),
    /// Anything else.
    Otherwise(Diagnostics),
}

impl From<Diagnostics> for NotPlanned {
    fn from(errors: Diagnostics) -> NotPlanned {
        NotPlanned::Otherwise(errors)
    }
}

impl From<Diagnostic> for NotPlanned {
    fn from(error: Diagnostic) -> NotPlanned {
        NotPlanned::Otherwise(error.into())
    }
}

/// What is said behind an error that an apply will have.
const AT_APPLY: &str = "The configuration has not changed, so what an apply would change is not known. An apply fails at this before it \
                        changes anything; a destroy needs none of it.";

/// Errors as warnings, with a reason why they are none.
fn as_warnings(errors: Diagnostics, reason: &str) -> Diagnostics {
    let warning = |mut error: Diagnostic| {
        let path = error.path.take();
        let warning = Diagnostic::warning(error.summary, format!("{}\n\n{reason}", error.detail));
        path.into_iter().fold(warning, Diagnostic::at)
    };
    errors.into_iter().map(warning).collect()
}

/// Whether something outside of the configuration differs from what the last apply left.
async fn is_moved(session: &Session, plan: &Plan<Release>) -> Result<bool, Diagnostics> {
    let Some(prior) = &plan.prior else { return Ok(true) };
    let seen = Seen::load(&plan.private);
    if prior.status.as_str() != Some("deployed") {
        tracing::info!(status = ?prior.status, "the release is not deployed; planning to deploy it");
        return Ok(true);
    }
    if seen.open_run {
        tracing::info!("the last run is not finished; planning to finish it or to take it back");
        return Ok(true);
    }
    if seen.unrecorded {
        tracing::info!("the last run is not recorded yet; planning to do so");
        return Ok(true);
    }
    let is_ours = prior.revision.known() == Some(&seen.applied_revision);
    if !is_ours || prior.manifest_digest.as_str() != Some(seen.applied_digest.as_str()) {
        tracing::info!("the last run has not left it so, or somebody else has changed it; planning to deploy it again");
        return Ok(true);
    }
    // Whether it has changed; its provenance is verified when it has.
    let reference = ChartRef { verify: false, ..chart_ref(&plan.config, None) };
    let local = stale_plan::local_chart(&plan.config, &seen).await;
    let same = local.is_some_and(|chart| prior.chart_digest.as_str() == Some(chart.digest.as_str()));
    if !same && reference.source(FsPath::new(".")).is_ok_and(|source| source.is_local()) {
        let kit = session.helm().map_err(Unavailable::into_diagnostics)?;
        let chart = kit.charts.resolve(&reference, &Cancel::new()).await;
        // One that is gone, or cannot be read any more, is told when it is planned with.
        if !chart.is_ok_and(|chart| prior.chart_digest.as_str() == Some(chart.digest.as_str())) {
            tracing::info!("the chart's content has changed");
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether `set_wo` is another than the one applied last. With a version attribute that alone decides, and it is an ordinary
/// attribute of the configuration.
async fn write_only_moved(cluster: &Cluster, plan: &Plan<Release>) -> Result<bool, Diagnostics> {
    let values = write_only(&plan.config);
    let recorded = plan.prior.as_ref().is_some_and(|prior| prior.set_wo_revision.is_known());
    if plan.config.set_wo_version.is_known() {
        return Ok(plan.prior.as_ref().is_some_and(|prior| prior.set_wo_version != plan.config.set_wo_version));
    }
    if values.is_empty() && !recorded {
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

/// Renders what will be deployed, compares it with what is, and keeps what is certain as a promise.
async fn plan_deployment(
    cluster: &Cluster,
    kit: &HelmKit,
    state: &InState,
    plan: &mut Plan<Release>,
    write_only: bool,
    cancel: &Cancel,
) -> Result<Diagnostics, NotPlanned> {
    let mut diagnostics = Diagnostics::new();
    let inputs = Inputs::read(&plan.config, chart_version(plan))?;
    let replaces = plan.is_create() && may_be_made(cluster, kit, state, &inputs).await? == Standing::Replaced;
    let chart = kit.charts.resolve(&inputs.chart, cancel).await;
    let chart = chart.map_err(|error| NotPlanned::ByItsChart(chart_diagnostic(&inputs, &error).into()))?;
    let unreadable =
        |error: ffe_helm::Error| Diagnostics::error("The release's records cannot be read", error.to_string());
    let key = kit.records.latest(&inputs.namespace, &inputs.name).await.map_err(unreadable)?;
    let seen = Seen::load(&plan.private);
    if let Some(prior) = &plan.prior
        && let Some(changed) = stale_plan::changed_since_read(&seen, prior, &plan.config, key.as_ref(), &chart.digest)
    {
        return Err(changed.into());
    }
    plan.planned.chart_digest = Attr::Known(chart.digest.clone());
    plan.planned.chart_version = Attr::Known(chart.metadata.version.clone());

    if replaces {
        let running = match &key {
            Some(key) => HelmRevision::open(&kit.records, key).await?,
            None => None,
        };
        let manifest = running.as_ref().map(|revision| &revision.manifest);
        diagnostics.push(replacement::warning(&inputs.namespace, &inputs.name, manifest));
    }
    // By then it is uninstalled.
    let key = key.filter(|_| !replaces);

    // What a Helm that died has begun goes before anything else: what there was before it is what will be upgraded.
    let half_done = key.as_ref().is_some_and(|key| is_half_done(key.status));
    let base = if key.as_ref().is_some_and(|key| key.status.is_pending()) {
        let history = kit.records.history(&inputs.namespace, &inputs.name).await.map_err(unreadable)?;
        history.into_iter().rev().find(|key| !is_half_done(key.status))
    } else {
        key.filter(|key| !half_done && is_installed(key))
    };
    let deployed = match &base {
        Some(key) => HelmRevision::open(&kit.records, key).await?,
        None => None,
    };
    let before = deployed.as_ref().map(|revision| &revision.manifest);
    // Until then Helm renders no upgrade, so it is rendered as an install, and promised less.
    let rendering =
        render_to_promise(cluster, kit, &inputs, &chart, before.is_some() && !half_done, None, cancel).await;
    let rendering = rendering.map_err(|errors| {
        // What has no place in the configuration is no fault of the chart: the cluster did not answer.
        let is_the_charts = errors.iter().all(|error| error.path.is_some());
        if is_the_charts { NotPlanned::ByItsChart(errors) } else { NotPlanned::Otherwise(errors) }
    })?;
    // Where the namespace is made in the same run, what the chart asks the cluster for is not there yet.
    // Nor is what the release that is replaced has made.
    let finds_all = !replaces && !matches!(cluster.namespace(&inputs.namespace).await, Ok(None));
    let there = before.is_some() || !chart.asks_the_cluster || finds_all;
    let certain = there && !half_done;
    let (definitions, warnings) = crds::plan_definitions(cluster, &plan.config, &chart).await;
    diagnostics.extend(warnings);
    // A plan that is made again at apply may find the namespace, and another rendering with it: nothing is known until then.
    if there {
        let mut all = crds::changes(&definitions);
        all.extend(object_changes(before, &rendering, &inputs.namespace, certain));
        correct::add_changes(&plan.config, plan.prior.as_ref(), &mut all);
        plan.planned.changes = lines(&all);
        plan.planned.unstable_fields = lines(&unstable_fields(&rendering, &inputs.namespace));
    }
    let values = match (&plan.prior, &deployed) {
        (Some(prior), _) if prior.revision.known() == Some(&seen.applied_revision) => Before::Ours(prior),
        (_, Some(revision)) => Before::Recorded(&revision.release.config),
        _ => Before::Nothing,
    };
    plan.planned.value_changes = lines(&value_changes(values, &plan.config, write_only)?);
    if certain {
        Promise::of(&chart.digest, &rendering).store(&mut plan.private);
    }

    diagnostics.extend(inputs.notes());
    let preview = scripts::preview(&plan.config, plan.prior.as_ref());
    let preview = match preview {
        // The schema may be elsewhere than the state says. The run that goes on, or takes that one back, finds out.
        Err(errors) if seen.open_run => scripts::Preview {
            pending: Attr::Unknown,
            warnings: as_warnings(
                errors,
                "The last run was interrupted, so where the schema stands is found out by the apply.",
            ),
        },
        preview => preview.map_err(NotPlanned::ByItsChart)?,
    };
    plan.planned.pending_revisions = preview.pending;
    diagnostics.extend(preview.warnings);
    let preview = going_back::preview(cluster, &inputs, plan.prior.as_ref(), &rendering.manifest).await?;
    plan.planned.undone_revisions = preview.undone;
    diagnostics.extend(preview.warnings);
    diagnostics.extend(lint(kit, &inputs, &chart, cancel).await?);
    Ok(diagnostics)
}

/// What a release that is to be made meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Nothing, or what it may go on with.
    Free,
    /// The release that it replaces.
    Replaced,
}

/// Whether the release may be made.
///
/// # Errors
/// It exists, and is not this state's to replace.
async fn may_be_made(
    cluster: &Cluster,
    kit: &HelmKit,
    state: &InState,
    inputs: &Inputs,
) -> Result<Standing, Diagnostics> {
    let (namespace, name) = (&inputs.namespace, &inputs.name);
    match find_claim(cluster, kit, &inputs.config, namespace, name).await? {
        Claim::Ours(_) | Claim::Adopt(_) => Ok(Standing::Free),
        Claim::Refused(refusal) => Err(refusal.into()),
        Claim::Finished(refusal) => match state.plan_create(namespace, name) {
            Planned::Replacement => Ok(Standing::Replaced),
            Planned::Elsewhere => Err(moved(namespace, name).into()),
            Planned::Unknown => Err(refusal.into()),
        },
    }
}

/// The version of the chart that was found before. A state that was moved from `helm_release` always names a version, whether it
/// was asked for or not: not asking for one is no wish for another.
fn chart_version(plan: &Plan<Release>) -> Option<&str> {
    let prior = plan.prior.as_ref();
    let moved = Moved::load(&plan.private).is_some() && plan.config.version.is_null();
    pinned_version(&plan.config, prior).or_else(|| prior.filter(|_| moved)?.chart_version.as_str())
}

/// What `helm lint` finds, where it is wanted.
async fn lint(kit: &HelmKit, inputs: &Inputs, chart: &Chart, cancel: &Cancel) -> Result<Diagnostics, Diagnostics> {
    if inputs.config.lint.known() != Some(&true) {
        return Ok(Diagnostics::new());
    }
    let found = kit.helm.lint(&chart.path, &inputs.namespace, &inputs.values, cancel).await;
    let found = found.map_err(|error| chart_diagnostic(inputs, &error))?;
    let warning = |text: String| {
        Diagnostic::warning(format!("helm lint: {}", inputs.chart.chart), text).at(Path::attribute("chart"))
    };
    Ok(found.into_iter().map(|message| warning(message.message)).collect())
}
