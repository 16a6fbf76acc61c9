//! Values, with null and unknown.

use std::collections::BTreeMap;

use crate::{Number, Path, Step, Type};

/// A value of some [`Type`]; the type itself travels beside it, in the schema.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// Not set.
    #[default]
    Null,
    /// Known only after apply.
    Unknown,
    /// A truth value.
    Bool(bool),
    /// A number.
    Number(Number),
    /// Text.
    String(String),
    /// The elements of a list or a tuple.
    List(Vec<Value>),
    /// The elements of a set, sorted and distinct (see [`Value::set`]).
    Set(Vec<Value>),
    /// The elements of a map, or the attributes of an object.
    Map(BTreeMap<String, Value>),
    /// A value of dynamic type together with the type that it turned out to have.
    Dynamic(Box<Type>, Box<Value>),
}

impl Value {
    /// A set: sorted, without repetitions, so that equal sets are equal values.
    pub fn set(elements: impl IntoIterator<Item = Value>) -> Value {
        let mut elements: Vec<Value> = elements.into_iter().collect();
        elements.sort();
        // Two unknown elements may yet turn out different: they stay two.
        elements.dedup_by(|a, b| a == b && a.is_wholly_known());
        Value::Set(elements)
    }

    /// A map or an object.
    pub fn map<N: Into<String>>(entries: impl IntoIterator<Item = (N, Value)>) -> Value {
        Value::Map(entries.into_iter().map(|(name, value)| (name.into(), value)).collect())
    }

    /// Whether this is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// Whether this itself is unknown (its elements may be unknown all the same).
    pub fn is_unknown(&self) -> bool {
        matches!(self, Value::Unknown)
    }

    /// Whether nothing in this is unknown.
    pub fn is_wholly_known(&self) -> bool {
        match self {
            Value::Unknown => false,
            Value::List(elements) | Value::Set(elements) => elements.iter().all(Value::is_wholly_known),
            Value::Map(entries) => entries.values().all(Value::is_wholly_known),
            Value::Dynamic(_, value) => value.is_wholly_known(),
            _ => true,
        }
    }

    /// The path of the first unknown in this, if there is one.
    pub fn first_unknown(&self) -> Option<Path> {
        let below = |step: Step, value: &Value| value.first_unknown().map(|rest| Path::root().with(step).join(rest));
        match self {
            Value::Unknown => Some(Path::root()),
            Value::List(elements) => {
                elements.iter().enumerate().find_map(|(index, element)| below(Step::Index(index as i64), element))
            }
            Value::Set(elements) => elements.iter().find_map(Value::first_unknown).map(|_| Path::root()),
            Value::Map(entries) => {
                entries.iter().find_map(|(name, element)| below(Step::Attribute(name.clone()), element))
            }
            Value::Dynamic(_, value) => value.first_unknown(),
            _ => None,
        }
    }

    /// The text, if this is text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The truth value, if this is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(truth) => Some(*truth),
            _ => None,
        }
    }

    /// The entries, if this is a map or an object.
    pub fn as_map(&self) -> Option<&BTreeMap<String, Value>> {
        match self {
            Value::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The attribute or map element of that name; null where there is none or this is no map, unknown where this is unknown.
    pub fn attribute(&self, name: &str) -> &Value {
        static NULL: Value = Value::Null;
        match self {
            Value::Unknown => self,
            value => value.as_map().and_then(|entries| entries.get(name)).unwrap_or(&NULL),
        }
    }

    /// The value at a path, if the path exists.
    pub fn at(&self, path: &Path) -> Option<&Value> {
        path.steps().iter().try_fold(self, |value, step| match (value, step) {
            (Value::Map(entries), Step::Attribute(name) | Step::Key(name)) => entries.get(name),
            (Value::List(elements), Step::Index(index)) => elements.get(usize::try_from(*index).ok()?),
            _ => None,
        })
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Value {
        Value::Bool(truth)
    }
}

impl From<i64> for Value {
    fn from(int: i64) -> Value {
        Value::Number(int.into())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::String(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_equal_whatever_their_order() {
        assert_eq!(Value::set(["b".into(), "a".into(), "b".into()]), Value::set(["a".into(), "b".into()]));
        assert_eq!(Value::set([Value::Unknown, Value::Unknown]), Value::Set(vec![Value::Unknown, Value::Unknown]));
    }

    #[test]
    fn the_first_unknown_is_found_with_its_path() {
        let value = Value::map([
            ("a", Value::from("x")),
            ("b", Value::List(vec![Value::Null, Value::map([("c", Value::Unknown)])])),
        ]);
        assert_eq!(value.first_unknown().map(|path| path.to_string()).as_deref(), Some("b[1].c"));
        assert!(!value.is_wholly_known());
        assert!(value.at(&Path::attribute("b").index(1).child("c")).is_some_and(Value::is_unknown));
    }
}
