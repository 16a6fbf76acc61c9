//! The rules of Terraform core as pure functions of schema and values.

mod completion;
mod paths;
mod plan;
mod proposal;

use std::fmt;

use tfplugin_core::Path;

pub(crate) use completion::completes;
pub(crate) use paths::{changed, in_schema, unknowns, write_only_set};
pub(crate) use plan::plan_problems;
pub(crate) use proposal::proposed_new;

/// A broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) path: Path,
    pub(crate) text: String,
}

impl Problem {
    fn new(path: &Path, text: impl Into<String>) -> Problem {
        Problem { path: path.clone(), text: text.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_root() { f.write_str(&self.text) } else { write!(f, "{}: {}", self.path, self.text) }
    }
}
