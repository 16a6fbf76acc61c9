//! Keeps secrets out of what is shown of other people's logs.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

const MASK: &str = "(redacted)";
/// Replacing shorter values would make text unreadable and protect nothing.
const SHORTEST: usize = 4;

/// Replaces known secret values, their base64 and URL-encoded forms, and any password in a URL.
#[derive(Clone, Default)]
pub struct Redactor {
    needles: Arc<Vec<String>>,
}

impl Redactor {
    /// One that knows these values. Values of fewer than four bytes are not replaced.
    pub fn new<S: AsRef<str>>(secrets: impl IntoIterator<Item = S>) -> Self {
        let mut needles: Vec<String> = secrets
            .into_iter()
            .flat_map(|secret| forms(secret.as_ref()))
            .filter(|form| form.len() >= SHORTEST)
            .collect();
        // longest first: a secret may contain another one
        needles.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        needles.dedup();
        Self { needles: Arc::new(needles) }
    }

    /// The text without them.
    pub fn clean(&self, text: &str) -> String {
        let mut clean = text.to_owned();
        for needle in self.needles.iter() {
            if clean.contains(needle.as_str()) {
                clean = clean.replace(needle.as_str(), MASK);
            }
        }
        mask_url_passwords(&clean)
    }
}

/// Says how many values it knows, and none of them.
impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor({} forms)", self.needles.len())
    }
}

fn forms(secret: &str) -> Vec<String> {
    let mut forms = vec![
        secret.to_owned(),
        STANDARD.encode(secret),
        STANDARD_NO_PAD.encode(secret),
        URL_SAFE.encode(secret),
        URL_SAFE_NO_PAD.encode(secret),
        percent_encode(secret, true),
        percent_encode(secret, false),
        // as it stands in JSON
        serde_json::Value::from(secret).to_string().trim_matches('"').to_owned(),
    ];
    // a log shows a secret of several lines one line at a time
    forms.extend(secret.lines().map(|line| line.trim().to_owned()).filter(|line| line.len() >= 16));
    forms
}

fn percent_encode(text: &str, upper: bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else if upper {
            encoded.push_str(&format!("%{byte:02X}"));
        } else {
            encoded.push_str(&format!("%{byte:02x}"));
        }
    }
    encoded
}

/// `postgresql://user:password@host` → `postgresql://user:(redacted)@host`, whoever's password it is.
fn mask_url_passwords(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("://") {
        let (before, after) = rest.split_at(start + 3);
        clean.push_str(before);
        let authority_end = after.find(|c: char| c.is_whitespace() || "/?#\"'<>`".contains(c)).unwrap_or(after.len());
        let authority = &after[..authority_end];
        match (authority.rfind('@'), authority.find(':')) {
            (Some(at), Some(colon)) if colon < at => {
                clean.push_str(&authority[..=colon]);
                clean.push_str(MASK);
                clean.push_str(&authority[at..]);
            }
            _ => clean.push_str(authority),
        }
        rest = &after[authority_end..];
    }
    clean.push_str(rest);
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_every_form() {
        let redactor = Redactor::new(["p@ss word/1"]);
        for text in [
            "is p@ss word/1 here".to_owned(),
            format!("b64 {}", STANDARD.encode("p@ss word/1")),
            "url p%40ss%20word%2F1!".to_owned(),
            "url p%40ss%20word%2f1!".to_owned(),
        ] {
            let clean = redactor.clean(&text);
            assert!(clean.contains(MASK), "{text} -> {clean}");
            assert!(!clean.contains("word"), "{text} -> {clean}");
        }
    }

    #[test]
    fn a_secret_within_a_secret_leaves_no_rest() {
        let redactor = Redactor::new(["hunter2", "hunter2-and-more"]);
        assert_eq!(redactor.clean("x hunter2-and-more y"), format!("x {MASK} y"));
    }

    #[test]
    fn passwords_in_urls_are_masked_without_being_known() {
        let redactor = Redactor::default();
        assert_eq!(
            redactor.clean("cannot reach postgresql://ffe:s3cr@t@db:5432/ffe or https://a/b"),
            format!("cannot reach postgresql://ffe:{MASK}@db:5432/ffe or https://a/b")
        );
        assert_eq!(redactor.clean("see http://host:80/x@y and e@mail"), "see http://host:80/x@y and e@mail");
    }

    #[test]
    fn short_values_are_left_alone() {
        assert_eq!(Redactor::new(["a", ""]).clean("a banana"), "a banana");
    }

    #[test]
    fn debug_shows_nothing() {
        assert!(!format!("{:?}", Redactor::new(["hunter2"])).contains("hunter2"));
    }
}
