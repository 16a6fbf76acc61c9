//! Typed resources, data sources and ephemeral resources behind one interface on plain values. The rules
//! of the protocol that hold for every resource are applied here, once.

mod data_source;
mod ephemeral;
mod resource;

use crate::{ClientCapabilities, Diagnostics, Field, Path, Schema, Type, Value, validate};

pub use data_source::AnyDataSource;
pub use ephemeral::{AnyEphemeralResource, OpenedValue};
pub use resource::AnyResource;

/// What an author wrote, with what is asked for at every call.
struct Typed<R> {
    inner: R,
    schema: Schema,
    ty: Type,
}

impl<R> Typed<R> {
    fn new(inner: R, schema: Schema) -> Typed<R> {
        let ty = schema.ty();
        Typed { inner, schema, ty }
    }

    /// What the schema's own rules say of a configuration, and the configuration for the author's, where there is no error.
    fn checked<M: Field>(&self, config: &Value, client: ClientCapabilities) -> (Diagnostics, Option<M>) {
        let mut diagnostics = validate(&self.schema, config, client);
        if diagnostics.has_errors() {
            return (diagnostics, None);
        }
        match M::from_value(config, &Path::root()) {
            Ok(config) => (diagnostics, Some(config)),
            Err(error) => {
                diagnostics.push(error);
                (diagnostics, None)
            }
        }
    }
}
