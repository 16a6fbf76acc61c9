//! What of an object differs from what was applied: which of it counts, and how it is written for people.

use ffe_cluster::{FIELD_MANAGER, ObjectRef};
use serde_json::Value as Json;

use crate::ignored::Ignored;

/// The field of an object that is gone.
pub const MISSING: &str = "(missing)";

/// Whether a difference counts: a JSON pointer, an empty one for the whole object.
pub fn counts(ignored: &Ignored, object: &ObjectRef, pointer: &str) -> bool {
    !ignored.object(&object.kind, &object.name) && !ignored.field(&object.kind, &object.name, pointer)
}

/// A JSON pointer as people write a field; the empty one is the whole object.
pub fn field(pointer: &str) -> String {
    if pointer.is_empty() {
        return MISSING.to_owned();
    }
    pointer.split('/').skip(1).fold(String::new(), |at, step| {
        let step = step.replace("~1", "/").replace("~0", "~");
        if step.bytes().all(|byte| byte.is_ascii_digit()) && !at.is_empty() {
            format!("{at}[{step}]")
        } else {
            below(&at, &step)
        }
    })
}

/// The fields of `spec` that we have set once and set no more: the next apply takes them away. As JSON pointers.
pub fn given_up(desired: &Json, live: &Json) -> Vec<String> {
    let managers = live["metadata"]["managedFields"].as_array().into_iter().flatten();
    let ours = managers.filter(|entry| entry["manager"] == FIELD_MANAGER && entry["operation"] == "Apply");
    let fields = ours.filter_map(|entry| entry["fieldsV1"]["f:spec"].as_object()).flatten();
    let names = fields.filter_map(|(field, _)| field.strip_prefix("f:"));
    names.filter(|name| desired["spec"].get(name).is_none()).map(|name| format!("/spec/{name}")).collect()
}

/// A field of an object at a place, as people write it.
fn below(at: &str, key: &str) -> String {
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
    fn pointers_read_like_fields() {
        assert_eq!(field(""), MISSING);
        assert_eq!(field("/spec/rules/0/host"), "spec.rules[0].host");
        assert_eq!(field("/metadata/annotations/a.b~1c"), "metadata.annotations[\"a.b/c\"]");
    }

    #[test]
    fn what_was_set_once_and_is_no_more_differs_too() {
        let desired = json!({ "spec": { "secretName": "x" } });
        let fields = |manager: &str| {
            json!({ "manager": manager, "operation": "Apply",
                "fieldsV1": { "f:spec": { "f:secretName": {}, "f:renewBefore": {} }, "f:metadata": {} } })
        };
        let live = |manager: &str| json!({ "metadata": { "managedFields": [fields(manager)] }, "spec": { "renewBefore": "720h" } });
        assert_eq!(given_up(&desired, &live(FIELD_MANAGER)), ["/spec/renewBefore"]);
        assert_eq!(given_up(&desired, &live("somebody")), Vec::<String>::new());
        assert_eq!(given_up(&desired, &json!({})), Vec::<String>::new());
    }
}
