//! One attribute's value in Rust: null, unknown or known.

use crate::{Diagnostic, Field, Path, Shape, Value};

/// A value that may be null or not yet known.
///
/// Fields of a [`Model`](crate::Model) are mostly of this type, because the same struct stands for
/// the configuration (null where nothing was written, unknown where another resource decides), the
/// plan and the state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Attr<T> {
    /// Not set.
    #[default]
    Null,
    /// Known only after apply.
    Unknown,
    /// Set.
    Known(T),
}

impl<T> Attr<T> {
    /// The value, if it is known and not null.
    pub fn known(&self) -> Option<&T> {
        match self {
            Attr::Known(value) => Some(value),
            _ => None,
        }
    }

    /// The value by value, if it is known and not null.
    pub fn into_known(self) -> Option<T> {
        match self {
            Attr::Known(value) => Some(value),
            _ => None,
        }
    }

    /// The value to change, if it is known and not null.
    pub fn known_mut(&mut self) -> Option<&mut T> {
        match self {
            Attr::Known(value) => Some(value),
            _ => None,
        }
    }

    /// Whether it is not set.
    pub fn is_null(&self) -> bool {
        matches!(self, Attr::Null)
    }

    /// Whether it is not yet known.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Attr::Unknown)
    }

    /// Whether it is known and not null.
    pub fn is_known(&self) -> bool {
        matches!(self, Attr::Known(_))
    }

    /// The value through a function; null and unknown stay what they are.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Attr<U> {
        match self {
            Attr::Null => Attr::Null,
            Attr::Unknown => Attr::Unknown,
            Attr::Known(value) => Attr::Known(f(value)),
        }
    }

    /// The same with a reference to the value.
    pub fn as_ref(&self) -> Attr<&T> {
        match self {
            Attr::Null => Attr::Null,
            Attr::Unknown => Attr::Unknown,
            Attr::Known(value) => Attr::Known(value),
        }
    }

    /// This one, or the other where this is null. Unknown stays unknown.
    #[must_use]
    pub fn or(self, other: Attr<T>) -> Attr<T> {
        if self.is_null() { other } else { self }
    }

    /// The value, or `default` where it is null or unknown.
    pub fn unwrap_or(self, default: T) -> T {
        self.into_known().unwrap_or(default)
    }

    /// The value, or the type's default where it is null or unknown.
    pub fn unwrap_or_default(self) -> T
    where
        T: Default,
    {
        self.into_known().unwrap_or_default()
    }
}

impl Attr<String> {
    /// The text, if it is known and not null.
    pub fn as_str(&self) -> Option<&str> {
        self.known().map(String::as_str)
    }
}

impl<T> From<T> for Attr<T> {
    fn from(value: T) -> Attr<T> {
        Attr::Known(value)
    }
}

impl From<&str> for Attr<String> {
    fn from(text: &str) -> Attr<String> {
        Attr::Known(text.to_owned())
    }
}

impl<T> From<Option<T>> for Attr<T> {
    fn from(value: Option<T>) -> Attr<T> {
        value.map_or(Attr::Null, Attr::Known)
    }
}

impl<T: Field> Field for Attr<T> {
    fn shape() -> Shape {
        T::shape()
    }

    fn fractional() -> bool {
        T::fractional()
    }

    fn from_value(value: &Value, path: &Path) -> Result<Attr<T>, Diagnostic> {
        match value {
            Value::Null => Ok(Attr::Null),
            Value::Unknown => Ok(Attr::Unknown),
            value => T::from_value(value, path).map(Attr::Known),
        }
    }

    fn to_value(&self) -> Value {
        match self {
            Attr::Null => Value::Null,
            Attr::Unknown => Value::Unknown,
            Attr::Known(value) => value.to_value(),
        }
    }
}
