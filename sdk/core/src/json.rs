//! Values as JSON, driven by their type: the form of stored state and of `DynamicValue.json`.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use serde_json::{Value as Json, json};

use crate::codec::{CodecError, MAX_DEPTH, object_from};
use crate::{Number, NumberForm, Step, Type, Value};

/// What to do with attributes that the type does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unexpected {
    /// An error: the sender has the same schema.
    Refuse,
    /// Left out: the state was written under another schema.
    Ignore,
}

/// The value of that type in JSON text.
///
/// # Errors
/// When the text is not JSON or holds something of another type.
pub fn from_json(text: &[u8], ty: &Type, unexpected: Unexpected) -> Result<Value, CodecError> {
    let raw: &RawValue = serde_json::from_slice(text).map_err(|error| CodecError::new(format!("not JSON: {error}")))?;
    read(raw, ty, unexpected, 0)
}

/// The JSON form of a value of that type.
///
/// # Errors
/// When the value is not of the type, or has something unknown in it, which JSON cannot say.
pub fn to_json(value: &Value, ty: &Type) -> Result<Json, CodecError> {
    match (value, ty) {
        (Value::Null, _) => Ok(Json::Null),
        (Value::Unknown, _) => Err(CodecError::new("an unknown value has no JSON form")),
        (Value::Dynamic(actual, value), Type::Dynamic) => {
            Ok(json!({ "type": actual.to_json(), "value": to_json(value, actual)? }))
        }
        (Value::Bool(truth), Type::Bool) => Ok(json!(truth)),
        (Value::Number(number), Type::Number) => Ok(number_to_json(number)),
        (Value::String(text), Type::String) => Ok(json!(text)),
        (Value::List(elements), Type::List(element)) | (Value::Set(elements), Type::Set(element)) => elements
            .iter()
            .enumerate()
            .map(|(index, value)| to_json(value, element).map_err(|error| error.below(Step::Index(index as i64))))
            .collect(),
        (Value::List(elements), Type::Tuple(types)) if elements.len() == types.len() => elements
            .iter()
            .zip(types)
            .enumerate()
            .map(|(index, (value, ty))| to_json(value, ty).map_err(|error| error.below(Step::Index(index as i64))))
            .collect(),
        (Value::Map(entries), Type::Map(element)) => entries
            .iter()
            .map(|(key, value)| {
                Ok((key.clone(), to_json(value, element).map_err(|error| error.below(Step::Key(key.clone())))?))
            })
            .collect::<Result<serde_json::Map<_, _>, CodecError>>()
            .map(Json::Object),
        (Value::Map(entries), Type::Object(attributes)) => attributes
            .iter()
            .map(|(name, ty)| {
                let value = to_json(entries.get(name).unwrap_or(&Value::Null), ty);
                Ok((name.clone(), value.map_err(|error| error.below(Step::Attribute(name.clone())))?))
            })
            .collect::<Result<serde_json::Map<_, _>, CodecError>>()
            .map(Json::Object),
        (value, ty) => Err(CodecError::mismatch(value, ty)),
    }
}

fn number_to_json(number: &Number) -> Json {
    match number.form() {
        NumberForm::Int(int) => json!(int),
        NumberForm::Uint(uint) => json!(uint),
        // A float's shortest digits, if they are all its digits; otherwise they are another number.
        NumberForm::Float(float) if Number::parse(&float.to_string()).as_ref() == Some(number) => json!(float),
        // As text, which `read` accepts for a number: serde_json's own numbers are 64 bits wide.
        NumberForm::Float(_) => json!(number.to_string()),
        NumberForm::Decimal(digits) => json!(digits),
    }
}

fn read(raw: &RawValue, ty: &Type, unexpected: Unexpected, depth: usize) -> Result<Value, CodecError> {
    if depth > MAX_DEPTH {
        return Err(CodecError::too_deep());
    }
    let text = raw.get();
    if text == "null" {
        return Ok(Value::Null);
    }
    let expected = || CodecError::new(format!("expected {ty}"));
    match ty {
        Type::Dynamic => {
            #[derive(serde::Deserialize)]
            struct Typed<'a> {
                r#type: Json,
                #[serde(borrow)]
                value: &'a RawValue,
            }
            let typed: Typed<'_> = serde_json::from_str(text).map_err(|_| expected())?;
            let actual = Type::from_json(&typed.r#type).map_err(|error| CodecError::new(error.to_string()))?;
            let value = read(typed.value, &actual, unexpected, depth + 1)?;
            Ok(Value::Dynamic(Box::new(actual), Box::new(value)))
        }
        Type::Bool => match serde_json::from_str(text) {
            Ok(Json::Bool(truth)) => Ok(Value::Bool(truth)),
            Ok(Json::String(word)) if word == "true" || word == "false" => Ok(Value::Bool(word == "true")),
            _ => Err(expected()),
        },
        Type::Number => match text.strip_prefix('"') {
            Some(_) => serde_json::from_str::<String>(text).ok().as_deref().and_then(Number::parse),
            None => Number::parse(text),
        }
        .map(Value::Number)
        .ok_or_else(expected),
        Type::String => match serde_json::from_str(text) {
            Ok(Json::String(text)) => Ok(Value::String(text)),
            // Old states hold numbers and truth values where there is text now.
            Ok(Json::Number(_) | Json::Bool(_)) => Ok(Value::String(text.to_owned())),
            _ => Err(expected()),
        },
        Type::List(element) => read_elements(text, element, unexpected, depth).map(Value::List),
        Type::Set(element) => read_elements(text, element, unexpected, depth).map(Value::set),
        Type::Tuple(types) => {
            let elements: Vec<&RawValue> = serde_json::from_str(text).map_err(|_| expected())?;
            if elements.len() != types.len() {
                return Err(expected());
            }
            elements
                .into_iter()
                .zip(types)
                .enumerate()
                .map(|(index, (raw, ty))| {
                    read(raw, ty, unexpected, depth + 1).map_err(|error| error.below(Step::Index(index as i64)))
                })
                .collect::<Result<_, _>>()
                .map(Value::List)
        }
        Type::Map(element) => {
            let entries: BTreeMap<String, &RawValue> = serde_json::from_str(text).map_err(|_| expected())?;
            entries
                .into_iter()
                .map(|(key, raw)| match read(raw, element, unexpected, depth + 1) {
                    Ok(value) => Ok((key, value)),
                    Err(error) => Err(error.below(Step::Key(key))),
                })
                .collect::<Result<_, _>>()
                .map(Value::Map)
        }
        Type::Object(attributes) => {
            let entries: BTreeMap<String, &RawValue> = serde_json::from_str(text).map_err(|_| expected())?;
            let mut known = Vec::new();
            for (name, raw) in entries {
                match attributes.get(&name) {
                    Some(ty) => match read(raw, ty, unexpected, depth + 1) {
                        Ok(value) => known.push((name, value)),
                        Err(error) => return Err(error.below(Step::Attribute(name))),
                    },
                    None if unexpected == Unexpected::Ignore => {}
                    None => return Err(CodecError::new(format!("no attribute is named {name}"))),
                }
            }
            Ok(object_from(attributes, known))
        }
    }
}

fn read_elements(text: &str, element: &Type, unexpected: Unexpected, depth: usize) -> Result<Vec<Value>, CodecError> {
    let elements: Vec<&RawValue> = serde_json::from_str(text).map_err(|_| CodecError::new("expected a list"))?;
    elements
        .into_iter()
        .enumerate()
        .map(|(index, raw)| {
            read(raw, element, unexpected, depth + 1).map_err(|error| error.below(Step::Index(index as i64)))
        })
        .collect()
}
