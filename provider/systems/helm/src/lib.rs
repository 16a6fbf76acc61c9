//! Helm, wrapped: the `helm` binary (majors 3 and 4) behind one small interface, and native reading of what Helm wrote.
//!
//! Helm renders and installs ([`binary`]), since its template language and its rules are its own. Everything else is
//! done here without starting a process: values are merged ([`values`]) and charts digested ([`chart`]) as Helm would,
//! release records are read ([`records`]), rendered manifests taken apart ([`manifest`]).
//!
//! Knows nothing of Terraform.

pub mod binary;
pub mod chart;
mod error;
pub mod launcher;
pub mod manifest;
mod process;
pub mod records;
mod secret;
pub mod values;
pub mod yaml;

pub use error::{Error, Result};
pub use secret::Secret;
