//! Secrets that this process came to know, kept out of everything it writes.

use std::borrow::Cow;
use std::sync::{PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What stands in a secret's place.
const REDACTED: &str = "(redacted)";
/// Shorter strings are found everywhere: replacing them would spell them out by the gaps.
const SHORTEST: usize = 4;

/// Every form of every secret, the longest first so that a secret within another leaves no rest.
static SECRETS: RwLock<Vec<String>> = RwLock::new(Vec::new());

/// From now on `secret` is replaced by `(redacted)` in every log line and in every diagnostic, also
/// where it is escaped (as in quoted text) or in base64 (as in a Kubernetes Secret).
///
/// Strings of fewer than four bytes are not taken.
pub fn redact(secret: &str) {
    let mut secrets = SECRETS.write().unwrap_or_else(PoisonError::into_inner);
    for form in forms(secret) {
        if form.len() >= SHORTEST && !secrets.contains(&form) {
            secrets.push(form);
        }
    }
    secrets.sort_by_key(|form| std::cmp::Reverse(form.len()));
}

/// The text without the secrets given to [`redact`].
pub fn redacted(text: &str) -> Cow<'_, str> {
    let secrets = SECRETS.read().unwrap_or_else(PoisonError::into_inner);
    without(text, &secrets)
}

fn without<'a>(text: &'a str, secrets: &[String]) -> Cow<'a, str> {
    let mut text = Cow::Borrowed(text);
    for secret in secrets {
        if text.contains(secret) {
            text = Cow::Owned(text.replace(secret, REDACTED));
        }
    }
    text
}

/// The ways in which a secret may stand in a text. A file's final newline does not belong to it.
fn forms(secret: &str) -> Vec<String> {
    let bare = secret.trim_matches(['\n', '\r', ' ']);
    if bare.len() < SHORTEST {
        return Vec::new();
    }
    let quoted = format!("{bare:?}");
    let json = serde_json::Value::from(bare).to_string();
    vec![
        bare.to_owned(),
        quoted[1..quoted.len() - 1].to_owned(),
        json[1..json.len() - 1].to_owned(),
        STANDARD.encode(bare),
        STANDARD.encode(secret),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_goes() {
        let secret = "line one\n\"two\"\n";
        redact(secret);
        let json = serde_json::json!({ "value": secret }).to_string();
        let text = format!("raw {secret}; debug {secret:?}; json {json}; base64 {}", STANDARD.encode(secret));
        let clean = redacted(&text);
        assert!(!clean.contains("two"), "{clean}");
        assert!(!clean.contains(&STANDARD.encode("line one")[..8]), "{clean}");
        assert_eq!(clean.matches(REDACTED).count(), 4, "{clean}");
    }

    #[test]
    fn the_longer_of_two_overlapping_secrets_leaves_no_rest() {
        redact("correct-horse");
        redact("correct-horse-battery");
        assert_eq!(redacted("a correct-horse-battery b"), "a (redacted) b");
    }

    #[test]
    fn short_strings_are_not_secrets() {
        redact("");
        redact("abc");
        redact("ab\n\n");
        assert_eq!(redacted("abc ab"), "abc ab");
        assert!(matches!(redacted("nothing here"), Cow::Borrowed(_)));
    }
}
