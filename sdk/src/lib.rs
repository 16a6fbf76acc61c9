//! How to write a Terraform provider in Rust.
//!
//! One annotated struct is the schema, the decoding and encoding, and the documentation of a resource; a trait
//! with `create`, `read`, `update` and `delete` is the resource; a provider lists its resources.
//! The rules of the plugin protocol around that (defaults, unknowns, write-only attributes, replacement, what may
//! be stored) are applied here, once for all resources.
//!
//! ```
//! use tfplugin::{Attr, Model};
//!
//! /// A note in a directory.
//! #[derive(Model, Clone, Debug)]
//! pub struct Note {
//!     /// Name of the file.
//!     #[attr(required, replace)]
//!     pub name: Attr<String>,
//!     /// What it says.
//!     #[attr(default = "", one_of("", "hello"))]
//!     pub text: Attr<String>,
//!     /// Where it lies.
//!     #[attr(computed)]
//!     pub path: Attr<String>,
//! }
//!
//! let schema = Note::schema();
//! assert_eq!(schema.description, "A note in a directory.");
//! assert_eq!(schema.attributes[0].description, "Name of the file.");
//! assert!(schema.problems().is_empty());
//! ```
//!
//! What derives it is [`derive(Model)`](derive@Model). `examples/notes` is a complete provider that shows each part.

// The derive writes `::tfplugin::...`; inside this crate that is this crate.
extern crate self as tfplugin;

pub mod docs;

pub use tfplugin_core::*;
pub use tfplugin_derive::Model;
pub use tfplugin_redaction::Redactor;
pub use tfplugin_server::{DEBUG, logging, serve};
