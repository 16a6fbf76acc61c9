//! The values that change, by path: what a plan shows instead of two walls of YAML.
//!
//! The values before are those of the state, which never held a write-only one. Where the last revision is not ours (imported,
//! moved, changed by somebody else) they are those of Helm's record, and that holds everything that anybody ever set: of it
//! nothing is shown but what the configuration shows too.

use std::collections::BTreeSet;

use ffe_cluster::Redactor;
use ffe_helm::values::{Difference, differences};
use serde_json::{Map, Value as Json};
use tfplugin::{Attr, Diagnostics};

use crate::inputs::merged_values;
use crate::model::{Release, ValueChange};

/// What stands for a value that is not shown.
const SENSITIVE: &str = "(sensitive value)";
const WRITE_ONLY: &str = "(write-only value)";
const NOT_SHOWN: &str = "(value not shown)";
/// Longer values are cut.
const LONGEST: usize = 2000;
/// Words in a key that say that its value is a secret.
const TELLTALES: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "privatekey",
    "credential",
    "dsn",
    "connectionstring",
    "webhookurl",
    "htpasswd",
    "tlskey",
];

/// The values before.
pub(crate) enum Before<'a> {
    /// There was nothing.
    Nothing,
    /// As the last apply left them.
    Ours(&'a Release),
    /// As Helm's record has them.
    Recorded(&'a Map<String, Json>),
}

/// The differences. `write_only` says whether `set_wo` has changed.
///
/// # Errors
/// When the values do not merge.
pub(crate) fn value_changes(
    before: Before<'_>,
    config: &Release,
    write_only: bool,
) -> Result<Vec<ValueChange>, Diagnostics> {
    let after = merged_values(config, false)?;
    let hidden = write_only_paths(config);
    let mut found: Vec<ValueChange> = match before {
        Before::Nothing => return Ok(Vec::new()),
        Before::Ours(prior) => {
            let before = merged_values(prior, false)?;
            differences(before.as_map(), after.as_map()).iter().map(|one| shown(one, &hidden, true)).collect()
        }
        Before::Recorded(before) => {
            let plain = |value: &Json| !value.is_object() && !value.is_array();
            let known = |one: &Difference| one.after.is_some() && one.before.as_ref().is_some_and(plain);
            differences(before, after.as_map()).iter().map(|one| shown(one, &hidden, known(one))).collect()
        }
    };
    // Whether one of them was set in Helm's record is no matter: it is not said what it was.
    found.retain(|one| !hidden.contains(one.path.as_str().unwrap_or_default()));
    if write_only {
        let masked = || Attr::from(WRITE_ONLY);
        found.extend(hidden.iter().map(|path| ValueChange {
            path: Attr::Known(path.clone()),
            before: masked(),
            after: masked(),
        }));
    }
    found.sort_by(|a, b| a.path.as_str().cmp(&b.path.as_str()));
    Ok(found)
}

fn write_only_paths(config: &Release) -> BTreeSet<String> {
    config.set_wo.known().into_iter().flatten().filter_map(|item| item.name.as_str().map(str::to_owned)).collect()
}

fn shown(difference: &Difference, hidden: &BTreeSet<String>, with_before: bool) -> ValueChange {
    let text = |value: &Option<Json>, show: bool| -> Attr<String> {
        let Some(value) = value else { return Attr::Null };
        if !show {
            return Attr::from(NOT_SHOWN);
        }
        let value = masked(&difference.path, value, hidden);
        let text = match &value {
            Json::String(text) if text == SENSITIVE || text == WRITE_ONLY => text.clone(),
            other => Redactor::default().clean(&other.to_string()),
        };
        Attr::Known(cut(text))
    };
    ValueChange {
        path: Attr::Known(difference.path.clone()),
        before: text(&difference.before, with_before),
        after: text(&difference.after, true),
    }
}

/// The value without what must not be shown, at whatever depth.
fn masked(path: &str, value: &Json, hidden: &BTreeSet<String>) -> Json {
    if hidden.contains(path) {
        return Json::from(WRITE_ONLY);
    }
    let last = path.rsplit('.').next().unwrap_or(path);
    match value {
        Json::Object(map) => Json::Object(
            map.iter().map(|(key, value)| (key.clone(), masked(&format!("{path}.{key}"), value, hidden))).collect(),
        ),
        Json::Array(items) => Json::Array(
            items.iter().enumerate().map(|(index, item)| masked(&format!("{path}[{index}]"), item, hidden)).collect(),
        ),
        Json::String(text) if !text.is_empty() && (is_telltale(last) || text.contains("PRIVATE KEY-----")) => {
            Json::from(SENSITIVE)
        }
        Json::Number(_) if is_telltale(last) => Json::from(SENSITIVE),
        other => other.clone(),
    }
}

/// Whether a key is named like a secret. References to Secrets by name (`existingSecret`, `secretName`) are none.
fn is_telltale(key: &str) -> bool {
    let plain: String = key.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase();
    let reference = ["name", "ref", "key", "existingsecret", "type"];
    let is_key = ["apikey", "accesskey", "privatekey", "tlskey"].iter().any(|end| plain.ends_with(end));
    let refers = !is_key && reference.iter().any(|end| plain.ends_with(end));
    !refers && TELLTALES.iter().any(|word| plain.contains(word))
}

fn cut(text: String) -> String {
    let length = text.chars().count();
    if length <= LONGEST {
        return text;
    }
    let head: String = text.chars().take(LONGEST).collect();
    format!("{head}… ({length} characters)")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use serde_json::json;
    use tfplugin::{Field as _, Model as _, Path, Value};

    fn release(values: &str, set_wo: &[(&str, &str)]) -> Release {
        let mut config = Release::from_value(&Release::schema().empty(), &Path::root()).unwrap();
        config.values = Attr::Known(vec![Attr::from(values)]);
        if !set_wo.is_empty() {
            let items = set_wo.iter().map(|(name, value)| {
                let item =
                    Value::map([("name", Value::from(*name)), ("value", Value::from(*value)), ("type", Value::Null)]);
                crate::model::Set::from_value(&item, &Path::root()).unwrap()
            });
            config.set_wo = Attr::Known(items.collect());
        }
        config
    }

    fn texts(found: &[ValueChange]) -> Vec<String> {
        let word = |text: &Attr<String>| text.as_str().unwrap_or("-").to_owned();
        found.iter().map(|one| format!("{} {} {}", word(&one.path), word(&one.before), word(&one.after))).collect()
    }

    #[test]
    fn values_are_compared_by_path() {
        let before = release("image: {tag: \"1\"}\nreplicas: 1\ngone: [a]", &[]);
        let after = release("image: {tag: \"2\"}\nreplicas: 1\nnew: {a: true}", &[]);
        let found = value_changes(Before::Ours(&before), &after, false).unwrap();
        assert_eq!(texts(&found), ["gone [\"a\"] -", "image.tag \"1\" \"2\"", "new - {\"a\":true}"]);
        assert!(value_changes(Before::Nothing, &after, false).unwrap().is_empty());
    }

    #[test]
    fn what_is_secret_is_masked_at_every_depth() {
        let before = release("db: {password: old-canary, host: a, existingSecret: s}", &[]);
        let after = release(
            "db: {password: new-canary, host: b, existingSecret: t}\nlist: [{apiKey: key-canary}]\nurl: postgres://u:url-canary@h/d",
            &[("admin.x", "wo-canary")],
        );
        let found = value_changes(Before::Ours(&before), &after, true).unwrap();
        assert_eq!(
            texts(&found),
            [
                "admin.x (write-only value) (write-only value)",
                "db.existingSecret \"s\" \"t\"",
                "db.host \"a\" \"b\"",
                "db.password (sensitive value) (sensitive value)",
                "list - [{\"apiKey\":\"(sensitive value)\"}]",
                "url - \"postgres://u:(redacted)@h/d\"",
            ]
        );
        assert!(!format!("{found:?}").contains("canary"));
    }

    #[test]
    fn of_helms_record_nothing_is_shown_that_the_configuration_does_not_show() {
        let record = json!({"a": 1, "by-hand": "canary", "admin": {"x": "canary"}});
        let after = release("a: 2", &[("admin.x", "canary")]);
        let found = value_changes(Before::Recorded(record.as_object().unwrap()), &after, false).unwrap();
        assert_eq!(texts(&found), ["a 1 2", "admin (value not shown) -", "by-hand (value not shown) -"]);
    }
}
