//! What the chart renders to, and which of its fields a plan cannot promise.
//!
//! A plan renders as the upgrade will. A chart that may render differently each time is rendered twice, which shows the *unstable*
//! fields; where write-only values are given, it is rendered once more with placeholders for them, which shows the fields that
//! depend on them. Neither counts in a promise: an unstable field will be another one at apply, and of a write-only value nothing
//! may be stored.

use std::collections::BTreeMap;
use std::time::Duration;

use ffe_cluster::{Cancel, Cluster};
use ffe_helm::binary::{Cause, Helm, RenderMode, RenderRequest};
use ffe_helm::chart::{Chart, Varies};
use ffe_helm::manifest::{Digests, Manifest, Object, ObjectId, UnstableField};
use ffe_helm::values::Values;
use ffe_session::{HelmKit, diagnostic};
use serde::{Deserialize, Serialize};
use tfplugin::{Diagnostic, Diagnostics, Path};

use crate::rendering::placeholders;
use crate::settings::inputs::Inputs;

/// A clock that is shown to the second has moved after this.
const NEXT_SECOND: Duration = Duration::from_millis(1000);

/// A chart that takes longer to render is not rendered.
pub(crate) const RENDERING: Duration = Duration::from_secs(120);

/// A rendering, and what of it a plan cannot promise. Hooks count like objects.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rendering {
    /// What is rendered.
    pub manifest: Manifest,
    /// The fields that cannot be promised.
    pub unpromised: Unpromised,
}

/// The fields of a rendering that a plan cannot promise.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Unpromised {
    /// They are different in each rendering. Without a path: the object's name is.
    pub unstable: Vec<UnstableField>,
    /// They depend on write-only values.
    pub write_only: Vec<UnstableField>,
}

impl Unpromised {
    /// A digest of each object, without these fields and without what Secrets hold.
    pub(crate) fn digests(&self, manifest: &Manifest) -> BTreeMap<ObjectId, String> {
        let left_out: Vec<UnstableField> = self.unstable.iter().chain(&self.write_only).cloned().collect();
        Digests { unstable: &left_out }.each(manifest)
    }
}

/// Renders the chart as often as it takes to know what is certain; the first time may have been already.
///
/// # Errors
/// When the chart does not render, at `chart`.
pub(crate) async fn render_to_promise(
    cluster: &Cluster,
    kit: &HelmKit,
    inputs: &Inputs,
    chart: &Chart,
    exists: bool,
    first: Option<Manifest>,
    cancel: &Cancel,
) -> Result<Rendering, Diagnostics> {
    let values = inputs.values.to_document().unwrap_or_default();
    let varies = chart.varies.max(Varies::of_text(&values));
    let renderer = Renderer::new(cluster, kit, inputs, chart, exists, cancel).await?;
    let replaced = async {
        match placeholders::values(&inputs.config) {
            Some(values) => Some(renderer.render(&values).await.ok()),
            None => None,
        }
    };
    let again = async {
        match varies {
            Varies::No => Ok(None),
            _ => renderer.render(&inputs.values).await.map(Some),
        }
    };
    let first = async {
        match first {
            Some(first) => Ok(first),
            None => renderer.render(&inputs.values).await,
        }
    };
    let (first, again, replaced) = if varies == Varies::WithTheClock {
        let (first, replaced) = tokio::join!(first, replaced);
        tokio::time::sleep(NEXT_SECOND).await;
        (first, again.await, replaced)
    } else {
        tokio::join!(first, again, replaced)
    };
    let first = first.map_err(|error| not_rendered(inputs, &error))?;
    let again = again.map_err(|error| not_rendered(inputs, &error))?;

    let whole = with_hooks(&first);
    let mut unstable = again.map(|again| whole.unstable_fields(&with_hooks(&again))).unwrap_or_default();
    if varies == Varies::WithTheClock {
        unstable.extend(placeholders::dated(&whole, jiff::Timestamp::now()));
    }
    unstable.sort();
    unstable.dedup();
    let write_only = match replaced {
        None => Vec::new(),
        Some(Some(other)) => whole.unstable_fields(&with_hooks(&other)),
        // The chart does not render with other values: what shows them as they are is known all the same.
        Some(None) => placeholders::holding(&whole, &inputs.redactor()),
    };
    let write_only = write_only.into_iter().filter(|field| !unstable.contains(field)).collect();
    Ok(Rendering { manifest: first, unpromised: Unpromised { unstable, write_only } })
}

/// Renders once, where what cannot be promised is known from the plan.
///
/// # Errors
/// When the chart does not render, at `chart`.
pub(crate) async fn render(
    cluster: &Cluster,
    kit: &HelmKit,
    inputs: &Inputs,
    chart: &Chart,
    exists: bool,
    cancel: &Cancel,
) -> Result<Manifest, Diagnostics> {
    let renderer = Renderer::new(cluster, kit, inputs, chart, exists, cancel).await?;
    Ok(renderer.render(&inputs.values).await.map_err(|error| not_rendered(inputs, &error))?)
}

/// Objects and hooks alike; hooks that only tests run are left out.
pub(crate) fn with_hooks(manifest: &Manifest) -> Manifest {
    let runs = |events: &[String]| events.iter().any(|event| !event.starts_with("test"));
    let hooks = manifest.hooks.iter().filter(|hook| runs(&hook.events)).map(|hook| hook.object.clone());
    let objects: Vec<Object> = manifest.objects.iter().cloned().chain(hooks).collect();
    Manifest { objects, hooks: Vec::new() }
}

/// Renders one chart for one release.
struct Renderer<'a> {
    helm: Helm,
    version: String,
    inputs: &'a Inputs,
    chart: &'a Chart,
    exists: bool,
    cancel: &'a Cancel,
}

impl<'a> Renderer<'a> {
    async fn new(
        cluster: &Cluster,
        kit: &HelmKit,
        inputs: &'a Inputs,
        chart: &'a Chart,
        exists: bool,
        cancel: &'a Cancel,
    ) -> Result<Renderer<'a>, Diagnostics> {
        let version =
            cluster.server_version().await.map_err(|error| diagnostic(&error, "The cluster cannot be reached"))?;
        let helm = kit.helm.clone();
        Ok(Renderer { helm, version, inputs, chart, exists, cancel })
    }

    /// Whether kinds that the API server does not know yet are made before the deployment.
    fn brings_kinds(&self) -> bool {
        !self.chart.crds.is_empty() && self.inputs.config.crds.as_str() != Some("skip")
    }

    /// Renders as the API server sees it: as an upgrade of the live release where there is one, else as an install. Where the
    /// chart brings kinds that the server does not know yet (its own CRDs), it is rendered offline.
    async fn render(&self, values: &Values) -> ffe_helm::Result<Manifest> {
        let request = |mode| RenderRequest {
            mode,
            kube_version: Some(&self.version),
            skip_crds: self.inputs.config.crds.as_str() == Some("skip"),
            take_ownership: self.inputs.config.take_ownership.known() == Some(&true),
            ..RenderRequest::new(&self.inputs.name, &self.inputs.namespace, &self.chart.path, values)
        };
        let live = if self.exists { RenderMode::Upgrade } else { RenderMode::Install };
        let mut rendered = self.helm.render(&request(live), self.cancel).await;
        let unknown_kind =
            |error: &ffe_helm::Error| error.failure().is_some_and(|failure| failure.cause == Cause::UnknownKind);
        if rendered.as_ref().is_err_and(unknown_kind) && (!self.exists || self.brings_kinds()) {
            rendered = self.helm.render(&request(RenderMode::Offline { is_upgrade: self.exists }), self.cancel).await;
        }
        rendered.map(|rendered| rendered.manifest)
    }
}

/// The error for a chart that was not rendered: at `chart` where it is the chart's fault, and not that of Helm or of the
/// cluster.
pub(crate) fn not_rendered(inputs: &Inputs, error: &ffe_helm::Error) -> Diagnostic {
    let elsewhere = match error {
        ffe_helm::Error::Failed(failure) => {
            matches!(failure.cause, Cause::Unreachable | Cause::Unauthorized | Cause::Forbidden | Cause::Timeout)
        }
        ffe_helm::Error::Manifest(_) | ffe_helm::Error::Chart(_) | ffe_helm::Error::Values(_) => false,
        _ => true,
    };
    if elsewhere {
        return Diagnostic::error(format!("The chart {} cannot be rendered", inputs.chart.chart), error.with_advice());
    }
    Diagnostic::error(format!("The chart {} does not render", inputs.chart.chart), error.to_string())
        .at(Path::attribute("chart"))
}

/// The error for a chart that cannot be had.
pub(crate) fn chart_diagnostic(inputs: &Inputs, error: &ffe_helm::Error) -> Diagnostic {
    Diagnostic::error(format!("The chart {} cannot be used", inputs.chart.chart), error.to_string())
        .at(Path::attribute("chart"))
}
