//! Errors of the cluster as diagnostics: the one place.

use ffe_cluster::Error;
use tfplugin::{Diagnostic, Path};

/// An error of the cluster. Its own text has the cause, the diagnosis where there is one, and the next step.
pub fn diagnostic(error: &Error, summary: &str) -> Diagnostic {
    Diagnostic::error(summary, error.to_string())
}

/// An error of the provider's own `kubernetes` block, at the attribute that it is about.
pub fn configuration_diagnostic(error: &Error) -> Diagnostic {
    let path = error.attribute().map_or_else(
        || Path::attribute("kubernetes"),
        |attribute| attribute.split('.').fold(Path::attribute("kubernetes"), |path, name| path.child(name)),
    );
    diagnostic(error, "The Kubernetes configuration cannot be used").at(path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use ffe_cluster::k8s_openapi::api::core::v1::Secret;
    use ffe_cluster::testing::{FakeApi, SERVER};

    use super::*;

    #[tokio::test]
    async fn an_error_of_the_cluster_has_cause_place_and_next_step() {
        let api = FakeApi::new();
        api.fail("GET", "/secrets/a", None, 403, "Forbidden", "secrets \"a\" is forbidden: User \"x\" cannot get");
        let error = api.cluster().get::<Secret>(Some("default"), "a").await.unwrap_err();
        let told = diagnostic(&error, "The thing cannot be read");
        assert_eq!((told.summary.as_str(), told.path.as_ref()), ("The thing cannot be read", None));
        for part in [SERVER, "User \"x\" cannot get", "kubectl auth can-i"] {
            assert!(told.detail.contains(part), "{part} is not in: {told}");
        }
    }
}
