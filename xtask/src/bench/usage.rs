//! What the kernel says about processes: memory in kilobytes, time on a processor.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// The kernel counts processor time in hundredths of a second, whatever its own clock is.
const TICK: Duration = Duration::from_millis(10);

/// What is resident now.
pub(super) fn resident(pid: u32) -> Option<u64> {
    field(&std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?, "VmRSS:")
}

/// `VmRSS:     12345 kB`
fn field(status: &str, name: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix("kB")?.trim().parse().ok())
}

/// Fields 14 and 15 of /proc/PID/stat; the program's name before them may contain blanks and parentheses.
fn processor(stat: &str) -> Option<Duration> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let ticks: u32 = rest.split(' ').skip(11).take(2).map(|field| field.parse::<u32>().unwrap_or(0)).sum();
    Some(TICK * ticks)
}

/// What the processes of one program used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    /// The most that one of them ever held, in kilobytes.
    pub(super) peak: u64,
    /// The time of all of them on a processor.
    pub(super) processor: Duration,
}

/// Looks at the processes of one program until it is asked.
#[derive(Debug)]
pub(super) struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<BTreeMap<String, Usage>>,
}

impl Watch {
    pub(super) fn start(program: &Path) -> Result<Watch> {
        let program = program.canonicalize().with_context(|| format!("there is no {}", program.display()))?;
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut processes = BTreeMap::new();
            while !seen.load(Ordering::Relaxed) {
                processes.extend(usages(&program));
                std::thread::sleep(Duration::from_millis(5));
            }
            processes
        });
        Ok(Watch { stop, thread })
    }

    /// What was seen; nothing when no such process was.
    pub(super) fn end(self) -> Usage {
        self.stop.store(true, Ordering::Relaxed);
        let processes = self.thread.join().unwrap_or_default();
        let peak = processes.values().map(|usage| usage.peak).max().unwrap_or(0);
        Usage { peak, processor: processes.values().map(|usage| usage.processor).sum() }
    }
}

/// The processes that run this file now, each with what it used until now.
fn usages(program: &PathBuf) -> Vec<(String, Usage)> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.path());
    let runs = processes.filter(|process| std::fs::read_link(process.join("exe")).is_ok_and(|exe| exe == *program));
    runs.filter_map(|process| {
        let peak = field(&std::fs::read_to_string(process.join("status")).ok()?, "VmHWM:")?;
        let processor = processor(&std::fs::read_to_string(process.join("stat")).ok()?)?;
        Some((process.to_string_lossy().into_owned(), Usage { peak, processor }))
    })
    .collect()
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

    #[test]
    fn processor_time_is_user_and_system_time() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194304 100 0 0 0 12 3 0 0 20 0 1 0 5 6 7";
        assert_eq!(processor(stat), Some(Duration::from_millis(150)));
    }
}
