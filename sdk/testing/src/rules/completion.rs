//! What may become of a planned value: whatever was known must stay.

use tfplugin_core::{Path, Schema, Value};

use super::Problem;
use crate::json::text;

/// Everything in which `actual` is not `planned` with the unknowns filled in. It holds between a plan and
/// the plan made again at apply ("inconsistent final plan"), and between that and the state after apply
/// ("inconsistent result after apply").
pub(crate) fn completes(schema: &Schema, planned: &Value, actual: &Value) -> Vec<Problem> {
    let mut problems = Vec::new();
    let root = Path::root();
    match (planned.is_null(), actual.is_null()) {
        (true, false) => problems.push(Problem::new(&root, "root object was absent, but now present")),
        (false, true) => problems.push(Problem::new(&root, "root object was present, but now absent")),
        (true, true) => {}
        (false, false) => {
            for attribute in &schema.attributes {
                let name = attribute.name.as_str();
                let found = value(planned.attribute(name), actual.attribute(name), &root.child(name));
                if attribute.sensitive && !found.is_empty() {
                    problems.push(Problem::new(&root.child(name), "inconsistent values for sensitive attribute"));
                } else {
                    problems.extend(found);
                }
            }
        }
    }
    problems
}

fn value(planned: &Value, actual: &Value, at: &Path) -> Vec<Problem> {
    let one = |text: String| vec![Problem::new(at, text)];
    match (planned, actual) {
        (Value::Unknown, _) | (Value::Null, Value::Null) => Vec::new(),
        (planned, Value::Null) => one(format!("was {}, but now null", text(planned))),
        (Value::Null, actual) => one(format!("was null, but now {}", text(actual))),
        (_, Value::Unknown) => one("was known, but now unknown".to_owned()),
        (Value::Dynamic(before, planned), Value::Dynamic(after, actual)) => {
            if before == after || !planned.is_wholly_known() {
                value(planned, actual, at)
            } else {
                one(format!("wrong final value type: was {before}, but now {after}"))
            }
        }
        (Value::List(planned), Value::List(actual)) => {
            let mut problems = Vec::new();
            for (index, element) in planned.iter().enumerate() {
                match actual.get(index) {
                    Some(actual) => problems.extend(value(element, actual, &at.index(index))),
                    None => problems.push(Problem::new(at, format!("element {index} has vanished"))),
                }
            }
            for index in planned.len()..actual.len() {
                problems.push(Problem::new(at, format!("new element {index} has appeared")));
            }
            problems
        }
        (Value::Map(planned), Value::Map(actual)) => {
            let mut problems = Vec::new();
            for (key, element) in planned {
                match actual.get(key) {
                    Some(actual) => problems.extend(value(element, actual, &at.child(key.as_str()))),
                    None => problems.push(Problem::new(at, format!("element {key:?} has vanished"))),
                }
            }
            for key in actual.keys().filter(|key| !planned.contains_key(*key)) {
                problems.push(Problem::new(at, format!("new element {key:?} has appeared")));
            }
            problems
        }
        (Value::Set(planned), Value::Set(actual)) => set(planned, actual, at),
        (planned, actual) if planned == actual => Vec::new(),
        (planned, actual) => one(format!("was {}, but now {}", text(planned), text(actual))),
    }
}

/// Elements of a set have no identity: each must have a counterpart on the other side. Elements with unknowns
/// may turn out equal and become one, so a set may shrink, never grow.
fn set(planned: &[Value], actual: &[Value], at: &Path) -> Vec<Problem> {
    let fits = |planned: &Value, actual: &Value| value(planned, actual, at).is_empty();
    let mut problems = Vec::new();
    for element in planned.iter().filter(|one| !actual.iter().any(|other| fits(one, other))) {
        let vanished = format!("planned set element {} does not correlate with any element in actual", text(element));
        problems.push(Problem::new(at, vanished));
    }
    for element in actual.iter().filter(|one| !planned.iter().any(|other| fits(other, one))) {
        let appeared = format!("actual set element {} does not correlate with any element in plan", text(element));
        problems.push(Problem::new(at, appeared));
    }
    if actual.len() > planned.len() {
        problems.push(Problem::new(at, format!("length changed from {} to {}", planned.len(), actual.len())));
    }
    problems
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::{Value as Json, json};
    use tfplugin_core::{Attribute, Mode, Shape, Type};

    use super::*;
    use crate::json::{read, unknown};

    fn schema() -> Schema {
        let plain = |name: &str, ty| Attribute::new(name, Shape::Plain(ty), Mode::OptionalComputed);
        let mut secret = plain("secret", Type::String);
        secret.sensitive = true;
        let object = Type::object([("x", Type::String), ("y", Type::String)]);
        Schema {
            attributes: vec![
                plain("text", Type::String),
                plain("list", Type::list(Type::String)),
                plain("map", Type::map(Type::String)),
                plain("set", Type::set(object.clone())),
                plain("object", object),
                plain("any", Type::Dynamic),
                secret,
            ],
            ..Schema::default()
        }
    }

    fn check(planned: Json, actual: Json, expected: &[&str]) {
        let value = |json: &Json| read(json, &schema().ty(), &Path::root()).unwrap();
        let found: Vec<String> =
            completes(&schema(), &value(&planned), &value(&actual)).iter().map(Problem::to_string).collect();
        assert_eq!(found, expected, "planned {planned}, actual {actual}");
    }

    #[test]
    fn unknowns_may_become_anything() {
        check(
            json!({ "text": unknown(), "list": unknown(), "set": [{ "x": unknown() }, { "x": unknown(), "y": null }], "any": unknown() }),
            json!({ "text": null, "list": ["a"], "set": [{ "x": "1" }], "any": [1] }),
            &[],
        );
        check(json!({ "any": { "a": unknown() } }), json!({ "any": { "a": "x" } }), &[]);
        check(json!(null), json!(null), &[]);
    }

    #[test]
    fn what_was_known_must_stay() {
        check(json!({}), json!(null), &["root object was present, but now absent"]);
        check(json!(null), json!({}), &["root object was absent, but now present"]);
        check(json!({ "text": "a" }), json!({ "text": "b" }), &["text: was \"a\", but now \"b\""]);
        check(json!({ "text": "a" }), json!({}), &["text: was \"a\", but now null"]);
        check(json!({}), json!({ "text": "a" }), &["text: was null, but now \"a\""]);
        check(json!({ "text": "a" }), json!({ "text": unknown() }), &["text: was known, but now unknown"]);
        check(
            json!({ "secret": "a" }),
            json!({ "secret": "b" }),
            &["secret: inconsistent values for sensitive attribute"],
        );
        check(
            json!({ "object": { "x": "a" } }),
            json!({ "object": { "x": "b" } }),
            &["object.x: was \"a\", but now \"b\""],
        );
        check(json!({ "any": "a" }), json!({ "any": 1 }), &["any: wrong final value type: was string, but now number"]);
    }

    #[test]
    fn elements_neither_vanish_nor_appear() {
        check(
            json!({ "list": ["a", "b"], "map": { "k": "a" } }),
            json!({ "list": ["c"], "map": { "l": "a" } }),
            &[
                "list[0]: was \"a\", but now \"c\"",
                "list: element 1 has vanished",
                "map: element \"k\" has vanished",
                "map: new element \"l\" has appeared",
            ],
        );
        check(json!({ "list": [] }), json!({ "list": ["a"] }), &["list: new element 0 has appeared"]);
        check(
            json!({ "set": [{ "x": "1", "y": unknown() }] }),
            json!({ "set": [{ "x": "1", "y": "a" }, { "x": "2", "y": "b" }] }),
            &[
                "set: actual set element {\"x\":\"2\",\"y\":\"b\"} does not correlate with any element in plan",
                "set: length changed from 1 to 2",
            ],
        );
        check(
            json!({ "set": [{ "x": "1" }] }),
            json!({ "set": [] }),
            &["set: planned set element {\"x\":\"1\",\"y\":null} does not correlate with any element in actual"],
        );
    }
}
