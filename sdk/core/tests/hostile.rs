//! Bytes and texts that nobody sends in earnest: an error with the path, never a panic, no memory for what does not
//! arrive.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use tfplugin_core::{Type, Unexpected, Value, from_json, from_msgpack, to_msgpack};

fn nested() -> (Type, Value) {
    let disk = Type::object([("size", Type::Number), ("zones", Type::set(Type::String))]);
    let ty = Type::object([("disks", Type::list(disk)), ("labels", Type::map(Type::Dynamic)), ("name", Type::String)]);
    let value = Value::map([
        (
            "disks",
            Value::List(vec![
                Value::map([("size", Value::from(70000)), ("zones", Value::set(["a".into(), "b".into()]))]),
                Value::Unknown,
            ]),
        ),
        ("labels", Value::map([("x", Value::Dynamic(Box::new(Type::Bool), Box::new(Value::Bool(true))))])),
        ("name", "x".repeat(300).into()),
    ]);
    (ty, value)
}

#[test]
fn every_truncation_is_an_error() {
    let (ty, value) = nested();
    let whole = to_msgpack(&value, &ty).unwrap();
    assert_eq!(from_msgpack(&whole, &ty).unwrap(), value);
    for end in 0..whole.len() {
        assert!(from_msgpack(&whole[..end], &ty).is_err(), "the first {end} bytes");
    }
}

#[test]
fn bytes_after_the_value_are_an_error() {
    let (ty, value) = nested();
    let mut bytes = to_msgpack(&value, &ty).unwrap();
    bytes.push(0xc0);
    assert_eq!(from_msgpack(&bytes, &ty).unwrap_err().to_string(), "bytes after the value");
    assert!(from_json(b"true false", &Type::Bool, Unexpected::Refuse).is_err());
}

#[test]
fn a_count_is_not_believed() {
    for (bytes, ty) in [
        (&[0xdd, 0xff, 0xff, 0xff, 0xff][..], Type::list(Type::String)),
        (&[0xdd, 0xff, 0xff, 0xff, 0xff], Type::set(Type::String)),
        (&[0xdd, 0xff, 0xff, 0xff, 0xff], Type::Tuple(vec![Type::Bool])),
        (&[0xdd, 0xff, 0xff, 0xff, 0xff], Type::Dynamic),
        (&[0xdf, 0xff, 0xff, 0xff, 0xff], Type::map(Type::String)),
        (&[0xdf, 0xff, 0xff, 0xff, 0xff], Type::object([("a", Type::String)])),
        (&[0xdb, 0xff, 0xff, 0xff, 0xff, b'a'], Type::String),
        (&[0xdb, 0xff, 0xff, 0xff, 0xff, b'1'], Type::Number),
        (&[0xc9, 0xff, 0xff, 0xff, 0xff, 0x0c, 0x00], Type::String),
        (&[0x92, 0xc6, 0xff, 0xff, 0xff, 0xff, b'"'], Type::Dynamic),
    ] {
        assert!(from_msgpack(bytes, &ty).is_err(), "{bytes:x?} as {ty}");
    }
}

#[test]
fn depth_has_an_end() {
    let deep = |levels: usize| (0..levels).fold(Type::Bool, |ty, _| Type::list(ty));
    let lists = |levels: usize| [vec![0x91; levels], vec![0xc3]].concat();
    assert!(from_msgpack(&lists(100), &deep(100)).is_ok());
    assert_eq!(from_msgpack(&lists(5000), &deep(5000)).unwrap_err().message, "nested too deeply");
    let text = |levels: usize| format!("{}true{}", "[".repeat(levels), "]".repeat(levels));
    assert!(from_json(text(100).as_bytes(), &deep(100), Unexpected::Refuse).is_ok());
    assert_eq!(
        from_json(text(5000).as_bytes(), &deep(5000), Unexpected::Refuse).unwrap_err().message,
        "nested too deeply"
    );
}

#[test]
fn dynamic_values_within_dynamic_values_have_an_end() {
    let layer = [&[0x92, 0xc4, 9][..], b"\"dynamic\""].concat();
    let bytes = [layer.repeat(10_000), vec![0xc0]].concat();
    assert_eq!(from_msgpack(&bytes, &Type::Dynamic).unwrap_err().message, "nested too deeply");
    let text = format!("{}null{}", "{\"type\":\"dynamic\",\"value\":".repeat(1000), "}".repeat(1000));
    assert!(from_json(text.as_bytes(), &Type::Dynamic, Unexpected::Refuse).is_err());
    let description = format!("{}\"bool\"{}", "[\"list\",".repeat(10_000), "]".repeat(10_000));
    let mut bytes = vec![0x92, 0xc6];
    bytes.extend(u32::try_from(description.len()).unwrap().to_be_bytes());
    bytes.extend(description.bytes());
    bytes.push(0xc0);
    assert!(from_msgpack(&bytes, &Type::Dynamic).is_err());
}

#[test]
fn the_wrong_type_is_named_with_its_path_and_without_the_value() {
    let (ty, value) = nested();
    let Value::Map(mut map) = value else { panic!("an object") };
    map.insert("disks".into(), Value::List(vec![Value::Null, Value::map([("size", Value::from("s3cret"))])]));
    let wrong = Type::object([
        ("disks", Type::list(Type::object([("size", Type::String), ("zones", Type::set(Type::String))]))),
        ("labels", Type::map(Type::Dynamic)),
        ("name", Type::String),
    ]);
    let bytes = to_msgpack(&Value::Map(map), &wrong).unwrap();
    let error = from_msgpack(&bytes, &ty).unwrap_err();
    assert_eq!(error.path.to_string(), "disks[1].size");
    assert!(error.message.starts_with("expected number") && !error.to_string().contains("s3cret"), "{error}");

    for (json, expected) in [
        (r#"{"disks":[{"size":"s3cret"}]}"#, "at disks[0].size: expected number"),
        (r#"{"labels":{"k":3}}"#, "at labels[\"k\"]: expected any"),
        (r#"{"name":["s3cret"]}"#, "at name: expected string"),
        (r#"{"disks":{}}"#, "at disks: expected a list"),
        (r#"{"colour":"s3cret"}"#, "no attribute is named colour"),
        (
            r#"["s3cret"]"#,
            "expected object({ disks = list(object({ size = number, zones = set(string) })), labels = map(any), name = string })",
        ),
    ] {
        assert_eq!(from_json(json.as_bytes(), &ty, Unexpected::Refuse).unwrap_err().to_string(), expected);
    }
    for no_json in ["", "{", "{\"name\":}", "nul", "\u{0}"] {
        let error = from_json(no_json.as_bytes(), &ty, Unexpected::Refuse).unwrap_err();
        assert!(error.to_string().starts_with("not JSON"), "{no_json:?}: {error}");
    }
}

#[test]
fn names_and_keys_must_be_text() {
    let object = Type::object([("a", Type::Bool)]);
    for bytes in
        [&[0x81, 0x01, 0xc3][..], &[0x81, 0xc0, 0xc3], &[0x81, 0xa1, 0xff, 0xc3], &[0x81, 0xc4, 0x01, b'a', 0xc3]]
    {
        assert!(from_msgpack(bytes, &object).is_err(), "{bytes:x?}");
        assert!(from_msgpack(bytes, &Type::map(Type::Bool)).is_err(), "{bytes:x?}");
    }
    assert!(from_msgpack(&[0xa2, 0xc3, 0x28], &Type::String).is_err(), "not UTF-8");
    assert!(from_msgpack(&[0xc1], &Type::String).is_err(), "a marker that means nothing");
}
