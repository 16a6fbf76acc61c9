//! Golden vectors of the wire: bytes checked by hand against the MessagePack specification and the protocol's
//! rules for values.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use tfplugin_core::{Number, Type, Value, from_msgpack, to_msgpack};

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn number(text: &str) -> Value {
    Value::Number(Number::parse(text).expect(text))
}

/// The value is written as these bytes, and read from them.
fn check(ty: &Type, value: Value, expected: &str) {
    let expected = bytes(expected);
    let written = to_msgpack(&value, ty).expect("the value is of the type");
    assert_eq!(hex(&written), hex(&expected), "{value:?}");
    assert_eq!(from_msgpack(&expected, ty).expect("the bytes are of the type"), value);
}

/// The value is read from these bytes, which others write.
fn check_read(ty: &Type, given: &str, expected: Value) {
    assert_eq!(from_msgpack(&bytes(given), ty).expect(given), expected, "{given}");
}

#[test]
fn null_is_nil_for_every_type() {
    for ty in [
        Type::Bool,
        Type::Number,
        Type::String,
        Type::Dynamic,
        Type::list(Type::String),
        Type::set(Type::String),
        Type::map(Type::String),
        Type::object([("a", Type::Bool)]),
        Type::Tuple(vec![Type::Bool]),
    ] {
        check(&ty, Value::Null, "c0");
        check(&ty, Value::Unknown, "d40000");
    }
}

#[test]
fn empty_is_not_null() {
    check(&Type::list(Type::String), Value::List(vec![]), "90");
    check(&Type::set(Type::String), Value::set([]), "90");
    check(&Type::Tuple(vec![]), Value::List(vec![]), "90");
    check(&Type::map(Type::String), Value::map([] as [(&str, Value); 0]), "80");
    check(&Type::String, "".into(), "a0");
}

#[test]
fn every_extension_is_unknown_whatever_it_says() {
    for refinement in [
        // fixext 1, 2, 4, 8 and 16
        "d4 0c 80",
        "d5 0c 81 01",
        "d6 0c 81 01 c2 00",
        // not null, and begins with "abc"
        "d7 0c 82 01 c2 02 a3 61 62 63",
        "d8 0c 00000000000000000000000000000000",
        // ext 8: not null
        "c7 03 0c 81 01 c2",
        "c7 00 0c",
        // ext 16 and ext 32
        "c8 0003 0c 81 01 c2",
        "c9 00000003 0c 81 01 c2",
        // a code that nobody uses
        "c7 01 7f ff",
    ] {
        check_read(&Type::String, refinement, Value::Unknown);
    }
    check_read(
        &Type::list(Type::String),
        "93 c7030c8101c2 a161 d40000",
        Value::List(vec![Value::Unknown, "a".into(), Value::Unknown]),
    );
}

#[test]
fn truth_values_and_text() {
    check(&Type::Bool, Value::Bool(true), "c3");
    check(&Type::Bool, Value::Bool(false), "c2");
    check(&Type::String, "a".into(), "a161");
    check(&Type::String, "ä€".into(), "a5 c3a4 e282ac");
    check(&Type::String, "x".repeat(32).into(), &format!("d9 20 {}", "78".repeat(32)));
    check(&Type::String, "x".repeat(256).into(), &format!("da 0100 {}", "78".repeat(256)));
    check(&Type::String, "x".repeat(65536).into(), &format!("db 00010000 {}", "78".repeat(65536)));
}

#[test]
fn numbers_are_integers_where_that_is_exact() {
    for (text, expected) in [
        ("0", "00"),
        ("127", "7f"),
        ("-1", "ff"),
        ("-32", "e0"),
        ("-33", "d0 df"),
        ("128", "cc 80"),
        ("256", "cd 0100"),
        ("-129", "d1 ff7f"),
        ("65536", "ce 00010000"),
        ("-32769", "d2 ffff7fff"),
        ("4294967296", "cf 0000000100000000"),
        ("9223372036854775807", "cf 7fffffffffffffff"),
        ("-9223372036854775808", "d3 8000000000000000"),
        ("18446744073709551615", "cf ffffffffffffffff"),
    ] {
        check(&Type::Number, number(text), expected);
    }
}

#[test]
fn other_numbers_are_floats_where_that_is_exact_and_digits_otherwise() {
    check(&Type::Number, number("0.5"), "cb 3fe0000000000000");
    check(&Type::Number, number("-0.25"), "cb bfd0000000000000");
    // 2 to the 64th, one more than fits an integer
    check(&Type::Number, number("18446744073709551616"), "cb 43f0000000000000");
    check(&Type::Number, number("0.1"), "a3 302e31");
    check(&Type::Number, number("1e30"), &format!("bf 31{}", "30".repeat(30)));
    check(&Type::Number, number("-18446744073709551617"), &format!("b5 {}", hex(b"-18446744073709551617")));
}

#[test]
fn numbers_are_read_in_every_form() {
    for (given, expected) in [
        // signed forms of what we write unsigned
        ("d0 7f", "127"),
        ("d1 0080", "128"),
        ("d2 00000080", "128"),
        ("d3 0000000000000080", "128"),
        ("cf 0000000000000001", "1"),
        // floats that are integers
        ("ca 3f800000", "1"),
        ("cb 3ff0000000000000", "1"),
        ("ca 3f000000", "0.5"),
        // text
        ("a1 31", "1"),
        ("a3 312e30", "1"),
        ("a4 31653330", "1e30"),
        (&format!("b4 {}", hex(b"18446744073709551615")), "18446744073709551615"),
    ] {
        check_read(&Type::Number, given, number(expected));
    }
    for no_number in ["cb 7ff8000000000000", "cb 7ff0000000000000", "a3 4e614e", "a0", "c3", "90"] {
        assert!(from_msgpack(&bytes(no_number), &Type::Number).is_err(), "{no_number}");
    }
}

#[test]
fn a_set_is_the_same_whatever_its_order_and_repetitions() {
    let ty = Type::set(Type::String);
    let both = Value::set(["a".into(), "b".into()]);
    check(&ty, both.clone(), "92 a161 a162");
    check_read(&ty, "92 a162 a161", both.clone());
    check_read(&ty, "93 a162 a161 a162", both);
    check_read(&ty, "92 d40000 d40000", Value::set([Value::Unknown, Value::Unknown]));
}

#[test]
fn objects_have_every_attribute_in_the_order_of_names() {
    let ty = Type::object([
        ("b", Type::list(Type::object([("x", Type::Number)]))),
        ("a", Type::String),
        ("c", Type::map(Type::Bool)),
    ]);
    let value = Value::map([
        ("a", Value::Null),
        ("b", Value::List(vec![Value::map([("x", Value::from(1))]), Value::map([("x", Value::Unknown)])])),
        ("c", Value::map([("k", Value::Bool(true))])),
    ]);
    let expected = "83 a161 c0  a162 92 81a17801 81a178d40000  a163 81a16bc3";
    check(&ty, value.clone(), expected);
    check_read(&ty, "83 a163 81a16bc3  a162 92 81a17801 81a178d40000  a161 c0", value.clone());
    check_read(&ty, "82 a163 81a16bc3  a162 92 81a17801 81a178d40000", value);
    // An attribute that the value leaves out is null.
    assert_eq!(hex(&to_msgpack(&Value::map([("a", Value::from("x"))]), &ty).unwrap()), "83a161a178a162c0a163c0");
}

#[test]
fn map_keys_are_in_order_and_may_be_anything() {
    let ty = Type::map(Type::Number);
    check(
        &ty,
        Value::map([("b", Value::from(2)), ("", Value::from(1)), ("a b", Value::Null)]),
        "83 a001 a3612062c0 a16202",
    );
}

#[test]
fn tuples_have_a_type_for_each_element() {
    let ty = Type::Tuple(vec![Type::String, Type::Bool]);
    check(&ty, Value::List(vec!["a".into(), Value::Bool(true)]), "92 a161 c3");
    assert!(from_msgpack(&bytes("91 a161"), &ty).is_err());
    assert!(to_msgpack(&Value::List(vec!["a".into()]), &ty).is_err());
}

#[test]
fn a_dynamic_value_brings_its_type() {
    let dynamic = |ty: Type, value: Value| Value::Dynamic(Box::new(ty), Box::new(value));
    let string = "c408 22737472696e6722"; // "string", in quotation marks
    check(&Type::Dynamic, dynamic(Type::String, "x".into()), &format!("92 {string} a178"));
    check(&Type::Dynamic, dynamic(Type::String, Value::Null), &format!("92 {string} c0"));
    check(&Type::Dynamic, dynamic(Type::String, Value::Unknown), &format!("92 {string} d40000"));
    let list = Type::list(Type::Bool);
    let description = hex(br#"["list","bool"]"#);
    check(&Type::Dynamic, dynamic(list, Value::List(vec![Value::Bool(true)])), &format!("92 c40f {description} 91c3"));
    // The type's description as text instead of bytes
    check_read(&Type::Dynamic, "92 a8 22737472696e6722 a178", dynamic(Type::String, "x".into()));
    let object = hex(br#"["object",{"a":"string"}]"#);
    check(
        &Type::list(Type::Dynamic),
        Value::List(vec![dynamic(Type::object([("a", Type::String)]), Value::map([("a", Value::from("x"))]))]),
        &format!("91 92 c419 {object} 81a161a178"),
    );
}

#[test]
fn a_value_that_is_not_of_the_type_is_not_written() {
    let ty = Type::object([("a", Type::map(Type::list(Type::Number)))]);
    let value = Value::map([("a", Value::map([("k", Value::List(vec![Value::from(1), "s3cret".into()]))]))]);
    let error = to_msgpack(&value, &ty).unwrap_err();
    assert_eq!(error.to_string(), "at a[\"k\"][1]: expected number, found a string");
    let error = to_msgpack(&Value::map([("b", Value::Null)]), &ty).unwrap_err();
    assert_eq!(error.to_string(), "no attribute is named b");
    assert!(to_msgpack(&Value::List(vec![]), &Type::set(Type::String)).is_err());
    assert!(to_msgpack(&Value::String("x".into()), &Type::Dynamic).is_err());
}
