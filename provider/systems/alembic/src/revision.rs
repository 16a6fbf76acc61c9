//! One revision file.

use std::path::{Path, PathBuf};

use crate::{
    Dropped, Finding, Location, Problem, ProblemKind, lint,
    python::{Module, Value},
    undo,
};

/// A revision, as its file states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// `revision`.
    pub id: String,
    /// `down_revision`: none for a base, several for a merge.
    pub down: Vec<String>,
    /// `depends_on`: identifiers or branch labels of what must run before, without being a parent.
    pub depends_on: Vec<String>,
    /// `branch_labels`, as written in this file.
    pub branch_labels: Vec<String>,
    /// The first paragraph of the file's docstring, as Alembic shows it; empty without one.
    pub message: String,
    /// The file, under the folder that was read.
    pub file: PathBuf,
    /// The line of `revision`, from 1.
    pub line: usize,
    /// What its `downgrade()` is.
    pub undo: Undo,
    /// What is dangerous in its `upgrade()`, by line.
    pub findings: Vec<Finding>,
    /// Whether part of it runs outside of a transaction: if it fails, that part stays.
    pub autocommit: bool,
    /// What its `downgrade()` drops, in order; `None` where that is not in the file.
    pub dropped: Option<Vec<Dropped>>,
}

/// Whether a revision can be undone: what its `downgrade()` is. Serialised as one word in lower case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Undo {
    /// It does something, or there is nothing to undo.
    #[default]
    Possible,
    /// There is none.
    Missing,
    /// It is empty: the version would move and the schema would not.
    Pass,
    /// It raises.
    Raises,
}

impl Undo {
    /// Why it cannot be undone, in words that follow "Revision x"; `None` when it can.
    pub fn obstacle(self) -> Option<&'static str> {
        match self {
            Undo::Possible => None,
            Undo::Missing => Some("has no downgrade()"),
            Undo::Pass => Some("has an empty downgrade(), which would move the version and not the schema"),
            Undo::Raises => Some("has a downgrade() that raises"),
        }
    }
}

impl Revision {
    /// Reads a file's text. `None` when it has no identifier that can be known; problems go into `problems`.
    pub(crate) fn read(file: &Path, text: &str, problems: &mut Vec<Problem>) -> Option<Revision> {
        let mut note = |kind, line, text: String| {
            problems.push(Problem { kind, places: vec![Location { file: file.to_owned(), line }], text });
        };
        let tree = crate::python::parse(text)?;
        let module = Module::new(&tree, text);
        if let Some(line) = module.error_line() {
            note(ProblemKind::DoesNotParse, line, "this is not Python that can be parsed".to_owned());
        }
        let (id, line) = match module.variable("revision") {
            Some((Value::Str(id), line)) => (id, line),
            Some((_, line)) => {
                let text = "`revision` is not a plain string; write the identifier out".to_owned();
                note(ProblemKind::NoIdentifier, line, text);
                return None;
            }
            None => match legacy_id(file) {
                Some(id) => (id, 1),
                None => {
                    let text = "there is no `revision = \"…\"` in this file; Alembic refuses the whole folder for it";
                    note(ProblemKind::NoIdentifier, 1, text.to_owned());
                    return None;
                }
            },
        };
        if let Some(bad) = id.chars().find(|c| "@-+".contains(*c)) {
            let text = format!("the identifier \"{id}\" contains \"{bad}\", which Alembic refuses");
            note(ProblemKind::IllegalIdentifier, line, text);
        }
        if module.function("upgrade").is_none() && !module.binds("upgrade") {
            let text = format!("revision {id} has no upgrade(); Alembic cannot run it");
            note(ProblemKind::NoUpgrade, line, text);
        }
        let mut names = |variable: &str| match module.variable(variable).map(|(value, line)| (value.names(), line)) {
            None => Vec::new(),
            Some((Some(names), _)) => names,
            Some((None, line)) => {
                let text = format!("`{variable}` is neither None nor a plain string or tuple of strings; write it out");
                note(ProblemKind::NoIdentifier, line, text);
                Vec::new()
            }
        };
        let (down, depends_on, branch_labels) = (names("down_revision"), names("depends_on"), names("branch_labels"));
        Some(Revision {
            id,
            down,
            depends_on,
            branch_labels,
            message: module.docstring().trim().split("\n\n").next().unwrap_or_default().to_owned(),
            file: file.to_owned(),
            line,
            undo: undo::of(&module),
            findings: lint::findings(&module),
            autocommit: undo::leaves_transaction(&module),
            dropped: lint::dropped(&module),
        })
    }

    /// Where `revision` is.
    pub(crate) fn place(&self) -> Location {
        Location { file: self.file.clone(), line: self.line }
    }
}

/// Files of Alembic 0.1 had their identifier in their name only.
fn legacy_id(file: &Path) -> Option<String> {
    let stem = file.file_name()?.to_str()?.strip_suffix(".py")?;
    (!stem.is_empty() && stem.chars().all(|c| matches!(c, 'a'..='f' | '0'..='9'))).then(|| stem.to_owned())
}
