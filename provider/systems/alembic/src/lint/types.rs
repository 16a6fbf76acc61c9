//! Column types, and whether one can hold every value of another.

use tree_sitter::Node;

use crate::python::{Call, Module, Names, Value};

/// A column's type as far as narrowing needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    /// Characters, with a length when it is limited.
    Text(Option<i64>),
    /// Whole numbers of so many bits.
    Integer(u8),
    /// Floating point of so many bits.
    Float(u8),
    /// Decimal numbers: digits and, of those, after the point.
    Numeric(Option<(i64, i64)>),
    Boolean,
    Date,
    Time,
    /// With a time zone or without.
    Timestamp(bool),
    Interval,
    Uuid,
    Json,
    Binary,
    /// The names it may have; empty when they are not known.
    Enum(Vec<String>),
}

impl Type {
    /// Reads `sa.String(80)`, `sa.Text`, `postgresql.UUID(as_uuid=True)` and the like; `None` for types unheard of.
    pub(crate) fn read<'t>(module: &Module<'t>, node: Node<'t>, names: &Names<'t>) -> Option<Type> {
        let node = match module.value(node, names) {
            Value::Other(node) => node,
            _ => return None,
        };
        let call = Call::read(module, node);
        let name = match (&call, node.kind()) {
            (Some(call), _) => call.name,
            (None, "identifier") => module.source(node),
            (None, "attribute") => module.source(node.child_by_field_name("attribute")?),
            _ => return None,
        };
        let argument = |position: usize, name: &str| {
            call.as_ref().and_then(|call| call.argument(position, name)).map(|node| module.value(node, names))
        };
        let number = |position, name| match argument(position, name) {
            Some(Value::Int(number)) => Ok(Some(number)),
            Some(Value::None) | None => Ok(None),
            // There is a limit, and nobody knows which.
            Some(_) => Err(()),
        };
        if matches!(name, "Enum" | "ENUM") {
            let values = call.iter().flat_map(|call| &call.positional);
            let values = values.map(|value| match module.value(*value, names) {
                Value::Str(name) => Some(name),
                _ => None,
            });
            return Some(Type::Enum(values.collect::<Option<_>>().unwrap_or_default()));
        }
        let zone = argument(0, "timezone") == Some(Value::Bool(true));
        let (first, second) = match family(name)? {
            "text" | "character" => (number(0, "length").ok()?, None),
            "numeric" => (number(0, "precision").ok()?, number(1, "scale").ok()?),
            _ => (None, None),
        };
        Type::named(name, first, second, zone)
    }

    /// A type by its name in SQLAlchemy or SQL, in any case.
    pub(crate) fn named(name: &str, first: Option<i64>, second: Option<i64>, zone: bool) -> Option<Type> {
        let lower = name.to_ascii_lowercase();
        Some(match (family(name)?, lower.as_str()) {
            ("text", _) => Type::Text(first),
            // CHAR alone is one character.
            ("character", _) => Type::Text(Some(first.unwrap_or(1))),
            ("numeric", _) => Type::Numeric(first.map(|digits| (digits, second.unwrap_or(0)))),
            ("integer", "smallinteger" | "smallint" | "int2" | "smallserial") => Type::Integer(16),
            ("integer", "biginteger" | "bigint" | "int8" | "bigserial") => Type::Integer(64),
            ("integer", _) => Type::Integer(32),
            ("float", "real" | "float4") => Type::Float(32),
            ("float", _) => Type::Float(64),
            ("boolean", _) => Type::Boolean,
            ("date", _) => Type::Date,
            ("time", _) => Type::Time,
            ("timestamp", "timestamptz") => Type::Timestamp(true),
            ("timestamp", _) => Type::Timestamp(zone),
            ("interval", _) => Type::Interval,
            ("uuid", _) => Type::Uuid,
            ("json", _) => Type::Json,
            ("binary", _) => Type::Binary,
            _ => return None,
        })
    }

    fn shown(&self) -> String {
        match self {
            Type::Text(None) => "text of any length".to_owned(),
            Type::Text(Some(length)) => format!("text of {length} characters"),
            Type::Integer(bits) => format!("integers of {bits} bits"),
            Type::Float(bits) => format!("floating point of {bits} bits"),
            Type::Numeric(None) => "numbers of any precision".to_owned(),
            Type::Numeric(Some((digits, scale))) => format!("numbers of {digits} digits, {scale} after the point"),
            Type::Boolean => "booleans".to_owned(),
            Type::Date => "dates".to_owned(),
            Type::Time => "times of day".to_owned(),
            Type::Timestamp(true) => "timestamps with a time zone".to_owned(),
            Type::Timestamp(false) => "timestamps without a time zone".to_owned(),
            Type::Interval => "intervals".to_owned(),
            Type::Uuid => "UUIDs".to_owned(),
            Type::Json => "JSON".to_owned(),
            Type::Binary => "bytes".to_owned(),
            Type::Enum(names) if names.is_empty() => "an enumeration".to_owned(),
            Type::Enum(names) => format!("one of {}", names.join(", ")),
        }
    }

    /// Digits before the point that any value may have; `None` when there is no limit.
    fn whole_digits(&self) -> Option<i64> {
        match self {
            Type::Integer(16) => Some(5),
            Type::Integer(32) => Some(10),
            Type::Integer(_) => Some(19),
            Type::Numeric(Some((digits, scale))) => Some(digits - scale),
            _ => None,
        }
    }

    /// Characters that its values have at most, written out.
    fn width(&self) -> Option<i64> {
        match self {
            Type::Text(length) => *length,
            Type::Integer(_) => self.whole_digits().map(|digits| digits + 1),
            Type::Numeric(Some((digits, _))) => Some(digits + 2),
            Type::Boolean => Some(5),
            Type::Uuid => Some(36),
            Type::Enum(names) => names.iter().map(|name| i64::try_from(name.chars().count()).unwrap_or(i64::MAX)).max(),
            _ => None,
        }
    }
}

/// From which type to which, when not every value of the one fits the other.
pub(crate) fn narrowing(old: Option<&Type>, new: &Type) -> Option<String> {
    let Some(old) = old else {
        // Nothing is wider than these.
        let widest =
            matches!(new, Type::Text(None) | Type::Integer(64) | Type::Numeric(None) | Type::Json | Type::Binary);
        let widest = widest || matches!(new, Type::Float(64) | Type::Timestamp(true) | Type::Interval);
        return (!widest).then(|| format!("to {}, from a type that is not stated (existing_type)", new.shown()));
    };
    (!fits(old, new)).then(|| format!("from {} to {}", old.shown(), new.shown()))
}

fn fits(old: &Type, new: &Type) -> bool {
    let at_most = |old: Option<i64>, new: Option<i64>| match (old, new) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(old), Some(new)) => old <= new,
    };
    match (old, new) {
        (Type::Enum(old), Type::Enum(new)) => new.is_empty() || old.iter().all(|name| new.contains(name)),
        (_, Type::Text(length)) => at_most(old.width(), *length),
        (Type::Integer(old), Type::Integer(new)) | (Type::Float(old), Type::Float(new)) => old <= new,
        (Type::Integer(old), Type::Float(new)) => matches!((old, new), (16, _) | (32, 64)),
        (Type::Integer(_), Type::Numeric(_)) => at_most(old.whole_digits(), new.whole_digits()),
        (Type::Float(_), Type::Numeric(limit)) => limit.is_none(),
        (Type::Numeric(Some((digits, 0))), Type::Integer(bits)) => *digits <= [4, 9, 18][usize::from(*bits / 32)],
        (Type::Numeric(Some((digits, _))), Type::Float(bits)) => *digits <= if *bits == 64 { 15 } else { 6 },
        (Type::Numeric(old), Type::Numeric(new)) => match (old, new) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some((old_digits, old_scale)), Some((digits, scale))) => {
                old_scale <= scale && old_digits - old_scale <= digits - scale
            }
        },
        (Type::Boolean, Type::Integer(_)) | (Type::Date, Type::Timestamp(_)) | (Type::Time, Type::Interval) => true,
        (Type::Timestamp(old), Type::Timestamp(new)) => !old || *new,
        (old, new) => old == new,
    }
}

/// Which types are of a kind, by their names in SQLAlchemy and SQL.
fn family(name: &str) -> Option<&'static str> {
    Some(match name.to_ascii_lowercase().as_str() {
        "string" | "text" | "varchar" | "nvarchar" | "unicode" | "unicodetext" | "clob" | "citext" | "autostring" => {
            "text"
        }
        "char" | "nchar" | "bpchar" | "character" => "character",
        "integer" | "int" | "int4" | "serial" | "smallinteger" | "smallint" | "int2" | "smallserial" | "biginteger"
        | "bigint" | "int8" | "bigserial" => "integer",
        "float" | "double" | "double_precision" | "real" | "float4" | "float8" => "float",
        "numeric" | "decimal" => "numeric",
        "boolean" | "bool" => "boolean",
        "date" => "date",
        "time" | "timetz" => "time",
        "datetime" | "timestamp" | "timestamptz" => "timestamp",
        "interval" => "interval",
        "uuid" => "uuid",
        "json" | "jsonb" => "json",
        "largebinary" | "binary" | "varbinary" | "bytea" | "blob" => "binary",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits() {
        use Type::*;
        let fit = [
            (Text(Some(40)), Text(Some(80))),
            (Text(Some(40)), Text(None)),
            (Integer(32), Integer(64)),
            (Integer(32), Numeric(Some((10, 0)))),
            (Integer(32), Float(64)),
            (Numeric(Some((9, 0))), Integer(32)),
            (Numeric(Some((10, 2))), Numeric(Some((12, 2)))),
            (Numeric(Some((10, 2))), Numeric(None)),
            (Uuid, Text(Some(36))),
            (Integer(64), Text(Some(20))),
            (Timestamp(false), Timestamp(true)),
            (Date, Timestamp(false)),
            (Enum(vec!["a".into()]), Enum(vec!["b".into(), "a".into()])),
            (Enum(vec!["abc".into()]), Text(Some(3))),
            (Json, Text(None)),
        ];
        for (old, new) in fit {
            assert_eq!(narrowing(Some(&old), &new), None, "{old:?} {new:?}");
        }
        let narrow = [
            (Text(Some(80)), Text(Some(40))),
            (Text(None), Text(Some(1000))),
            (Integer(64), Integer(32)),
            (Integer(64), Float(64)),
            (Integer(32), Numeric(Some((10, 2)))),
            (Float(64), Integer(64)),
            (Float(64), Numeric(Some((18, 8)))),
            (Numeric(Some((10, 0))), Integer(32)),
            (Numeric(Some((10, 2))), Numeric(Some((10, 4)))),
            (Numeric(Some((10, 4))), Numeric(Some((10, 2)))),
            (Numeric(None), Float(64)),
            (Uuid, Text(Some(32))),
            (Timestamp(true), Timestamp(false)),
            (Timestamp(true), Date),
            (Text(None), Integer(32)),
            (Text(None), Uuid),
            (Enum(vec!["a".into(), "b".into()]), Enum(vec!["a".into()])),
            (Json, Text(Some(100))),
        ];
        for (old, new) in narrow {
            assert!(narrowing(Some(&old), &new).is_some(), "{old:?} {new:?}");
        }
        assert_eq!(narrowing(None, &Text(None)), None);
        assert!(narrowing(None, &Text(Some(5))).is_some_and(|text| text.contains("existing_type")));
    }
}
