//! The state file: what is kept of an object between two runs.

use std::fmt;

use tfplugin_core::{Value, to_json};

use crate::fail;

/// A resource type and the name that the configuration gives to one of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Address {
    pub(crate) kind: String,
    pub(crate) name: String,
}

impl Address {
    pub(crate) fn new(kind: &str, name: &str) -> Address {
        Address { kind: kind.to_owned(), name: name.to_owned() }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.kind, self.name)
    }
}

/// An object as it lies in the state file: text, to be read again by whatever version of the provider comes.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) version: i64,
    pub(crate) json: Vec<u8>,
    pub(crate) private: Vec<u8>,
    pub(crate) tainted: bool,
}

/// An object in the middle of a run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Object {
    pub(crate) value: Value,
    pub(crate) private: Vec<u8>,
    pub(crate) tainted: bool,
}

impl Object {
    pub(crate) fn store(&self, address: &Address, schema: &tfplugin_core::Schema) -> Stored {
        let json = to_json(&self.value, &schema.ty())
            .unwrap_or_else(|error| fail(format!("{address}: the state cannot be stored: {error}")));
        Stored {
            version: schema.version,
            json: json.to_string().into_bytes(),
            private: self.private.clone(),
            tainted: self.tainted,
        }
    }
}
