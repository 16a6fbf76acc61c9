//! Typed resources, data sources and ephemeral resources behind one interface on plain values. The rules
//! of the protocol that hold for every resource are applied here, once.

mod data_source;
mod ephemeral;
mod resource;

use crate::{Schema, Type};

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
}
