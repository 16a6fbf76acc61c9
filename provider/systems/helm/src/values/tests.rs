//! The corpus (`tests/corpus/values.json`, checked against real Helm by `tests/real_helm.rs`) and what it cannot say.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
struct Case {
    name: String,
    #[serde(default)]
    values: Vec<String>,
    #[serde(default)]
    set: Vec<Entry>,
    #[serde(default)]
    set_list: Vec<ListEntry>,
    expect: Option<Value>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    value: String,
    r#type: String,
}

#[derive(Deserialize)]
struct ListEntry {
    name: String,
    value: Vec<String>,
}

impl Entry {
    fn item(self) -> SetItem {
        SetItem { name: self.name, value: self.value, kind: self.r#type.parse().unwrap() }
    }
}

fn item(name: &str, value: &str, kind: SetKind) -> SetItem {
    SetItem { name: name.into(), value: value.into(), kind }
}

fn set(items: &[(&str, &str)]) -> Inputs {
    Inputs { set: items.iter().map(|(n, v)| item(n, v, SetKind::Auto)).collect(), ..Inputs::default() }
}

#[test]
fn the_corpus() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../../tests/corpus/values.json")).unwrap();
    let mut wrong = Vec::new();
    for case in cases {
        let inputs = Inputs {
            values: case.values,
            set: case.set.into_iter().map(Entry::item).collect(),
            set_list: case.set_list.into_iter().map(|e| SetList { name: e.name, value: e.value }).collect(),
            set_wo: Vec::new(),
        };
        match (merge(&inputs), case.expect, case.error) {
            (Ok(values), Some(expected), None) => {
                let got = Value::Object(values.as_map().clone());
                if got != Value::Object(sorted(expected.as_object().unwrap().clone())) {
                    wrong.push(format!("{}: got {got}", case.name));
                }
            }
            (Err(e), None, Some(part)) if e.to_string().contains(&part) => {}
            (result, ..) => {
                wrong.push(format!("{}: {:?}", case.name, result.map(|v| v.map).map_err(|e| e.to_string())))
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn errors_name_the_input() {
    let inputs = Inputs { values: vec!["a: 1".into(), "- x".into()], ..Inputs::default() };
    assert_eq!(merge(&inputs).unwrap_err().origin, Origin::Values(1));
    let inputs = set(&[("a", "1"), ("b[x]", "1")]);
    let e = merge(&inputs).unwrap_err();
    assert_eq!(e.origin, Origin::Set(1));
    assert!(e.to_string().starts_with("set[1]: b[x]: error parsing index"), "{e}");
    assert!(merge(&set(&[("", "1")])).unwrap_err().to_string().contains("the name is empty"));
}

#[test]
fn no_error_quotes_a_value() {
    for (value, kind) in [
        ("hunter,two", SetKind::Auto),
        ("x,hunter2[", SetKind::Auto),
        ("x,hunter2[a]=1", SetKind::Auto),
        ("{hunter2", SetKind::Auto),
        ("hunter2", SetKind::Json),
        ("x,a.hunter2=1,a=hunter2", SetKind::String),
    ] {
        let inputs = Inputs { set_wo: vec![item("a.b", value, kind)], ..Inputs::default() };
        if let Err(e) = merge(&inputs) {
            let shown = format!("{e} {e:#?}");
            assert!(!e.to_string().contains("hunter"), "{value}: {shown}");
        }
        assert!(!format!("{inputs:?}").contains("hunter"));
    }
}

#[test]
fn an_empty_list_is_empty() {
    let inputs = Inputs { set_list: vec![SetList { name: "l".into(), value: vec![] }], ..Inputs::default() };
    assert_eq!(merge(&inputs).unwrap().as_map()["l"], json!([]));
}

#[test]
fn write_only_values_come_last() {
    let mut inputs = set(&[("a", "1")]);
    inputs.set_wo.push(item("a", "2", SetKind::Auto));
    assert_eq!(merge(&inputs).unwrap().as_map()["a"], json!(2));
}

#[test]
fn large_whole_numbers_are_noted_or_refused() {
    let values = merge(&set(&[("account", "123456789012"), ("small", "999999"), ("text", "0123456789")])).unwrap();
    assert_eq!(values.notes().len(), 1);
    assert_eq!(values.notes()[0].origin, Origin::Set(0));
    assert!(values.notes()[0].message.contains("account"));
    assert!(!values.notes()[0].message.contains("123456789012"));
    let e = merge(&set(&[("id", "9007199254740993")])).unwrap_err();
    assert!(matches!(e.problem, Problem::Inexact { .. }), "{e}");
}

#[test]
fn equal_values_have_equal_documents_and_digests() {
    let a = merge_documents(&["b: 1.0\na: {y: 1, x: 2}\n"]).unwrap();
    let b = merge_documents(&["a: {x: 2}\n", "a: {z: 1}\nb: 1\n"]).unwrap();
    let c = merge_documents(&["a: {x: 2, z: 1}\nb: 1\n"]).unwrap();
    assert_ne!(a.digest(), b.digest());
    assert_eq!(b.digest(), c.digest());
    assert_eq!(b.to_document().unwrap(), r#"{"a": {"x": 2,"z": 1},"b": 1}"#);
    assert!(a.digest().starts_with("sha256:") && a.digest().len() == 71);
}

#[test]
fn several_documents_in_one_text_are_merged() {
    assert_eq!(merge_documents(&["a: 1\n---\nb: 2\n"]).unwrap().as_map().len(), 2);
}

#[test]
fn debug_shows_no_content() {
    let values = merge_documents(&["password: hunter2"]).unwrap();
    assert!(!format!("{values:?}").contains("hunter2"));
}
