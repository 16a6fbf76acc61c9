//! The values that change, by path: what a plan shows instead of two walls of YAML.
//!
//! The values before are those of the state, which never held a write-only one. Where the last revision is not ours (imported,
//! moved, changed by somebody else) they are those of Helm's record, and that holds everything that anybody ever set: of it
//! nothing is shown but what the configuration shows too.

use std::collections::BTreeSet;
use std::fmt;

use ffe_helm::values::{Difference, differences};
use serde_json::{Map, Value as Json};
use tfplugin::Diagnostics;
use tfplugin::Redactor;

use crate::settings::inputs::merged_values;
use crate::settings::model::Release;
use crate::settings::telltale::{at, holds_secrets, is_named_value, is_secret};

/// What stands for a value that is not shown.
const SENSITIVE: &str = "(sensitive value)";
const WRITE_ONLY: &str = "(write-only value)";
const NOT_SET: &str = "(not set)";
const NOT_SHOWN: &str = "(value not shown)";
/// Longer values are cut.
const LONGEST: usize = 2000;
/// One value that changes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ValueChange {
    /// Its path, in Helm's notation.
    path: String,
    /// The value before, as JSON; none where it was not set.
    before: Option<String>,
    /// The value after, as JSON; none where it is no longer set.
    after: Option<String>,
}

impl fmt::Display for ValueChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = |value: &Option<String>| value.clone().unwrap_or_else(|| NOT_SET.to_owned());
        write!(f, "{}: {} -> {}", self.path, side(&self.before), side(&self.after))
    }
}

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
            let masks = Masks { hidden: &hidden, trees: [before.as_map(), after.as_map()] };
            differences(before.as_map(), after.as_map()).iter().map(|one| shown(one, &masks, true)).collect()
        }
        Before::Recorded(before) => {
            let plain = |value: &Json| !value.is_object() && !value.is_array();
            let known = |one: &Difference| one.after.is_some() && one.before.as_ref().is_some_and(plain);
            let masks = Masks { hidden: &hidden, trees: [before, after.as_map()] };
            differences(before, after.as_map()).iter().map(|one| shown(one, &masks, known(one))).collect()
        }
    };
    // Whether one of them was set in Helm's record is no matter: it is not said what it was.
    found.retain(|one| !hidden.contains(&one.path));
    if write_only {
        let masked = || Some(WRITE_ONLY.to_owned());
        found.extend(hidden.iter().map(|path| ValueChange { path: path.clone(), before: masked(), after: masked() }));
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn write_only_paths(config: &Release) -> BTreeSet<String> {
    config.set_wo.known().into_iter().flatten().filter_map(|item| item.name.as_str().map(str::to_owned)).collect()
}

fn shown(difference: &Difference, masks: &Masks<'_>, with_before: bool) -> ValueChange {
    let text = |value: &Option<Json>, show: bool| -> Option<String> {
        let value = value.as_ref()?;
        if !show {
            return Some(NOT_SHOWN.to_owned());
        }
        let value = masks.masked(difference, value);
        let text = match &value {
            Json::String(text) if text == SENSITIVE || text == WRITE_ONLY => text.clone(),
            other => Redactor::default().clean(&other.to_string()),
        };
        Some(cut(text))
    };
    ValueChange {
        path: difference.path.clone(),
        before: text(&difference.before, with_before),
        after: text(&difference.after, true),
    }
}

/// What must not be shown. Terraform does not tell which values come from sensitive variables: names are all there is to go by.
struct Masks<'a> {
    /// The paths of write-only values.
    hidden: &'a BTreeSet<String>,
    /// All values, before and after: what stands beside one.
    trees: [&'a Map<String, Json>; 2],
}

impl Masks<'_> {
    /// A value that has changed without what must not be shown, at whatever depth.
    fn masked(&self, difference: &Difference, value: &Json) -> Json {
        let steps = difference.steps();
        let within = steps.split_last().is_some_and(|(_, above)| above.iter().any(|step| holds_secrets(step)));
        let last = steps.last().map(String::as_str).unwrap_or_default();
        let named = self.trees.iter().any(|tree| {
            let beside = steps.split_last().and_then(|(_, above)| at(tree, above));
            beside.is_some_and(|beside| is_named_value(beside, last))
        });
        self.inside(&difference.path, last, value, within || named)
    }

    fn inside(&self, path: &str, key: &str, value: &Json, secret: bool) -> Json {
        if self.hidden.contains(path) {
            return Json::from(WRITE_ONLY);
        }
        match value {
            Json::Object(map) => {
                let secret = secret || holds_secrets(key);
                let one = |(name, inner): (&String, &Json)| {
                    let secret = secret || is_named_value(value, name);
                    (name.clone(), self.inside(&format!("{path}.{name}"), name, inner, secret))
                };
                Json::Object(map.iter().map(one).collect())
            }
            Json::Array(items) => {
                let secret = secret || holds_secrets(key);
                let one = |(index, item)| self.inside(&format!("{path}[{index}]"), key, item, secret);
                Json::Array(items.iter().enumerate().map(one).collect())
            }
            leaf if is_secret(key, leaf, secret) => Json::from(SENSITIVE),
            other => other.clone(),
        }
    }
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
    use tfplugin::{Attr, Field as _, Model as _, Path, Value};

    fn release(values: &str, set_wo: &[(&str, &str)]) -> Release {
        let mut config = Release::from_value(&Release::schema().empty(), &Path::root()).unwrap();
        config.values = Attr::Known(vec![Attr::from(values)]);
        if !set_wo.is_empty() {
            let items = set_wo.iter().map(|(name, value)| {
                let item =
                    Value::map([("name", Value::from(*name)), ("value", Value::from(*value)), ("type", Value::Null)]);
                crate::settings::model::Set::from_value(&item, &Path::root()).unwrap()
            });
            config.set_wo = Attr::Known(items.collect());
        }
        config
    }

    fn texts(found: &[ValueChange]) -> Vec<String> {
        let word = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        found.iter().map(|one| format!("{} {} {}", one.path, word(&one.before), word(&one.after))).collect()
    }

    #[test]
    fn values_are_compared_by_path() {
        let before = release("image: {tag: \"1\"}\nreplicas: 1\ngone: [a]", &[]);
        let after = release("image: {tag: \"2\"}\nreplicas: 1\nnew: {a: true}", &[]);
        let found = value_changes(Before::Ours(&before), &after, false).unwrap();
        assert_eq!(texts(&found), ["gone [\"a\"] -", "image.tag \"1\" \"2\"", "new - {\"a\":true}"]);
        let lines: Vec<String> = found.iter().map(ValueChange::to_string).collect();
        assert_eq!(lines[1..], ["image.tag: \"1\" -> \"2\"", "new: (not set) -> {\"a\":true}"]);
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
    fn names_that_tell_of_a_secret_count_wherever_they_stand() {
        let both = |secret: &str, plain: &str| {
            release(
                &format!(
                    "SECRET_KEY: {secret}\nawsSecretKey: {secret}\nrootPass: {secret}\nsecrets: {{db: {secret}}}\n\
                     credentials: {{alice: [{secret}]}}\nenv: [{{name: DB_PASSWORD, value: {secret}}}, {{name: LEVEL, value: {plain}}}]\n\
                     auth: {{existingSecretKey: {plain}, secretKeyRef: {{name: {plain}, key: {plain}}}}}\ntokenService: {{image: {plain}}}\n\
                     a.token: {secret}\nmonkey: {plain}"
                ),
                &[],
            )
        };
        let found = value_changes(Before::Ours(&both("one-canary", "one")), &both("two-canary", "two"), false).unwrap();
        let masked = |path: &str| format!("{path} (sensitive value) (sensitive value)");
        let open = |path: &str| format!("{path} \"one\" \"two\"");
        assert_eq!(
            texts(&found),
            [
                masked("SECRET_KEY"),
                masked("a\\.token"),
                open("auth.existingSecretKey"),
                open("auth.secretKeyRef.key"),
                open("auth.secretKeyRef.name"),
                masked("awsSecretKey"),
                masked("credentials.alice[0]"),
                masked("env[0].value"),
                open("env[1].value"),
                open("monkey"),
                masked("rootPass"),
                masked("secrets.db"),
                open("tokenService.image"),
            ]
        );
        // A list of another length is shown whole.
        let more = release("env: [{name: DB_PASSWORD, value: canary}, {name: LEVEL, value: info}]", &[]);
        let found = value_changes(Before::Ours(&release("env: []", &[])), &more, false).unwrap();
        assert_eq!(
            texts(&found),
            [
                "env [] [{\"name\":\"DB_PASSWORD\",\"value\":\"(sensitive value)\"},{\"name\":\"LEVEL\",\"value\":\"info\"}]"
            ]
        );
    }

    #[test]
    fn of_helms_record_nothing_is_shown_that_the_configuration_does_not_show() {
        let record = json!({"a": 1, "by-hand": "canary", "admin": {"x": "canary"}});
        let after = release("a: 2", &[("admin.x", "canary")]);
        let found = value_changes(Before::Recorded(record.as_object().unwrap()), &after, false).unwrap();
        assert_eq!(texts(&found), ["a 1 2", "admin (value not shown) -", "by-hand (value not shown) -"]);
    }
}
