//! Which image migrates the database.

use ffe_helm::manifest::Workload;
use tfplugin::{Diagnostic, Path};

use crate::settings::model::Migration;

/// The image that the configuration says, else that of the chart's one workload.
///
/// # Errors
/// When there is no one workload with one image.
pub(crate) fn image(settings: &Migration, workloads: &[Workload]) -> Result<String, Diagnostic> {
    match settings.image.as_str() {
        Some(image) => Ok(image.to_owned()),
        None => of_workloads(workloads),
    }
}

/// The image of a chart's one workload.
///
/// # Errors
/// When there is no one workload with one image.
pub(crate) fn of_workloads(workloads: &[Workload]) -> Result<String, Diagnostic> {
    let mut images: Vec<String> = workloads
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
