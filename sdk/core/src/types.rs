//! The type system of Terraform values (`cty`), as far as the plugin protocol carries it.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Value as Json, json};

/// The type of a value.
///
/// On the wire a type is JSON: `"string"`, `["list","string"]`, `["object",{"a":"bool"}]`
/// (plugin protocol 6, `Schema.Attribute.type`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Type {
    /// `true` or `false`.
    Bool,
    /// An arbitrary-precision decimal number.
    Number,
    /// Unicode text.
    String,
    /// Decided by the value: each value carries its own type.
    Dynamic,
    /// An ordered sequence of one element type.
    List(Box<Type>),
    /// An unordered collection of distinct elements of one type.
    Set(Box<Type>),
    /// Text keys to values of one type.
    Map(Box<Type>),
    /// A fixed set of named attributes, each with a type of its own.
    Object(BTreeMap<String, Type>),
    /// A fixed sequence of elements, each with a type of its own.
    Tuple(Vec<Type>),
}

/// A type description that is not one.
#[derive(Debug, thiserror::Error)]
#[error("not a type: {0}")]
pub struct TypeError(pub String);

impl Type {
    /// `list(element)`
    pub fn list(element: Type) -> Type {
        Type::List(Box::new(element))
    }

    /// `set(element)`
    pub fn set(element: Type) -> Type {
        Type::Set(Box::new(element))
    }

    /// `map(element)`
    pub fn map(element: Type) -> Type {
        Type::Map(Box::new(element))
    }

    /// `object({...})`
    pub fn object<N: Into<String>>(attributes: impl IntoIterator<Item = (N, Type)>) -> Type {
        Type::Object(attributes.into_iter().map(|(name, ty)| (name.into(), ty)).collect())
    }

    /// The JSON form of the wire.
    pub fn to_json(&self) -> Json {
        match self {
            Type::Bool => json!("bool"),
            Type::Number => json!("number"),
            Type::String => json!("string"),
            Type::Dynamic => json!("dynamic"),
            Type::List(element) => json!(["list", element.to_json()]),
            Type::Set(element) => json!(["set", element.to_json()]),
            Type::Map(element) => json!(["map", element.to_json()]),
            Type::Object(attributes) => {
                let attributes: serde_json::Map<String, Json> =
                    attributes.iter().map(|(name, ty)| (name.clone(), ty.to_json())).collect();
                json!(["object", attributes])
            }
            Type::Tuple(elements) => {
                let elements: Vec<Json> = elements.iter().map(Type::to_json).collect();
                json!(["tuple", elements])
            }
        }
    }

    /// The bytes of [`Type::to_json`].
    pub fn to_json_bytes(&self) -> Vec<u8> {
        self.to_json().to_string().into_bytes()
    }

    /// Reads the JSON form. Optional attributes of an object (a third element) are read as plain
    /// attributes: a value never shows the difference.
    ///
    /// # Errors
    /// When the JSON describes no type.
    pub fn from_json(json: &Json) -> Result<Type, TypeError> {
        let wrong = || TypeError(json.to_string());
        match json {
            Json::String(name) => match name.as_str() {
                "bool" => Ok(Type::Bool),
                "number" => Ok(Type::Number),
                "string" => Ok(Type::String),
                "dynamic" => Ok(Type::Dynamic),
                _ => Err(wrong()),
            },
            Json::Array(parts) => {
                let (Some(Json::String(kind)), Some(argument)) = (parts.first(), parts.get(1)) else {
                    return Err(wrong());
                };
                match (kind.as_str(), argument) {
                    ("list", element) => Ok(Type::list(Type::from_json(element)?)),
                    ("set", element) => Ok(Type::set(Type::from_json(element)?)),
                    ("map", element) => Ok(Type::map(Type::from_json(element)?)),
                    ("object", Json::Object(attributes)) => attributes
                        .iter()
                        .map(|(name, ty)| Ok((name.clone(), Type::from_json(ty)?)))
                        .collect::<Result<_, TypeError>>()
                        .map(Type::Object),
                    ("tuple", Json::Array(elements)) => {
                        elements.iter().map(Type::from_json).collect::<Result<_, _>>().map(Type::Tuple)
                    }
                    _ => Err(wrong()),
                }
            }
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Type {
    /// The notation of Terraform's type constraints: `list(string)`, `object({ a = bool })`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Bool => f.write_str("bool"),
            Type::Number => f.write_str("number"),
            Type::String => f.write_str("string"),
            Type::Dynamic => f.write_str("any"),
            Type::List(element) => write!(f, "list({element})"),
            Type::Set(element) => write!(f, "set({element})"),
            Type::Map(element) => write!(f, "map({element})"),
            Type::Object(attributes) => {
                f.write_str("object({")?;
                for (index, (name, ty)) in attributes.iter().enumerate() {
                    write!(f, "{} {name} = {ty}", if index > 0 { "," } else { "" })?;
                }
                f.write_str(" })")
            }
            Type::Tuple(elements) => {
                f.write_str("tuple([")?;
                for (index, ty) in elements.iter().enumerate() {
                    write!(f, "{}{ty}", if index > 0 { ", " } else { "" })?;
                }
                f.write_str("])")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_form_round_trips() {
        let ty = Type::object([
            ("a", Type::list(Type::String)),
            ("b", Type::Tuple(vec![Type::Bool, Type::Dynamic])),
            ("c", Type::map(Type::set(Type::Number))),
        ]);
        assert_eq!(
            ty.to_json().to_string(),
            r#"["object",{"a":["list","string"],"b":["tuple",["bool","dynamic"]],"c":["map",["set","number"]]}]"#
        );
        assert_eq!(Type::from_json(&ty.to_json()).ok(), Some(ty));
    }

    #[test]
    fn optional_attributes_are_read_and_nonsense_is_refused() {
        let json = serde_json::json!(["object", {"a": "string"}, ["a"]]);
        assert_eq!(Type::from_json(&json).ok(), Some(Type::object([("a", Type::String)])));
        for json in [serde_json::json!("text"), serde_json::json!(["list"]), serde_json::json!(3)] {
            assert!(Type::from_json(&json).is_err(), "{json}");
        }
    }

    #[test]
    fn displays_as_terraform_writes_it() {
        assert_eq!(Type::object([("a", Type::list(Type::String))]).to_string(), "object({ a = list(string) })");
    }
}
