//! What the two codecs share.

use std::collections::BTreeMap;
use std::fmt;

use crate::{Path, Step, Type, Value};

/// Deeper than any schema; a stop for hostile input.
pub(crate) const MAX_DEPTH: usize = 128;

/// Bytes that do not hold a value of the expected type, or a value that is not of the type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodecError {
    /// Where in the value.
    pub path: Path,
    /// What is wrong there. Never contains the value, which may be secret.
    pub message: String,
}

impl CodecError {
    pub(crate) fn new(message: impl Into<String>) -> CodecError {
        CodecError { path: Path::root(), message: message.into() }
    }

    pub(crate) fn truncated() -> CodecError {
        CodecError::new("the bytes end within the value")
    }

    pub(crate) fn too_deep() -> CodecError {
        CodecError::new("nested too deeply")
    }

    pub(crate) fn mismatch(value: &Value, ty: &Type) -> CodecError {
        let found = match value {
            Value::Null => "null",
            Value::Unknown => "unknown",
            Value::Bool(_) => "bool",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::List(_) => "list or tuple",
            Value::Set(_) => "set",
            Value::Map(_) => "map or object",
            Value::Dynamic(..) => "dynamic value",
        };
        CodecError::new(format!("expected {ty}, found a {found}"))
    }

    pub(crate) fn below(mut self, step: Step) -> CodecError {
        self.path = Path::root().with(step).join(self.path);
        self
    }
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_root() { f.write_str(&self.message) } else { write!(f, "at {}: {}", self.path, self.message) }
    }
}

impl std::error::Error for CodecError {}

/// An object with every attribute of its type: null where none was given.
pub(crate) fn object_from(attributes: &BTreeMap<String, Type>, given: Vec<(String, Value)>) -> Value {
    let mut entries: BTreeMap<String, Value> = attributes.keys().map(|name| (name.clone(), Value::Null)).collect();
    entries.extend(given);
    Value::Map(entries)
}
