//! What the program does for a person or a pipeline, beside being Terraform's plugin.

mod check;
mod release;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The provider ffe. Terraform starts it by itself; these commands are for you.
#[derive(Debug, Parser)]
#[command(name = "terraform-provider-ffe", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Args),
    Status(release::StatusArgs),
    Watch(release::WatchArgs),
}

/// The exit code where something could not be read: that is not "nothing was found".
const NOT_READ: u8 = 2;

/// What ends a command that cannot be carried out.
fn refuse(error: impl std::fmt::Display) -> ExitCode {
    // Nothing can be done about a standard error that is closed.
    let _ = writeln!(io::stderr(), "error: {error}");
    ExitCode::from(NOT_READ)
}

/// Carries out the command that stands in this process's arguments.
pub(crate) fn run() -> ExitCode {
    match Cli::parse().command {
        Command::Check(args) => check::run(&args),
        Command::Status(args) => release::status(&args),
        Command::Watch(args) => release::watch(&args),
    }
}
