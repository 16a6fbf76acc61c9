//! A chart's files, from a directory or an archive, as Helm loads them; and their digest.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};

use super::ChartError;
use super::ignore::Rules;

/// Helm's own limits on a chart.
const MAX_CHART: u64 = 100 << 20;
const MAX_FILE: u64 = 5 << 20;
const BOM: &[u8] = &[0xEF, 0xBB, 0xBF];

/// Path (relative, with `/`) → content.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

/// Loads a directory, honouring its `.helmignore`. Symbolic links are followed, as Helm does.
pub(super) fn from_directory(root: &Path) -> Result<Files, ChartError> {
    let unreadable = |what: &Path, problem: String| ChartError::Unreadable { path: what.to_owned(), problem };
    let ignore_file = root.join(".helmignore");
    let rules = match std::fs::read_to_string(&ignore_file) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(unreadable(&ignore_file, e.to_string())),
    };
    let rules = Rules::parse(&rules).map_err(|problem| unreadable(&ignore_file, problem))?;
    let relative = |path: &Path| {
        let parts = path.strip_prefix(root).unwrap_or(path).components();
        parts.map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
    };
    let mut files = Files::new();
    let mut budget = MAX_CHART;
    let walk = walkdir::WalkDir::new(root).follow_links(true).min_depth(1).into_iter();
    for entry in walk.filter_entry(|e| !rules.ignores(&relative(e.path()), e.file_type().is_dir())) {
        let entry = entry.map_err(|e| {
            let path = e.path().unwrap_or(root).to_owned();
            unreadable(&path, e.into_io_error().map_or_else(|| "a loop of symbolic links".into(), |e| e.to_string()))
        })?;
        if entry.file_type().is_dir() {
            continue;
        }
        if !entry.file_type().is_file() {
            return Err(unreadable(entry.path(), "neither a file nor a directory, which Helm refuses".into()));
        }
        let file = std::fs::File::open(entry.path()).map_err(|e| unreadable(entry.path(), e.to_string()))?;
        let content = bounded(file, &mut budget).map_err(|problem| unreadable(entry.path(), problem))?;
        files.insert(relative(entry.path()), content);
    }
    Ok(files)
}

/// Loads an archive (`.tgz`). The one directory on top is taken off; `.helmignore` has no say in archives.
pub(super) fn from_archive(path: &Path) -> Result<Files, ChartError> {
    let unreadable = |problem: String| ChartError::Unreadable { path: path.to_owned(), problem };
    let file = std::fs::File::open(path).map_err(|e| unreadable(e.to_string()))?;
    read_archive(file).map_err(unreadable)
}

/// The same from any reader; for archives inside a chart's `charts/`.
pub(super) fn read_archive(reader: impl Read) -> Result<Files, String> {
    let no_archive = |e: std::io::Error| format!("not a chart archive (.tgz): {e}");
    let mut archive = tar::Archive::new(GzDecoder::new(reader));
    let mut files = Files::new();
    let mut budget = MAX_CHART;
    for entry in archive.entries().map_err(no_archive)? {
        let entry = entry.map_err(no_archive)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = entry.path().map_err(no_archive)?.to_string_lossy().replace('\\', "/");
        let Some((_, inner)) = name.split_once('/') else {
            return Err("chart illegally contains content outside the base directory".into());
        };
        if inner.is_empty() || inner.starts_with('/') || inner.split('/').any(|part| part == "..") {
            return Err("chart illegally references parent directory".into());
        }
        let inner = inner.to_owned();
        let content = bounded(entry, &mut budget)?;
        files.insert(inner, content);
    }
    if files.is_empty() {
        return Err("no files in chart archive".into());
    }
    Ok(files)
}

fn bounded(reader: impl Read, budget: &mut u64) -> Result<Vec<u8>, String> {
    let mut content = Vec::new();
    let limit = MAX_FILE.min(*budget);
    let read = reader.take(limit + 1).read_to_end(&mut content).map_err(|e| e.to_string())? as u64;
    if read > limit {
        return Err(if limit == MAX_FILE {
            format!("larger than {MAX_FILE} bytes, which Helm refuses")
        } else {
            format!("the chart is larger than {MAX_CHART} bytes, which Helm refuses")
        });
    }
    *budget -= read;
    if content.starts_with(BOM) {
        content.drain(..BOM.len());
    }
    Ok(content)
}

/// `sha256:…` over sorted paths and contents: the same for a directory and for an archive of the same files, whatever
/// their times, owners and modes.
pub(super) fn digest(files: &Files) -> String {
    let mut hash = Sha256::new();
    for (path, content) in files {
        // Lengths keep "a" + "bc" apart from "ab" + "c".
        for part in [path.as_bytes(), content] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
    }
    format!("sha256:{}", hex::encode(hash.finalize()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use flate2::{Compression, write::GzEncoder};

    fn archive(files: &[(&str, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (path, content) in files {
            let mut header = tar::Header::new_gnu();
            // Written raw: the builder itself refuses paths that a hostile archive has.
            header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            builder.append(&header, content.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap().finish().unwrap()
    }

    #[test]
    fn a_directory_and_its_archive_have_one_digest() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("templates")).unwrap();
        std::fs::write(dir.path().join("Chart.yaml"), "\u{feff}name: x\n").unwrap();
        std::fs::write(dir.path().join("templates/a.yaml"), "a: 1\n").unwrap();
        let directory = from_directory(dir.path()).unwrap();
        let packed =
            read_archive(&*archive(&[("x/templates/a.yaml", "a: 1\n"), ("x/Chart.yaml", "name: x\n")])).unwrap();
        assert_eq!(directory, packed);
        assert_eq!(digest(&directory), digest(&packed));
    }

    #[test]
    fn every_edit_shows_and_ignored_files_do_not() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        write("Chart.yaml", "name: x\n");
        write(".helmignore", "*.swp\nlocal/\n");
        let first = digest(&from_directory(dir.path()).unwrap());
        write("x.swp", "editor\n");
        std::fs::create_dir(dir.path().join("local")).unwrap();
        write("local/notes.txt", "mine\n");
        assert_eq!(digest(&from_directory(dir.path()).unwrap()), first);
        write("Chart.yaml", "name: y\n");
        let edited = digest(&from_directory(dir.path()).unwrap());
        assert_ne!(edited, first);
        std::fs::rename(dir.path().join("Chart.yaml"), dir.path().join("chart.yaml")).unwrap();
        assert_ne!(digest(&from_directory(dir.path()).unwrap()), edited);
    }

    #[test]
    fn hostile_archives_are_refused() {
        assert!(read_archive(&*archive(&[("x/../../etc/passwd", "x")])).unwrap_err().contains("parent directory"));
        assert!(read_archive(&*archive(&[("Chart.yaml", "x")])).unwrap_err().contains("outside the base"));
        assert!(read_archive(&*archive(&[])).unwrap_err().contains("no files"));
        assert!(read_archive(&b"no archive"[..]).unwrap_err().contains("not a chart archive"));
        let bomb = "x".repeat(usize::try_from(MAX_FILE).unwrap() + 1);
        assert!(read_archive(&*archive(&[("x/big", &bomb)])).unwrap_err().contains("larger than"));
    }

    #[test]
    fn links_are_followed_and_loops_refused() {
        let dir = tempfile::tempdir().unwrap();
        let shared = tempfile::tempdir().unwrap();
        std::fs::write(shared.path().join("a.yaml"), "a: 1\n").unwrap();
        std::os::unix::fs::symlink(shared.path(), dir.path().join("templates")).unwrap();
        assert!(from_directory(dir.path()).unwrap().contains_key("templates/a.yaml"));
        std::os::unix::fs::symlink(dir.path(), dir.path().join("loop")).unwrap();
        assert!(from_directory(dir.path()).unwrap_err().to_string().contains("loop"));
    }
}
