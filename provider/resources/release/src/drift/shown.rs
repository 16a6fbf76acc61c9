//! Drift as it is told: what was and what is, and nothing secret.

use ffe_cluster::drift::{Difference, Step};
use ffe_helm::values::differences;
use serde_json::{Map, Value as Json};
use tfplugin::Redactor;

use super::watch::Found;
use crate::settings::model::Drifted;
use crate::settings::telltale::{holds_a_secret, is_telltale};

/// Stands for a value that is not shown.
const HIDDEN: &str = "(hidden)";
/// Characters of a value that are shown.
const LENGTH: usize = 160;

/// One difference.
pub(super) fn shown(kind: &str, difference: &Difference, redactor: &Redactor) -> Found {
    let path = difference.pointer();
    let hide = kind == "Secret"
        && matches!(difference.steps.first(), Some(Step::Field(name)) if name == "data" || name == "stringData");
    let hide = hide
        || is_sensitive(&difference.steps)
        || [Some(&difference.was), difference.is.as_ref()]
            .into_iter()
            .flatten()
            .any(|value| holds_settings(value) || holds_a_secret(value));
    let was = text(&difference.was);
    let clean = redactor.clean(&was);
    // What replaces a secret may be one.
    let hide = hide || clean != was;
    let is = difference.is.as_ref().map(|value| redactor.clean(&text(value)));
    if hide {
        return Found { path, was: Some(HIDDEN.to_owned()), is: is.map(|_| HIDDEN.to_owned()) };
    }
    Found { path, was: Some(shortened(clean)), is: is.map(shortened) }
}

/// The texts and numbers in Helm's values that were not written in the configuration as the state has it.
pub(super) fn unwritten(written: &Map<String, Json>, values: &Map<String, Json>) -> Vec<String> {
    let mut texts = Vec::new();
    for difference in differences(written, values) {
        leaves(difference.after.as_ref(), &mut texts);
    }
    texts
}

fn leaves(value: Option<&Json>, texts: &mut Vec<String>) {
    match value {
        Some(Json::Object(fields)) => fields.values().for_each(|value| leaves(Some(value), texts)),
        Some(Json::Array(items)) => items.iter().for_each(|value| leaves(Some(value), texts)),
        Some(value @ (Json::String(_) | Json::Number(_))) => texts.push(text(value)),
        _ => {}
    }
}

/// Whether the field is a setting whose name says that its value is secret: an environment variable, or any other.
fn is_sensitive(steps: &[Step]) -> bool {
    let variable = steps.windows(2).any(|pair| match pair {
        [Step::Field(env), Step::Element(_, told)] if env == "env" => {
            told.get("name").and_then(Json::as_str).is_some_and(is_telltale)
        }
        _ => false,
    });
    let named = steps.iter().rev().find_map(Step::field).is_some_and(is_telltale);
    // The whole list of variables, or the whole of such a map, may hold any of them.
    let list = matches!(steps.last().and_then(Step::field), Some("env" | "data"));
    variable || named || list
}

/// Whether it is a whole that has settings in it, such as a container with its variables.
fn holds_settings(value: &Json) -> bool {
    match value {
        Json::Object(fields) => fields
            .iter()
            .any(|(name, value)| matches!(name.as_str(), "env" | "data" | "stringData") || holds_settings(value)),
        Json::Array(items) => items.iter().any(holds_settings),
        _ => false,
    }
}

/// A text as it is, anything else as JSON.
fn text(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn shortened(text: String) -> String {
    let count = text.chars().count();
    if count <= LENGTH {
        return text;
    }
    let begin: String = text.chars().take(LENGTH).collect();
    format!("{begin}… ({count} characters)")
}

/// Kind and name of an object as it is displayed.
pub(super) fn parts(object: &str) -> (&str, &str) {
    let kind = object.split('/').next().unwrap_or_default();
    (kind, object.rsplit('/').next().unwrap_or_default())
}

/// One difference on a line.
pub(super) fn line(drifted: &Drifted) -> String {
    let text = |attribute: &tfplugin::Attr<String>| attribute.as_str().unwrap_or("nothing").to_owned();
    let object = text(&drifted.object);
    match drifted.path.as_str() {
        Some(path) if !path.is_empty() => {
            format!("- {object} {path}: was {}, is {}", text(&drifted.was), text(&drifted.is))
        }
        _ => format!("- {object}: deleted"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn all(applied: &Json, live: &Json, secrets: &[&str]) -> Vec<(String, String, String)> {
        let redactor = Redactor::new(secrets);
        let kind = applied["kind"].as_str().unwrap();
        ffe_cluster::drift::differences(applied, live, None)
            .iter()
            .map(|difference| {
                let found = shown(kind, difference, &redactor);
                (found.path, found.was.unwrap_or_default(), found.is.unwrap_or_default())
            })
            .collect()
    }

    #[test]
    fn what_may_be_secret_is_not_shown() {
        let map = |kind: &str, data: Json| json!({ "apiVersion": "v1", "kind": kind, "metadata": {}, "data": data });
        let found = all(
            &map("ConfigMap", json!({ "LEVEL": "info", "API_TOKEN": "one-two", "TEXT": "it has hunter2 in it" })),
            &map("ConfigMap", json!({ "LEVEL": "debug", "API_TOKEN": "three", "TEXT": "another-one" })),
            &["hunter2"],
        );
        let at = |path: &str| found.iter().find(|one| one.0 == path).unwrap().clone();
        assert_eq!(at("/data/LEVEL"), ("/data/LEVEL".into(), "info".into(), "debug".into()));
        for path in ["/data/API_TOKEN", "/data/TEXT"] {
            assert_eq!(at(path), (path.into(), HIDDEN.into(), HIDDEN.into()));
        }
        let secret = all(&map("Secret", json!({ "a": "b25l" })), &map("Secret", json!({ "a": "dHdv" })), &[]);
        assert_eq!(secret, [("/data/a".into(), HIDDEN.into(), HIDDEN.into())]);
        let gone = all(&map("Secret", json!({ "a": "b25l" })), &json!({ "kind": "Secret", "apiVersion": "v1" }), &[]);
        assert_eq!(gone, [("/data".into(), HIDDEN.into(), String::new())]);
    }

    #[test]
    fn variables_with_secret_names_are_not_shown_and_others_are() {
        let pod = |password: &str, level: &str| {
            json!({ "apiVersion": "v1", "kind": "Pod", "metadata": {}, "spec": { "containers": [{ "name": "token-service", "image": level, "env": [
                { "name": "DB_PASSWORD", "value": password }, { "name": "LEVEL", "value": level },
            ] }] } })
        };
        let found = all(&pod("one", "info"), &pod("two", "debug"), &[]);
        let at = "/spec/containers/0";
        assert_eq!(
            found,
            [
                (format!("{at}/env/0/value"), HIDDEN.into(), HIDDEN.into()),
                (format!("{at}/env/1/value"), "info".into(), "debug".into()),
                (format!("{at}/image"), "info".into(), "debug".into()),
            ]
        );
    }

    #[test]
    fn names_tell_of_a_secret_as_they_do_in_a_plan() {
        let map = |data: Json| json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": {}, "data": data });
        let found = all(
            &map(json!({ "STRIPE_KEY": "one", "topologyKey": "zone", "AUTHOR": "one", "URL": "http://h/d" })),
            &map(json!({ "STRIPE_KEY": "two", "topologyKey": "host", "AUTHOR": "two", "URL": "http://u:pass@h/d" })),
            &[],
        );
        let hidden = |path: &str| (path.to_owned(), HIDDEN.to_owned(), HIDDEN.to_owned());
        assert_eq!(
            found,
            [
                ("/data/AUTHOR".into(), "one".into(), "two".into()),
                hidden("/data/STRIPE_KEY"),
                hidden("/data/URL"),
                ("/data/topologyKey".into(), "zone".into(), "host".into()),
            ]
        );
        let custom = |password: &str, mode: &str| json!({ "apiVersion": "a/v1", "kind": "App", "metadata": {}, "spec": { "auth": { "password": password, "mode": mode } } });
        let found = all(&custom("one", "a"), &custom("two", "b"), &[]);
        assert_eq!(found, [("/spec/auth/mode".into(), "a".into(), "b".into()), hidden("/spec/auth/password")]);
    }

    #[test]
    fn a_container_that_is_gone_does_not_show_its_variables() {
        let pod = |containers: Json| json!({ "apiVersion": "v1", "kind": "Pod", "metadata": {}, "spec": { "containers": containers } });
        let sidecar = json!({ "name": "side", "image": "a", "env": [{ "name": "DB_PASSWORD", "value": "hunter2" }] });
        let found = all(
            &pod(json!([{ "name": "app", "image": "a" }, sidecar])),
            &pod(json!([{ "name": "app", "image": "a" }])),
            &[],
        );
        assert_eq!(found, [("/spec/containers/1".into(), HIDDEN.into(), String::new())]);
    }

    #[test]
    fn what_was_not_written_is_told_by_what_was() {
        let written = json!({ "image": { "tag": "1" }, "auth": { "user": "app" }, "list": ["a"] });
        let values = json!({
            "image": { "tag": "1" }, "auth": { "user": "app", "password": "hunter2", "pin": 123456 }, "list": ["a", "b"],
        });
        let found = unwritten(written.as_object().unwrap(), values.as_object().unwrap());
        assert_eq!(found, ["hunter2", "123456", "a", "b"]);
        assert!(unwritten(values.as_object().unwrap(), values.as_object().unwrap()).is_empty());
    }

    #[test]
    fn names_are_taken_apart() {
        assert_eq!(parts("Deployment/one"), ("Deployment", "one"));
        assert_eq!(parts("Secret/other/one"), ("Secret", "one"));
    }

    #[test]
    fn long_values_are_shortened() {
        let text = shortened("ä".repeat(500));
        assert!(text.ends_with("… (500 characters)") && text.chars().count() < 200, "{text}");
    }
}
