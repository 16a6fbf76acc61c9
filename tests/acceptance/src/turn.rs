//! Whose turn it is with what all cases share: cert-manager is one for the whole cluster, and cases that take a part of it
//! away must be alone with it, also before cases of another process.

use std::fs::{File, TryLockError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::{Stage, limit};

/// From now on cert-manager works, until the case is over. Waits while somebody is alone with it.
///
/// # Errors
/// When the file that all agree by cannot be locked.
pub(crate) fn share(stage: &mut Stage) -> Result<()> {
    if stage.turn.is_none() {
        let file = file(stage)?;
        wait(|| file.try_lock_shared(), "sharing cert-manager")?;
        stage.turn = Some(file);
    }
    Ok(())
}

/// From now on nobody else works with cert-manager, until the case is over. Waits for those who do.
///
/// # Errors
/// The same.
pub(crate) fn alone(stage: &mut Stage) -> Result<()> {
    let file = file(stage)?;
    wait(|| file.try_lock(), "being alone with cert-manager")?;
    stage.turn = Some(file);
    Ok(())
}

/// Until the lock is there. What a case waits for others is not its own time.
fn wait(lock: impl Fn() -> Result<(), TryLockError>, what: &str) -> Result<()> {
    let _doing = limit::doing(format!("waiting for other cases: {what}"));
    loop {
        limit::check()?;
        match lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error).with_context(|| what.to_owned()),
        }
        let began = Instant::now();
        std::thread::sleep(Duration::from_millis(100));
        limit::excuse(began.elapsed());
    }
}

/// Beside the cluster's kubeconfig: who works with the same cluster finds the same file. The system unlocks it with the
/// last handle on it, however a process ends.
fn file(stage: &Stage) -> Result<File> {
    let path = stage.surroundings.kubeconfig.with_file_name("cert-manager.lock");
    File::options().create(true).append(true).open(&path).with_context(|| path.display().to_string())
}
