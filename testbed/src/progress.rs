//! Telling what goes on while it goes on.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Hears of every step of the testbed's work when it happens. Some are done side by side.
pub trait Progress: Sync {
    /// One line for a person: a step that began, is still going on, or ended.
    /// `elapsed` counts from the start of the whole command.
    fn line(&self, elapsed: Duration, text: &str);
}

/// Writes each line to standard error with the seconds since the start.
#[derive(Debug, Default, Clone, Copy)]
pub struct ToStderr;

impl Progress for ToStderr {
    fn line(&self, elapsed: Duration, text: &str) {
        let mut err = std::io::stderr().lock();
        let seconds = elapsed.as_secs_f64();
        // Nobody is left to tell when standard error is closed.
        let _ = if err.is_terminal() {
            writeln!(err, "\x1b[2m{seconds:7.1}s\x1b[0m {text}")
        } else {
            writeln!(err, "{seconds:7.1}s {text}")
        };
    }
}

/// Says nothing.
#[derive(Debug, Default, Clone, Copy)]
pub struct Quiet;

impl Progress for Quiet {
    fn line(&self, _elapsed: Duration, _text: &str) {}
}

/// A [`Progress`] with the time at which the command began.
pub(crate) struct Steps<'a> {
    started: Instant,
    to: &'a dyn Progress,
}

impl<'a> Steps<'a> {
    pub(crate) fn new(to: &'a dyn Progress) -> Self {
        Self { started: Instant::now(), to }
    }

    pub(crate) fn say(&self, text: impl AsRef<str>) {
        self.to.line(self.started.elapsed(), text.as_ref());
    }
}
