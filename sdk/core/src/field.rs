//! Between Rust types and values: what `#[derive(Model)]` builds on.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Attribute, Diagnostic, Nesting, Number, Path, Schema, Shape, Type, Value};

/// A Rust type that an attribute can have.
pub trait Field: Sized {
    /// The form of the attribute's value.
    fn shape() -> Shape;

    /// Whether it is a plain number, or holds some, that need not be whole.
    fn fractional() -> bool {
        false
    }

    /// Reads a value of that form. An object that is unknown as a whole, as an element of a list may be, is read as one whose
    /// attributes are all unknown.
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
plain!(i64, Type::Number, "a whole number", value => number(value).and_then(Number::as_i64), this => Value::Number((*this).into()));

impl Field for Number {
    fn shape() -> Shape {
        Shape::Plain(Type::Number)
    }

    fn fractional() -> bool {
        true
    }

    fn from_value(value: &Value, path: &Path) -> Result<Number, Diagnostic> {
        number(value).cloned().ok_or_else(|| unfit(value, path, "a number"))
    }

    fn to_value(&self) -> Value {
        Value::Number(self.clone())
    }
}

/// A number that a float has: one with more digits than a float can hold would go back as another number than the user's.
impl Field for f64 {
    fn shape() -> Shape {
        Shape::Plain(Type::Number)
    }

    fn fractional() -> bool {
        true
    }

    fn from_value(value: &Value, path: &Path) -> Result<f64, Diagnostic> {
        let given = number(value).ok_or_else(|| unfit(value, path, "a number"))?;
        let float = given.as_f64();
        // Either what the float is written as, or the very digits of it.
        let same = |other: Option<Number>| other.as_ref() == Some(given);
        if same(shortest(float)) || same(Number::from_f64(float)) {
            return Ok(float);
        }
        Err(Diagnostic::error(
            format!("{path} does not fit"),
            format!(
                "Expected a number of at most 15 significant digits and below 1.8e308; {given} cannot be kept as it is."
            ),
        )
        .at(path.clone()))
    }

    fn to_value(&self) -> Value {
        shortest(*self).map_or(Value::Null, Value::Number)
    }
}

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

    fn fractional() -> bool {
        T::fractional()
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

    fn fractional() -> bool {
        T::fractional()
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

    fn fractional() -> bool {
        T::fractional()
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Attr;

    fn float(text: &str) -> Result<f64, Diagnostic> {
        f64::from_value(&Value::Number(Number::parse(text).unwrap()), &Path::attribute("ratio"))
    }

    #[test]
    fn a_float_takes_what_it_can_give_back() {
        for text in ["0.1", "-2.5", "0", "1e300", "5e-324", "123456.789"] {
            let read = float(text).unwrap();
            assert_eq!(read.to_value(), Value::Number(Number::parse(text).unwrap()), "{text}");
        }
        assert_eq!(float("0.1000000000000000055511151231257827021181583404541015625"), Ok(0.1), "its own digits");
    }

    #[test]
    fn a_float_refuses_what_would_come_back_as_another_number() {
        for text in ["0.12345678901234567890", "1e400", "9007199254740993"] {
            let error = float(text).unwrap_err();
            assert!(error.summary.contains("ratio does not fit"), "{error:?}");
            assert!(error.detail.contains("15 significant digits"), "{error:?}");
        }
    }

    #[test]
    fn fractions_are_seen_inside_of_collections() {
        assert!(Attr::<Vec<Attr<f64>>>::fractional() && BTreeMap::<String, Number>::fractional());
        assert!(BTreeSet::<Attr<Number>>::fractional());
        assert!(!Attr::<Vec<Attr<i64>>>::fractional() && !BTreeMap::<String, String>::fractional());
    }
}
