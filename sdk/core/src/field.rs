//! Between Rust types and values: what `#[derive(Model)]` builds on.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Attribute, Diagnostic, Nesting, Number, Path, Schema, Shape, Type, Value};

/// A Rust type that an attribute can have.
pub trait Field: Sized {
    /// The form of the attribute's value.
    fn shape() -> Shape;

    /// Reads a value of that form.
    ///
    /// # Errors
    /// When the value is null or unknown where the Rust type has no room for that (use
    /// [`Attr`](crate::Attr)), or out of the Rust type's range.
    fn from_value(value: &Value, path: &Path) -> Result<Self, Diagnostic>;

    /// The value.
    fn to_value(&self) -> Value;
}

/// A struct of fields: the object of a nested attribute, or a whole resource.
///
/// Derived with `#[derive(Model)]`, which also implements [`Field`].
pub trait Model: Field {
    /// The fields as attributes.
    fn attributes() -> Vec<Attribute>;

    /// The schema of a resource (or data source, or provider configuration) with these attributes.
    fn schema() -> Schema;
}

/// The error of a [`Field`] that was given something it has no room for.
pub fn unfit(value: &Value, path: &Path, expected: &str) -> Diagnostic {
    let found = match value {
        Value::Null => "is not set",
        Value::Unknown => "is not known yet",
        _ => "is of another form",
    };
    Diagnostic::error(format!("{path} {found}"), format!("Expected {expected}.")).at(path.clone())
}

macro_rules! plain {
    ($rust:ty, $ty:expr, $expected:literal, $value:ident => $read:expr, $this:ident => $write:expr) => {
        impl Field for $rust {
            fn shape() -> Shape {
                Shape::Plain($ty)
            }

            fn from_value($value: &Value, path: &Path) -> Result<$rust, Diagnostic> {
                $read.ok_or_else(|| unfit($value, path, $expected))
            }

            fn to_value(&self) -> Value {
                let $this = self;
                $write
            }
        }
    };
}

plain!(bool, Type::Bool, "true or false", value => value.as_bool(), this => Value::Bool(*this));
plain!(String, Type::String, "text", value => value.as_str().map(str::to_owned), this => Value::String(this.clone()));
plain!(Number, Type::Number, "a number", value => number(value).cloned(), this => Value::Number(this.clone()));
plain!(i64, Type::Number, "a whole number", value => number(value).and_then(Number::as_i64), this => Value::Number((*this).into()));
plain!(f64, Type::Number, "a number", value => number(value).map(Number::as_f64), this => shortest(*this).map_or(Value::Null, Value::Number));

/// The shortest decimal number that reads as this float: what the user wrote as `0.1` goes back as `0.1`, not as
/// the 55 digits of the float nearest to it, which Terraform would take for another number.
fn shortest(float: f64) -> Option<Number> {
    float.is_finite().then(|| Number::parse(&float.to_string())).flatten()
}

/// A value of dynamic type.
impl Field for Value {
    fn shape() -> Shape {
        Shape::Plain(Type::Dynamic)
    }

    fn from_value(value: &Value, _path: &Path) -> Result<Value, Diagnostic> {
        Ok(value.clone())
    }

    fn to_value(&self) -> Value {
        self.clone()
    }
}

fn number(value: &Value) -> Option<&Number> {
    match value {
        Value::Number(number) => Some(number),
        _ => None,
    }
}

/// A collection of `T`: nested where `T` is an object with a schema of its own, plain otherwise.
fn collection<T: Field>(nesting: Nesting, plain: fn(Type) -> Type) -> Shape {
    match T::shape() {
        Shape::Nested(Nesting::Single, attributes) => Shape::Nested(nesting, attributes),
        shape => Shape::Plain(plain(shape.ty())),
    }
}

impl<T: Field> Field for Vec<T> {
    fn shape() -> Shape {
        collection::<T>(Nesting::List, Type::list)
    }

    fn from_value(value: &Value, path: &Path) -> Result<Vec<T>, Diagnostic> {
        match value {
            Value::List(elements) => {
                elements.iter().enumerate().map(|(index, element)| T::from_value(element, &path.index(index))).collect()
            }
            value => Err(unfit(value, path, "a list")),
        }
    }

    fn to_value(&self) -> Value {
        Value::List(self.iter().map(Field::to_value).collect())
    }
}

impl<T: Field + Ord> Field for BTreeSet<T> {
    fn shape() -> Shape {
        collection::<T>(Nesting::Set, Type::set)
    }

    fn from_value(value: &Value, path: &Path) -> Result<BTreeSet<T>, Diagnostic> {
        match value {
            Value::Set(elements) => elements.iter().map(|element| T::from_value(element, path)).collect(),
            value => Err(unfit(value, path, "a set")),
        }
    }

    fn to_value(&self) -> Value {
        Value::set(self.iter().map(Field::to_value))
    }
}

impl<T: Field> Field for BTreeMap<String, T> {
    fn shape() -> Shape {
        collection::<T>(Nesting::Map, Type::map)
    }

    fn from_value(value: &Value, path: &Path) -> Result<BTreeMap<String, T>, Diagnostic> {
        match value {
            Value::Map(entries) => entries
                .iter()
                .map(|(key, element)| Ok((key.clone(), T::from_value(element, &path.key(key.as_str()))?)))
                .collect(),
            value => Err(unfit(value, path, "a map")),
        }
    }

    fn to_value(&self) -> Value {
        Value::Map(self.iter().map(|(key, element)| (key.clone(), element.to_value())).collect())
    }
}
