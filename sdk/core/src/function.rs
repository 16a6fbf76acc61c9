//! Functions that a provider adds to the language: `provider::name::function(...)`.

use crate::{Type, Value};

/// A pure function.
pub trait Function: Send + Sync + 'static {
    /// Its name, parameters and result.
    fn signature(&self) -> Signature;

    /// The result. Arguments are of the parameters' types; the variadic ones come one by one at the end.
    ///
    /// # Errors
    /// What is wrong, and with which argument.
    fn call(&self, arguments: Vec<Value>) -> Result<Value, FunctionError>;
}

/// How a function looks.
#[derive(Clone, Debug)]
pub struct Signature {
    /// The name after `provider::name::`.
    pub name: String,
    /// In order.
    pub parameters: Vec<Parameter>,
    /// Any number of these after the others.
    pub variadic: Option<Parameter>,
    /// The type of the result.
    pub returns: Type,
    /// One line.
    pub summary: String,
    /// Markdown.
    pub description: String,
    /// Why it should not be used any more, and what to use instead.
    pub deprecated: Option<String>,
}

/// One parameter of a function.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// For the documentation and error messages.
    pub name: String,
    /// Its type.
    pub ty: Type,
    /// Markdown.
    pub description: String,
    /// Whether null may be passed; otherwise Terraform refuses it.
    pub allow_null: bool,
    /// Whether the function wants to see unknowns; otherwise Terraform answers unknown itself.
    pub allow_unknown: bool,
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct FunctionError {
    /// What is wrong, what was expected.
    pub text: String,
    /// The argument it is about, counted from 0.
    pub argument: Option<i64>,
}

impl FunctionError {
    /// About one argument.
    pub fn argument(position: i64, text: impl Into<String>) -> FunctionError {
        FunctionError { text: text.into(), argument: Some(position) }
    }
}
