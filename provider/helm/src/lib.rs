//! Helm, wrapped: the `helm` binary (majors 3 and 4) behind one small interface, and native reading of what Helm wrote.

mod secret;
pub mod values;
pub mod yaml;

pub use secret::Secret;
