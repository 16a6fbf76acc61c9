//! Runs the acceptance cases: `cargo xtask test` prepares what they need and calls this.

use std::process::ExitCode;

fn main() -> ExitCode {
    acceptance::main()
}
