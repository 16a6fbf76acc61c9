//! What a value holds that must not be shown, by its schema.

use tfplugin_redaction::redact;

use crate::{Attribute, Diagnostics, Nesting, Schema, Shape, Value};

impl Schema {
    /// The texts in a value of this schema that are secret: all that stands in sensitive and write-only attributes, at whatever depth,
    /// but for attributes that are said to be no secret ([`Attribute::not_secret`]). Keys of maps and numbers are none.
    pub fn secrets<'a>(&self, value: &'a Value) -> Vec<&'a str> {
        let mut found = Vec::new();
        of_object(&self.attributes, value, false, &mut found);
        found
    }

    /// From now on the secrets in a value of this schema are replaced in everything that leaves the process. Every value that comes
    /// from the client or from an author's code goes through here first.
    pub(crate) fn hide(&self, value: &Value) {
        self.secrets(value).into_iter().for_each(redact);
    }
}

impl Diagnostics {
    /// The same messages without anything secret. Every message of an author's code goes through here.
    pub(crate) fn redacted(self) -> Diagnostics {
        let clean = |text: String| match tfplugin_redaction::redacted(&text) {
            std::borrow::Cow::Borrowed(_) => text,
            std::borrow::Cow::Owned(clean) => clean,
        };
        self.into_iter()
            .map(|mut one| {
                one.summary = clean(one.summary);
                one.detail = clean(one.detail);
                one
            })
            .collect()
    }
}

/// The secrets of an object; `secret`: it is part of something that is one.
fn of_object<'a>(attributes: &[Attribute], object: &'a Value, secret: bool, found: &mut Vec<&'a str>) {
    for attribute in attributes {
        let value = object.attribute(&attribute.name);
        let secret = (secret && !attribute.not_secret) || attribute.sensitive || attribute.write_only;
        match (&attribute.shape, value) {
            (Shape::Plain(_), value) if secret => texts(value, found),
            (Shape::Plain(_), _) => {}
            (Shape::Nested(Nesting::Single, children), object) => of_object(children, object, secret, found),
            (Shape::Nested(_, children), Value::List(elements) | Value::Set(elements)) => {
                elements.iter().for_each(|element| of_object(children, element, secret, found));
            }
            (Shape::Nested(_, children), Value::Map(elements)) => {
                elements.values().for_each(|element| of_object(children, element, secret, found));
            }
            (Shape::Nested(..), _) => {}
        }
    }
}

/// Every text in a value of whatever type.
fn texts<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::List(elements) | Value::Set(elements) => elements.iter().for_each(|element| texts(element, found)),
        Value::Map(entries) => entries.values().for_each(|element| texts(element, found)),
        Value::Dynamic(_, value) => texts(value, found),
        Value::Null | Value::Unknown | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Mode, Type};

    fn attribute(name: &str, shape: Shape) -> Attribute {
        Attribute::new(name, shape, Mode::Optional)
    }

    fn secret(name: &str, ty: Type) -> Attribute {
        Attribute { sensitive: true, ..attribute(name, Shape::Plain(ty)) }
    }

    #[test]
    fn secrets_are_found_at_every_depth_and_what_is_none_is_not() {
        let nested = |nesting| {
            let open = attribute("open", Shape::Plain(Type::String));
            let deep = attribute("deep", Shape::Nested(Nesting::Single, vec![secret("hidden", Type::String), open]));
            Shape::Nested(nesting, vec![deep])
        };
        let item = vec![
            Attribute { not_secret: true, ..attribute("name", Shape::Plain(Type::String)) },
            attribute("value", Shape::Plain(Type::String)),
            Attribute { write_only: true, ..attribute("again", Shape::Plain(Type::Dynamic)) },
        ];
        let schema = Schema {
            attributes: vec![
                secret("text", Type::String),
                secret("number", Type::Number),
                secret("map", Type::map(Type::list(Type::String))),
                secret("any", Type::Dynamic),
                attribute("one", nested(Nesting::Single)),
                attribute("list", nested(Nesting::List)),
                attribute("set", nested(Nesting::Set)),
                attribute("named", nested(Nesting::Map)),
                Attribute { write_only: true, ..attribute("items", Shape::Nested(Nesting::List, item)) },
                secret("unknown", Type::String),
                secret("null", Type::String),
            ],
            ..Schema::default()
        };
        let deep = |hidden: &str| {
            Value::map([("deep", Value::map([("hidden", Value::from(hidden)), ("open", Value::from("open"))]))])
        };
        let any =
            Value::Dynamic(Box::new(Type::map(Type::String)), Box::new(Value::map([("key", Value::from("any"))])));
        let value = Value::map([
            ("text", Value::from("text")),
            ("number", Value::from(12345)),
            ("map", Value::map([("key", Value::List(vec![Value::from("map"), Value::Unknown]))])),
            ("any", any.clone()),
            ("one", deep("one")),
            ("list", Value::List(vec![deep("list"), Value::Unknown, Value::Null])),
            ("set", Value::set([deep("set")])),
            ("named", Value::map([("key", deep("named"))])),
            (
                "items",
                Value::List(vec![Value::map([("name", "name".into()), ("value", "value".into()), ("again", any)])]),
            ),
            ("unknown", Value::Unknown),
            ("null", Value::Null),
        ]);
        assert_eq!(schema.secrets(&value), ["text", "map", "any", "one", "list", "set", "named", "value", "any"]);
        assert!(schema.secrets(&Value::Null).is_empty() && schema.secrets(&Value::Unknown).is_empty());
    }

    #[test]
    fn messages_leave_without_them() {
        let schema = Schema { attributes: vec![secret("word", Type::String)], ..Schema::default() };
        schema.hide(&Value::map([("word", Value::from("sw0rdfish-of-core"))]));
        let told = Diagnostics::error("No sw0rdfish-of-core", "with sw0rdfish-of-core").redacted();
        assert_eq!(told.to_string(), Diagnostics::error("No (redacted)", "with (redacted)").to_string());
    }
}
