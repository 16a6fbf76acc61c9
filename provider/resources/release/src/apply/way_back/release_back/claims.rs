//! A volume claim never shrinks, so Helm's rollback fails over one that the failed version has enlarged, whatever else it has put
//! back. Where everything that runs is the old version again, the way back has come to its end all the same.

use ffe_cluster::{Error, ObjectRef};
use ffe_helm::manifest::Manifest;
use serde_json::Value as Json;
use tfplugin::Diagnostic;

use crate::apply::run::Run;

/// Whether a failure of Helm says that a claim cannot shrink.
pub(crate) fn is_about_claims(words: &str) -> bool {
    words.contains("PersistentVolumeClaim")
        && (words.contains("field can not be less than") || words.contains("field cannot be less than"))
}

/// The warning about what stays, if all that runs is as the old manifest has it; `None`: it is not.
///
/// # Errors
/// When the workloads cannot be looked at.
pub(crate) async fn all_but_claims(
    run: &Run,
    old: &Manifest,
    new: &Manifest,
    words: &str,
) -> Result<Option<Diagnostic>, Error> {
    let namespace = run.inputs.namespace.as_str();
    for workload in old.workloads(namespace) {
        let pod = match workload.id.kind.as_str() {
            "Deployment" | "StatefulSet" | "DaemonSet" => "/spec/template/spec",
            "CronJob" => "/spec/jobTemplate/spec/template/spec",
            _ => continue,
        };
        let place = workload.id.namespace.as_deref().unwrap_or(namespace);
        let object = ObjectRef::new(&workload.id.api_version, &workload.id.kind, Some(place), &workload.id.name);
        let Some(live) = run.cluster.find_ref(&object).await? else { return Ok(None) };
        if !live.data.pointer(pod).is_some_and(|live| holds(live, &workload.pod_spec)) {
            return Ok(None);
        }
    }
    let only_new: Vec<String> = new
        .objects
        .iter()
        .filter(|one| !old.objects.iter().any(|old| (&old.id.kind, &old.id.name) == (&one.id.kind, &one.id.name)))
        .map(|one| format!("{}/{}", one.id.kind, one.id.name))
        .collect();
    let more = if only_new.is_empty() {
        String::new()
    } else {
        format!(" Objects that only the failed version has may be there still: {}.", only_new.join(", "))
    };
    Ok(Some(Diagnostic::warning(
        "A volume claim stays as large as the failed version has made it",
        format!(
            "Kubernetes shrinks none, so Helm calls the rollback failed; the old version runs again all the same.{more} Helm \
             said: {words}"
        ),
    )))
}

/// Whether something live has all that is wanted of it; Kubernetes adds what is left out.
fn holds(live: &Json, wanted: &Json) -> bool {
    match (live, wanted) {
        (_, Json::Null) => true,
        (Json::Object(live), Json::Object(wanted)) => wanted.iter().all(|(key, wanted)| match live.get(key) {
            Some(live) => holds(live, wanted),
            None => is_empty(wanted),
        }),
        (Json::Array(live), Json::Array(wanted)) => wanted.iter().all(|one| live.iter().any(|live| holds(live, one))),
        _ => live == wanted,
    }
}

/// What Kubernetes leaves out where it is given.
fn is_empty(value: &Json) -> bool {
    match value {
        Json::Null | Json::Bool(false) => true,
        Json::String(text) => text.is_empty(),
        Json::Array(items) => items.is_empty(),
        Json::Object(fields) => fields.values().all(is_empty),
        Json::Number(number) => number.as_i64() == Some(0),
        Json::Bool(true) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_claim_that_cannot_shrink_is_meant() {
        assert!(is_about_claims(
            "cannot patch \"data\" with kind PersistentVolumeClaim: PersistentVolumeClaim \"data\" is invalid: \
             spec.resources.requests.storage: Forbidden: field can not be less than status.capacity"
        ));
        assert!(!is_about_claims("cannot patch \"data\" with kind PersistentVolumeClaim: is immutable after creation"));
        assert!(!is_about_claims("cannot patch \"a\" with kind Deployment: field is immutable"));
    }

    #[test]
    fn what_runs_is_compared_with_what_is_wanted() {
        let wanted = json!({ "containers": [{ "name": "a", "image": "app:1", "env": [{ "name": "X", "value": "1" }], "args": [] }] });
        let live = json!({
            "restartPolicy": "Always",
            "containers": [{ "name": "a", "image": "app:1", "imagePullPolicy": "Always", "env": [{ "name": "X", "value": "1" }] }],
        });
        assert!(holds(&live, &wanted));
        for (path, other) in [("/containers/0/image", "app:2"), ("/containers/0/env/0/value", "2")] {
            let mut live = live.clone();
            if let Some(place) = live.pointer_mut(path) {
                *place = other.into();
            }
            assert!(!holds(&live, &wanted), "{path}");
        }
    }
}
