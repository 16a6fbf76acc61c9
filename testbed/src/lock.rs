//! One command at a time on one testbed.

use std::fs::{File, OpenOptions, TryLockError};

use anyhow::{Context, Result};

use crate::bed::Bed;

/// Held while the testbed is changed; the kernel lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Waits until no other process changes this testbed.
    pub(crate) fn take(bed: &Bed<'_>) -> Result<Self> {
        let path = bed.paths.lock();
        std::fs::create_dir_all(bed.paths.root()).with_context(|| format!("folder {}", bed.paths.root().display()))?;
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .with_context(|| format!("lock file {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                bed.say(format!("waiting for another command that uses {}", bed.paths.root().display()));
                file.lock().with_context(|| format!("lock file {}", path.display()))?;
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("lock file {}", path.display()));
            }
        }
        Ok(Self { _file: file })
    }
}
