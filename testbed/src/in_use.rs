//! Who works with the running testbed, so that nobody stops it under another.
//!
//! Every user holds the same lock together with the others; whoever stops the testbed holds it alone. One that started it and ends
//! before the others leaves a mark: then the last of them stops it.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

/// Held by whoever works with the running testbed. The kernel lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub struct InUse {
    file: File,
    path: PathBuf,
}

/// Held while the testbed is stopped.
#[derive(Debug)]
pub(crate) struct Alone(#[expect(dead_code, reason = "held, and let go of when it is dropped")] File);

impl InUse {
    /// Uses it, together with others.
    pub(crate) fn join(path: &Path) -> Result<InUse> {
        let file = open(path)?;
        file.lock_shared().with_context(|| format!("lock file {}", path.display()))?;
        Ok(InUse { file, path: path.to_path_buf() })
    }

    /// The testbed is to go on running after this user, also if an earlier one wanted it stopped.
    ///
    /// # Errors
    /// When the mark of the earlier one cannot be removed.
    pub fn leave_running(&self) -> Result<()> {
        self.file.set_len(0).with_context(|| format!("lock file {}", self.path.display()))
    }

    /// Ends the use. Whether the testbed is to be stopped now: when `started`, this user has started it; or when an earlier
    /// user has, who ended before. `None` when it is not, or others still use it: the last of them stops it.
    pub(crate) fn end(self, started: bool) -> Result<Option<Alone>> {
        let InUse { file, path } = self;
        if started {
            // Before it is let go of: whoever lets go of it later sees the mark.
            std::fs::write(&path, "stop").with_context(|| format!("lock file {}", path.display()))?;
        }
        drop(file);
        let marked = std::fs::read(&path).with_context(|| format!("lock file {}", path.display()))?;
        if marked.is_empty() { Ok(None) } else { Alone::try_take(&path) }
    }
}

impl Alone {
    /// The only one, or an error that says what to do.
    pub(crate) fn take(path: &Path) -> Result<Alone> {
        match Alone::try_take(path)? {
            Some(alone) => Ok(alone),
            None => bail!(
                "the testbed is not stopped: another command works with it (`cargo xtask test`, `demo` or `bench`). Wait for its \
                 end, or end it"
            ),
        }
    }

    fn try_take(path: &Path) -> Result<Option<Alone>> {
        let file = open(path)?;
        match file.try_lock() {
            Ok(()) => {
                // Whoever wanted it stopped has their wish.
                file.set_len(0).with_context(|| format!("lock file {}", path.display()))?;
                Ok(Some(Alone(file)))
            }
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("lock file {}", path.display())),
        }
    }
}

fn open(path: &Path) -> Result<File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("folder {}", folder.display()))?;
    }
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    options.open(path).with_context(|| format!("lock file {}", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn place() -> (tempfile::TempDir, PathBuf) {
        let kept = tempfile::tempdir().unwrap();
        let path = kept.path().join("testbed/in-use");
        (kept, path)
    }

    #[test]
    fn nobody_stops_what_another_uses() {
        let (_kept, path) = place();
        let (one, other) = (InUse::join(&path).unwrap(), InUse::join(&path).unwrap());
        assert!(Alone::take(&path).unwrap_err().to_string().contains("another command works with it"));
        assert!(one.end(false).unwrap().is_none());
        assert!(Alone::take(&path).is_err());
        assert!(other.end(false).unwrap().is_none());
        Alone::take(&path).unwrap();
    }

    #[test]
    fn the_last_one_stops_what_an_earlier_one_has_started() {
        let (_kept, path) = place();
        let (started, found) = (InUse::join(&path).unwrap(), InUse::join(&path).unwrap());
        assert!(started.end(true).unwrap().is_none(), "the other one still uses it");
        let alone = found.end(false).unwrap();
        assert!(alone.is_some());
        drop(alone);
        // Then it is started again, and the old wish is forgotten.
        assert!(InUse::join(&path).unwrap().end(false).unwrap().is_none());
    }

    #[test]
    fn who_wants_it_to_run_on_takes_the_wish_back() {
        let (_kept, path) = place();
        let (started, demo, last) =
            (InUse::join(&path).unwrap(), InUse::join(&path).unwrap(), InUse::join(&path).unwrap());
        assert!(started.end(true).unwrap().is_none());
        demo.leave_running().unwrap();
        assert!(last.end(false).unwrap().is_none());
    }
}
