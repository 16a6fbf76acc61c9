//! What the user was told, and what a test expects of it.

use tfplugin_core::{Diagnostic, Diagnostics, Path};

/// Something that carries messages. The expectations fail the test and show all messages.
pub trait Told {
    /// Errors and warnings, in the order in which they arose.
    fn diagnostics(&self) -> &Diagnostics;

    /// Expects no error. Warnings may be there.
    #[track_caller]
    fn expect_ok(&self) -> &Self {
        assert!(!self.diagnostics().has_errors(), "expected no error, found:\n{}", self.diagnostics());
        self
    }

    /// Expects neither errors nor warnings.
    #[track_caller]
    fn expect_silence(&self) -> &Self {
        assert!(self.diagnostics().is_empty(), "expected no message, found:\n{}", self.diagnostics());
        self
    }

    /// Expects an error about the attribute at `path` (as in `database.size`, empty for none), with `text`
    /// in its summary or detail.
    #[track_caller]
    fn expect_error(&self, path: &str, text: &str) -> &Self {
        let found = self.diagnostics().iter().any(|one| one.is_error() && matches(one, path, text));
        assert!(found, "expected an error at {path:?} with {text:?}, found:\n{}", self.diagnostics());
        self
    }

    /// Expects a warning about the attribute at `path` with `text` in its summary or detail.
    #[track_caller]
    fn expect_warning(&self, path: &str, text: &str) -> &Self {
        let found = self.diagnostics().iter().any(|one| !one.is_error() && matches(one, path, text));
        assert!(found, "expected a warning at {path:?} with {text:?}, found:\n{}", self.diagnostics());
        self
    }
}

fn matches(diagnostic: &Diagnostic, path: &str, text: &str) -> bool {
    let at = diagnostic.path.as_ref().map(Path::to_string).unwrap_or_default();
    at == path && (diagnostic.summary.contains(text) || diagnostic.detail.contains(text))
}

impl Told for Diagnostics {
    fn diagnostics(&self) -> &Diagnostics {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told() -> Diagnostics {
        let mut told = Diagnostics::error("Bad size", "size must be a quantity").below(&Path::attribute("size"));
        told.push(Diagnostic::warning("Old", "use another"));
        told
    }

    #[test]
    fn what_is_there_is_found() {
        told().expect_error("size", "Bad").expect_error("size", "a quantity").expect_warning("", "another");
        Diagnostics::new().expect_ok().expect_silence();
    }

    #[test]
    #[should_panic(expected = "expected an error at \"\" with \"Bad\", found:\nError: Bad size (at size)")]
    fn an_error_at_another_path_is_another_error() {
        told().expect_error("", "Bad");
    }

    #[test]
    #[should_panic(expected = "expected an error at \"\" with \"Old\"")]
    fn a_warning_is_no_error() {
        told().expect_error("", "Old");
    }

    #[test]
    #[should_panic(expected = "expected no error, found:\nError: Bad size")]
    fn an_error_is_not_ok() {
        told().expect_ok();
    }

    #[test]
    #[should_panic(expected = "expected no message, found:\nWarning: Old")]
    fn a_warning_is_not_silence() {
        Diagnostics::from(Diagnostic::warning("Old", "")).expect_ok().expect_silence();
    }
}
