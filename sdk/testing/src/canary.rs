//! Secrets that must not be seen again.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// A secret with the forms under which it may hide.
#[derive(Clone)]
pub(crate) struct Canary {
    /// The form, and what to call it.
    forms: Vec<(String, &'static str)>,
}

impl Canary {
    pub(crate) fn new(secret: &str) -> Canary {
        assert!(secret.len() >= 5, "a canary needs five letters or more, lest it sings by chance");
        let mut forms = vec![(secret.to_owned(), "in plain text"), (hex::encode(secret), "in hex")];
        let quoted = serde_json::Value::from(secret).to_string();
        let quoted = quoted.trim_matches('"').to_owned();
        if quoted != secret {
            forms.push((quoted, "as quoted text"));
        }
        // Three bytes are four letters, so a secret within longer text has one of three forms. The letters
        // at both ends also depend on the neighbours.
        for before in 0..3 {
            let letters = STANDARD_NO_PAD.encode([vec![0; before], secret.as_bytes().to_vec()].concat());
            let whole = (before + secret.len()) / 3 * 4;
            let own = letters.get((before * 8).div_ceil(6)..whole).unwrap_or_default();
            if own.len() >= 5 {
                forms.push((own.to_owned(), "in base64"));
            }
        }
        Canary { forms }
    }

    /// The form under which it is in some text.
    pub(crate) fn heard(&self, text: &str) -> Option<&'static str> {
        self.forms.iter().find(|(form, _)| text.contains(form.as_str())).map(|(_, name)| *name)
    }
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    #[test]
    fn it_is_heard_in_every_form_and_not_elsewhere() {
        let canary = Canary::new("s3cr\"et!");
        assert_eq!(canary.heard("postgres://u:s3cr\"et!@db"), Some("in plain text"));
        assert_eq!(canary.heard(r#"{"url":"u:s3cr\"et!@db"}"#), Some("as quoted text"));
        assert_eq!(canary.heard(&hex::encode("u:s3cr\"et!")), Some("in hex"));
        for before in ["", "a", "ab", "abc"] {
            for after in ["", "x", "xy", "xyz"] {
                let text = STANDARD.encode(format!("{before}s3cr\"et!{after}"));
                assert_eq!(canary.heard(&text), Some("in base64"), "{before:?} {after:?}");
            }
        }
        assert_eq!(canary.heard(&STANDARD.encode("something else of that length")), None);
        assert_eq!(canary.heard("s3cret"), None);
    }

    #[test]
    #[should_panic(expected = "five letters")]
    fn a_canary_that_sings_by_chance_is_refused() {
        Canary::new("a");
    }
}
