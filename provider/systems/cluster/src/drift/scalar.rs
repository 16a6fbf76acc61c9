//! Single values that mean the same.

use serde_json::Value;

use crate::quantity::Quantity;

/// Whether two values mean the same; `quantity` says that texts there are amounts.
pub(super) fn same(left: &Value, right: &Value, quantity: bool) -> bool {
    match (left, right) {
        (left, right) if left == right => true,
        (Value::Number(left), Value::Number(right)) => left.as_f64() == right.as_f64(),
        (Value::String(text), other) | (other, Value::String(text)) => match other {
            Value::String(_) if quantity => same_amount(text, other.as_str().unwrap_or_default()),
            Value::Number(number) => {
                text == &number.to_string() || (quantity && same_amount(text, &number.to_string()))
            }
            Value::Bool(flag) => text == &flag.to_string(),
            _ => false,
        },
        _ => false,
    }
}

fn same_amount(left: &str, right: &str) -> bool {
    matches!((left.parse::<Quantity>(), right.parse::<Quantity>()), (Ok(left), Ok(right)) if left == right)
}

/// Whether a value says nothing: the API server leaves such fields out.
pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.values().all(is_empty),
    }
}
