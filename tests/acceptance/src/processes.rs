//! Looking for processes and ending them, through /proc.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::limit;

/// A process.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    /// Its id.
    pub(crate) pid: u32,
    /// Its arguments, joined by blanks.
    pub(crate) arguments: String,
}

/// The processes below another one, at any depth.
pub(crate) fn descendants(root: u32) -> Vec<Process> {
    let all: Vec<(u32, u32)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_string_lossy().parse::<u32>().ok())
        .filter_map(|pid| Some((pid, parent(pid)?)))
        .collect();
    let mut found = vec![root];
    let mut at = 0;
    while let Some(pid) = found.get(at).copied() {
        found.extend(all.iter().filter(|(_, parent)| *parent == pid).map(|(child, _)| *child));
        at += 1;
    }
    found.into_iter().skip(1).map(|pid| Process { pid, arguments: arguments(pid) }).collect()
}

/// Whether a process was started with this value of an environment variable.
pub(crate) fn has(pid: u32, name: &str, value: &str) -> bool {
    let wanted = format!("{name}={value}");
    let raw = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    raw.split(|byte| *byte == 0).any(|entry| entry == wanted.as_bytes())
}

fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything; the state and the parent follow the last one.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// The arguments of a process; empty when it is gone.
pub(crate) fn arguments(pid: u32) -> String {
    let raw = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    raw.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect::<Vec<_>>().join(" ")
}

/// Whether the process is there and no zombie.
pub(crate) fn is_alive(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .ok()
        .and_then(|stat| stat.rsplit_once(')').map(|(_, rest)| !rest.trim_start().starts_with('Z')))
        .unwrap_or(false)
}

/// Ends a process at once (SIGKILL).
///
/// # Errors
/// When it is not there.
pub(crate) fn kill(pid: u32) -> Result<()> {
    signal("-KILL", pid)
}

/// What a terminal sends on Ctrl-C (SIGINT), to this process alone.
///
/// # Errors
/// When it is not there.
pub(crate) fn interrupt(pid: u32) -> Result<()> {
    signal("-INT", pid)
}

fn signal(name: &str, pid: u32) -> Result<()> {
    let status = std::process::Command::new("kill").args([name, &pid.to_string()]).status()?;
    status.success().then_some(()).with_context(|| format!("sending {name} to {pid}"))
}

/// Waits for a process below `root` whose arguments hold `text`.
///
/// # Errors
/// When there is none within three minutes.
pub(crate) fn wait_for(root: u32, text: &str) -> Result<Process> {
    let started = Instant::now();
    let _doing = limit::doing(format!("waiting for a process that has {text:?}"));
    loop {
        limit::check()?;
        // Helm also renders, with --dry-run: that changes nothing and is not what a case waits for.
        let is_it = |process: &Process| process.arguments.contains(text) && !process.arguments.contains("--dry-run");
        if let Some(found) = descendants(root).into_iter().find(is_it) {
            return Ok(found);
        }
        (started.elapsed() < Duration::from_secs(180))
            .then_some(())
            .with_context(|| format!("no process below {root} has {text:?}"))?;
        std::thread::sleep(Duration::from_millis(20));
    }
}
