//! How a provider made with `tfplugin-core` is served to Terraform and OpenTofu: the plugin runner's
//! handshake, mutual TLS, logging, an orderly end, and one small adapter for each call of protocol 6.
//!
//! The only crate of the SDK that knows the wire. A provider's `main` is one call:
//!
//! ```no_run
//! # use std::process::ExitCode;
//! # fn main_of<Example: tfplugin_core::Provider + Default>() -> ExitCode {
//! tfplugin_server::serve("registry.terraform.io/three-rivers-tech/example", Example::default())
//! # }
//! ```
//!
//! Invariants: standard output carries the handshake line and nothing else; a call is never dropped
//! half-way, it is cancelled; a panic ends one call and no other; what sensitive and
//! write-only attributes hold, and what was given to [`logging::redact`], is in no log line and in no diagnostic.

mod calls;
mod connection;
mod handshake;
mod lifecycle;
pub mod logging;
mod options;
mod panics;
mod rpc;
mod runner;
mod serve;
mod wire;

pub use options::DEBUG;
pub use rpc::ProviderService;
pub use serve::{serve, service};
