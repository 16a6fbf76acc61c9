//! Errors of the cluster as diagnostics: the one place.

use ffe_cluster::{Error, Kind};
use tfplugin::{Diagnostic, Diagnostics, Path};

/// An error of the cluster: its own text, which has the cause and the diagnosis where there is one, and the next step.
pub fn diagnostic(error: &Error, summary: &str) -> Diagnostic {
    let mut detail = error.to_string();
    // A diagnosis ends with it already.
    if let Some(advice) = error.advice().filter(|advice| !detail.contains(advice)) {
        detail.push_str(&format!("\n\n{advice}"));
    }
    Diagnostic::error(summary, detail)
}

/// The same for a cluster that was recorded: where it is another one now, it says where the recorded one was reached.
pub fn diagnostic_of_recorded(error: &Error, summary: &str, recorded_server: Option<&str>) -> Diagnostic {
    let mut told = diagnostic(error, summary);
    if let Some(server) = recorded_server.filter(|_| error.kind() == Kind::OtherCluster) {
        told.detail.push_str(&format!("\n\nThe recorded cluster was reached at {server}."));
    }
    told
}

/// An error of the provider's own `kubernetes` block, at the attribute that it is about.
pub fn configuration_diagnostic(error: &Error) -> Diagnostic {
    let path = error.attribute().map_or_else(
        || Path::attribute("kubernetes"),
        |attribute| attribute.split('.').fold(Path::attribute("kubernetes"), |path, name| path.child(name)),
    );
    diagnostic(error, "The Kubernetes configuration cannot be used").at(path)
}

/// The same messages; the first error says more.
pub fn with_detail(diagnostics: Diagnostics, more: &str) -> Diagnostics {
    let mut said = false;
    diagnostics
        .into_iter()
        .map(|diagnostic| {
            if said || !diagnostic.is_error() {
                return diagnostic;
            }
            said = true;
            Diagnostic { detail: format!("{}\n\n{more}", diagnostic.detail), ..diagnostic }
        })
        .collect()
}

/// An error of a provider of DNS: its own text, and the next step.
pub fn dns_diagnostic(error: &ffe_dns::Error, summary: &str) -> Diagnostic {
    let mut detail = error.to_string();
    if let Some(remedy) = error.remedy() {
        detail.push_str(&format!("\n\n{remedy}"));
    }
    Diagnostic::error(summary, detail)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use ffe_cluster::k8s_openapi::api::core::v1::Secret;
    use ffe_cluster_testing::{FakeApi, SERVER};

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

    #[tokio::test(start_paused = true)]
    async fn the_next_step_of_a_diagnosis_is_said_once() {
        let api = FakeApi::new();
        api.put(serde_json::json!({
            "apiVersion": "batch/v1", "kind": "Job", "metadata": { "name": "a", "namespace": "default" },
            "status": { "conditions": [{ "type": "Failed", "status": "True", "reason": "BackoffLimitExceeded" }] },
        }));
        let options = ffe_workloads::WaitOptions::new(std::time::Duration::from_secs(60), ffe_cluster::Cancel::new());
        let job = ffe_cluster::ObjectRef::new("batch/v1", "Job", Some("default"), "a");
        let error = ffe_workloads::wait_rollout(&api.cluster(), &job, &options).await.unwrap_err();
        let advice = error.advice().unwrap();
        let told = diagnostic(&error, "It did not work");
        assert_eq!(told.detail.matches(advice.as_str()).count(), 1, "{told}");
    }
}
