//! `terraform-provider-ffe check`: names in a configuration that do not exist.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use super::{NOT_READ, refuse};
use terraform_provider_ffe::Ffe;
use tfplugin::Engine;
use tfplugin_check::{Depth, Report, check};

/// Find names in a Terraform configuration that this provider or a module does not have. Terraform drops them without a word where they
/// stand in an object, such as `database = { size = "500Gi" }`. Needs neither a cluster nor `terraform init`.
///
/// Exits with 0 where nothing was found, 1 where something was, and 2 where the configuration cannot be read.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder that terraform runs in.
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// Also every folder below it.
    #[arg(long)]
    recursive: bool,
    /// JSON for machines, on standard output.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    let depth = if args.recursive { Depth::Recursive } else { Depth::Folder };
    let report = match check(&Engine::new(Ffe::new()), &args.folder, depth) {
        Ok(report) => report,
        Err(error) => return refuse(error),
    };
    let told = if args.json { tell_machines(&report) } else { tell_people(&report) };
    if told.is_err() || !report.unreadable.is_empty() {
        ExitCode::from(NOT_READ)
    } else if report.is_clean() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn tell_machines(report: &Report) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, report)?;
    writeln!(out)
}

fn tell_people(report: &Report) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for finding in &report.findings {
        writeln!(out, "{finding}")?;
    }
    for note in &report.notes {
        writeln!(out, "note: {note}")?;
    }
    for note in &report.unreadable {
        writeln!(out, "error: {note}")?;
    }
    writeln!(
        out,
        "{}, {}",
        counted(report.files, "file"),
        match report.findings.len() {
            0 => "no name that does not exist".to_owned(),
            1 => "1 name that does not exist".to_owned(),
            more => format!("{more} names that do not exist"),
        }
    )
}

fn counted(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}
