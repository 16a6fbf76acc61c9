//! The provider's binary: Terraform starts it as a plugin; with a command, somebody has started it.

mod commands;

use std::process::ExitCode;

use ffe_helm::launcher;
use terraform_provider_ffe::{ADDRESS, Ffe};

/// In place of the C library's, which in a static binary is musl's: a plan is many short-lived values on several threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next() {
        // Terraform gives a plugin no arguments.
        None => tfplugin::serve(ADDRESS, Ffe::new()),
        // Started by hand, for terraform to come to it: `serve` reads its options itself.
        Some(first) if tfplugin::DEBUG.iter().any(|option| first == *option) => tfplugin::serve(ADDRESS, Ffe::new()),
        // This process becomes Helm: see `ffe_helm::launcher`.
        Some(first) if first == launcher::ARGUMENT => launcher::run_launcher(arguments),
        Some(_) => commands::run(),
    }
}
