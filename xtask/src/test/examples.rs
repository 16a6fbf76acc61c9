//! The examples as texts: formatted, and valid for the provider. Applying them is an acceptance case.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::terraform::Terraform;
use crate::workspace::Workspace;
use crate::{process, tell};

/// Checks every folder of examples/terraform; those that need no cluster are applied too.
pub(super) fn check(workspace: &Workspace, provider: &Path) -> Result<()> {
    let folder = workspace.root.join("examples/terraform");
    let kept = tempfile::tempdir()?;
    let terraform = Terraform::with_mirror(kept.path(), provider)?;
    process::run(&mut terraform.command(&folder, &["fmt", "-check", "-diff", "-recursive"]))?;
    for example in folders(&folder)? {
        let name = example.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        tell::note(format!("{name}: terraform validate"));
        let copy = kept.path().join(&name);
        std::fs::create_dir(&copy)?;
        for entry in std::fs::read_dir(&example)? {
            let path = entry?.path();
            if let (Some(file), Some("tf")) =
                (path.file_name(), path.extension().and_then(|extension| extension.to_str()))
            {
                std::fs::copy(&path, copy.join(file))?;
            }
        }
        terraform.init(&copy).with_context(|| format!("example {name}"))?;
        process::output(&mut terraform.command(&copy, &["validate", "-no-color"]))
            .with_context(|| format!("example {name}"))?;
        if WITHOUT_CLUSTER.contains(&name.as_str()) {
            let mut apply = terraform.command(&copy, &["apply", "-auto-approve", "-no-color"]);
            process::output(&mut apply).with_context(|| format!("example {name}"))?;
        }
    }
    Ok(())
}

const WITHOUT_CLUSTER: [&str; 1] = ["functions"];

fn folders(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("folder {}", folder.display()))? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}
