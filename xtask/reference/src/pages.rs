//! Pages on disk against the pages that there should be.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use anyhow::{Context as _, Result};
use tfplugin::docs::Page;

/// Folders of `docs/` in which every page is written by this program.
const OURS: [&str; 4] = ["resources", "data-sources", "ephemeral-resources", "functions"];

/// What is to be done with one page.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is missing or has another text.
    Write(Page),
    /// Nothing of that name is in the schemas any more.
    Remove(String),
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Write(page) => write!(f, "docs/{}: to be written", page.path),
            Change::Remove(path) => write!(f, "docs/{path}: to be removed", path = path),
        }
    }
}

/// What differs.
pub(crate) fn changes(docs: &Path, wanted: &[Page]) -> Result<Vec<Change>> {
    let mut changes = Vec::new();
    for page in wanted {
        let path = docs.join(&page.path);
        let there = if path.exists() {
            Some(std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?)
        } else {
            None
        };
        if there.as_ref() != Some(&page.text) {
            changes.push(Change::Write(page.clone()));
        }
    }
    let names: BTreeSet<&str> = wanted.iter().map(|page| page.path.as_str()).collect();
    for folder in OURS {
        let Ok(entries) = std::fs::read_dir(docs.join(folder)) else { continue };
        let paths = entries.flatten().map(|entry| format!("{folder}/{}", entry.file_name().to_string_lossy()));
        changes.extend(paths.filter(|path| !names.contains(path.as_str())).map(Change::Remove));
    }
    Ok(changes)
}

impl Change {
    /// Does it.
    pub(crate) fn make(&self, docs: &Path) -> Result<()> {
        match self {
            Change::Write(page) => {
                let path = docs.join(&page.path);
                if let Some(folder) = path.parent() {
                    std::fs::create_dir_all(folder).with_context(|| format!("folder {}", folder.display()))?;
                }
                std::fs::write(&path, &page.text).with_context(|| format!("writing {}", path.display()))
            }
            Change::Remove(path) => {
                let path = docs.join(path);
                std::fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_is_made_is_not_to_be_done_again_and_what_is_gone_is_removed() {
        let docs = tempfile::tempdir().unwrap();
        let page = |path: &str, text: &str| Page { path: path.to_owned(), text: text.to_owned() };
        let first = [page("index.md", "one"), page("resources/thing.md", "two")];
        let changes = super::changes(docs.path(), &first).unwrap();
        assert_eq!(changes.len(), 2);
        changes.iter().try_for_each(|change| change.make(docs.path())).unwrap();
        assert_eq!(super::changes(docs.path(), &first).unwrap(), []);

        std::fs::write(docs.path().join("architecture.md"), "written by hand").unwrap();
        let second = [page("index.md", "other")];
        let changes = super::changes(docs.path(), &second).unwrap();
        let expected = [Change::Write(page("index.md", "other")), Change::Remove("resources/thing.md".to_owned())];
        assert_eq!(changes, expected);
    }
}
