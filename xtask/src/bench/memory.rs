//! What the kernel says about a process's memory, in kilobytes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// What is resident now.
pub(super) fn resident(pid: u32) -> Option<u64> {
    field(&std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?, "VmRSS:")
}

/// `VmRSS:     12345 kB`
fn field(status: &str, name: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix("kB")?.trim().parse().ok())
}

/// Looks for processes of one program, until it is asked, and keeps the most that one of them ever held.
#[derive(Debug)]
pub(super) struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Watch {
    pub(super) fn start(program: &Path) -> Result<Watch> {
        let program = program.canonicalize().with_context(|| format!("there is no {}", program.display()))?;
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut most = 0;
            while !seen.load(Ordering::Relaxed) {
                most = most.max(peak_of(&program));
                std::thread::sleep(Duration::from_millis(5));
            }
            most
        });
        Ok(Watch { stop, thread })
    }

    /// The most that was seen; 0 when no such process was.
    pub(super) fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or(0)
    }
}

/// The highest peak among the processes that run this file now.
fn peak_of(program: &PathBuf) -> u64 {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.path());
    let runs = processes.filter(|process| std::fs::read_link(process.join("exe")).is_ok_and(|exe| exe == *program));
    runs.filter_map(|process| field(&std::fs::read_to_string(process.join("status")).ok()?, "VmHWM:"))
        .max()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_fields_are_read() {
        let status = "Name:\tx\nVmHWM:\t   12345 kB\nVmRSS:\t   10000 kB\n";
        assert_eq!(field(status, "VmHWM:"), Some(12345));
        assert_eq!(field(status, "VmSwap:"), None);
        assert!(resident(std::process::id()).is_some_and(|size| size > 0));
    }
}
