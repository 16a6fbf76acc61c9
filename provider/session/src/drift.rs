//! At which fields an object differs from what was applied.
//!
//! Only what a resource sets is compared, field by field: defaults of the API server, and what other tools add, are none of its
//! business.

use ffe_cluster::FIELD_MANAGER;
use serde_json::Value as Json;

/// The fields at which `live` is not as `desired` says.
pub fn differences(desired: &Json, live: &Json) -> Vec<String> {
    let mut found = Vec::new();
    compare(desired, live, "", &mut found);
    found
}

/// The fields of `spec` that we have set once and set no more: the next apply takes them away. As people write them.
pub fn given_up(desired: &Json, live: &Json) -> Vec<String> {
    given_up_in_spec(desired, live).iter().map(|name| below("spec", name)).collect()
}

/// The same, by their names in `spec`.
pub fn given_up_in_spec(desired: &Json, live: &Json) -> Vec<String> {
    let managers = live["metadata"]["managedFields"].as_array().into_iter().flatten();
    let ours = managers.filter(|entry| entry["manager"] == FIELD_MANAGER && entry["operation"] == "Apply");
    let fields = ours.filter_map(|entry| entry["fieldsV1"]["f:spec"].as_object()).flatten();
    let names = fields.filter_map(|(field, _)| field.strip_prefix("f:"));
    names.filter(|name| desired["spec"].get(name).is_none()).map(str::to_owned).collect()
}

fn compare(desired: &Json, live: &Json, at: &str, found: &mut Vec<String>) {
    match (desired, live) {
        (Json::Object(entries), live) => {
            for (key, value) in entries {
                compare(value, live.get(key).unwrap_or(&Json::Null), &below(at, key), found);
            }
        }
        (Json::Array(wanted), Json::Array(there)) if wanted.len() == there.len() => {
            for (index, (element, live)) in wanted.iter().zip(there).enumerate() {
                compare(element, live, &format!("{at}[{index}]"), found);
            }
        }
        _ if desired == live => {}
        _ => found.push(at.to_owned()),
    }
}

/// A field of an object at a place, as people write it.
pub fn below(at: &str, key: &str) -> String {
    let simple = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    match (at.is_empty(), simple) {
        (true, _) => key.to_owned(),
        (false, true) => format!("{at}.{key}"),
        (false, false) => format!("{at}[{key:?}]"),
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
            "spec": { "dnsNames": ["a", "b"], "issuerRef": { "name": "x" } },
        });
        let live = json!({
            "metadata": { "labels": { "team": "other", "more": "x" }, "uid": "u" },
            "spec": { "dnsNames": ["a"], "issuerRef": { "name": "x", "group": "cert-manager.io" }, "usages": ["digital signature"] },
        });
        assert_eq!(
            differences(&desired, &live),
            ["metadata.labels.team", "metadata.labels[\"example.com/a\"]", "spec.dnsNames"]
        );
    }

    #[test]
    fn what_was_set_once_and_is_no_more_differs_too() {
        let desired = json!({ "spec": { "secretName": "x" } });
        let fields = |manager: &str| {
            json!({ "manager": manager, "operation": "Apply",
                "fieldsV1": { "f:spec": { "f:secretName": {}, "f:renewBefore": {} }, "f:metadata": {} } })
        };
        let live = |manager: &str| json!({ "metadata": { "managedFields": [fields(manager)] }, "spec": { "renewBefore": "720h" } });
        assert_eq!(given_up(&desired, &live(FIELD_MANAGER)), ["spec.renewBefore"]);
        assert_eq!(given_up(&desired, &live("somebody")), Vec::<String>::new());
        assert_eq!(given_up(&desired, &json!({})), Vec::<String>::new());
    }
}
