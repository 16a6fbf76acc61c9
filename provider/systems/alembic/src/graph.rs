//! The graph of revisions, by the rules of Alembic's `RevisionMap`.

mod order;
mod problems;
mod target;

use std::collections::{BTreeSet, HashMap};

use crate::Revision;

pub(crate) use problems::problems;

/// Why there is no answer to what would run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// `head` with several heads.
    #[error(
        "there are several heads ({}), so \"head\" means none of them; join them with `alembic merge heads`, or set the target to \"heads\" or to one revision",
        heads.join(", ")
    )]
    SeveralHeads {
        /// All of them.
        heads: Vec<String>,
    },
    /// The database is ahead of these files, or beside them.
    #[error(
        "the database is at {}, which these files do not have: it is ahead of them or on another branch; use the files of the version that migrated it",
        revisions.join(", ")
    )]
    UnknownCurrent {
        /// Those rows of `alembic_version` that no file has.
        revisions: Vec<String>,
    },
    /// The database claims a revision and one that it descends from.
    #[error("the database is at {revision} and also at {}, which belongs to the same line; alembic_version has a row too many", others.join(", "))]
    Overlap {
        /// One of them.
        revision: String,
        /// The others.
        others: Vec<String>,
    },
    /// A target of several revisions, one of which depends on another.
    #[error("\"{target}\" means {revision} and also {}, which it depends on; Alembic refuses that: name the revision instead", others.join(", "))]
    TargetsOverlap {
        /// As it was given.
        target: String,
        /// One of them.
        revision: String,
        /// Those that it depends on.
        others: Vec<String>,
    },
    /// No revision or branch of that name.
    #[error("there is no revision or branch \"{target}\"{}", if target.chars().count() < 4 { "; the beginning of an identifier needs four characters at least" } else { "" })]
    UnknownTarget {
        /// As it was given.
        target: String,
    },
    /// Several revisions begin so.
    #[error("several revisions begin with \"{target}\": {}; write the identifier out", candidates.join(", "))]
    AmbiguousTarget {
        /// As it was given.
        target: String,
        /// Those that begin so.
        candidates: Vec<String>,
    },
    /// A revision that is not on the branch that was named.
    #[error("revision {revision} is not on the branch \"{branch}\"")]
    NotOnBranch {
        /// The revision.
        revision: String,
        /// The branch.
        branch: String,
    },
    /// The database is not ahead of where it should go back to.
    #[error(
        "the database, which is at {}, does not stand on {}: it is behind it or on another branch, so there is no way back to it",
        current.join(", "), base.join(", ")
    )]
    NotBehind {
        /// The rows of `alembic_version`.
        current: Vec<String>,
        /// What should be gone back to and the database does not stand on.
        base: Vec<String>,
    },
    /// A relative target past the end.
    #[error("there are not as many revisions as \"{target}\" asks for")]
    TooFar {
        /// As it was given.
        target: String,
    },
    /// A relative target where the line forks.
    #[error("\"{target}\" could be any of {}; name the revision or the branch", candidates.join(", "))]
    AmbiguousStep {
        /// As it was given.
        target: String,
        /// Where it could lead.
        candidates: Vec<String>,
    },
    /// A parent or dependency that no file has.
    #[error(
        "revision {revision} comes after {parent}, which no file has; a file is missing from the folder, or was renamed"
    )]
    MissingParent {
        /// The revision.
        revision: String,
        /// What it names.
        parent: String,
    },
    /// Revisions that come after themselves.
    #[error("revisions {} come after themselves", revisions.join(", "))]
    Cycle {
        /// Those on the cycle or cut off by it.
        revisions: Vec<String>,
    },
}

/// Indices of revisions, in the order of files.
pub(crate) type Set = BTreeSet<usize>;

/// Revisions by index, linked both ways.
pub(crate) struct Graph<'r> {
    pub(crate) revisions: Vec<&'r Revision>,
    /// Identifiers and branch labels.
    pub(crate) by_name: HashMap<&'r str, usize>,
    /// `down_revision`.
    pub(crate) down: Vec<Vec<usize>>,
    /// `down_revision` and `depends_on`.
    pub(crate) down_all: Vec<Vec<usize>>,
    /// The same without dependencies that an ancestor has already.
    pub(crate) down_normalized: Vec<Vec<usize>>,
    pub(crate) next: Vec<Vec<usize>>,
    pub(crate) next_all: Vec<Vec<usize>>,
}

impl<'r> Graph<'r> {
    /// Links the revisions.
    ///
    /// # Errors
    /// Missing parents and cycles.
    pub(crate) fn new(all: &'r [Revision]) -> Result<Graph<'r>, GraphError> {
        // Of two files with one identifier Alembic takes the later, in the place of the earlier.
        let mut by_name: HashMap<&str, usize> = HashMap::new();
        let mut revisions: Vec<&Revision> = Vec::new();
        for revision in all {
            match by_name.get(revision.id.as_str()) {
                Some(index) => revisions[*index] = revision,
                None => {
                    by_name.insert(&revision.id, revisions.len());
                    revisions.push(revision);
                }
            }
        }
        for (index, revision) in revisions.iter().enumerate() {
            for label in &revision.branch_labels {
                by_name.entry(label).or_insert(index);
            }
        }
        let count = revisions.len();
        let mut graph = Graph {
            by_name,
            down: Vec::with_capacity(count),
            down_all: Vec::with_capacity(count),
            down_normalized: Vec::with_capacity(count),
            next: vec![Vec::new(); count],
            next_all: vec![Vec::new(); count],
            revisions,
        };
        let mut depends = Vec::with_capacity(count);
        for index in 0..count {
            let revision = graph.revisions[index];
            let down = graph.linked(revision, &revision.down)?;
            let dependencies = graph.linked(revision, &revision.depends_on)?;
            for parent in &down {
                push_once(&mut graph.next[*parent], index);
            }
            for parent in down.iter().chain(&dependencies) {
                push_once(&mut graph.next_all[*parent], index);
            }
            graph.down_all.push(joined(&down, &dependencies));
            graph.down.push(down);
            depends.push(dependencies);
        }
        for index in 0..count {
            let mut own = depends[index].clone();
            if !own.is_empty() {
                for ancestor in related(&graph.down, [index]) {
                    if ancestor != index {
                        own.retain(|dependency| !depends[ancestor].contains(dependency));
                    }
                }
            }
            let normalized = joined(&graph.down[index], &own);
            graph.down_normalized.push(normalized);
        }
        graph.acyclic()?;
        Ok(graph)
    }

    fn linked(&self, revision: &Revision, names: &[String]) -> Result<Vec<usize>, GraphError> {
        let mut found = Vec::with_capacity(names.len());
        for name in names {
            match self.by_name.get(name.as_str()) {
                Some(index) => push_once(&mut found, *index),
                None => return Err(GraphError::MissingParent { revision: revision.id.clone(), parent: name.clone() }),
            }
        }
        Ok(found)
    }

    /// Every revision must be reached from a base upwards; what is not is on a cycle or above one.
    fn acyclic(&self) -> Result<(), GraphError> {
        let mut waiting: Vec<usize> = self.down_all.iter().map(Vec::len).collect();
        let mut ready: Vec<usize> = (0..waiting.len()).filter(|index| waiting[*index] == 0).collect();
        let mut reached = 0;
        while let Some(index) = ready.pop() {
            reached += 1;
            for next in &self.next_all[index] {
                waiting[*next] -= 1;
                if waiting[*next] == 0 {
                    ready.push(*next);
                }
            }
        }
        if reached == waiting.len() {
            return Ok(());
        }
        // Those above a cycle are not on it: they go, from the top down.
        let mut left: Set = (0..waiting.len()).filter(|index| waiting[*index] > 0).collect();
        while let Some(top) = left.iter().copied().find(|index| !self.next_all[*index].iter().any(|n| left.contains(n)))
        {
            left.remove(&top);
        }
        Err(GraphError::Cycle { revisions: left.iter().map(|index| self.revisions[*index].id.clone()).collect() })
    }

    /// Revisions without a successor; `real` counts those that depend on one as its successors.
    pub(crate) fn heads(&self, real: bool) -> Vec<usize> {
        let next = if real { &self.next_all } else { &self.next };
        (0..next.len()).filter(|index| next[*index].is_empty()).collect()
    }

    pub(crate) fn ids(&self, indices: &[usize]) -> Vec<String> {
        indices.iter().map(|index| self.revisions[*index].id.clone()).collect()
    }
}

/// Everything that the links lead to, the start included.
pub(crate) fn related(links: &[Vec<usize>], start: impl IntoIterator<Item = usize>) -> Set {
    let mut todo: Vec<usize> = start.into_iter().collect();
    let mut seen = Set::new();
    while let Some(index) = todo.pop() {
        if seen.insert(index) {
            todo.extend(&links[index]);
        }
    }
    seen
}

/// Revisions that none names as its parent, even where the graph is broken.
pub(crate) fn heads(revisions: &[Revision]) -> Vec<&Revision> {
    let parents: BTreeSet<&str> = revisions.iter().flat_map(|one| &one.down).map(String::as_str).collect();
    let labels = |one: &Revision| one.branch_labels.iter().any(|label| parents.contains(label.as_str()));
    let mut heads: Vec<&Revision> = Vec::new();
    for revision in revisions {
        let known = heads.iter().any(|head| head.id == revision.id);
        if !known && !parents.contains(revision.id.as_str()) && !labels(revision) {
            heads.push(revision);
        }
    }
    heads
}

fn push_once(list: &mut Vec<usize>, index: usize) {
    if !list.contains(&index) {
        list.push(index);
    }
}

fn joined(first: &[usize], second: &[usize]) -> Vec<usize> {
    let mut all = first.to_vec();
    second.iter().for_each(|index| push_once(&mut all, *index));
    all
}
