//! Values that are secret, by the names of their keys or by their look: Terraform does not tell which come from sensitive
//! variables. The one rule for what a plan shows of values, what drift shows of objects, what the journal keeps and what is learned
//! from Secrets.

use serde_json::{Map, Value as Json};
use tfplugin::Redactor;

/// Words in a key that say that its value is a secret.
const TELLTALES: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "privatekey",
    "encryptionkey",
    "signingkey",
    "masterkey",
    "jwtkey",
    "tlskey",
    "sshkey",
    "licensekey",
    "credential",
    "dsn",
    "connectionstring",
    "webhookurl",
    "htpasswd",
];
/// Words that say so where a key ends with one of them: `STRIPE_KEY`, `basicAuth`. In front of others they say nothing:
/// `keyPrefix`, `authMode`.
const LAST_WORDS: &[&str] = &["key", "keys", "auth", "private", "connection"];
/// What stands before the word `key` where it names something that is no secret. Nothing at all does too: `key` by itself is what
/// Kubernetes calls the name of a label, of a taint, or of an entry of a Secret.
const OF_PLAIN_KEYS: &[&str] = &[
    "public",
    "primary",
    "foreign",
    "sort",
    "partition",
    "shard",
    "hash",
    "range",
    "index",
    "group",
    "routing",
    "cache",
    "topology",
    "label",
    "annotation",
    "config",
    "field",
    "column",
    "object",
    "map",
    "tag",
    "idempotency",
    "authorized",
    "known",
];
/// Ends of a key that names a Secret, or something in one, and is no secret itself.
const REFERENCES: &[&str] = &["name", "names", "ref", "refs", "keyref", "type", "enabled"];

/// Whether a key is named like a secret. References to Secrets by name (`existingSecret`, `secretName`) are none.
pub(crate) fn is_telltale(key: &str) -> bool {
    let plain = plain(key);
    let pass = plain.ends_with("pass") && !plain.ends_with("bypass") && !plain.ends_with("compass");
    !refers(&plain) && (pass || ends_tellingly(key) || TELLTALES.iter().any(|word| plain.contains(word)))
}

/// Whether the last word of a key is one of [`LAST_WORDS`] that tells.
fn ends_tellingly(key: &str) -> bool {
    let words = words(key);
    match words.iter().map(String::as_str).rev().collect::<Vec<_>>().as_slice() {
        ["key" | "keys"] => false,
        ["key" | "keys", before, ..] => !OF_PLAIN_KEYS.contains(before),
        [last, ..] => LAST_WORDS.contains(last),
        [] => false,
    }
}

/// The words of a key, in small letters: `awsSecretKey`, `STRIPE_KEY` and `s3.access-key` have them apart.
fn words(key: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut small_before = false;
    for letter in key.chars() {
        let begins = letter.is_uppercase() && small_before;
        if begins || !letter.is_alphanumeric() {
            words.push(String::new());
        }
        if letter.is_alphanumeric() {
            words.last_mut().into_iter().for_each(|word| word.extend(letter.to_lowercase()));
        }
        small_before = letter.is_lowercase() || letter.is_numeric();
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether everything below a key is secret: `credentials`, `tokens`, and not `tokenService`.
pub(crate) fn holds_secrets(key: &str) -> bool {
    let plain = plain(key);
    let end = plain.strip_suffix('s').unwrap_or(&plain);
    !refers(&plain) && TELLTALES.iter().any(|word| plain.ends_with(word) || end.ends_with(word))
}

/// Whether a key, as [`plain`] has it, names a Secret or something in one.
fn refers(plain: &str) -> bool {
    plain.contains("existingsecret") || REFERENCES.iter().any(|end| plain.ends_with(end))
}

/// A key in small letters and digits alone.
fn plain(key: &str) -> String {
    key.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase()
}

/// Whether this is the value of something with a name, as `{name: DB_PASSWORD, value: …}`, and the name is that of a secret.
pub(crate) fn is_named_value(beside: &Json, key: &str) -> bool {
    key.eq_ignore_ascii_case("value")
        && ["name", "key"].iter().any(|name| beside[*name].as_str().is_some_and(is_telltale))
}

/// Whether a value that is neither a map nor a list is secret. `within` says that it stands in something that is.
pub(crate) fn is_secret(key: &str, value: &Json, within: bool) -> bool {
    match value {
        Json::String(text) if text.is_empty() => false,
        Json::String(_) | Json::Number(_) if is_telltale(key) || (within && !refers(&plain(key))) => true,
        Json::String(text) => is_private_key(text),
        _ => false,
    }
}

fn is_private_key(text: &str) -> bool {
    text.contains("PRIVATE KEY-----")
}

/// Whether a text is secret by its look alone, as a private key is, or a URL with a password in it.
pub(crate) fn looks_secret(text: &str) -> bool {
    is_private_key(text) || Redactor::default().clean(text) != text
}

/// A value in values, by the names and places on the way to it.
pub(crate) type Leaf<'a> = (Vec<String>, &'a Json);

/// What is secret in values, by name or by look, at whatever depth.
pub(crate) fn secrets_in(values: &Map<String, Json>) -> Vec<Leaf<'_>> {
    let mut found = Vec::new();
    walk(values, |leaf, key, within| {
        if is_secret(key, leaf.1, within) || leaf.1.as_str().is_some_and(looks_secret) {
            found.push(leaf);
        }
    });
    found
}

/// All values that are neither a map nor a list.
pub(crate) fn leaves(values: &Map<String, Json>) -> Vec<Leaf<'_>> {
    let mut found = Vec::new();
    walk(values, |leaf, _, _| found.push(leaf));
    found
}

/// Visits each leaf, with its key and whether it stands in something that is secret.
fn walk<'a>(values: &'a Map<String, Json>, mut visit: impl FnMut(Leaf<'a>, &str, bool)) {
    for (key, value) in values {
        step(vec![key.clone()], key, value, false, &mut visit);
    }
}

fn step<'a>(
    steps: Vec<String>,
    key: &str,
    value: &'a Json,
    within: bool,
    visit: &mut impl FnMut(Leaf<'a>, &str, bool),
) {
    let deeper = |name: &str| steps.iter().cloned().chain([name.to_owned()]).collect::<Vec<_>>();
    match value {
        Json::Object(map) => {
            let within = within || holds_secrets(key);
            for (name, inner) in map {
                step(deeper(name), name, inner, within || is_named_value(value, name), visit);
            }
        }
        Json::Array(items) => {
            let within = within || holds_secrets(key);
            for (index, item) in items.iter().enumerate() {
                step(deeper(&index.to_string()), key, item, within, visit);
            }
        }
        leaf => visit((steps, leaf), key, within),
    }
}

/// What values have at a place.
pub(crate) fn at<'a>(values: &'a Map<String, Json>, steps: &[String]) -> Option<&'a Json> {
    let (first, rest) = steps.split_first()?;
    rest.iter().try_fold(values.get(first)?, |value, step| match value {
        Json::Object(map) => map.get(step),
        Json::Array(items) => items.get(step.parse::<usize>().ok()?),
        _ => None,
    })
}

/// Whether anything within a value is secret, at whatever depth.
pub(crate) fn holds_a_secret(value: &Json) -> bool {
    match value {
        Json::Object(map) => !secrets_in(map).is_empty(),
        Json::Array(items) => items.iter().any(holds_a_secret),
        Json::String(text) => looks_secret(text),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_told_from_those_of_other_things() {
        for key in [
            "password",
            "DB_PASSWORD",
            "rootPass",
            "PASSPHRASE",
            "passcode",
            "API_TOKEN",
            "awsSecretKey",
            "STRIPE_KEY",
            "s3.access-key",
            "ENCRYPTION_KEY",
            "licenseKey",
            "SSH_KEYS",
            "basicAuth",
            "_auth",
            "NPM_AUTH",
            "PRIVATE",
            "wireguard.private",
            "SENTRY_DSN",
            "connectionString",
            "AZURE_CONNECTION",
            "apiKeys",
        ] {
            assert!(is_telltale(key), "{key}");
        }
        for key in [
            "key",
            "keys",
            "monkey",
            "publicKey",
            "PRIMARY_KEY",
            "topologyKey",
            "authorizedKeys",
            "keyPrefix",
            "KEYCLOAK_URL",
            "authMode",
            "author",
            "AUTHORITY",
            "authEnabled",
            "privateSubnets",
            "connectionTimeout",
            "maxConnections",
            "bypass",
            "compass",
            "existingSecret",
            "secretName",
            "passwordKeyRef",
            "DATABASE_URL",
            "level",
        ] {
            assert!(!is_telltale(key), "{key}");
        }
    }

    #[test]
    fn what_is_within_counts_at_whatever_depth() {
        use serde_json::json;
        assert!(holds_a_secret(&json!([{ "a": { "apiKey": "x" } }])));
        assert!(holds_a_secret(&json!({ "url": "postgres://u:p@h/d" })));
        assert!(!holds_a_secret(&json!({ "secretKeyRef": { "name": "db", "key": "url" }, "topologyKey": "zone" })));
    }
}
