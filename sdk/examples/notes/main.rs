//! A complete provider: notes, kept as text files in a directory.
//!
//! Each file here shows one part of a provider. Read `provider.rs` first, then `note.rs`.
//! How to run it is in the README of this crate.

#![allow(unreachable_pub, reason = "`pub` reads better than `pub(crate)` in an example")]

mod content;
mod directory;
mod listing;
mod note;
mod provider;
mod slug;
#[cfg(test)]
mod tests;

use std::process::ExitCode;

fn main() -> ExitCode {
    tfplugin::serve("registry.terraform.io/example/notes", provider::Notes::default())
}
