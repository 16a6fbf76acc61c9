//! The provider as a library: what its program serves, and what the reference pages are made of.

mod provider;

pub use provider::Ffe;

/// The provider's address in a registry.
pub const ADDRESS: &str = "registry.terraform.io/three-rivers-tech/ffe";
