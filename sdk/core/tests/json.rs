//! Values as JSON: the form of stored state.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::json;
use tfplugin_core::{Number, Type, Unexpected, Value, from_json, to_json};

fn number(text: &str) -> Value {
    Value::Number(Number::parse(text).expect(text))
}

fn read(text: &str, ty: &Type) -> Value {
    from_json(text.as_bytes(), ty, Unexpected::Refuse).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn each_type_has_its_form() {
    let dynamic = |ty: Type, value: Value| Value::Dynamic(Box::new(ty), Box::new(value));
    for (ty, value, json) in [
        (Type::Bool, Value::Bool(true), json!(true)),
        (Type::String, "ä\"\n".into(), json!("ä\"\n")),
        (Type::Number, Value::from(-3), json!(-3)),
        (Type::Number, number("18446744073709551615"), json!(18446744073709551615_u64)),
        (Type::Number, number("0.5"), json!(0.5)),
        (Type::Number, number("0.1"), json!("0.1")),
        (Type::Number, number("1e30"), json!("1000000000000000000000000000000")),
        // A float with more digits than its shortest form has
        (
            Type::Number,
            Value::Number(Number::from_f64(0.1).unwrap()),
            json!("0.1000000000000000055511151231257827021181583404541015625"),
        ),
        (Type::list(Type::Bool), Value::List(vec![]), json!([])),
        (Type::list(Type::Bool), Value::Null, json!(null)),
        (Type::set(Type::String), Value::set(["b".into(), "a".into()]), json!(["a", "b"])),
        (Type::map(Type::String), Value::map([("a b", Value::Null)]), json!({"a b": null})),
        (
            Type::Tuple(vec![Type::Bool, Type::String]),
            Value::List(vec![Value::Bool(false), "x".into()]),
            json!([false, "x"]),
        ),
        (
            Type::object([("a", Type::Bool), ("b", Type::Bool)]),
            Value::map([("a", Value::Bool(true)), ("b", Value::Null)]),
            json!({"a": true, "b": null}),
        ),
        (
            Type::Dynamic,
            dynamic(Type::list(Type::Bool), Value::List(vec![Value::Bool(true)])),
            json!({"type": ["list", "bool"], "value": [true]}),
        ),
        (Type::Dynamic, dynamic(Type::String, Value::Null), json!({"type": "string", "value": null})),
        (Type::Dynamic, Value::Null, json!(null)),
    ] {
        assert_eq!(to_json(&value, &ty).unwrap(), json);
        assert_eq!(read(&json.to_string(), &ty), value);
    }
}

#[test]
fn numbers_of_any_size_are_read_exactly() {
    for text in ["0.1", "1e30", "123456789012345678901234567890.123456789", "-18446744073709551616", "1E-3"] {
        assert_eq!(read(text, &Type::Number), number(text));
        assert_eq!(read(&format!("\"{text}\""), &Type::Number), number(text));
    }
    for text in ["\"\"", "\"x\"", "true", "[]", "1e99999", "\"1e-9223372036854775808\""] {
        assert!(from_json(text.as_bytes(), &Type::Number, Unexpected::Refuse).is_err(), "{text}");
    }
}

#[test]
fn old_states_with_plain_values_of_another_kind_are_understood() {
    assert_eq!(read("3", &Type::String), "3".into());
    assert_eq!(read("true", &Type::String), "true".into());
    assert_eq!(read("\"false\"", &Type::Bool), Value::Bool(false));
    assert!(from_json(b"\"yes\"", &Type::Bool, Unexpected::Refuse).is_err());
    assert!(from_json(b"{}", &Type::String, Unexpected::Refuse).is_err());
}

#[test]
fn attributes_that_the_type_does_not_have_are_refused_or_left_out_at_every_depth() {
    let ty = Type::object([("disks", Type::list(Type::object([("size", Type::Number)]))), ("name", Type::String)]);
    let text = br#"{"disks":[{"size":1,"speed":2}],"name":"a","gone":{"deep":[1,{"er":null}]}}"#;
    let known =
        Value::map([("disks", Value::List(vec![Value::map([("size", Value::from(1))])])), ("name", "a".into())]);
    assert_eq!(from_json(text, &ty, Unexpected::Ignore).unwrap(), known);
    let error = from_json(text, &ty, Unexpected::Refuse).unwrap_err();
    assert_eq!(error.to_string(), "at disks[0]: no attribute is named speed");
}

#[test]
fn attributes_that_the_text_does_not_have_are_null() {
    let ty = Type::object([("a", Type::String), ("b", Type::list(Type::Bool))]);
    assert_eq!(read("{}", &ty), Value::map([("a", Value::Null), ("b", Value::Null)]));
}

#[test]
fn unknown_has_no_json_form() {
    let ty = Type::object([("a", Type::list(Type::String))]);
    let value = Value::map([("a", Value::List(vec!["x".into(), Value::Unknown]))]);
    assert_eq!(to_json(&value, &ty).unwrap_err().to_string(), "at a[1]: an unknown value has no JSON form");
    let mismatch = to_json(&Value::map([("a", Value::Bool(true))]), &ty).unwrap_err();
    assert_eq!(mismatch.to_string(), "at a: expected list(string), found a bool");
}
