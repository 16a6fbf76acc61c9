//! What was found.

use std::fmt;

use serde::Serialize;

/// A name that does not exist where it is written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// The file, below the folder that was given.
    pub file: String,
    /// Counted from 1. Files in JSON have no lines.
    pub line: Option<usize>,
    /// Counted from 1, in bytes.
    pub column: Option<usize>,
    /// What it is written for: `ffe_environment.this`, `module.stack`, `variable database`.
    pub subject: String,
    /// Where in it: `database.size`.
    pub path: String,
    /// What is wrong, and what Terraform does with it.
    pub message: String,
    /// The nearest name that there is, with its path.
    pub suggestion: Option<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}: {}", self.subject, self.message)?;
        match &self.suggestion {
            Some(suggestion) => write!(f, " Did you mean {suggestion}?"),
            None => Ok(()),
        }
    }
}

/// Something that was not looked at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Note {
    /// The file, below the folder that was given.
    pub file: String,
    /// What, and why.
    pub message: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.message)
    }
}

/// The result of a check.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// By file and line.
    pub findings: Vec<Finding>,
    /// Files that cannot be read: what they say is not known.
    pub unreadable: Vec<Note>,
    /// What was left out for another reason, such as a module that is not here.
    pub notes: Vec<Note>,
    /// How many files were looked at.
    pub files: usize,
}

impl Report {
    /// Whether everything could be read and nothing was found.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty() && self.unreadable.is_empty()
    }

    /// Sorted, and each thing once: a local value may be used in many places.
    pub(crate) fn finish(&mut self) {
        self.findings.sort();
        self.findings.dedup_by(|one, other| {
            (&one.file, one.line, one.column, &one.path, &one.message)
                == (&other.file, other.line, other.column, &other.path, &other.message)
        });
        self.unreadable.sort();
        self.unreadable.dedup();
        self.notes.sort();
        self.notes.dedup();
    }
}
