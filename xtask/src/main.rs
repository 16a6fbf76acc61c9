//! The project's own commands: `cargo xtask testbed`, `demo`, `test`, `docs`, `build`, `bench`, `mutants`.
//!
//! One file a command; what several need lies beside them: `workspace` (where things are), `process` (running
//! programs), `terraform` (a real terraform that finds this checkout's provider), `kubectl`, `tell`.

mod bench;
mod build;
mod demo;
mod docs;
mod kubectl;
mod mutants;
mod process;
mod tell;
mod terraform;
mod test;
mod testbed;
mod tools;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's own commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Testbed(testbed::Args),
    Demo(demo::Args),
    Test(test::Args),
    Docs(docs::Args),
    Build(build::Args),
    Bench(bench::Args),
    Mutants(mutants::Args),
    #[command(hide = true)]
    Account(bench::account::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Testbed(args) => testbed::go(&args),
        Command::Demo(args) => demo::go(&args),
        Command::Test(args) => test::go(&args),
        Command::Docs(args) => docs::go(&args),
        Command::Build(args) => build::go(&args),
        Command::Bench(args) => bench::go(&args),
        Command::Mutants(args) => mutants::go(&args),
        Command::Account(args) => bench::account::go(&args),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            tell::problem(&error);
            ExitCode::FAILURE
        }
    }
}
