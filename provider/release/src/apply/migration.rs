//! What a migration needs: its image, its Job, and reading what the engine says.

mod answer;
pub(crate) mod earlier;
pub(crate) mod inspection;
pub(crate) mod job;
pub(crate) mod task;

use ffe_helm::manifest::Manifest;
use tfplugin::{Diagnostic, Path};

use crate::settings::model::Migration;

/// The image to migrate with: the one said, else that of the chart's one workload.
///
/// # Errors
/// When there is no one workload with one image.
pub(crate) fn image(settings: &Migration, manifest: &Manifest, namespace: &str) -> Result<String, Diagnostic> {
    if let Some(image) = settings.image.as_str() {
        return Ok(image.to_owned());
    }
    let mut images: Vec<String> = manifest
        .workloads(namespace)
        .iter()
        .filter(|workload| matches!(workload.id.kind.as_str(), "Deployment" | "StatefulSet" | "DaemonSet"))
        .flat_map(|workload| {
            workload.containers.iter().filter(|container| !container.init).map(|container| container.image.clone())
        })
        .collect();
    images.sort();
    images.dedup();
    match images.as_slice() {
        [image] => Ok(image.clone()),
        [] => Err(unclear("The chart has no workload whose image could be taken")),
        several => Err(unclear(&format!("The chart's workloads run several images: {}", several.join(", ")))),
    }
}

fn unclear(why: &str) -> Diagnostic {
    Diagnostic::error("Cannot tell which image to migrate with", format!("{why}. Say which one with migration.image."))
        .at(Path::attribute("migration").child("image"))
}

/// Revisions in words.
pub(crate) fn names(revisions: &[String]) -> String {
    if revisions.is_empty() { "base (no revision)".to_owned() } else { revisions.join(", ") }
}
