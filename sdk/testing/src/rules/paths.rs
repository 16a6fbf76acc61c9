//! Walks over values and schema that answer with paths.

use tfplugin_core::{Attribute, Nesting, Path, Schema, Shape, Step, Type, Value};

/// The smallest parts in which two values of a type differ.
pub(crate) fn changed(ty: &Type, before: &Value, after: &Value) -> Vec<Path> {
    let mut paths = Vec::new();
    differences(ty, before, after, &Path::root(), &mut paths);
    paths
}

fn differences(ty: &Type, before: &Value, after: &Value, at: &Path, paths: &mut Vec<Path>) {
    if before == after {
        return;
    }
    match (ty, before, after) {
        // A whole that comes or goes differs in each of its attributes.
        (Type::Object(types), Value::Map(_) | Value::Null, Value::Map(_) | Value::Null)
            if at.is_root() || !(before.is_null() || after.is_null()) =>
        {
            for (name, ty) in types {
                let at = at.child(name.as_str());
                differences(ty, before.attribute(name), after.attribute(name), &at, paths);
            }
        }
        (Type::Map(ty), Value::Map(old), Value::Map(new)) => {
            let keys: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for key in keys {
                differences(ty, before.attribute(key), after.attribute(key), &at.key(key.as_str()), paths);
            }
        }
        (Type::List(ty), Value::List(old), Value::List(new)) if old.len() == new.len() => {
            for (index, (before, after)) in old.iter().zip(new).enumerate() {
                differences(ty, before, after, &at.index(index), paths);
            }
        }
        _ => paths.push(at.clone()),
    }
}

/// Where a value is unknown.
pub(crate) fn unknowns(ty: &Type, value: &Value) -> Vec<Path> {
    let mut paths = Vec::new();
    collect_unknowns(ty, value, &Path::root(), &mut paths);
    paths
}

fn collect_unknowns(ty: &Type, value: &Value, at: &Path, paths: &mut Vec<Path>) {
    match (ty, value) {
        (_, Value::Unknown) => paths.push(at.clone()),
        (Type::Object(types), Value::Map(entries)) => {
            for (name, ty) in types {
                if let Some(value) = entries.get(name) {
                    collect_unknowns(ty, value, &at.child(name.as_str()), paths);
                }
            }
        }
        (Type::Map(ty), Value::Map(entries)) => {
            for (key, value) in entries {
                collect_unknowns(ty, value, &at.key(key.as_str()), paths);
            }
        }
        (Type::List(ty), Value::List(elements)) => {
            for (index, value) in elements.iter().enumerate() {
                collect_unknowns(ty, value, &at.index(index), paths);
            }
        }
        (_, value) if !value.is_wholly_known() => paths.push(at.clone()),
        _ => {}
    }
}

/// Write-only attributes that are not null.
pub(crate) fn write_only_set(schema: &Schema, value: &Value) -> Vec<Path> {
    let mut paths = Vec::new();
    collect_write_only(&schema.attributes, value, &Path::root(), &mut paths);
    paths
}

fn collect_write_only(all: &[Attribute], object: &Value, at: &Path, paths: &mut Vec<Path>) {
    for attribute in all {
        let value = object.attribute(&attribute.name);
        let at = at.child(attribute.name.as_str());
        if attribute.write_only {
            if !value.is_null() {
                paths.push(at);
            }
            continue;
        }
        let Shape::Nested(nesting, children) = &attribute.shape else { continue };
        match (nesting, value) {
            (Nesting::Single, object) => collect_write_only(children, object, &at, paths),
            (_, Value::List(elements)) => {
                for (index, element) in elements.iter().enumerate() {
                    collect_write_only(children, element, &at.index(index), paths);
                }
            }
            (_, Value::Set(elements)) => {
                elements.iter().for_each(|element| collect_write_only(children, element, &at, paths));
            }
            (_, Value::Map(elements)) => {
                for (key, element) in elements {
                    collect_write_only(children, element, &at.key(key.as_str()), paths);
                }
            }
            _ => {}
        }
    }
}

/// Whether the schema has something at that path: a message with another path is shown without the line
/// of the configuration that it is about.
pub(crate) fn in_schema(schema: &Schema, path: &Path) -> bool {
    in_type(&schema.ty(), path.steps())
}

fn in_type(ty: &Type, steps: &[Step]) -> bool {
    let Some((step, rest)) = steps.split_first() else { return true };
    match (ty, step) {
        (Type::Object(types), Step::Attribute(name)) => types.get(name).is_some_and(|ty| in_type(ty, rest)),
        (Type::Map(ty), Step::Key(_)) | (Type::List(ty), Step::Index(_)) => in_type(ty, rest),
        (Type::Tuple(types), Step::Index(index)) => {
            usize::try_from(*index).ok().and_then(|index| types.get(index)).is_some_and(|ty| in_type(ty, rest))
        }
        (Type::Dynamic, _) => true,
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::{Value as Json, json};
    use tfplugin_core::Mode;

    use super::*;
    use crate::json::{read, unknown};

    fn schema() -> Schema {
        let mut secret = Attribute::new("secret_wo", Shape::Plain(Type::String), Mode::Optional);
        secret.write_only = true;
        let children = vec![Attribute::new("x", Shape::Plain(Type::String), Mode::Optional), secret.clone()];
        let nested =
            |name: &str, nesting| Attribute::new(name, Shape::Nested(nesting, children.clone()), Mode::Optional);
        Schema {
            attributes: vec![
                secret,
                nested("one", Nesting::Single),
                nested("list", Nesting::List),
                nested("map", Nesting::Map),
                nested("set", Nesting::Set),
            ],
            ..Schema::default()
        }
    }

    fn value(json: Json) -> Value {
        read(&json, &schema().ty(), &Path::root()).unwrap()
    }

    fn strings(paths: Vec<Path>) -> Vec<String> {
        paths.iter().map(Path::to_string).collect()
    }

    #[test]
    fn differences_are_as_small_as_they_can_be() {
        let before =
            value(json!({ "one": { "x": "a" }, "list": [{ "x": "a" }], "map": { "k": { "x": "a" }, "l": {} } }));
        let after =
            value(json!({ "one": { "x": "b" }, "list": [{ "x": "b" }], "map": { "k": { "x": "b" } }, "set": [] }));
        let ty = schema().ty();
        assert_eq!(strings(changed(&ty, &before, &after)), ["list[0].x", "map[\"k\"].x", "map[\"l\"]", "one.x", "set"]);
        assert_eq!(strings(changed(&ty, &Value::Null, &after)), ["list", "map", "one", "set"]);
        assert!(changed(&ty, &after, &after).is_empty());
    }

    #[test]
    fn unknowns_and_write_only_values_are_found_at_every_depth() {
        let found = value(json!({
            "secret_wo": "s",
            "one": { "x": unknown(), "secret_wo": "s" },
            "list": [{ "x": unknown(), "secret_wo": "s" }],
            "map": { "k": { "x": unknown(), "secret_wo": "s" } },
            "set": [{ "x": unknown(), "secret_wo": "s" }],
        }));
        assert_eq!(strings(unknowns(&schema().ty(), &found)), ["list[0].x", "map[\"k\"].x", "one.x", "set"]);
        assert_eq!(
            strings(write_only_set(&schema(), &found)),
            ["secret_wo", "one.secret_wo", "list[0].secret_wo", "map[\"k\"].secret_wo", "set.secret_wo"]
        );
    }

    #[test]
    fn a_path_is_in_the_schema_or_it_is_not() {
        let schema = schema();
        for path in [Path::attribute("one").child("x"), Path::attribute("map").key("k").child("x"), Path::root()] {
            assert!(in_schema(&schema, &path), "{path}");
        }
        for path in [Path::attribute("two"), Path::attribute("one").key("x"), Path::attribute("set").index(0)] {
            assert!(!in_schema(&schema, &path), "{path}");
        }
    }
}
