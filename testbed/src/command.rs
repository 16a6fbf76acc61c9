//! Running other programs to their end.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

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
/// `note` adds to those lines what is known of how far it is.
pub(crate) fn long(
    bed: &Bed<'_>,
    what: &str,
    command: &mut Command,
    log: &Path,
    note: fn(&Path) -> String,
) -> Result<()> {
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
    let status = loop {
        if let Some(status) = child.try_wait().with_context(|| format!("waiting for {}", describe(command)))? {
            break status;
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
    Ok(())
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
}
