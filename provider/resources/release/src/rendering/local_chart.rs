//! The content of a chart on this machine, read only when its files are others than those noted.
//!
//! A refresh and a plan of hundreds of releases would otherwise read and digest their charts each time. What is noted is the size,
//! the times and the place of each file; the digest goes with it. Nothing is read on a thread that others wait for.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path as FsPath, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use ffe_helm::chart::{Chart, Source};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::settings::inputs::chart_ref;
use crate::settings::model::Release;

/// A chart of more files than this is read each time.
const MOST: usize = 5000;
/// A file that was changed so shortly ago may change again without its time becoming another.
const YOUNG: Duration = Duration::from_secs(2);

/// What is noted of a chart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct LocalChart {
    /// Digest of its content.
    pub digest: String,
    /// Digest of what its files look like from outside; empty where that says nothing.
    files: String,
}

/// The path of a chart that is on this machine.
pub(crate) fn path(model: &Release) -> Option<PathBuf> {
    match chart_ref(model, None).source(FsPath::new(".")).ok()? {
        Source::Directory(path) | Source::Archive(path) => Some(path),
        _ => None,
    }
}

/// The chart as it is now. `None` where it cannot be read.
pub(crate) async fn read_if_changed(path: PathBuf, noted: LocalChart) -> Option<LocalChart> {
    tokio::task::spawn_blocking(move || now(&path, noted)).await.ok().flatten()
}

fn now(path: &FsPath, noted: LocalChart) -> Option<LocalChart> {
    // Before the content is read: what changes in between is then seen the next time.
    let files = from_outside(path, SystemTime::now()).unwrap_or_default();
    if !files.is_empty() && files == noted.files {
        return Some(noted);
    }
    let known = read_already().lock().unwrap_or_else(PoisonError::into_inner).get(&files).cloned();
    let digest = match known.filter(|_| !files.is_empty()) {
        Some(digest) => digest,
        None => Chart::load(path).ok()?.digest,
    };
    if !files.is_empty() {
        read_already().lock().unwrap_or_else(PoisonError::into_inner).insert(files.clone(), digest.clone());
    }
    Some(LocalChart { digest, files })
}

/// Digests by what the files look like, for the many releases of one chart.
fn read_already() -> &'static Mutex<HashMap<String, String>> {
    static READ: LazyLock<Mutex<HashMap<String, String>>> = LazyLock::new(Mutex::default);
    &READ
}

/// What the files of a chart look like from outside. `None` where one of them cannot be seen, or is too young to tell.
fn from_outside(path: &FsPath, now: SystemTime) -> Option<String> {
    let mut seen = path.display().to_string();
    let mut open = vec![path.to_owned()];
    let mut count = 0;
    while let Some(path) = open.pop() {
        count += 1;
        if count > MOST {
            return None;
        }
        // Of what a link leads to.
        let metadata = std::fs::metadata(&path).ok()?;
        if now.duration_since(metadata.modified().ok()?).is_ok_and(|age| age < YOUNG) {
            return None;
        }
        if metadata.is_dir() {
            let mut entries: Vec<PathBuf> =
                std::fs::read_dir(&path).ok()?.map(|entry| Some(entry.ok()?.path())).collect::<Option<_>>()?;
            entries.sort();
            open.extend(entries);
        }
        let (modified, changed) = (metadata.mtime_nsec(), metadata.ctime_nsec());
        let _ = write!(
            seen,
            "\0{}\0{} {} {} {}.{modified} {}.{changed}",
            path.display(),
            metadata.dev(),
            metadata.ino(),
            metadata.len(),
            metadata.mtime(),
            metadata.ctime(),
        );
    }
    Some(hex::encode(Sha256::digest(seen.as_bytes())))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn write(folder: &FsPath, name: &str, text: &str) {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }

    /// Makes everything look as if it had been there for long.
    fn aged(folder: &FsPath) {
        let long_ago = SystemTime::now() - Duration::from_secs(3600);
        let mut open = vec![folder.to_owned()];
        while let Some(path) = open.pop() {
            if path.is_dir() {
                open.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
            std::fs::File::open(&path).unwrap().set_modified(long_ago).unwrap();
        }
    }

    fn chart() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "Chart.yaml", "apiVersion: v2\nname: one\nversion: 0.1.0\n");
        write(folder.path(), "templates/a.yaml", "a: 1\n");
        aged(folder.path());
        folder
    }

    /// The chart is not read where this comes back.
    fn sign(noted: &LocalChart) -> LocalChart {
        LocalChart { digest: "not read".into(), ..noted.clone() }
    }

    #[test]
    fn what_looks_as_it_did_is_not_read() {
        let folder = chart();
        let noted = now(folder.path(), LocalChart::default()).unwrap();
        assert_eq!(noted.digest, Chart::load(folder.path()).unwrap().digest);
        assert_eq!(now(folder.path(), sign(&noted)), Some(sign(&noted)));
        // Also in a process that has nothing noted.
        assert_eq!(now(folder.path(), LocalChart::default()), Some(noted));
    }

    #[test]
    fn every_way_to_change_a_chart_is_seen() {
        type Edit = fn(&FsPath);
        let edits: [(&str, Edit); 6] = [
            ("another size", |folder| write(folder, "templates/a.yaml", "a: 10\n")),
            ("the same size and time", |folder| write(folder, "templates/a.yaml", "a: 2\n")),
            ("a new file", |folder| write(folder, "templates/b.yaml", "b: 1\n")),
            ("one that is gone", |folder| std::fs::remove_file(folder.join("templates/a.yaml")).unwrap()),
            ("another name", |folder| {
                std::fs::rename(folder.join("templates/a.yaml"), folder.join("templates/c.yaml")).unwrap();
            }),
            ("one put in its place", |folder| {
                write(folder, "new", "a: 3\n");
                std::fs::rename(folder.join("new"), folder.join("templates/a.yaml")).unwrap();
            }),
        ];
        for (what, edit) in edits {
            let folder = chart();
            let noted = now(folder.path(), LocalChart::default()).unwrap();
            edit(folder.path());
            aged(folder.path());
            let found = now(folder.path(), sign(&noted)).unwrap();
            assert_eq!(found.digest, Chart::load(folder.path()).unwrap().digest, "{what}");
            assert_ne!(found.digest, noted.digest, "{what}");
        }
    }

    #[test]
    fn what_was_changed_a_moment_ago_is_read_each_time() {
        let folder = chart();
        write(folder.path(), "templates/a.yaml", "a: 4\n");
        let noted = now(folder.path(), LocalChart::default()).unwrap();
        assert_eq!(noted.files, "");
        assert_eq!(now(folder.path(), sign(&noted)), Some(noted));
    }

    #[test]
    fn an_archive_is_a_chart_too_and_a_link_is_what_it_leads_to() {
        let folder = chart();
        let link = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(folder.path(), link.path().join("chart")).unwrap();
        let noted = now(&link.path().join("chart"), LocalChart::default()).unwrap();
        write(folder.path(), "templates/a.yaml", "a: 5\n");
        assert_ne!(now(&link.path().join("chart"), noted.clone()).unwrap().digest, noted.digest);
        assert_eq!(now(&folder.path().join("no-such.tgz"), noted), None);
    }
}
