//! The Terraform plugin protocol, version 6.11, and the plugin runner's own
//! services, as tonic and prost generate them from `proto/*.proto`.
//!
//! No logic lives here. Every call that a server does not implement answers
//! `Unimplemented`. Besides `tfplugin-server`, which serves these, only tests
//! and `tfplugin-testing` (which call them) have a use for this crate.

/// Largest message that Terraform sends or takes, in bytes (256 MiB).
pub const MAX_MESSAGE_BYTES: usize = 256 << 20;

/// `tfplugin6`: the provider service and its messages.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
pub mod tfplugin6 {
    tonic::include_proto!("tfplugin6");
}

/// `plugin`: controller, stdio and broker of the plugin runner.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
pub mod plugin {
    tonic::include_proto!("plugin");
}
