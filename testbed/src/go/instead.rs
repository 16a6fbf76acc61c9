//! Packages of ours in the place of a module's own: what nothing here uses, and would be compiled for minutes.
//!
//! They lie in the folder `instead` of a graph, below their import paths. Go overlays no module of its cache, so the
//! module is laid out once more beside that cache (by hard links, without its tests), with our package in it, and a
//! copy of the graph's go.mod says where.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use walkdir::WalkDir;

use super::compiler::Compiler;
use super::module;
use super::versions::module_of;
use crate::files;
use crate::paths::Paths;
use crate::stamp::{Inputs, Stamp};

/// One build at a time lays modules out.
static LAYING_OUT: Mutex<()> = Mutex::new(());

/// Every file of ours below a graph, sorted.
pub(super) fn sources(graph: &Path) -> Result<Vec<PathBuf>> {
    let folder = graph.join("instead");
    let mut all = Vec::new();
    if folder.exists() {
        for entry in WalkDir::new(&folder) {
            let entry = entry.with_context(|| format!("reading {}", folder.display()))?;
            if entry.path().extension().is_some_and(|extension| extension == "go") {
                all.push(entry.into_path());
            }
        }
    }
    all.sort();
    Ok(all)
}

/// The go.mod to build a graph by, when it has packages of ours.
pub(super) fn go_mod(paths: &Paths, compiler: &Compiler, graph: &Path) -> Result<Option<PathBuf>> {
    let sources = sources(graph)?;
    if sources.is_empty() {
        return Ok(None);
    }
    let name = graph.file_name().context("a graph without a name")?;
    let folder = paths.go_sources().join(name);
    let mut inputs = Inputs::default();
    inputs.add("folder", folder.as_os_str().as_encoded_bytes());
    for file in ["go.mod", "go.sum"].map(|file| graph.join(file)).iter().chain(&sources) {
        inputs.add_file(&file.strip_prefix(graph).unwrap_or(file).display().to_string(), file)?;
    }
    let stamp = Stamp::new(folder.with_extension("stamp"), inputs);
    let made = folder.join("go.mod");
    let _alone = LAYING_OUT.lock().unwrap_or_else(PoisonError::into_inner);
    if stamp.note().is_none() || !made.exists() {
        // It is written last and goes first, so that it never stands for half a folder.
        files::remove_file(&made).with_context(|| format!("removing {}", made.display()))?;
        files::remove_folder(&folder)?;
        lay_out(paths, compiler, graph, &sources, &folder)?;
        stamp.write("")?;
    }
    Ok(Some(made))
}

fn lay_out(paths: &Paths, compiler: &Compiler, graph: &Path, sources: &[PathBuf], folder: &Path) -> Result<()> {
    let path = graph.join("go.mod");
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let mut replaced = String::new();
    for ((module, version), ours) in by_module(&text, &graph.join("instead"), sources)? {
        let original = module::folder_of(paths, compiler, graph, &format!("{module}@{version}"))?;
        let copy = folder.join(&module);
        let packages = ours.iter().filter_map(|(below, _)| below.parent().map(Path::to_path_buf)).collect();
        link(&original, &copy, &packages)?;
        for (below, file) in &ours {
            std::fs::copy(file, copy.join(below)).with_context(|| format!("copying {}", file.display()))?;
        }
        replaced.push_str(&format!("\nreplace {module} => {:?}\n", copy.display().to_string()));
    }
    let sums = graph.join("go.sum");
    std::fs::copy(&sums, folder.join("go.sum")).with_context(|| format!("copying {}", sums.display()))?;
    files::write_atomically(&folder.join("go.mod"), (text + &replaced).as_bytes(), 0o644)
}

/// A module's path and version.
type Pinned = (String, String);
/// A file's path in its module, and where it lies.
type Ours = (PathBuf, PathBuf);

fn by_module(go_mod: &str, instead: &Path, sources: &[PathBuf]) -> Result<BTreeMap<Pinned, Vec<Ours>>> {
    let mut all: BTreeMap<Pinned, Vec<Ours>> = BTreeMap::new();
    for source in sources {
        let below = source.strip_prefix(instead).context("a source outside of its folder")?;
        let package = below.parent().and_then(Path::to_str).unwrap_or_default();
        let pinned = module_of(go_mod, package).with_context(|| format!("go.mod requires no module of {package}"))?;
        let in_module = below.strip_prefix(&pinned.0).context("a package outside of its module")?.to_path_buf();
        all.entry(pinned).or_default().push((in_module, source.clone()));
    }
    Ok(all)
}

/// Every file of a module but its tests and the sources of some packages.
fn link(original: &Path, copy: &Path, without: &BTreeSet<PathBuf>) -> Result<()> {
    for entry in WalkDir::new(original) {
        let entry = entry.with_context(|| format!("reading {}", original.display()))?;
        let below = entry.path().strip_prefix(original).context("a file outside of its folder")?;
        let target = copy.join(below);
        let name = entry.file_name().to_string_lossy();
        if entry.file_type().is_dir() {
            std::fs::create_dir_all(&target).with_context(|| format!("folder {}", target.display()))?;
        } else if !(name.ends_with("_test.go")
            || name.ends_with(".go") && below.parent().is_some_and(|package| without.contains(package)))
        {
            files::link(entry.path(), &target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn write(path: &Path, text: &str) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn a_package_is_found_in_its_module() {
        let instead = Path::new("/g/instead");
        let sources = [PathBuf::from("/g/instead/a.io/a/v4/dns/ours.go")];
        let found = by_module("require a.io/a/v4 v4.1.0\n", instead, &sources).unwrap();
        let wanted = (("a.io/a/v4".to_owned(), "v4.1.0".to_owned()), vec![("dns/ours.go".into(), sources[0].clone())]);
        assert_eq!(found.into_iter().collect::<Vec<_>>(), [wanted]);
        let error = by_module("require b.io/b v1.0.0\n", instead, &sources).unwrap_err().to_string();
        assert!(error.contains("a.io/a/v4/dns"), "{error}");
    }

    #[test]
    fn a_module_is_laid_out_without_its_tests_and_without_what_ours_stands_for() {
        let folder = tempfile::tempdir().unwrap();
        let (original, copy) = (folder.path().join("o"), folder.path().join("c"));
        for file in ["go.mod", "a.go", "a_test.go", "dns/all.go", "dns/zz.go", "dns/names.txt", "dns/one/one.go"] {
            write(&original.join(file), file);
        }
        link(&original, &copy, &BTreeSet::from([PathBuf::from("dns")])).unwrap();
        let there = |file: &str| copy.join(file).exists();
        for file in ["go.mod", "a.go", "dns/names.txt", "dns/one/one.go"] {
            assert!(there(file), "{file}");
        }
        for file in ["a_test.go", "dns/all.go", "dns/zz.go"] {
            assert!(!there(file), "{file}");
        }
    }
}
