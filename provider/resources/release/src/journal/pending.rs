//! Revisions of the schema, as the journal holds them.

use ffe_alembic::{Dropped, Undo};
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
    /// What is dropped when it is undone, in order; absent where that is not known.
    pub dropped: Option<Vec<Dropped>>,
}

impl Pending {
    /// Why it cannot be undone, in words; `None` when it can.
    pub(crate) fn obstacle(&self) -> Option<&'static str> {
        self.undo.obstacle()
    }

    /// The revision and what is dropped when it is undone, in words.
    pub(crate) fn undoing(&self) -> String {
        let drops = match self.dropped.as_deref() {
            None => "what it drops is not known".to_owned(),
            Some([]) => "drops no table and no column".to_owned(),
            Some(dropped) => format!("drops {}", dropped.iter().map(Dropped::to_string).collect::<Vec<_>>().join(", ")),
        };
        format!("{}: {drops}", self.revision)
    }
}

/// Revisions in words.
pub(crate) fn names(revisions: &[String]) -> String {
    if revisions.is_empty() { "base (no revision)".to_owned() } else { revisions.join(", ") }
}

impl From<&ffe_alembic::Revision> for Pending {
    fn from(revision: &ffe_alembic::Revision) -> Pending {
        Pending {
            revision: revision.id.clone(),
            message: revision.message.clone(),
            undo: revision.undo,
            autocommit: revision.autocommit,
            dropped: revision.dropped.clone(),
        }
    }
}
