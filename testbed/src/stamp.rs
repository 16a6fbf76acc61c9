//! Knowing whether something made earlier was made of the same things.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::files;

/// A digest of everything that goes into making something.
#[derive(Default)]
pub(crate) struct Inputs {
    hash: Sha256,
}

impl Inputs {
    /// One named input; order matters, and neighbours cannot run into each other.
    pub(crate) fn add(&mut self, name: &str, contents: &[u8]) -> &mut Self {
        for part in [name.as_bytes(), contents] {
            self.hash.update((part.len() as u64).to_le_bytes());
            self.hash.update(part);
        }
        self
    }

    /// A file under the given name.
    pub(crate) fn add_file(&mut self, name: &str, path: &Path) -> Result<&mut Self> {
        let contents = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        Ok(self.add(name, &contents))
    }

    pub(crate) fn digest(self) -> String {
        hex::encode(self.hash.finalize())
    }
}

/// The file that says of which inputs something was made, and what came of it.
pub(crate) struct Stamp {
    path: PathBuf,
    digest: String,
}

impl Stamp {
    pub(crate) fn new(path: PathBuf, inputs: Inputs) -> Self {
        Self { path, digest: inputs.digest() }
    }

    /// What was noted when it was made of just these inputs; nothing when it was not.
    pub(crate) fn note(&self) -> Option<String> {
        let text = std::fs::read_to_string(&self.path).ok()?;
        let (digest, note) = text.split_once('\n').unwrap_or((&text, ""));
        (digest == self.digest).then(|| note.trim_end().to_owned())
    }

    /// To be written last, when what was made is in its place.
    pub(crate) fn write(&self, note: &str) -> Result<()> {
        files::write_atomically(&self.path, format!("{}\n{note}\n", self.digest).as_bytes(), 0o644)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn inputs(of: &[(&str, &str)]) -> Inputs {
        let mut inputs = Inputs::default();
        for (name, contents) in of {
            inputs.add(name, contents.as_bytes());
        }
        inputs
    }

    #[test]
    fn a_stamp_holds_for_its_inputs_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stamps/helm");
        let stamp = Stamp::new(path.clone(), inputs(&[("go.mod", "a")]));
        assert_eq!(stamp.note(), None);
        stamp.write("sha256:1").unwrap();
        assert_eq!(stamp.note().as_deref(), Some("sha256:1"));
        assert_eq!(Stamp::new(path, inputs(&[("go.mod", "b")])).note(), None);
    }

    #[test]
    fn inputs_do_not_run_into_each_other() {
        let all = [
            inputs(&[("a", "bc")]),
            inputs(&[("ab", "c")]),
            inputs(&[("a", "b"), ("c", "")]),
            inputs(&[("c", ""), ("a", "b")]),
        ];
        let digests: std::collections::BTreeSet<_> = all.into_iter().map(Inputs::digest).collect();
        assert_eq!(digests.len(), 4);
    }
}
