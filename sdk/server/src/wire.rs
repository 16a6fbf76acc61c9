//! Between the messages of the wire and the types of `tfplugin-core`.

mod diagnostics;
mod schema;
mod value;

pub(crate) use diagnostics::{diagnostics, function_error, requires};
pub(crate) use schema::{function, schema};
pub(crate) use value::{decode, encode};
