//! Running programs and keeping what they say.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use ffe_surroundings::environment;

use crate::limit;

/// What a program said.
#[derive(Clone, Debug)]
pub struct Output {
    /// Its exit code; -1 when a signal ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Output {
    /// Both streams.
    pub fn text(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// Both streams on one line, for looking up sentences that terraform has wrapped.
    pub fn flat(&self) -> String {
        self.text().replace('│', " ").split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// This, if the program succeeded.
    ///
    /// # Errors
    /// When it failed: with what it said.
    pub fn ok(self) -> Result<Output> {
        if self.code == 0 { Ok(self) } else { bail!("exit code {}:\n{}", self.code, self.text()) }
    }

    /// This, if the program failed and said all of these.
    ///
    /// # Errors
    /// When it succeeded or did not say one of them.
    pub fn failed_with(self, sentences: &[&str]) -> Result<Output> {
        if self.code == 0 {
            bail!("succeeded, expected a failure with {sentences:?}:\n{}", self.text());
        }
        self.says(sentences)
    }

    /// This, if the program said all of these.
    ///
    /// # Errors
    /// When one is missing.
    pub fn says(self, sentences: &[&str]) -> Result<Output> {
        let flat = self.flat();
        match sentences.iter().find(|sentence| !flat.contains(**sentence)) {
            Some(missing) => bail!("does not say {missing:?}:\n{}", self.text()),
            None => Ok(self),
        }
    }
}

/// A program, not run yet. Nothing of the user's environment reaches it ([`environment::clean`]), and it ends with its case.
pub fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = environment::clean(name);
    command.envs(limit::mark());
    command
}

/// Runs a program to its end.
///
/// # Errors
/// When it cannot be started, or the case is over.
pub fn run(command: &mut Command) -> Result<Output> {
    limit::check()?;
    let _doing = limit::doing(words(command));
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("starting {:?}", command.get_program()))?;
    Ok(Output {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// The command as a person would type it.
fn words(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}
