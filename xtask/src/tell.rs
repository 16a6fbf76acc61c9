//! What the commands say: results on standard output, progress and problems on standard error.

use std::fmt::Display;
use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

/// A line of a result.
pub(crate) fn line(text: impl Display) {
    // Nobody is left to tell when the stream is closed.
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// A line about what goes on.
pub(crate) fn note(text: impl Display) {
    eprintln!("{text}");
}

/// What begins now.
pub(crate) fn headline(text: impl Display) {
    let _ = std::io::stdout().flush();
    if std::io::stderr().is_terminal() {
        eprintln!("\n\x1b[1m==> {text}\x1b[0m");
    } else {
        eprintln!("\n==> {text}");
    }
}

/// Why a command could not do what it was asked.
pub(crate) fn problem(error: &anyhow::Error) {
    let _ = std::io::stdout().flush();
    note(format!("\nerror: {error:#}"));
}

/// A time as people say it: `4.2 s`, `3 min 5 s`.
pub(crate) fn time(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    if seconds < 60 {
        format!("{:.1} s", elapsed.as_secs_f64())
    } else {
        format!("{} min {} s", seconds / 60, seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_as_people_do() {
        assert_eq!(time(Duration::from_millis(4230)), "4.2 s");
        assert_eq!(time(Duration::from_secs(185)), "3 min 5 s");
    }
}
