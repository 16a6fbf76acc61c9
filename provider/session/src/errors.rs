//! Errors of the cluster as diagnostics: the one place.

use ffe_cluster::Error;
use tfplugin::{Diagnostic, Path};

/// An error of the cluster, with its cause, the diagnosis where there is one, and the next step.
pub fn diagnostic(error: &Error, summary: &str) -> Diagnostic {
    let mut detail = error.to_string();
    if let Some(diagnosis) = error.diagnosis() {
        detail.push_str(&format!("\n\n{diagnosis}"));
    }
    if let Some(advice) = error.advice() {
        detail.push_str(&format!("\n\n{advice}"));
    }
    Diagnostic::error(summary, detail)
}

/// An error of the provider's own `kubernetes` block, at the attribute that it is about.
pub fn configuration_diagnostic(error: &Error) -> Diagnostic {
    let path = error.attribute().map_or_else(
        || Path::attribute("kubernetes"),
        |attribute| attribute.split('.').fold(Path::attribute("kubernetes"), |path, name| path.child(name)),
    );
    diagnostic(error, "The Kubernetes configuration cannot be used").at(path)
}
