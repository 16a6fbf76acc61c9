//! The proposed new state: what core suggests to the provider before it plans.

use std::collections::BTreeMap;

use tfplugin_core::{Attribute, Mode, Nesting, Schema, Shape, Value};

/// The configuration, with the prior value of each computed attribute that it leaves out. Elements of lists
/// correspond by index, of maps by key, of sets by what the configuration says of them.
pub(crate) fn proposed_new(schema: &Schema, prior: &Value, config: &Value) -> Value {
    attributes(&schema.attributes, prior, config)
}

fn attributes(all: &[Attribute], prior: &Value, config: &Value) -> Value {
    let propose = |attribute: &Attribute| {
        let (before, configured) = (prior.attribute(&attribute.name), config.attribute(&attribute.name));
        if config.is_unknown() {
            return Value::Unknown;
        }
        if configured.is_null() && attribute.mode.is_computed() {
            // Where the prior object has something that only a configuration can have put there, the
            // configuration was not null then: it has been removed.
            return if was_configured(attribute, before) { Value::Null } else { before.clone() };
        }
        match &attribute.shape {
            Shape::Nested(nesting, children) => nested(*nesting, children, before, configured),
            Shape::Plain(_) => configured.clone(),
        }
    };
    Value::Map(all.iter().map(|attribute| (attribute.name.clone(), propose(attribute))).collect::<BTreeMap<_, _>>())
}

fn nested(nesting: Nesting, children: &[Attribute], prior: &Value, config: &Value) -> Value {
    match (nesting, config) {
        (Nesting::Single, Value::Map(_)) => attributes(children, prior, config),
        (Nesting::List, Value::List(elements)) => {
            let before = if let Value::List(before) = prior { before.as_slice() } else { &[] };
            Value::List(
                elements.iter().enumerate().map(|(index, one)| element(children, before.get(index), one)).collect(),
            )
        }
        (Nesting::Map, Value::Map(elements)) => Value::Map(
            elements
                .iter()
                .map(|(key, one)| (key.clone(), element(children, prior.as_map().and_then(|map| map.get(key)), one)))
                .collect(),
        ),
        (Nesting::Set, Value::Set(elements)) => {
            let mut before: Vec<&Value> =
                if let Value::Set(before) = prior { before.iter().collect() } else { Vec::new() };
            Value::set(elements.iter().map(|one| {
                let matching = before.iter().position(|prior| could_come_from(children, prior, one));
                let prior = matching.map(|position| before.remove(position));
                match one {
                    Value::Null => Value::Null,
                    one => attributes(children, prior.unwrap_or(&Value::Null), one),
                }
            }))
        }
        _ => config.clone(),
    }
}

/// An element without a predecessor is taken as it is configured.
fn element(children: &[Attribute], prior: Option<&Value>, config: &Value) -> Value {
    match (prior, config) {
        (None, _) | (_, Value::Null) => config.clone(),
        (Some(prior), config) => attributes(children, prior, config),
    }
}

/// Whether an optional, computed object holds values that are not computed.
fn was_configured(attribute: &Attribute, prior: &Value) -> bool {
    let Shape::Nested(nesting, children) = &attribute.shape else { return false };
    attribute.mode == Mode::OptionalComputed
        && objects(*nesting, prior).into_iter().any(|object| {
            children.iter().any(|child| {
                let value = object.attribute(&child.name);
                !value.is_null() && (!child.mode.is_computed() || was_configured(child, value))
            })
        })
}

fn objects(nesting: Nesting, value: &Value) -> Vec<&Value> {
    match (nesting, value) {
        (Nesting::Single, object @ Value::Map(_)) => vec![object],
        (Nesting::List | Nesting::Set, Value::List(elements) | Value::Set(elements)) => elements.iter().collect(),
        (Nesting::Map, Value::Map(elements)) => elements.values().collect(),
        _ => Vec::new(),
    }
}

/// Whether a prior element of a set is the configured one with computed attributes filled in.
fn could_come_from(children: &[Attribute], prior: &Value, config: &Value) -> bool {
    prior == config
        || children.iter().all(|child| {
            let (before, configured) = (prior.attribute(&child.name), config.attribute(&child.name));
            if before == configured || (configured.is_null() && child.mode.is_computed()) {
                return true;
            }
            match (&child.shape, before, configured) {
                (Shape::Nested(Nesting::Single, children), Value::Map(_), Value::Map(_)) => {
                    could_come_from(children, before, configured)
                }
                (Shape::Nested(Nesting::List, children), Value::List(before), Value::List(configured)) => {
                    before.len() == configured.len()
                        && before.iter().zip(configured).all(|(one, other)| could_come_from(children, one, other))
                }
                (Shape::Nested(Nesting::Map, children), Value::Map(before), Value::Map(configured)) => {
                    before.len() == configured.len()
                        && before.iter().all(|(key, one)| {
                            configured.get(key).is_some_and(|two| could_come_from(children, one, two))
                        })
                }
                _ => false,
            }
        })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::{Value as Json, json};
    use tfplugin_core::{Path, Type};

    use super::*;
    use crate::json::{read, show, unknown};

    fn text(name: &str, mode: Mode) -> Attribute {
        Attribute::new(name, Shape::Plain(Type::String), mode)
    }

    fn object(name: &str, nesting: Nesting, mode: Mode) -> Attribute {
        let children = vec![text("in", Mode::Optional), text("both", Mode::OptionalComputed)];
        Attribute::new(name, Shape::Nested(nesting, children), mode)
    }

    fn schema() -> Schema {
        Schema {
            attributes: vec![
                text("in", Mode::Optional),
                text("both", Mode::OptionalComputed),
                text("out", Mode::Computed),
                object("single", Nesting::Single, Mode::Optional),
                object("maybe", Nesting::Single, Mode::OptionalComputed),
                object("list", Nesting::List, Mode::Optional),
                object("map", Nesting::Map, Mode::Optional),
                object("set", Nesting::Set, Mode::Optional),
            ],
            ..Schema::default()
        }
    }

    /// What is proposed, without the attributes that are null.
    fn propose(prior: &Json, config: &Json) -> Json {
        let value = |json: &Json| read(json, &schema().ty(), &Path::root()).unwrap();
        let Json::Object(mut proposed) = show(&proposed_new(&schema(), &value(prior), &value(config))) else {
            return Json::Null;
        };
        proposed.retain(|_, json| !json.is_null());
        Json::Object(proposed)
    }

    #[test]
    fn computed_attributes_keep_their_value_and_others_follow_the_configuration() {
        let prior = json!({ "in": "1", "both": "2", "out": "3" });
        assert_eq!(propose(&prior, &json!({})), json!({ "both": "2", "out": "3" }));
        assert_eq!(propose(&prior, &json!({ "both": "x" })), json!({ "both": "x", "out": "3" }));
        assert_eq!(propose(&Json::Null, &json!({ "in": unknown() })), json!({ "in": unknown() }));
    }

    #[test]
    fn objects_are_matched_by_index_by_key_and_by_content() {
        let prior = json!({
            "single": { "in": "a", "both": "1" },
            "list": [{ "in": "a", "both": "1" }],
            "map": { "k": { "in": "a", "both": "1" } },
            "set": [{ "in": "a", "both": "1" }, { "in": "b", "both": "2" }],
        });
        let proposed = propose(
            &prior,
            &json!({
                "single": { "in": "z" },
                "list": [{ "in": "z" }, { "in": "y" }],
                "map": { "k": { "in": "z" }, "l": { "in": "y" } },
                "set": [{ "in": "b" }, { "in": "c" }],
            }),
        );
        let old = json!({ "in": "z", "both": "1" });
        let new = json!({ "in": "y", "both": null });
        assert_eq!(proposed["single"], old);
        assert_eq!(proposed["list"], json!([old, new]));
        assert_eq!(proposed["map"], json!({ "k": old, "l": new }));
        assert_eq!(proposed["set"], json!([{ "in": "c", "both": null }, { "in": "b", "both": "2" }]));
        assert_eq!(propose(&prior, &json!({})), json!({}));
        let unknowns = json!({ "list": [unknown()], "map": unknown(), "set": [unknown()] });
        assert_eq!(
            propose(&prior, &unknowns),
            json!({
                "list": [{ "in": unknown(), "both": unknown() }],
                "map": unknown(),
                "set": [{ "in": unknown(), "both": unknown() }],
            })
        );
    }

    #[test]
    fn an_optional_computed_object_stays_unless_the_configuration_had_made_it() {
        assert_eq!(
            propose(&json!({ "maybe": { "both": "1" } }), &json!({})),
            json!({ "maybe": { "in": null, "both": "1" } })
        );
        assert_eq!(propose(&json!({ "maybe": { "in": "a", "both": "1" } }), &json!({})), json!({}));
    }
}
