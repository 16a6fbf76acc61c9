//! The order of a plan, which the protocol's rules leave to the provider:
//!
//! 1. defaults
//! 2. write-only attributes nulled
//! 3. what the configuration settles
//! 4. if anything differs from the prior state, what is computed becomes unknown
//! 5. attribute rules: what asks for replacement
//! 6. the resource's own plan
//! 7. replacement again, sorted, existing paths only
//!
//! Everything here is a pure function of values and schema.

use std::collections::BTreeMap;

use crate::{Attribute, Nesting, Path, Schema, Shape, Step, Value};

/// Steps 1 and 2: the proposed state with defaults filled in and write-only attributes nulled.
///
/// `proposed` is Terraform's proposed new state: the configuration, with the prior values of computed
/// attributes that the configuration leaves out.
pub fn propose(schema: &Schema, proposed: &Value, config: &Value) -> Value {
    objects(&schema.attributes, proposed, config, &|attribute, proposed, config| {
        if attribute.write_only {
            Value::Null
        } else if config.is_null() {
            attribute.default.clone().unwrap_or_else(|| proposed.clone())
        } else {
            proposed.clone()
        }
    })
}

/// Step 4: every computed attribute that the configuration leaves out becomes unknown, except those
/// with a default and those that keep their value.
pub fn unknowns(schema: &Schema, planned: &Value, config: &Value) -> Value {
    objects(&schema.attributes, planned, config, &|attribute, planned, config| {
        let kept = attribute.keep && !planned.is_null();
        if config.is_null() && attribute.mode.is_computed() && attribute.default.is_none() && !kept {
            Value::Unknown
        } else {
            planned.clone()
        }
    })
}

/// Nulls every write-only attribute.
pub fn without_write_only(schema: &Schema, value: &Value) -> Value {
    objects(&schema.attributes, value, value, &|attribute, value, _| {
        if attribute.write_only { Value::Null } else { value.clone() }
    })
}

/// Steps 5 and 7: the changed attributes that cannot change in place, sorted.
pub fn replacements(schema: &Schema, prior: &Value, planned: &Value) -> Vec<Path> {
    let mut paths = Vec::new();
    collect_replacements(&schema.attributes, prior, planned, &Path::root(), &mut paths);
    paths.sort();
    paths.dedup();
    paths
}

fn collect_replacements(attributes: &[Attribute], prior: &Value, planned: &Value, at: &Path, paths: &mut Vec<Path>) {
    for attribute in attributes {
        let (before, after) = (prior.attribute(&attribute.name), planned.attribute(&attribute.name));
        if before == after {
            continue;
        }
        let path = at.child(&attribute.name);
        if attribute.replace {
            paths.push(path);
        } else if let Shape::Nested(nesting, children) = &attribute.shape {
            nested_replacements(*nesting, children, before, after, &path, paths);
        }
    }
}

/// Into the objects that are there before and after. Elements of a set have no identity, so none is the same.
fn nested_replacements(
    nesting: Nesting,
    children: &[Attribute],
    before: &Value,
    after: &Value,
    at: &Path,
    paths: &mut Vec<Path>,
) {
    match (nesting, before, after) {
        (Nesting::Single, Value::Map(_), Value::Map(_)) => collect_replacements(children, before, after, at, paths),
        (Nesting::List, Value::List(old), Value::List(new)) => {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                nested_replacements(Nesting::Single, children, old, new, &at.index(index), paths);
            }
        }
        (Nesting::Map, Value::Map(old), Value::Map(new)) => {
            for (key, old) in old {
                nested_replacements(
                    Nesting::Single,
                    children,
                    old,
                    new.get(key).unwrap_or(&Value::Null),
                    &at.key(key),
                    paths,
                );
            }
        }
        _ => {}
    }
}

/// Whether every step of the path exists in the value.
pub(crate) fn exists(value: &Value, path: &Path) -> bool {
    path.is_root()
        || value.at(path).is_some()
        || matches!((value, path.steps()), (Value::Map(_), [Step::Attribute(name)]) if value.as_map().is_some_and(|map| map.contains_key(name)))
}

/// Whether an element of a list, set or map of objects is unknown as a whole.
pub(crate) fn has_unknown_elements(attributes: &[Attribute], object: &Value) -> bool {
    let in_object = |children: &[Attribute], element: &Value| has_unknown_elements(children, element);
    attributes.iter().any(|attribute| {
        let Shape::Nested(nesting, children) = &attribute.shape else { return false };
        match (nesting, object.attribute(&attribute.name)) {
            (Nesting::Single, value @ Value::Map(_)) => in_object(children, value),
            (Nesting::List | Nesting::Set, Value::List(elements) | Value::Set(elements)) => {
                elements.iter().any(|element| element.is_unknown() || in_object(children, element))
            }
            (Nesting::Map, Value::Map(elements)) => {
                elements.values().any(|element| element.is_unknown() || in_object(children, element))
            }
            _ => false,
        }
    })
}

/// What a model wrote, with its unknown elements as they were given: a model reads an element that is unknown as a whole as an
/// object of unknown attributes ([`Field::from_value`](crate::Field::from_value)), and Terraform tells the two apart.
///
/// `given` is what the model was made of, `read` what it was as a value before anybody changed it. What is still as it was read is
/// as it was given.
pub(crate) fn as_given(given: &Value, read: &Value, written: Value) -> Value {
    if *read == written {
        return given.clone();
    }
    match (given, read, written) {
        (Value::Map(given), Value::Map(read), Value::Map(written)) => Value::Map(
            written
                .into_iter()
                .map(|(name, value)| match (given.get(&name), read.get(&name)) {
                    (Some(given), Some(read)) => (name, as_given(given, read, value)),
                    _ => (name, value),
                })
                .collect(),
        ),
        (Value::List(given), Value::List(read), Value::List(written)) => Value::List(
            written
                .into_iter()
                .enumerate()
                .map(|(index, value)| match (given.get(index), read.get(index)) {
                    (Some(given), Some(read)) => as_given(given, read, value),
                    _ => value,
                })
                .collect(),
        ),
        (_, _, written) => written,
    }
}

type Rule<'a> = &'a dyn Fn(&Attribute, &Value, &Value) -> Value;

/// Rebuilds an object: each attribute through `rule`, which sees the value and the configured value;
/// then the objects inside what remains known.
fn objects(attributes: &[Attribute], value: &Value, config: &Value, rule: Rule<'_>) -> Value {
    let Value::Map(entries) = value else { return value.clone() };
    let mut result = BTreeMap::new();
    for attribute in attributes {
        let configured = config.attribute(&attribute.name);
        let own = rule(attribute, entries.get(&attribute.name).unwrap_or(&Value::Null), configured);
        // A computed object that the configuration does not mention is the provider's as a whole.
        let own = match &attribute.shape {
            Shape::Nested(nesting, children) if !configured.is_null() => {
                nested(*nesting, children, &own, configured, rule)
            }
            _ => own,
        };
        result.insert(attribute.name.clone(), own);
    }
    Value::Map(result)
}

fn nested(nesting: Nesting, children: &[Attribute], value: &Value, config: &Value, rule: Rule<'_>) -> Value {
    match (nesting, value, config) {
        (Nesting::Single, value @ Value::Map(_), config) => objects(children, value, config, rule),
        (Nesting::List, Value::List(elements), Value::List(configured)) => Value::List(
            elements
                .iter()
                .enumerate()
                .map(|(index, element)| objects(children, element, configured.get(index).unwrap_or(&Value::Null), rule))
                .collect(),
        ),
        (Nesting::Map, Value::Map(elements), config @ Value::Map(_)) => Value::Map(
            elements
                .iter()
                .map(|(key, element)| (key.clone(), objects(children, element, config.attribute(key), rule)))
                .collect(),
        ),
        // The elements of a set have no identity, so nothing in them can be computed (`Schema::problems`).
        (Nesting::Set, Value::Set(_), Value::Set(configured)) => {
            Value::set(configured.iter().map(|element| objects(children, element, element, rule)))
        }
        _ => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Mode, Type};

    fn schema() -> Schema {
        let text = |name: &str, mode| Attribute::new(name, Shape::Plain(Type::String), mode);
        let mut level = text("level", Mode::OptionalComputed);
        level.default = Some("info".into());
        let mut id = text("id", Mode::Computed);
        id.keep = true;
        let mut name = text("name", Mode::Required);
        name.replace = true;
        let mut secret = text("secret_wo", Mode::Optional);
        secret.write_only = true;
        let mut size = text("size", Mode::OptionalComputed);
        size.replace = true;
        let disk = Attribute::new("disk", Shape::Nested(Nesting::Single, vec![size, secret.clone()]), Mode::Optional);
        let parts = Attribute::new(
            "parts",
            Shape::Nested(Nesting::List, vec![text("label", Mode::Required), text("serial", Mode::Computed)]),
            Mode::Optional,
        );
        Schema {
            attributes: vec![name, level, id, text("url", Mode::Computed), secret, disk, parts],
            ..Schema::default()
        }
    }

    fn object(entries: &[(&str, Value)]) -> Value {
        let mut whole = schema().empty();
        if let Value::Map(map) = &mut whole {
            map.extend(entries.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        }
        whole
    }

    #[test]
    fn defaults_are_filled_in_and_write_only_is_nulled_at_every_depth() {
        let disk = Value::map([("size", Value::Null), ("secret_wo", "x".into())]);
        let config = object(&[("name", "a".into()), ("secret_wo", "y".into()), ("disk", disk)]);
        let planned = propose(&schema(), &config, &config);
        assert_eq!(planned.attribute("level"), &Value::from("info"));
        assert!(planned.attribute("secret_wo").is_null());
        assert!(planned.attribute("disk").attribute("secret_wo").is_null());
    }

    #[test]
    fn what_is_computed_and_not_configured_becomes_unknown_except_what_is_kept() {
        let part = Value::map([("label", "p".into()), ("serial", Value::Null)]);
        let config = object(&[("name", "a".into()), ("parts", Value::List(vec![part]))]);
        let mut proposed = config.clone();
        if let Value::Map(map) = &mut proposed {
            map.insert("id".into(), "1".into());
            map.insert("url".into(), "u".into());
        }
        let planned = unknowns(&schema(), &propose(&schema(), &proposed, &config), &config);
        assert_eq!(planned.attribute("id"), &Value::from("1"));
        assert_eq!(planned.attribute("url"), &Value::Unknown);
        assert_eq!(planned.attribute("level"), &Value::from("info"));
        assert!(planned.attribute("disk").is_null());
        assert_eq!(planned.at(&Path::attribute("parts").index(0).child("serial")), Some(&Value::Unknown));
    }

    #[test]
    fn replacement_is_asked_for_changed_attributes_only_and_sorted() {
        let disk = |size: &str| Value::map([("size", size.into()), ("secret_wo", Value::Null)]);
        let prior = object(&[("name", "a".into()), ("disk", disk("1"))]);
        let planned = object(&[("name", "b".into()), ("disk", disk("2"))]);
        let paths: Vec<String> = replacements(&schema(), &prior, &planned).iter().map(Path::to_string).collect();
        assert_eq!(paths, ["disk.size", "name"]);
        assert!(replacements(&schema(), &prior, &prior).is_empty());
    }

    #[test]
    fn an_element_that_is_unknown_as_a_whole_is_seen_at_every_depth() {
        let seen = |parts: Value| has_unknown_elements(&schema().attributes, &object(&[("parts", parts)]));
        let part = |label: Value| Value::map([("label", label), ("serial", Value::Null)]);
        assert!(seen(Value::List(vec![part("a".into()), Value::Unknown])));
        assert!(!seen(Value::List(vec![part(Value::Unknown)])), "an attribute of it");
        assert!(!seen(Value::Unknown), "the list itself");
        let outer = Attribute::new("outer", Shape::Nested(Nesting::Map, schema().attributes), Mode::Optional);
        let inside = Value::map([("parts", Value::List(vec![Value::Unknown]))]);
        for elements in [Value::map([("k", Value::Unknown)]), Value::map([("k", inside)])] {
            assert!(has_unknown_elements(std::slice::from_ref(&outer), &Value::map([("outer", elements)])));
        }
    }

    #[test]
    fn what_a_model_wrote_is_as_it_was_given_where_nobody_changed_it() {
        let opened = || Value::map([("label", Value::Unknown), ("serial", Value::Unknown)]);
        let part = |label: &str| Value::map([("label", label.into()), ("serial", Value::Null)]);
        let whole = |name: &str, parts: Vec<Value>| object(&[("name", name.into()), ("parts", Value::List(parts))]);
        let given = whole("a", vec![part("p"), Value::Unknown, opened()]);
        let read = whole("a", vec![part("p"), opened(), opened()]);
        assert_eq!(as_given(&given, &read, read.clone()), given);
        let changed = whole("b", vec![part("q"), opened(), opened()]);
        assert_eq!(as_given(&given, &read, changed), whole("b", vec![part("q"), Value::Unknown, opened()]));
        let set = whole("a", vec![part("p"), part("r"), opened(), opened()]);
        assert_eq!(
            as_given(&given, &read, set.clone()),
            whole("a", vec![part("p"), part("r"), opened(), opened()]),
            "an element that the resource has decided stays decided"
        );
    }

    #[test]
    fn replacement_is_asked_for_inside_lists_and_maps_of_objects() {
        let mut size = Attribute::new("size", Shape::Plain(Type::String), Mode::Required);
        size.replace = true;
        let nested = |name: &str, nesting, children: &[Attribute]| {
            Attribute::new(name, Shape::Nested(nesting, children.to_vec()), Mode::Optional)
        };
        let inner = nested("inner", Nesting::Map, &[size]);
        let schema = Schema {
            attributes: vec![nested("outer", Nesting::List, std::slice::from_ref(&inner)), inner],
            ..Schema::default()
        };
        let disks = |a: &str, b: &str| {
            let disks = Value::map([
                ("a", Value::map([("size", Value::from(a))])),
                (b, Value::map([("size", Value::from("1"))])),
            ]);
            Value::map([
                ("outer", Value::List(vec![Value::map([("inner", disks.clone())]), Value::Null])),
                ("inner", disks),
            ])
        };
        let asked = |after: Value| -> Vec<String> {
            replacements(&schema, &disks("1", "b"), &after).iter().map(Path::to_string).collect()
        };
        assert_eq!(asked(disks("2", "b")), ["inner[\"a\"].size", "outer[0].inner[\"a\"].size"]);
        assert!(asked(disks("1", "c")).is_empty(), "an element that comes or goes is a change in place");
    }
}
