//! `cargo xtask docs`: the registry's reference pages, out of the schemas.
//!
//! The work is done by `ffe-reference`, a program of its own: this one stays quick to compile.

use std::process::ExitCode;

use anyhow::Result;

use crate::process;
use crate::workspace::Workspace;

/// Write docs/index.md, docs/resources and docs/functions from the provider's schemas and the examples.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Change nothing; fail when a page is not what the schemas say.
    #[arg(long)]
    check: bool,
}

pub(crate) fn go(args: &Args) -> Result<ExitCode> {
    let workspace = Workspace::locate()?;
    let mut command = workspace.cargo(&["run", "--quiet", "--package", "ffe-reference", "--"]);
    process::run(command.arg(&workspace.root).args(args.check.then_some("--check")))?;
    Ok(ExitCode::SUCCESS)
}
