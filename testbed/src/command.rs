//! Running other programs to their end.

use std::fmt;
use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use crate::bed::Bed;
use crate::files;

/// How often a long command is said to be still running.
const HEARTBEAT: Duration = Duration::from_secs(20);

/// The folders in which Debian keeps what the testbed runs; a user's PATH may lack the second.
pub(crate) const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const PROXIES: &[&str] = &["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"];

/// Nothing of the testbed speaks to anybody outside of this machine: a proxy of the user's would stand between its parts.
pub(crate) fn without_proxies(command: &mut Command) -> &mut Command {
    for name in PROXIES {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    command
}

/// Runs a command and returns what it printed; its error output is in the error when it fails.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let what = describe(command);
    let done = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {what}"))?;
    if !done.status.success() {
        bail!("{what} failed ({}): {}", done.status, String::from_utf8_lossy(&done.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

/// Runs a command of any length with its output in a log, and says every 20 seconds that it goes on.
/// `note` adds to those lines what is known of how far it is. Returns what it cost.
pub(crate) fn long(
    bed: &Bed<'_>,
    what: &str,
    command: &mut Command,
    log: &Path,
    note: fn(&Path) -> String,
) -> Result<Cost> {
    if let Some(folder) = log.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("folder {}", folder.display()))?;
    }
    let file = File::create(log).with_context(|| format!("log {}", log.display()))?;
    let started = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(file.try_clone().context("sharing a log file")?)
        .stderr(file)
        .spawn()
        .with_context(|| format!("cannot run {}", describe(command)))?;
    let mut next = HEARTBEAT;
    let (status, cpu) = loop {
        if has_ended(&child) {
            let cpu = cpu(&child);
            break (child.wait().with_context(|| format!("waiting for {}", describe(command)))?, cpu);
        }
        std::thread::sleep(Duration::from_millis(100));
        if started.elapsed() >= next {
            next += HEARTBEAT;
            bed.say(format!("{what}: still going on ({} s{})", started.elapsed().as_secs(), note(log)));
        }
    };
    if !status.success() {
        bail!("{what} failed ({status}); the end of {}:\n{}", log.display(), files::tail(log, 20));
    }
    Ok(Cost { wall: started.elapsed(), cpu })
}

/// What a command took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    wall: Duration,
    /// Of the command and of all that it waited for; nothing where the system does not say.
    cpu: Option<Duration>,
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.wall.as_secs())?;
        match self.cpu {
            Some(cpu) => write!(f, ", {} s of processors", cpu.as_secs()),
            None => Ok(()),
        }
    }
}

/// Whether a child has ended; it is still to be waited for, and /proc keeps what it took until then.
fn has_ended(child: &Child) -> bool {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    !matches!(waitid(WaitId::Pid(Pid::from_child(child)), look), Ok(None))
}

/// The processor time of a child that has ended.
fn cpu(child: &Child) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).ok()?;
    ticks(&stat).map(|ticks| Duration::from_millis(ticks.saturating_mul(1000 / TICKS_PER_SECOND)))
}

/// In which /proc counts, on every Linux.
const TICKS_PER_SECOND: u64 = 100;

/// Fields 14 to 17 of /proc/PID/stat: its own user and system time, and those of the children that it waited for.
fn ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    fields.get(11..15)?.iter().map(|field| field.parse::<u64>().ok()).sum()
}

/// No note.
pub(crate) fn no_note(_log: &Path) -> String {
    String::new()
}

fn describe(command: &Command) -> String {
    let mut text = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args().take(3) {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::paths::Paths;
    use crate::progress::{Quiet, Steps};

    #[test]
    fn a_failing_command_is_told_with_its_error_output() {
        let error = output(Command::new("sh").args(["-c", "echo out; echo because >&2; exit 3"])).unwrap_err();
        assert!(error.to_string().contains("because") && error.to_string().contains('3'), "{error}");
        assert_eq!(output(Command::new("sh").args(["-c", "echo out"])).unwrap(), "out\n");
    }

    #[test]
    fn a_failing_long_command_is_told_with_the_end_of_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::at(folder.path(), folder.path());
        let bed = Bed { paths: &paths, steps: Steps::new(&Quiet) };
        let log = paths.log("x");
        let error =
            long(&bed, "the thing", Command::new("sh").args(["-c", "echo why; exit 1"]), &log, no_note).unwrap_err();
        assert!(error.to_string().contains("the thing failed") && error.to_string().contains("why"), "{error}");
    }

    #[test]
    fn what_a_long_command_cost_is_told_with_what_its_children_did() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::at(folder.path(), folder.path());
        let bed = Bed { paths: &paths, steps: Steps::new(&Quiet) };
        let busy = "sh -c 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done'; true";
        let cost = long(&bed, "x", Command::new("sh").args(["-c", busy]), &paths.log("x"), no_note).unwrap();
        assert!(cost.cpu.unwrap() > Duration::ZERO, "{cost:?}");
        let stat = "7 (a b) c) S 1 1 1 0 -1 4194304 100 200 0 0 11 12 13 14 20 0 1 0 100 0";
        assert_eq!(ticks(stat), Some(50));
    }
}
