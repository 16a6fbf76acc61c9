//! What a `downgrade()` drops, with the rows in it. The release asks the image the same question (`alembic_drops.py`); both
//! answer alike.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Something that goes with its rows when a revision is undone. Parts of a name that cannot be known without running the file
/// stand in it as they are written, in braces.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Dropped {
    /// What kind of thing it is.
    pub kind: DroppedKind,
    /// The table, with its schema where one is named; of something else what it is.
    pub name: String,
    /// The column of that table.
    pub column: Option<String>,
}

/// The kinds of [`Dropped`]. Serialised as one word in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DroppedKind {
    /// A table.
    Table,
    /// A column of a table that stays.
    Column,
    /// All rows of a table that stays.
    Rows,
    /// Anything else that holds rows, or takes along what does.
    Other,
}

impl Dropped {
    /// Without a column.
    pub(crate) fn new(kind: DroppedKind, name: &str) -> Dropped {
        Dropped { kind, name: name.to_owned(), column: None }
    }

    /// A column.
    pub(crate) fn column(table: &str, column: &str) -> Dropped {
        Dropped { kind: DroppedKind::Column, name: table.to_owned(), column: Some(column.to_owned()) }
    }
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match (self.kind, &self.column) {
            (DroppedKind::Table, _) => write!(f, "the table {name}"),
            (DroppedKind::Column, column) => {
                write!(f, "the column {} of {name}", column.as_deref().unwrap_or_default())
            }
            (DroppedKind::Rows, _) => write!(f, "all rows of {name}"),
            (DroppedKind::Other, _) => f.write_str(name),
        }
    }
}
