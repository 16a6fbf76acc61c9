//! Where the database stands and what the migration would run, asked of the application's own Alembic.

use ffe_alembic::Undo;
use serde::{Deserialize, Serialize};

/// The Python script that asks; runs in the application's image.
pub(crate) const SCRIPT: &str = include_str!("inspect.py");
const MARK: &str = "ffe-inspect ";

/// A revision that the migration will run.
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

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Inspection {
    /// The database's revisions; none before the first migration.
    pub current: Vec<String>,
    /// The heads that the image has.
    pub heads: Vec<String>,
    /// In the order in which they will run.
    pub pending: Vec<Pending>,
    /// Revisions of the database that the image does not have.
    pub unknown: Vec<String>,
}

impl Inspection {
    /// Finds the answer between log lines.
    pub(crate) fn parse(lines: &[String]) -> Option<Inspection> {
        lines.iter().rev().find_map(|line| serde_json::from_str(line.trim().strip_prefix(MARK)?).ok())
    }
}

impl Pending {
    /// Why it cannot be undone, in words; `None` when it can.
    pub(crate) fn obstacle(&self) -> Option<&'static str> {
        self.undo.obstacle()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_found_between_log_lines() {
        let lines = [
            "INFO  [alembic.runtime.migration] Context impl PostgresqlImpl.",
            r#"ffe-inspect {"current": ["0003"], "heads": ["0005"], "pending": [{"revision": "0004", "message": "x", "undo": "pass", "autocommit": true}], "unknown": []}"#,
            "bye",
        ]
        .map(str::to_owned);
        let found = Inspection::parse(&lines).unwrap_or_default();
        assert_eq!(found.current, ["0003"]);
        assert_eq!(found.pending[0].undo, Undo::Pass);
        assert!(found.pending[0].obstacle().is_some_and(|text| text.contains("empty downgrade()")));
        assert_eq!(Inspection::parse(&lines[..1]), None);
    }
}
