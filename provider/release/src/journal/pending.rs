//! Revisions of the schema, as the journal holds them.

use ffe_alembic::Undo;
use serde::{Deserialize, Serialize};

/// A revision that the migration will run, or has run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Pending {
    /// Its identifier.
    pub revision: String,
    /// Its message.
    pub message: String,
    /// Whether it can be undone.
    pub undo: Undo,
    /// Whether part of it runs outside of a transaction: if it fails, that part stays.
    pub autocommit: bool,
}

impl Pending {
    /// Why it cannot be undone, in words; `None` when it can.
    pub(crate) fn obstacle(&self) -> Option<&'static str> {
        self.undo.obstacle()
    }
}
