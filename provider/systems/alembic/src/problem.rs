//! What is wrong with the files as a whole.

use std::{fmt, path::PathBuf};

/// Something that Alembic would trip over, or that makes `head` ambiguous.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What it is.
    pub kind: ProblemKind,
    /// Where; several files when they are wrong together. Never empty.
    pub places: Vec<Location>,
    /// What is wrong and what to do about it.
    pub text: String,
}

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The file, under the folder that was read.
    pub file: PathBuf,
    /// From 1.
    pub line: usize,
}

/// The kinds of [`Problem`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProblemKind {
    /// More than one revision has no successor; `head` means none of them.
    SeveralHeads,
    /// `down_revision` or `depends_on` names a revision that no file has.
    MissingParent,
    /// Two files have the same revision identifier.
    DuplicateId,
    /// Revisions that come after themselves.
    Cycle,
    /// A file that is not Python.
    DoesNotParse,
    /// A file whose `revision`, `down_revision` or `depends_on` is missing or is computed.
    NoIdentifier,
    /// A revision that Alembic could not run: it has no `upgrade()`.
    NoUpgrade,
    /// An identifier with characters that Alembic refuses (`@`, `-`, `+`).
    IllegalIdentifier,
    /// A branch label that two revisions use.
    DuplicateLabel,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for place in &self.places {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.text)
    }
}
