//! What the chart renders to, and what of it differs from what is deployed.

use std::collections::{BTreeMap, BTreeSet};

use ffe_cluster::{Cancel, Cluster};
use ffe_helm::binary::{Cause, RenderMode, RenderRequest};
use ffe_helm::chart::Chart;
use ffe_helm::manifest::{Digests, Manifest, ObjectId};
use ffe_session::{HelmKit, diagnostic};
use tfplugin::{Attr, Diagnostic, Diagnostics, Path};

use crate::inputs::Inputs;
use crate::model::Change;

/// Renders the chart as the API server sees it: as an upgrade of the live release where there is one, else as an install.
/// Where the chart brings kinds that the server does not know yet (its own CRDs), an install is rendered offline.
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
    let version =
        cluster.server_version().await.map_err(|error| diagnostic(&error, "The cluster cannot be reached"))?;
    let request = |mode| RenderRequest {
        mode,
        kube_version: Some(&version),
        skip_crds: inputs.config.crds.as_str() == Some("skip"),
        take_ownership: inputs.config.take_ownership.known() == Some(&true),
        ..RenderRequest::new(&inputs.name, &inputs.namespace, &chart.path, &inputs.values)
    };
    let helm = kit.helm.with_secrets(inputs.helm_secrets());
    let live = if exists { RenderMode::Upgrade } else { RenderMode::Install };
    let mut rendered = helm.render(&request(live), cancel).await;
    let unknown_kind =
        |error: &ffe_helm::Error| error.failure().is_some_and(|failure| failure.cause == Cause::UnknownKind);
    if !exists && rendered.as_ref().is_err_and(unknown_kind) {
        rendered = helm.render(&request(RenderMode::Offline { is_upgrade: false }), cancel).await;
    }
    let rendered = rendered.map_err(|error| not_rendered(inputs, &error))?;
    Ok(rendered.manifest)
}

/// The error for a chart that was not rendered: at `chart` where it is the chart's fault, and not that of Helm or of the
/// cluster.
fn not_rendered(inputs: &Inputs, error: &ffe_helm::Error) -> Diagnostic {
    let elsewhere = match error {
        ffe_helm::Error::Failed(failure) => {
            matches!(failure.cause, Cause::Unreachable | Cause::Unauthorized | Cause::Forbidden | Cause::Timeout)
        }
        ffe_helm::Error::Manifest(_) | ffe_helm::Error::Chart(_) | ffe_helm::Error::Values(_) => false,
        _ => true,
    };
    if elsewhere {
        return Diagnostic::error(format!("The chart {} cannot be rendered", inputs.chart.chart), error.to_string());
    }
    Diagnostic::error(format!("The chart {} does not render", inputs.chart.chart), error.to_string())
        .at(Path::attribute("chart"))
}

/// How a name is shown: `Kind/name`, with the namespace where it is another than the release's.
pub(crate) fn display(id: &ObjectId, namespace: &str) -> String {
    match &id.namespace {
        Some(other) if other != namespace => format!("{}/{other}/{}", id.kind, id.name),
        _ => format!("{}/{}", id.kind, id.name),
    }
}

/// What becomes of each object: created, changed, removed. Unchanged ones are left out.
pub(crate) fn changes(before: Option<&Manifest>, after: &Manifest, namespace: &str) -> Vec<Change> {
    // Contents of Secrets are digested under a key of this moment: they are compared, and nothing of them is kept.
    let key = ffe_session::new_run_id();
    let digests = Digests { unstable: &[], key: Some(key.as_bytes()) };
    let before: BTreeMap<ObjectId, String> = before.map(|manifest| digests.each(manifest)).unwrap_or_default();
    let after = digests.each(after);
    let all: BTreeSet<&ObjectId> = before.keys().chain(after.keys()).collect();
    all.into_iter()
        .filter_map(|id| {
            let action = match (before.get(id), after.get(id)) {
                (None, Some(_)) => "create",
                (Some(_), None) => "remove",
                (Some(old), Some(new)) if old != new => "change",
                _ => return None,
            };
            Some(Change {
                action: Attr::from(action),
                object: Attr::Known(display(id, namespace)),
                fields: Attr::Null,
                digest: Attr::Null,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const BEFORE: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: \"1\"}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: c}\n";
    const AFTER: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: \"2\"}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: c}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: d, namespace: other}\n";

    #[test]
    fn only_what_differs_is_listed() {
        let (before, after) = (Manifest::parse(BEFORE).unwrap(), Manifest::parse(AFTER).unwrap());
        let list = |before: Option<&Manifest>, after: &Manifest| -> Vec<String> {
            changes(before, after, "ffe")
                .iter()
                .map(|one| format!("{} {}", one.action.as_str().unwrap(), one.object.as_str().unwrap()))
                .collect()
        };
        assert_eq!(list(Some(&before), &after), ["change ConfigMap/a", "remove ConfigMap/b", "create Secret/other/d"]);
        assert!(list(Some(&after), &after).is_empty());
        assert_eq!(list(None, &before).len(), 3);
    }
}
