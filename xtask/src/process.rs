//! Running programs.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::tell;

/// The command as a person would type it.
pub(crate) fn words(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|word| word.to_string_lossy().into_owned()));
    words.join(" ")
}

/// Runs a program to its end; its output is the user's.
///
/// # Errors
/// When it cannot be started or fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {}", words(command)))?;
    if !status.success() {
        bail!("{} failed ({status})", words(command));
    }
    Ok(())
}

/// Runs a program to its end and returns what it wrote to standard output.
///
/// # Errors
/// When it cannot be started or fails, with what it wrote to standard error.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {}", words(command)))?;
    if !output.status.success() {
        bail!("{} failed ({}): {}", words(command), output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a program to its end, shows every line of its standard output as it comes and hands it to `look`.
/// Says whether it succeeded.
///
/// # Errors
/// When it cannot be started or read.
pub(crate) fn watch(command: &mut Command, look: impl FnMut(&str)) -> Result<bool> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", words(command)))?;
    if let Some(stdout) = child.stdout.take() {
        lines(stdout, look)?;
    }
    Ok(child.wait()?.success())
}

/// The same with both of its streams.
///
/// # Errors
/// The same.
pub(crate) fn watch_both(command: &mut Command, look: impl FnMut(&str)) -> Result<bool> {
    let (reader, writer) = std::io::pipe()?;
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn().with_context(|| format!("cannot start {}", words(command)))?;
    // The command holds the pipe's other end, which must be closed for the reader to come to an end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    lines(reader, look)?;
    Ok(child.wait()?.success())
}

fn lines(from: impl Read, mut look: impl FnMut(&str)) -> Result<()> {
    let mut reader = BufReader::new(from);
    let mut bytes = Vec::new();
    while reader.read_until(b'\n', &mut bytes).context("reading a program's output")? > 0 {
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim_end_matches(['\n', '\r']);
        tell::line(text);
        look(text);
        bytes.clear();
    }
    Ok(())
}
