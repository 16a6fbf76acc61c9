//! The private directory of one run: Helm's caches and configuration, and nothing of the user's.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

const PREFIX: &str = "ffe-helm-";

/// A directory that only we can read, removed at the end.
#[derive(Debug)]
pub(super) struct RunDirectory(TempDir);

impl RunDirectory {
    /// Makes one, and removes what killed runs of ours left behind.
    pub(super) fn new() -> std::io::Result<Self> {
        let parent = std::env::temp_dir();
        sweep(&parent);
        Self::below(&parent)
    }

    fn below(parent: &Path) -> std::io::Result<Self> {
        use std::os::unix::fs::PermissionsExt;
        let mut builder = tempfile::Builder::new();
        let prefix = format!("{PREFIX}{}-", std::process::id());
        builder.prefix(&prefix).permissions(std::fs::Permissions::from_mode(0o700));
        builder.tempdir_in(parent).map(Self)
    }

    /// A new directory below it, which goes before it does.
    pub(super) fn folder(&self, prefix: &str) -> std::io::Result<TempDir> {
        tempfile::Builder::new().prefix(prefix).tempdir_in(self.0.path())
    }

    /// A directory below it.
    pub(super) fn join(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// Removes directories of processes that are gone. Failing to is no harm.
fn sweep(parent: &Path) {
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let process =
            name.to_str().and_then(|n| n.strip_prefix(PREFIX)).and_then(|n| n.split('-').next()?.parse().ok());
        if process.is_some_and(|id| is_gone(id) && is_ours(&entry)) {
            drop(std::fs::remove_dir_all(entry.path()));
        }
    }
}

fn is_gone(process: i32) -> bool {
    use rustix::process::{Pid, test_kill_process};
    // Only "no such process" means gone; a process of somebody else's is there too.
    Pid::from_raw(process).is_some_and(|pid| test_kill_process(pid) == Err(rustix::io::Errno::SRCH))
}

fn is_ours(entry: &std::fs::DirEntry) -> bool {
    use std::os::unix::fs::MetadataExt;
    // Of the entry itself: a link is not followed.
    entry.metadata().is_ok_and(|m| m.is_dir() && m.uid() == rustix::process::geteuid().as_raw())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn it_is_private_and_goes_away() {
        let parent = tempfile::tempdir().unwrap();
        let run = RunDirectory::below(parent.path()).unwrap();
        let path = run.join("");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        drop(run);
        assert!(!path.exists());
    }

    #[test]
    fn what_killed_runs_left_is_swept_and_nothing_else() {
        let parent = tempfile::tempdir().unwrap();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        let make = |name: String| {
            let path = parent.path().join(name);
            std::fs::create_dir(&path).unwrap();
            path
        };
        let dead = make(format!("{PREFIX}{}-abc", child.id()));
        let alive = make(format!("{PREFIX}{}-abc", std::process::id()));
        let other = make("other".into());
        std::fs::write(dead.join("secret"), "x").unwrap();
        sweep(parent.path());
        assert!(!dead.exists() && alive.exists() && other.exists());
    }
}
