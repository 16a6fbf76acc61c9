//! States of older schema versions.

use serde_json::{Value as Json, json};
use tfplugin_core::{AnyResource, Diagnostics, Field as _, StateUpgrade, Value};

use crate::machine::{Machine, Machines, machine};

/// Version 0 called the name `title`, version 1 had the level as a number.
fn upgrades() -> Vec<StateUpgrade> {
    vec![
        |mut state| {
            let title = state["title"].take();
            state["name"] = title;
            Ok(state)
        },
        |mut state| match state["level"].as_i64() {
            Some(level) => {
                state["level"] = json!(if level > 0 { "debug" } else { "info" });
                Ok(state)
            }
            None => Err(Diagnostics::error("level is no number", "")),
        },
    ]
}

fn upgrade(version: i64, state: &Json) -> Result<Value, Diagnostics> {
    AnyResource::new(Machines { upgrades: upgrades(), ..Machines::default() })
        .upgrade(version, state.to_string().as_bytes())
}

fn message(result: Result<Value, Diagnostics>) -> String {
    result.expect_err("it is refused").to_string()
}

#[test]
fn a_state_goes_through_every_version_after_its_own() {
    let expected = Machine { level: "debug".into(), ..machine("a") }.to_value();
    let common = json!({"size": 8, "zone": "zone-a", "id": "id-1", "url": "https://a", "token_wo": null});
    let with = |more: Json| {
        let mut state = common.clone();
        state.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        state
    };
    assert_eq!(upgrade(0, &with(json!({"title": "a", "level": 1}))).unwrap(), expected);
    assert_eq!(upgrade(1, &with(json!({"name": "a", "level": 1}))).unwrap(), expected);
    assert_eq!(upgrade(2, &with(json!({"name": "a", "level": "debug"}))).unwrap(), expected);
}

#[test]
fn attributes_that_the_schema_has_no_more_are_left_out() {
    let state = upgrade(2, &json!({"name": "a", "colour": {"deep": [1]}, "disk": {"size": 1, "speed": 2}})).unwrap();
    assert_eq!(state.attribute("name"), &Value::from("a"));
    assert_eq!(state.attribute("disk"), &Value::map([("size", Value::from(1)), ("key_wo", Value::Null)]));
    assert!(state.attribute("colour").is_null());
}

#[test]
fn a_state_from_the_future_is_refused() {
    let message = message(upgrade(3, &json!({"name": "a"})));
    assert!(message.contains("newer version") && message.contains("Upgrade the provider"), "{message}");
}

#[test]
fn a_state_that_cannot_be_read_is_refused_without_showing_it() {
    let refused = message(upgrade(2, &json!({"name": ["s3cret"]})));
    assert!(refused.contains("at name: expected string") && !refused.contains("s3cret"), "{refused}");
    assert!(message(upgrade(1, &json!({"name": "a", "level": "high"}))).contains("level is no number"));
    assert!(message(upgrade(-1, &json!({}))).contains("no upgrade"));
    let resource = AnyResource::new(Machines { upgrades: upgrades(), ..Machines::default() });
    for version in [0, 2] {
        assert!(resource.upgrade(version, b"{s3cret").is_err_and(|errors| !errors.to_string().contains("s3cret")));
    }
}

#[test]
fn a_version_without_its_upgrades_is_refused() {
    let resource = AnyResource::new(Machines { upgrades: vec![|state| Ok(state)], ..Machines::default() });
    let refused = message(resource.upgrade(0, b"{}"));
    assert!(refused.contains("there is no upgrade from it to 2"), "{refused}");
}
