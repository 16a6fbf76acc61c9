//! What differs in the cluster from what was applied.
//!
//! Only what an environment sets is compared, field by field: defaults of the API server, and what other tools
//! add, are none of its business.

use ffe_cluster::{ObjectRef, Quantity};
use serde_json::Value as Json;

use crate::model::Drift;

/// The field of an object that is gone.
pub(crate) const MISSING: &str = "(missing)";
/// The field of a workload that an apply left before it was ready.
pub(crate) const NOT_READY: &str = "status.readyReplicas";
/// The field of a volume that was told to grow and has not.
pub(crate) const CAPACITY: &str = "status.capacity.storage";
/// The field of an object whose mark is gone.
pub(crate) const MARK: &str = "metadata.annotations[\"ffe.three-rivers.tech/resource\"]";

/// One difference.
pub(crate) fn drift(object: &ObjectRef, field: &str) -> Drift {
    Drift { object: object.to_string().into(), field: field.into() }
}

/// The fields at which `live` is not as `desired` says.
pub(crate) fn differences(desired: &Json, live: &Json) -> Vec<String> {
    let mut found = Vec::new();
    compare(desired, live, &Place::default(), &mut found);
    found
}

/// Where in an object: as text, and whether the text there is a quantity.
#[derive(Clone, Default)]
struct Place {
    path: String,
    quantity: bool,
    associative: bool,
}

impl Place {
    fn key(&self, key: &str) -> Place {
        let simple = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let path = match (self.path.is_empty(), simple) {
            (true, _) => key.to_owned(),
            (false, true) => format!("{}.{key}", self.path),
            (false, false) => format!("{}[{key:?}]", self.path),
        };
        let spec = self.path.starts_with("spec");
        let quantities = ["hard", "requests", "limits", "default", "defaultRequest", "sizeLimit"];
        Place {
            quantity: self.quantity || (spec && quantities.contains(&key)),
            // Lists that Kubernetes merges by name, to which others may add.
            associative: ["containers", "env", "ports", "volumeMounts", "volumes"].contains(&key),
            path,
        }
    }

    fn element(&self, name: &str) -> Place {
        Place { path: format!("{}[{name}]", self.path), quantity: self.quantity, associative: false }
    }
}

fn compare(desired: &Json, live: &Json, at: &Place, found: &mut Vec<String>) {
    match (desired, live) {
        (Json::Object(entries), live) => {
            for (key, value) in entries {
                compare(value, live.get(key).unwrap_or(&Json::Null), &at.key(key), found);
            }
        }
        (Json::Array(wanted), Json::Array(there)) if at.associative => {
            for element in wanted {
                let name = element["name"].as_str().unwrap_or_default();
                match there.iter().find(|candidate| candidate["name"] == element["name"]) {
                    Some(live) => compare(element, live, &at.element(name), found),
                    None => found.push(at.element(name).path),
                }
            }
        }
        (Json::Array(wanted), Json::Array(there)) if wanted.len() == there.len() => {
            for (index, (element, live)) in wanted.iter().zip(there).enumerate() {
                compare(element, live, &at.element(&index.to_string()), found);
            }
        }
        (Json::String(wanted), Json::String(there)) if at.quantity && same_quantity(wanted, there) => {}
        _ if desired == live => {}
        _ => found.push(at.path.clone()),
    }
}

fn same_quantity(left: &str, right: &str) -> bool {
    match (left.parse::<Quantity>(), right.parse::<Quantity>()) {
        (Ok(left), Ok(right)) => left == right,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_others_add_is_no_drift_and_what_they_change_or_take_away_is() {
        let desired = json!({
            "metadata": { "labels": { "team": "core", "example.com/a": "b" }, "annotations": {} },
            "data": { "A": "1", "B": "2" },
        });
        let live = json!({
            "metadata": { "labels": { "team": "other", "more": "x" }, "uid": "u" },
            "data": { "A": "1", "C": "3" },
        });
        assert_eq!(
            differences(&desired, &live),
            ["metadata.labels.team", "metadata.labels[\"example.com/a\"]", "data.B"]
        );
    }

    #[test]
    fn quantities_are_compared_by_value_where_there_are_some_and_nowhere_else() {
        let desired = json!({ "spec": { "hard": { "limits.cpu": "1000m" } }, "data": { "X": "1000m" } });
        let live = json!({ "spec": { "hard": { "limits.cpu": "1" } }, "data": { "X": "1" } });
        assert_eq!(differences(&desired, &live), ["data.X"]);
    }

    #[test]
    fn lists_by_name_may_have_more_and_other_lists_may_not() {
        let desired = json!({ "spec": { "containers": [{ "name": "postgres", "image": "a" }] }, "rules": [{ "verbs": ["get"] }] });
        let live = json!({
            "spec": { "containers": [{ "name": "sidecar" }, { "name": "postgres", "image": "b" }] },
            "rules": [{ "verbs": ["get", "list"] }],
        });
        assert_eq!(differences(&desired, &live), ["spec.containers[postgres].image", "rules[0].verbs"]);
        let gone = json!({ "spec": { "containers": [] }, "rules": [{ "verbs": ["get"] }, {}] });
        assert_eq!(differences(&desired, &gone), ["spec.containers[postgres]", "rules"]);
    }
}
