//! Objects that parts of the testbed put into the cluster.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::api;
use crate::bed::Bed;
use crate::command;
use crate::go::module::Module;
use crate::paths::Paths;

static GATEWAY_API: Module = Module { graph: "crds", path: "sigs.k8s.io/gateway-api" };

const GATEWAY_KINDS: &[&str] =
    &["gatewayclasses", "gateways", "httproutes", "grpcroutes", "referencegrants", "backendtlspolicies"];

/// Applies files, a folder of them or whatever `kubectl apply` takes, whoever changed the objects since.
pub(crate) fn apply(paths: &Paths, files: &[PathBuf]) -> Result<()> {
    let mut kubectl = api::kubectl(paths);
    kubectl.args(["apply", "--server-side", "--force-conflicts", "--field-manager=ffe-testbed"]);
    for file in files {
        kubectl.arg("-f").arg(file);
    }
    command::output(&mut kubectl).map(|_| ())
}

/// Whether all of these are there.
pub(crate) fn are_there(paths: &Paths, kind: &str, names: &[String]) -> bool {
    command::output(api::kubectl(paths).args(["get", kind, "-o", "name"]).args(names)).is_ok()
}

/// Fetches what [`gateway_api`] applies.
pub(crate) fn ensure_gateway_api(bed: &Bed<'_>) -> Result<()> {
    GATEWAY_API.folder(bed).map(|_| ())
}

/// The standard kinds of the Gateway API.
pub(crate) fn gateway_api(bed: &Bed<'_>) -> Result<()> {
    let names: Vec<String> = GATEWAY_KINDS.iter().map(|kind| format!("{kind}.gateway.networking.k8s.io")).collect();
    if are_there(bed.paths, "customresourcedefinition", &names) {
        return Ok(());
    }
    let folder = GATEWAY_API.folder(bed)?.join("config/crd/standard");
    let file = |kind: &&str| -> PathBuf { Path::new(&folder).join(format!("gateway.networking.k8s.io_{kind}.yaml")) };
    apply(bed.paths, &GATEWAY_KINDS.iter().map(file).collect::<Vec<_>>())?;
    bed.say(format!("the kinds of Gateway API {} are there", GATEWAY_API.version(bed)?));
    Ok(())
}
