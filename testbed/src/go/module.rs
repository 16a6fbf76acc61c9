//! Files of a module that nothing is compiled of: charts, definitions of resources.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::compiler::Compiler;
use super::versions::required_version;
use crate::bed::Bed;
use crate::command;
use crate::paths::Paths;

/// A module at the version that a graph in `testbed/go` pins.
pub(crate) struct Module {
    /// Folder below `testbed/go` with go.mod and go.sum.
    pub(crate) graph: &'static str,
    /// For instance `sigs.k8s.io/gateway-api`.
    pub(crate) path: &'static str,
}

/// Of what `go mod download -json` prints.
#[derive(Deserialize)]
struct Downloaded {
    #[serde(rename = "Dir")]
    folder: PathBuf,
}

impl Module {
    /// The pinned version, for instance `v1.4.0`.
    pub(crate) fn version(&self, bed: &Bed<'_>) -> Result<String> {
        let path = bed.paths.go_module(self.graph).join("go.mod");
        let go_mod = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        required_version(&go_mod, self.path)
            .with_context(|| format!("{} does not require {}", path.display(), self.path))
    }

    /// The folder of its files, which are fetched where they are missing and are what go.sum says.
    pub(crate) fn folder(&self, bed: &Bed<'_>) -> Result<PathBuf> {
        let folder = bed.paths.go_module(self.graph);
        let go_mod = std::fs::read_to_string(folder.join("go.mod"))
            .with_context(|| format!("reading {}", folder.join("go.mod").display()))?;
        let wanted = format!("{}@{}", self.path, self.version(bed)?);
        folder_of(bed.paths, &Compiler::find(&go_mod)?, &folder, &wanted)
    }
}

/// The folder of `MODULE@VERSION` of a graph, which is fetched where it is missing.
pub(super) fn folder_of(paths: &Paths, compiler: &Compiler, graph: &Path, wanted: &str) -> Result<PathBuf> {
    let mut download = compiler.command(paths, graph);
    let printed = command::output(download.args(["mod", "download", "-json", wanted]))
        .with_context(|| format!("fetching {wanted}"))?;
    let downloaded: Downloaded = serde_json::from_str(&printed).with_context(|| format!("fetching {wanted}"))?;
    Ok(downloaded.folder)
}
