//! The folder: which files count, and what they are together.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    GraphError, Location, Problem, ProblemKind, Revision,
    graph::{self, Graph},
};

/// Below the folder that was given; the first that exists is taken when the folder itself has no revision files.
const INSIDE: [&str; 3] = ["versions", "alembic/versions", "migrations/versions"];

/// The revision files of one folder.
#[derive(Clone, Debug)]
pub struct Scripts {
    folder: PathBuf,
    revisions: Vec<Revision>,
    problems: Vec<Problem>,
}

/// Why a folder could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ScriptsError {
    /// There is nothing there that could be revision files.
    #[error(
        "no Alembic revision files in {folder}: looked for .py files in {}; give the folder that holds the revision files, usually alembic/versions",
        looked_for.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", "),
        folder = folder.display()
    )]
    NotFound {
        /// The folder that was given.
        folder: PathBuf,
        /// The folders that were looked into.
        looked_for: Vec<PathBuf>,
    },
    /// The folder or a file in it cannot be read.
    #[error("cannot read {}", path.display())]
    Io {
        /// What was read.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

impl Scripts {
    /// Reads the `.py` files of `folder`, or of the `versions` folder in it, as Alembic does: not those in folders
    /// below, nor `__init__.py`. An empty `versions` folder is a project without revisions, not an error.
    ///
    /// # Errors
    /// When there is no such folder or a file cannot be read. Files that make no sense are [`Self::problems`].
    pub fn read(folder: &Path) -> Result<Scripts, ScriptsError> {
        let inside = INSIDE.iter().map(|inside| folder.join(inside)).find(|path| path.is_dir());
        let chosen = inside.as_deref().unwrap_or(folder);
        let not_found = || {
            let inside = INSIDE.iter().map(|inside| folder.join(inside));
            let looked_for = std::iter::once(folder.to_owned()).chain(inside).collect();
            ScriptsError::NotFound { folder: folder.to_owned(), looked_for }
        };
        let failed = |path: &Path, source| ScriptsError::Io { path: path.to_owned(), source };
        let files = match revision_files(chosen) {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Err(not_found());
            }
            files => files.map_err(|error| failed(chosen, error))?,
        };
        let mut sources = Vec::with_capacity(files.len());
        for file in files {
            let bytes = fs::read(&file).map_err(|error| failed(&file, error))?;
            sources.push((file, String::from_utf8_lossy(&bytes).into_owned()));
        }
        let scripts = Scripts { folder: chosen.to_owned(), ..Scripts::from_sources(sources) };
        // Any folder of Python files is not yet a project without revisions.
        if scripts.revisions.is_empty() && !chosen.ends_with("versions") {
            return Err(not_found());
        }
        Ok(scripts)
    }

    /// The same from texts, without a folder. They are taken in the order given, which is the order of branches that
    /// do not depend on each other.
    pub fn from_sources(sources: impl IntoIterator<Item = (PathBuf, String)>) -> Scripts {
        let mut problems = Vec::new();
        let revisions = sources
            .into_iter()
            .filter_map(|(file, text)| {
                let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
                Revision::read(&file, text, &mut problems)
            })
            .collect();
        Scripts { folder: PathBuf::new(), revisions, problems }
    }

    /// The folder that the files are in.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// All revisions, by file name. One whose identifier cannot be known is missing here and among the problems.
    pub fn revisions(&self) -> &[Revision] {
        &self.revisions
    }

    /// The revision with exactly this identifier.
    pub fn revision(&self, id: &str) -> Option<&Revision> {
        self.revisions.iter().rev().find(|revision| revision.id == id)
    }

    /// Revisions that no other has as its parent, by file name.
    pub fn heads(&self) -> Vec<&str> {
        graph::heads(&self.revisions).into_iter().map(|revision| revision.id.as_str()).collect()
    }

    /// What an upgrade from `current` (the rows of `alembic_version`; none before the first migration) to `target`
    /// would run, in the order in which Alembic would run it. Empty when nothing is left to do, and when the target
    /// lies behind the database: an upgrade never goes back.
    ///
    /// `target` is anything that `alembic upgrade` takes: `head`, `heads`, an identifier or the beginning of one (four
    /// characters), a branch label, `label@head`, `+2`, `identifier+2`. Branches that do not depend on each other come
    /// in the order of file names; Alembic takes them as the file system lists them.
    ///
    /// # Errors
    /// When Alembic would refuse: an unknown or ambiguous target, a database that is at a revision that these files do
    /// not have, a graph that is broken.
    pub fn pending(&self, current: &[String], target: &str) -> Result<Vec<&Revision>, GraphError> {
        Graph::new(&self.revisions)?.pending(current, target)
    }

    /// What a way back from `current` (the rows of `alembic_version`) to `base` (the rows that were there before) would undo, in its
    /// order.
    ///
    /// # Errors
    /// When the database does not stand on the base, either is at a revision that these files do not have, or the graph is
    /// broken.
    pub fn undone(&self, current: &[String], base: &[String]) -> Result<Vec<&Revision>, GraphError> {
        Graph::new(&self.revisions)?.undone(current, base)
    }

    /// The revisions that a target of [`Self::pending`] means, wherever the database stands; none for `base`.
    ///
    /// # Errors
    /// When the target is unknown or ambiguous, or counts steps from where the database stands.
    pub fn aim(&self, target: &str) -> Result<Vec<String>, GraphError> {
        let graph = Graph::new(&self.revisions)?;
        if target.starts_with('+') {
            return Err(GraphError::TooFar { target: target.to_owned() });
        }
        Ok(graph.ids(&graph.targets(&[], target)?))
    }

    /// What is wrong with the files, those of single files first.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = self.problems.clone();
        problems.extend(graph::problems(&self.revisions));
        problems
    }
}

/// The files that Alembic would load, by name.
fn revision_files(folder: &Path) -> Result<Vec<PathBuf>, io::Error> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if name.ends_with(".py") && !name.starts_with("__init__") && !name.starts_with(".#") && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

impl From<&Revision> for Location {
    fn from(revision: &Revision) -> Location {
        revision.place()
    }
}

pub(crate) fn problem(kind: ProblemKind, of: &[&Revision], text: String) -> Problem {
    Problem { kind, places: of.iter().map(|revision| Location::from(*revision)).collect(), text }
}
