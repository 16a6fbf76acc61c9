//! Configurations as a test writes them, and values as a test reads them: JSON, with a marker for unknown.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use tfplugin_core::{Model, Number, NumberForm, Path, Type, Value};

/// A value that is known only after apply: what an attribute of a resource that does not exist yet is to
/// the configuration of another one.
pub fn unknown() -> Json {
    json!({ "$unknown": true })
}

/// The model of a configuration as it is written, without defaults, for a unit test. `"?"` stands for what is not known yet.
///
/// # Panics
/// When the schema does not take it.
#[track_caller]
pub fn config<M: Model>(json: &Json) -> M {
    let value = read(&with_unknowns(json), &M::schema().ty(), &Path::root());
    let model = value.and_then(|value| M::from_value(&value, &Path::root()).map_err(|error| error.to_string()));
    model.unwrap_or_else(|error| crate::fail(error))
}

/// The model that core proposes for a new object of this configuration: with the defaults.
///
/// # Panics
/// When the defaults do not fit the model.
#[track_caller]
pub fn proposed<M: Model>(config: &M) -> M {
    let written = config.to_value();
    let proposed = tfplugin_core::plan::propose(&M::schema(), &written, &written);
    M::from_value(&proposed, &Path::root()).unwrap_or_else(|error| crate::fail(error))
}

fn with_unknowns(json: &Json) -> Json {
    match json {
        Json::String(text) if text == "?" => unknown(),
        Json::Object(entries) => entries.iter().map(|(key, value)| (key.clone(), with_unknowns(value))).collect(),
        Json::Array(elements) => elements.iter().map(with_unknowns).collect(),
        plain => plain.clone(),
    }
}

/// The value of that type which Terraform would make of the configuration: attributes left out are null,
/// and numbers and truth values become text where text is expected, and back.
pub(crate) fn read(json: &Json, ty: &Type, at: &Path) -> Result<Value, String> {
    if *json == unknown() {
        return Ok(Value::Unknown);
    }
    let wrong = || format!("Incorrect attribute value type: {at}: {ty} required, found {json}");
    match (ty, json) {
        (_, Json::Null) => Ok(Value::Null),
        (Type::Dynamic, json) => {
            let ty = infer(json);
            Ok(Value::Dynamic(Box::new(ty.clone()), Box::new(read(json, &ty, at)?)))
        }
        (Type::Bool, Json::Bool(truth)) => Ok(Value::Bool(*truth)),
        (Type::Bool, Json::String(word)) if word == "true" || word == "false" => Ok(Value::Bool(word == "true")),
        (Type::Number, Json::Number(number)) => Number::parse(&number.to_string()).map(Value::Number).ok_or_else(wrong),
        (Type::Number, Json::String(digits)) => Number::parse(digits).map(Value::Number).ok_or_else(wrong),
        (Type::String, Json::String(text)) => Ok(Value::from(text.as_str())),
        (Type::String, Json::Number(_) | Json::Bool(_)) => Ok(Value::from(json.to_string())),
        (Type::List(element), Json::Array(elements)) => Ok(Value::List(read_elements(elements, element, at)?)),
        (Type::Set(element), Json::Array(elements)) => Ok(Value::set(read_elements(elements, element, at)?)),
        (Type::Tuple(types), Json::Array(elements)) if types.len() == elements.len() => elements
            .iter()
            .zip(types)
            .enumerate()
            .map(|(index, (element, ty))| read(element, ty, &at.index(index)))
            .collect::<Result<_, _>>()
            .map(Value::List),
        (Type::Map(element), Json::Object(entries)) => entries
            .iter()
            .map(|(key, json)| Ok((key.clone(), read(json, element, &at.key(key.as_str()))?)))
            .collect::<Result<_, String>>()
            .map(Value::Map),
        (Type::Object(attributes), Json::Object(entries)) => {
            if let Some(name) = entries.keys().find(|name| !attributes.contains_key(*name)) {
                let path = at.child(name.as_str());
                return Err(format!("Unsupported argument: {path}: an argument named \"{name}\" is not expected here"));
            }
            attributes
                .iter()
                .map(|(name, ty)| {
                    let json = entries.get(name).unwrap_or(&Json::Null);
                    Ok((name.clone(), read(json, ty, &at.child(name.as_str()))?))
                })
                .collect::<Result<_, String>>()
                .map(Value::Map)
        }
        _ => Err(wrong()),
    }
}

fn read_elements(elements: &[Json], ty: &Type, at: &Path) -> Result<Vec<Value>, String> {
    elements.iter().enumerate().map(|(index, element)| read(element, ty, &at.index(index))).collect()
}

/// The type that an expression of that form has in the configuration language.
fn infer(json: &Json) -> Type {
    match json {
        Json::Null => Type::Dynamic,
        Json::Bool(_) => Type::Bool,
        Json::Number(_) => Type::Number,
        Json::String(_) => Type::String,
        Json::Array(elements) => Type::Tuple(elements.iter().map(infer).collect()),
        Json::Object(_) if *json == unknown() => Type::Dynamic,
        Json::Object(entries) => Type::object(entries.iter().map(|(name, json)| (name.as_str(), infer(json)))),
    }
}

/// A value for a test to look at: unknown as [`unknown`] writes it, a dynamic value without its type.
pub(crate) fn show(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Unknown => unknown(),
        Value::Bool(truth) => json!(truth),
        Value::Number(number) => match number.form() {
            NumberForm::Int(int) => json!(int),
            NumberForm::Uint(uint) => json!(uint),
            NumberForm::Float(float) => json!(float),
            NumberForm::Decimal(digits) => json!(digits),
        },
        Value::String(text) => json!(text),
        Value::List(elements) | Value::Set(elements) => elements.iter().map(show).collect(),
        Value::Map(entries) => {
            // Sorted, whatever order of keys serde_json keeps.
            let entries: BTreeMap<&String, Json> = entries.iter().map(|(name, value)| (name, show(value))).collect();
            json!(entries)
        }
        Value::Dynamic(_, value) => show(value),
    }
}

/// A value in a message: JSON on one line.
pub(crate) fn text(value: &Value) -> String {
    if value.is_unknown() {
        return "(known after apply)".to_owned();
    }
    show(value).to_string().replace(&unknown().to_string(), "(known after apply)")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn ty() -> Type {
        Type::object([
            ("name", Type::String),
            ("count", Type::Number),
            ("tags", Type::map(Type::String)),
            ("ports", Type::set(Type::Number)),
            ("any", Type::Dynamic),
        ])
    }

    #[test]
    fn what_is_left_out_is_null_and_unknown_stands_anywhere() {
        let json = json!({ "name": unknown(), "tags": { "a": unknown(), "b": 1 }, "ports": [2, "1", 2] });
        let value = read(&json, &ty(), &Path::root()).unwrap();
        assert_eq!(
            show(&value),
            json!({ "name": unknown(), "count": null, "tags": { "a": unknown(), "b": "1" }, "ports": [1, 2], "any": null })
        );
        assert_eq!(text(value.attribute("name")), "(known after apply)");
    }

    #[test]
    fn a_dynamic_value_gets_the_type_of_its_expression() {
        let value = read(&json!({ "any": { "a": [1, "x"] } }), &ty(), &Path::root()).unwrap();
        let expected = Type::object([("a", Type::Tuple(vec![Type::Number, Type::String]))]);
        assert!(matches!(value.attribute("any"), Value::Dynamic(ty, _) if **ty == expected));
        assert_eq!(show(value.attribute("any")), json!({ "a": [1, "x"] }));
    }

    #[test]
    fn what_terraform_refuses_is_refused() {
        for (json, message) in [
            (json!({ "nmae": "a" }), "an argument named \"nmae\" is not expected here"),
            (json!({ "count": "many" }), "Incorrect attribute value type: count: number required, found \"many\""),
            (json!({ "tags": { "a": [] } }), "tags[\"a\"]: string required"),
        ] {
            let error = read(&json, &ty(), &Path::root()).unwrap_err();
            assert!(error.contains(message), "{error}");
        }
    }
}
