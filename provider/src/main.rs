//! The provider's binary: Terraform starts it as a plugin.

use std::process::ExitCode;

use ffe_helm::launcher;
use terraform_provider_ffe::{ADDRESS, Ffe};

/// In place of the C library's, which in a static binary is musl's: a plan is many short-lived values on several threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == launcher::ARGUMENT) {
        // This process becomes Helm: see `ffe_helm::launcher`.
        return launcher::run_launcher(arguments);
    }
    tfplugin::serve(ADDRESS, Ffe::new())
}
