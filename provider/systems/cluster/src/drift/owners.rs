//! Who has written a field: `metadata.managedFields` of the live object.

use serde_json::{Map, Value};

use super::path::Step;

/// Controllers by their whole names.
const CONTROLLERS: [&str; 6] =
    ["kubelet", "kube-controller-manager", "kube-scheduler", "cloud-controller-manager", "cainjector", "manager"];
/// How the others' names end.
const ENDINGS: [&str; 6] =
    ["-controller", "-controller-manager", "-cainjector", "-operator", "-autoscaler", "-admission-controller"];
/// Controllers that write what people have written elsewhere: theirs is a change like any other.
const ON_BEHALF: [&str; 4] =
    ["kustomize-controller", "helm-controller", "argocd-controller", "argocd-application-controller"];

/// Whether a controller of the cluster has written the field: an autoscaler the replicas, an injector a certificate.
pub(super) fn is_controllers(managed: &Value, steps: &[Step]) -> bool {
    managed
        .as_array()
        .into_iter()
        .flatten()
        .any(|entry| is_controller(entry["manager"].as_str().unwrap_or_default()) && covers(&entry["fieldsV1"], steps))
}

fn is_controller(manager: &str) -> bool {
    !ON_BEHALF.contains(&manager)
        && (CONTROLLERS.contains(&manager) || ENDINGS.iter().any(|ending| manager.ends_with(ending)))
}

/// Whether a set of fields has this one, or all of what it is part of.
fn covers(fields: &Value, steps: &[Step]) -> bool {
    let Some((step, rest)) = steps.split_first() else { return true };
    let Some(fields) = fields.as_object() else { return false };
    let next = match step {
        Step::Field(name) => fields.get(&format!("f:{name}")),
        Step::Element(_, told) => fields.iter().find(|(key, _)| tells(key, told)).map(|(_, below)| below),
        // Lists told by position are owned as a whole.
        Step::Position(_) => None,
    };
    match next {
        // A field without fields of its own is owned with all that is in it.
        Some(Value::Object(below)) if below.keys().all(|key| key == ".") => rest.is_empty() || below.is_empty(),
        Some(below) => covers(below, rest),
        None => false,
    }
}

/// Whether `k:{"name":"app"}` is the element that is told by these fields.
fn tells(key: &str, told: &Map<String, Value>) -> bool {
    let fields = key.strip_prefix("k:").and_then(|text| serde_json::from_str::<Map<String, Value>>(text).ok());
    fields.is_some_and(|fields| fields.iter().all(|(name, value)| told.get(name) == Some(value)))
}
