//! What the program does for a person or a pipeline, beside being Terraform's plugin.

mod check;
mod release;

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

/// Carries out the command that stands in this process's arguments.
pub(crate) fn run() -> ExitCode {
    match Cli::parse().command {
        Command::Check(args) => check::run(&args),
        Command::Status(args) => release::status(&args),
        Command::Watch(args) => release::watch(&args),
    }
}
