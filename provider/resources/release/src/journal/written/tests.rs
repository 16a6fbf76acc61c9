#![allow(clippy::unwrap_used)]
use serde_json::json;
use tfplugin::Path;

use super::*;
use crate::settings::inputs::merged_values;

/// A configuration from JSON, as a user would write it.
fn config(json: Json) -> Release {
    let schema = Release::schema();
    let value = tfplugin::from_json(json.to_string().as_bytes(), &schema.ty(), tfplugin::Unexpected::Refuse).unwrap();
    Release::from_value(&value, &Path::root()).unwrap()
}

/// Keeps a configuration with the values that it deploys, and restores it: what is in the journal, what comes back, what is missing.
fn kept(written: Json) -> (String, Json, Vec<String>) {
    let config = config(written);
    let deployed = merged_values(&config, true).unwrap();
    let written = Written::of(&config, deployed.as_map());
    let text = serde_json::to_string(&written).unwrap();
    let restored = serde_json::from_str::<Written>(&text).unwrap().restored(Some(deployed.as_map()));
    let back = kept_json(&restored.config.unwrap());
    (text, back, restored.missing)
}

fn kept_json(value: &Value) -> Json {
    kept::to_json(value, &Release::schema())
}

#[test]
fn a_configuration_comes_back_to_the_letter_and_nothing_secret_is_kept() {
    let documents = [
        "# the shop\nreplicas: 2 # two\ndb:\n  host: db.local\n  password: pass-canary\n",
        "a: 'say ''no'''\ntoken: \"token-canary\"\nurl: postgres://u:url-canary@db/shop\n",
        "tls:\n  key: |\n    -----BEGIN PRIVATE KEY-----\n    line-canary-1\n    line-canary-2\n    -----END PRIVATE KEY-----\n",
        "env: [{name: DB_PASSWORD, value: named-canary}, {name: LEVEL, value: info}]\nsecrets: {pin: 4711000, other: pin-canary}\n",
        "{\"apiKey\": \"json-canary\", \"plain\": \"x\"}",
        "existingSecret: shop\nauth: {enabled: true, passwordKeyRef: k}\nempty: {password: \"\"}\n",
        "",
    ];
    let written = json!({
        "namespace": "ffe", "name": "one", "chart": "./one", "values": documents,
        "set": [
            { "name": "image.tag", "value": "1.2" },
            { "name": "smtp.password", "value": "set-canary" },
            { "name": "more[0].token", "value": "12345678", "type": "string" },
        ],
        "set_list": [{ "name": "credentials", "value": ["list-canary-1", "list-canary-2"] }, { "name": "hosts", "value": ["a", "b"] }],
        "migration": { "engine": "alembic", "env": { "LEVEL": "info" }, "database_secret": "shop-db" },
    });
    let (text, back, missing) = kept(written.clone());
    assert!(!text.contains("canary") && !text.contains("4711000") && !text.contains("12345678"), "{text}");
    assert!(text.contains("db.local") && text.contains("# two") && text.contains("shop-db"), "{text}");
    assert_eq!(back, written);
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn what_helms_record_does_not_have_is_left_out_and_said() {
    let written = json!({
        "namespace": "ffe", "name": "one", "chart": "oci://user:chart-canary@registry/one",
        "migration": {
            "engine": "command", "env": { "API_TOKEN": "env-canary", "LEVEL": "info" },
            "current_command": ["tool", "postgres://u:word-canary@db/shop"],
        },
        "verify": { "json": { "/token": "json-canary" } },
    });
    let (text, back, missing) = kept(written);
    assert!(!text.contains("canary"), "{text}");
    assert_eq!(
        missing,
        ["chart", "migration.env[\"API_TOKEN\"]", "migration.current_command", "verify.json[\"/token\"]"]
    );
    assert_eq!(back["migration"], json!({ "engine": "command", "env": { "LEVEL": "info" } }));
}

#[test]
fn a_secret_that_is_written_in_another_form_than_it_is_deployed_takes_its_document_along() {
    for document in [
        "password: \"can\\u0061ry\"",
        "password: 'it''s a canary'",
        "password: >\n  folded canary\n  in two lines\n",
        "password: 0x7A69",
        "pass: &p canary\npassword: canary\ncopy: {password: \"c\\x61nary\"}",
    ] {
        let (text, back, missing) =
            kept(json!({ "namespace": "ffe", "name": "one", "chart": "one", "values": ["a: 1", document] }));
        assert!(!text.contains("canary") && !text.contains("7A69"), "{document}: {text}");
        assert_eq!((&back["values"], missing.as_slice()), (&Json::Null, &["values[1]".to_owned()][..]), "{document}");
    }
}

#[test]
fn a_value_that_something_else_overrides_is_never_taken_from_the_record() {
    let over = |more: Json| {
        let mut written =
            json!({ "namespace": "ffe", "name": "one", "chart": "one", "values": ["db: {password: below-canary}"] });
        written.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (text, back, missing) = kept(written);
        assert!(!text.contains("canary") && !back.to_string().contains("wo-canary"), "{text} {back}");
        assert_eq!(missing[0], "values[0]");
    };
    over(json!({ "set_wo": [{ "name": "db.password", "value": "wo-canary" }] }));
    // Also where both happen to be the same.
    over(json!({ "set_wo": [{ "name": "db.password", "value": "below-canary" }] }));
    over(json!({ "set": [{ "name": "db.password", "value": "above-canary" }] }));
}

#[test]
fn what_was_withheld_is_not_made_up_where_the_record_is_another() {
    let config = config(json!({
        "namespace": "ffe", "name": "one", "chart": "one", "values": ["password: one-canary"],
        "set": [{ "name": "a.token", "value": "two-canary" }, { "name": "b", "value": "c" }],
    }));
    let deployed = merged_values(&config, true).unwrap();
    let written = Written::of(&config, deployed.as_map());
    let empty = Map::new();
    for recorded in [None, Some(&empty)] {
        let restored = written.restored(recorded);
        assert_eq!(restored.missing, ["values", "set[0].value"]);
        let back = kept_json(&restored.config.unwrap());
        assert_eq!(back["set"], json!([{ "name": "a.token" }, { "name": "b", "value": "c" }]));
    }
}

#[test]
fn what_looks_like_a_place_holder_is_none() {
    let written = json!({
        "namespace": "ffe", "name": "one", "chart": "one",
        "values": ["password: canary\nnote: ffe-withheld-0- and ffe-withheld-x\n"], "set": [{ "name": "x", "value": "x-ffe-withheld-7-" }],
    });
    let (text, back, missing) = kept(written.clone());
    assert!(!text.contains("canary"), "{text}");
    assert_eq!((back, missing), (written, Vec::new()));
}

#[test]
fn what_an_earlier_version_has_kept_is_read() {
    let restored = Written::plain(r#"{"namespace":"ffe","values":["password: x"]}"#).restored(None);
    assert_eq!(kept_json(&restored.config.unwrap()), json!({ "namespace": "ffe", "values": ["password: x"] }));
    assert!(restored.missing.is_empty());
    assert!(Written::plain("").restored(None).config.is_none());
}
