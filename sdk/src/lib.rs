//! How to write a Terraform provider in Rust.
//!
//! One annotated struct is the schema, the decoding and encoding, and the documentation of a resource; a trait
//! with `create`, `read`, `update` and `delete` is the resource; a provider lists its resources.
//! The rules of the plugin protocol around that (defaults, unknowns, write-only attributes, replacement, what may
//! be stored) are applied here, once for all resources.
//!
//! `examples/notes` is a complete provider that shows each part.

// The derive writes `::tfplugin::...`; inside this crate that is this crate.
extern crate self as tfplugin;

pub mod docs;

pub use tfplugin_core::*;
pub use tfplugin_derive::Model;
pub use tfplugin_server::{logging, serve};
