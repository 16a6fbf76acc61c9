//! `DynamicValue`: MessagePack always out, MessagePack or JSON in.

use tfplugin_core::{
    CodecError, Diagnostic, Diagnostics, Type, Unexpected, Value, from_json, from_msgpack, to_msgpack,
};
use tfplugin_proto::tfplugin6::DynamicValue;

/// Reads a value of that type. A message without any bytes is null.
pub(crate) fn decode(value: Option<&DynamicValue>, ty: &Type) -> Result<Value, Diagnostics> {
    let Some(value) = value else { return Ok(Value::Null) };
    let read = match (value.msgpack.as_slice(), value.json.as_slice()) {
        ([], []) => Ok(Value::Null),
        ([], json) => from_json(json, ty, Unexpected::Refuse),
        (msgpack, _) => from_msgpack(msgpack, ty),
    };
    read.map_err(|error| {
        misfit("Terraform sent a value that does not fit the schema", &error, "Is the provider of the right version?")
    })
}

/// Writes a value of that type.
pub(crate) fn encode(value: &Value, ty: &Type) -> Result<DynamicValue, Diagnostics> {
    let msgpack = to_msgpack(value, ty).map_err(|error| {
        misfit(
            "The provider made a value that does not fit its schema",
            &error,
            "This is a bug in the provider; please report it.",
        )
    })?;
    Ok(DynamicValue { msgpack, json: Vec::new() })
}

fn misfit(summary: &str, error: &CodecError, advice: &str) -> Diagnostics {
    let diagnostic = Diagnostic::error(summary, format!("{error}. {advice}"));
    if error.path.is_root() { diagnostic.into() } else { diagnostic.at(error.path.clone()).into() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn object() -> Type {
        Type::object([("name", Type::String), ("size", Type::Number)])
    }

    #[test]
    fn messagepack_goes_out_and_comes_back() {
        let value = Value::map([("name", Value::Unknown), ("size", Value::from(3))]);
        let wire = encode(&value, &object()).unwrap();
        assert!(wire.json.is_empty());
        assert_eq!(decode(Some(&wire), &object()).unwrap(), value);
    }

    #[test]
    fn json_is_read_when_there_is_no_messagepack() {
        let wire = DynamicValue { msgpack: Vec::new(), json: br#"{"name":"a","size":1}"#.to_vec() };
        let expected = Value::map([("name", Value::from("a")), ("size", Value::from(1))]);
        assert_eq!(decode(Some(&wire), &object()).unwrap(), expected);
    }

    #[test]
    fn nothing_is_null() {
        assert_eq!(decode(None, &object()).unwrap(), Value::Null);
        assert_eq!(decode(Some(&DynamicValue::default()), &object()).unwrap(), Value::Null);
        assert_eq!(decode(Some(&encode(&Value::Null, &object()).unwrap()), &object()).unwrap(), Value::Null);
    }

    #[test]
    fn a_misfit_names_the_attribute_and_not_the_value() {
        let value = Value::map([("name", Value::from("hunter2")), ("size", Value::from("hunter2"))]);
        let error = encode(&value, &object()).unwrap_err().to_string();
        assert!(error.contains("size") && !error.contains("hunter2"), "{error}");
    }
}
