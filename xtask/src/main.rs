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

use std::os::unix::process::CommandExt as _;
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
    let cli = Cli::parse();
    go_past_the_proxy();
    let result = match cli.command {
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

/// A proxy of the user's does not know the testbed's node. Terraform, the provider, Helm and kubectl would ask it all the
/// same, so that this program begins again with the node exempt, for itself and for all that it starts.
fn go_past_the_proxy() {
    let exempt = ffe_testbed::Testbed::locate().ok().and_then(|testbed| testbed.no_proxy());
    if let (Some(exempt), Ok(program)) = (exempt, std::env::current_exe()) {
        let mut again = std::process::Command::new(program);
        again.args(std::env::args_os().skip(1)).env("NO_PROXY", &exempt).env("no_proxy", &exempt);
        tell::problem(&anyhow::Error::new(again.exec()).context("starting anew with NO_PROXY"));
    }
}
