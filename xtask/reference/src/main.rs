//! `cargo xtask docs`: writes the registry's reference pages out of the provider's schemas, or checks them.
//!
//! A program of its own, because it is made of the provider: `xtask` itself stays quick to compile.

mod examples;
mod pages;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use examples::Examples;
use terraform_provider_ffe::Ffe;
use tfplugin::Engine;

/// Writes docs/ from the schemas.
#[derive(Debug, Parser)]
struct Cli {
    /// The checkout.
    root: PathBuf,
    /// Change nothing; fail when a page is not what the schemas say.
    #[arg(long)]
    check: bool,
}

fn main() -> ExitCode {
    match go(&Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn go(cli: &Cli) -> Result<ExitCode> {
    let examples = Examples::read(&cli.root.join("examples/terraform"))?;
    let wanted = tfplugin::docs::pages(&Engine::new(Ffe::new()), |path| examples.at(path));
    let docs = cli.root.join("docs");
    let changes = pages::changes(&docs, &wanted)?;
    if cli.check && !changes.is_empty() {
        for change in &changes {
            eprintln!("{change}");
        }
        eprintln!("error: the reference pages are not what the schemas say; write them with `cargo xtask docs`");
        return Ok(ExitCode::FAILURE);
    }
    for change in &changes {
        change.make(&docs)?;
        eprintln!("{change}");
    }
    eprintln!("{} reference pages, {} changed", wanted.len(), changes.len());
    Ok(ExitCode::SUCCESS)
}
