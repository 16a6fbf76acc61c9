//! How a Terraform provider works, without any input or output: types and values, schema, the codecs of
//! the wire, the rules of plan and apply, and the traits that a provider's author implements.
//!
//! Invariants: no IO, no runtime, no knowledge of gRPC; what sensitive and write-only attributes hold is known to the redactor
//! (`tfplugin_redaction`) before an author's code sees it, and what that code says goes through the redactor. Everything that the plugin protocol demands of
//! every resource is enforced here once, so that neither authors nor the server repeat it.

mod attr;
mod codec;
mod context;
mod data_source;
mod diagnostics;
mod engine;
mod ephemeral;
mod erased;
mod field;
mod function;
mod json;
mod msgpack;
mod number;
mod path;
pub mod plan;
mod private;
mod resource;
mod schema;
mod secrets;
mod types;
mod validate;
mod value;

pub use async_trait::async_trait;
pub use attr::Attr;
pub use codec::CodecError;
pub use context::{Cancel, ClientCapabilities, Context, Deferred};
pub use data_source::DataSource;
pub use diagnostics::{Diagnostic, Diagnostics, Severity};
pub use engine::{ApplyRequest, Engine, PlanRequest, PlanResponse, Provider, StateResponse};
pub use ephemeral::{EphemeralResource, Opened, Renewed};
pub use erased::{AnyDataSource, AnyEphemeralResource, AnyResource, OpenedValue};
pub use field::{Field, Model, unfit};
pub use function::{Function, FunctionError, Parameter, Signature};
pub use json::{Unexpected, from_json, to_json};
pub use msgpack::{from_msgpack, to_msgpack};
pub use number::{Number, NumberForm};
pub use path::{Path, Step};
pub use private::Private;
pub use resource::{
    Applied, Create, Delete, Imported, MoveSource, Plan, Read, Refreshed, Resource, StateUpgrade, Update,
};
pub use schema::{Attribute, Check, Mode, Nesting, Schema, Shape, object_type};
pub use types::{Type, TypeError};
pub use validate::validate;
pub use value::Value;
