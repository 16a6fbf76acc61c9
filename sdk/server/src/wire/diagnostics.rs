//! What the user is told, on the wire. The last place where a secret can be kept out of it.

use tfplugin_core::{Diagnostics, FunctionError, Path, Severity, Step};
use tfplugin_proto::tfplugin6;
use tfplugin_proto::tfplugin6::attribute_path;

use crate::logging::redacted;

/// The messages, without known secrets.
pub(crate) fn diagnostics(diagnostics: Diagnostics) -> Vec<tfplugin6::Diagnostic> {
    let one = |diagnostic: tfplugin_core::Diagnostic| {
        let severity = match diagnostic.severity {
            Severity::Error => tfplugin6::diagnostic::Severity::Error,
            Severity::Warning => tfplugin6::diagnostic::Severity::Warning,
        };
        tfplugin6::Diagnostic {
            severity: severity.into(),
            summary: redacted(&diagnostic.summary).into_owned(),
            detail: redacted(&with_path(&diagnostic)).into_owned(),
            attribute: diagnostic.path.as_ref().map(path),
        }
    };
    diagnostics.into_iter().map(one).collect()
}

/// The detail, naming the attribute where nothing else does: Terraform shows the source line of an attribute at the
/// top only, and of a nested one just the block that it is in.
fn with_path(diagnostic: &tfplugin_core::Diagnostic) -> String {
    let nested = diagnostic.path.as_ref().filter(|path| path.steps().len() > 1).map(ToString::to_string);
    match nested {
        Some(path) if !diagnostic.summary.contains(&path) && !diagnostic.detail.contains(&path) => {
            format!("{}\n\nAttribute: {path}", diagnostic.detail).trim_start().to_owned()
        }
        _ => diagnostic.detail.clone(),
    }
}

/// A function's error, without known secrets.
pub(crate) fn function_error(error: &FunctionError) -> tfplugin6::FunctionError {
    tfplugin6::FunctionError { text: redacted(&error.text).into_owned(), function_argument: error.argument }
}

/// A path.
fn path(path: &Path) -> tfplugin6::AttributePath {
    use attribute_path::step::Selector;
    let one = |step: &Step| {
        let selector = match step {
            Step::Attribute(name) => Selector::AttributeName(name.clone()),
            Step::Index(index) => Selector::ElementKeyInt(*index),
            Step::Key(key) => Selector::ElementKeyString(key.clone()),
        };
        attribute_path::Step { selector: Some(selector) }
    };
    tfplugin6::AttributePath { steps: path.steps().iter().map(one).collect() }
}

/// The paths of a plan that cannot be changed in place.
pub(crate) fn requires(paths: &[Path]) -> Vec<tfplugin6::AttributePath> {
    paths.iter().map(path).collect()
}

#[cfg(test)]
mod tests {
    use tfplugin_core::Diagnostic;

    use super::*;

    #[test]
    fn severity_path_and_text_arrive_and_secrets_do_not() {
        crate::logging::redact("swordfish-9");
        let place = Path::attribute("tls").index(2).key("a.b").child("name");
        let mut list = Diagnostics::from(Diagnostic::warning("careful", "with swordfish-9").at(place));
        list.push(Diagnostic::error("swordfish-9", ""));
        let wire = diagnostics(list);
        assert_eq!((wire[0].severity, wire[1].severity), (2, 1));
        assert!(wire[0].detail.starts_with("with (redacted)\n"), "{:?}", wire[0]);
        assert_eq!(wire[1].summary, "(redacted)");
        let steps = wire[0].attribute.clone().unwrap_or_default().steps;
        let steps: Vec<_> = steps.into_iter().filter_map(|step| step.selector).collect();
        use attribute_path::step::Selector::{AttributeName, ElementKeyInt, ElementKeyString};
        let expected = [
            AttributeName("tls".to_owned()),
            ElementKeyInt(2),
            ElementKeyString("a.b".to_owned()),
            AttributeName("name".to_owned()),
        ];
        assert_eq!(steps, expected);
        assert!(wire[1].attribute.is_none());
    }

    #[test]
    fn a_nested_attribute_is_named_once_and_one_at_the_top_is_left_to_terraform() {
        let top = Path::attribute("size");
        let nested = Path::attribute("disk").child("size");
        for (text, detail, path, expected) in [
            ("Too small", "At least 1.", &nested, "At least 1.\n\nAttribute: disk.size"),
            ("Too small", "", &nested, "Attribute: disk.size"),
            ("Invalid value for disk.size", "At least 1.", &nested, "At least 1."),
            ("Too small", "disk.size is at least 1.", &nested, "disk.size is at least 1."),
            ("Too small", "At least 1.", &top, "At least 1."),
        ] {
            let wire = diagnostics(Diagnostic::error(text, detail).at(path.clone()).into());
            assert_eq!(wire[0].detail, expected, "{text}: {detail}");
        }
    }
}
