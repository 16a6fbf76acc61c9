//! What holds for every type and every value.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use tfplugin_core::{
    Number, NumberForm, Path, Step, Type, Unexpected, Value, from_json, from_msgpack, to_json, to_msgpack,
};

fn names() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9_]{0,6}"
}

fn types() -> impl Strategy<Value = Type> {
    let leaf = prop_oneof![Just(Type::Bool), Just(Type::Number), Just(Type::String), Just(Type::Dynamic)];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(Type::list),
            inner.clone().prop_map(Type::set),
            inner.clone().prop_map(Type::map),
            btree_map(names(), inner.clone(), 0..4).prop_map(Type::Object),
            vec(inner, 0..4).prop_map(Type::Tuple),
        ]
    })
}

fn numbers() -> impl Strategy<Value = Number> {
    prop_oneof![
        any::<i64>().prop_map(Number::from),
        any::<u64>().prop_map(Number::from),
        any::<f64>().prop_filter_map("finite", Number::from_f64),
        "-?[0-9]{1,40}(\\.[0-9]{1,40})?(e-?[0-9]{1,3})?".prop_filter_map("a number", |text| Number::parse(&text)),
    ]
}

/// Values of a type; with unknowns, if wished.
fn values(ty: &Type, unknowns: bool) -> BoxedStrategy<Value> {
    let known = match ty {
        Type::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Type::Number => numbers().prop_map(Value::Number).boxed(),
        Type::String => any::<String>().prop_map(Value::String).boxed(),
        Type::Dynamic => prop_oneof![Just(Type::Bool), Just(Type::list(Type::Number)), Just(Type::map(Type::String))]
            .prop_flat_map(move |actual| {
                let value = values(&actual, unknowns);
                (Just(actual), value)
            })
            .prop_map(|(actual, value)| Value::Dynamic(Box::new(actual), Box::new(value)))
            .boxed(),
        Type::List(element) => vec(values(element, unknowns), 0..4).prop_map(Value::List).boxed(),
        Type::Set(element) => vec(values(element, unknowns), 0..4).prop_map(Value::set).boxed(),
        Type::Map(element) => btree_map(any::<String>(), values(element, unknowns), 0..4).prop_map(Value::Map).boxed(),
        Type::Object(attributes) => attributes
            .iter()
            .map(|(name, ty)| (Just(name.clone()), values(ty, unknowns)))
            .collect::<Vec<_>>()
            .prop_map(|entries| Value::Map(BTreeMap::from_iter(entries)))
            .boxed(),
        Type::Tuple(types) => {
            types.iter().map(|ty| values(ty, unknowns)).collect::<Vec<_>>().prop_map(Value::List).boxed()
        }
    };
    if unknowns {
        prop_oneof![8 => known, 1 => Just(Value::Null), 1 => Just(Value::Unknown)].boxed()
    } else {
        prop_oneof![8 => known, 1 => Just(Value::Null)].boxed()
    }
}

fn typed_values(unknowns: bool) -> impl Strategy<Value = (Type, Value)> {
    types().prop_flat_map(move |ty| {
        let value = values(&ty, unknowns);
        (Just(ty), value)
    })
}

proptest! {
    #[test]
    fn msgpack_gives_back_what_it_was_given((ty, value) in typed_values(true)) {
        let bytes = to_msgpack(&value, &ty).unwrap();
        prop_assert_eq!(from_msgpack(&bytes, &ty).unwrap(), value);
    }

    #[test]
    fn json_gives_back_what_it_was_given((ty, value) in typed_values(false)) {
        let text = to_json(&value, &ty).unwrap().to_string();
        prop_assert_eq!(from_json(text.as_bytes(), &ty, Unexpected::Refuse).unwrap(), value);
    }

    #[test]
    fn types_come_back_from_their_description(ty in types()) {
        prop_assert_eq!(Type::from_json(&ty.to_json()).unwrap(), ty);
    }

    #[test]
    fn any_bytes_are_a_value_or_an_error(ty in types(), bytes in vec(any::<u8>(), 0..64)) {
        if let Ok(value) = from_msgpack(&bytes, &ty) {
            let again = to_msgpack(&value, &ty).unwrap();
            prop_assert_eq!(from_msgpack(&again, &ty).unwrap(), value);
        }
    }

    #[test]
    fn a_changed_byte_is_a_value_or_an_error((ty, value) in typed_values(true), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = to_msgpack(&value, &ty).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(value) = from_msgpack(&bytes, &ty) {
            let again = to_msgpack(&value, &ty).unwrap();
            prop_assert_eq!(from_msgpack(&again, &ty).unwrap(), value);
        }
    }

    #[test]
    fn any_text_is_a_value_or_an_error(ty in types(), text in "[\\[\\]{}\",:0-9a-z ]{0,40}") {
        let _ = from_json(text.as_bytes(), &ty, Unexpected::Ignore);
    }

    #[test]
    fn wholly_known_means_that_no_unknown_is_found((_, value) in typed_values(true)) {
        prop_assert_eq!(value.is_wholly_known(), value.first_unknown().is_none());
    }

    #[test]
    fn a_number_comes_back_from_its_digits(number in numbers()) {
        prop_assert_eq!(Number::parse(&number.to_string()), Some(number));
    }

    #[test]
    fn a_float_is_exact(float in any::<f64>().prop_filter("finite", |float| float.is_finite())) {
        let number = Number::from_f64(float).unwrap();
        prop_assert_eq!(number.as_f64(), float);
        prop_assert!(!matches!(number.form(), NumberForm::Decimal(_)));
    }

    #[test]
    fn integers_are_integers(int in any::<i64>()) {
        prop_assert_eq!(Number::parse(&int.to_string()), Some(Number::from(int)));
        prop_assert_eq!(Number::from(int).as_i64(), Some(int));
        prop_assert_eq!(Number::parse(&format!("{int}.000")), Some(Number::from(int)));
    }

    #[test]
    fn the_way_of_writing_a_number_does_not_matter(digits in "[1-9][0-9]{0,30}", shift in 0_usize..20) {
        let plain = Number::parse(&format!("{digits}{}", "0".repeat(shift)));
        prop_assert!(plain.is_some());
        prop_assert_eq!(Number::parse(&format!("{digits}e{shift}")), plain.clone());
        prop_assert_eq!(Number::parse(&format!("+00{digits}.0E+{shift}")), plain.clone());
        prop_assert_eq!(Number::parse(&format!("{digits}{}.5e-0", "0".repeat(shift))) == plain, false);
    }

    #[test]
    fn sets_do_not_know_an_order(elements in vec("[a-c]{0,2}", 0..6).prop_shuffle()) {
        let set = Value::set(elements.iter().map(|text| Value::from(text.as_str())));
        let mut reversed = elements.clone();
        reversed.reverse();
        reversed.extend(elements);
        prop_assert_eq!(Value::set(reversed.into_iter().map(Value::from)), set);
    }

    #[test]
    fn a_path_begins_with_what_it_was_joined_to(first in vec(steps(), 0..4), second in vec(steps(), 0..4)) {
        let path = |steps: Vec<Step>| steps.into_iter().fold(Path::root(), Path::with);
        let (first, second) = (path(first), path(second));
        let joined = first.clone().join(second.clone());
        prop_assert!(joined.starts_with(&first));
        prop_assert_eq!(joined.steps().len(), first.steps().len() + second.steps().len());
        prop_assert_eq!(joined.is_root(), first.is_root() && second.is_root());
    }
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        names().prop_map(Step::Attribute),
        (0_i64..9).prop_map(Step::Index),
        any::<String>().prop_map(Step::Key)
    ]
}

#[test]
fn paths_read_like_hcl() {
    for (path, expected) in [
        (Path::root(), ""),
        (Path::attribute("a"), "a"),
        (Path::attribute("a").child("b").index(0).child("c"), "a.b[0].c"),
        (Path::attribute("a").key("x \"y\"\n").index(12), "a[\"x \\\"y\\\"\\n\"][12]"),
        (Path::root().index(1), "[1]"),
    ] {
        assert_eq!(path.to_string(), expected);
    }
}
