//! Keeps secrets out of texts.
//!
//! A secret is found as it is and as it reads after decoding: percent-encoding and form-encoding, escapes (JSON, Rust, Go, Python,
//! doubled quotes of SQL and YAML), base64 of every alphabet also in the middle of something longer, hexadecimal, and these within
//! one another. The text is decoded, not the secret encoded: what is encoded may be any part of a text, and encoders differ in what
//! they leave as it is. A secret of several lines is found line by line too. Passwords in URLs and in connection strings of
//! PostgreSQL are masked whether they are known or not.
//!
//! There are two ways to use it. What leaves the process goes through [`redacted`], which knows everything that was ever given to
//! [`redact`]. What is kept (a state, a plan) must not depend on what else the process came to know: it goes through a [`Redactor`]
//! that knows just the secrets it was made of.
//!
//! Not replaced are texts of fewer than six bytes, numbers of fewer than eight digits, and a few words (`default`, `postgres`,
//! `password`): they stand everywhere. Masking them would garble every message, and show by the gaps what they are.
//!
//! Invariants: no IO, no knowledge of Terraform or of any wrapped system. What the process remembers is bounded: of the secrets
//! that were given longest ago those are forgotten that come to more than 8 MiB with what is newer.

mod needles;
mod passwords;
mod process;
mod value;
mod views;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use needles::Needles;

pub use passwords::passwords;
pub use process::{redact, redacted};

/// What stands in a secret's place.
pub const MASK: &str = "(redacted)";

/// Knows the secrets that it was made of, and no others.
#[derive(Clone, Default)]
pub struct Redactor {
    needles: Arc<Needles>,
}

impl Redactor {
    /// One that knows these secrets, passwords within them included.
    pub fn new<S: AsRef<str>>(secrets: impl IntoIterator<Item = S>) -> Redactor {
        let mut needles = Needles::default();
        for secret in secrets {
            value::each_needle(secret.as_ref(), &mut |needle| needles.insert(needle));
        }
        Redactor { needles: Arc::new(needles) }
    }

    /// Whether one of its secrets stands in a text, in whatever form.
    pub fn knows(&self, text: &str) -> bool {
        !found(text, &[&self.needles]).is_empty()
    }

    /// The text without them, and without passwords in URLs and connection strings.
    pub fn clean(&self, text: &str) -> String {
        masked(text, &[&self.needles]).into_owned()
    }
}

/// Says how much it knows, and nothing of it.
impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor({} needles)", self.needles.len())
    }
}

/// The text with everything masked that one of these knows, and what is a password by its place.
fn masked<'a>(text: &'a str, known: &[&Needles]) -> Cow<'a, str> {
    let mut found = found(text, known);
    found.extend(passwords::places(text).into_iter().map(|place| place.text));
    views::replaced(text, found)
}

/// Where something stands that one of these knows.
fn found(text: &str, known: &[&Needles]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    if known.iter().any(|needles| needles.len() > 0) {
        views::search(text, &|bytes, found| known.iter().for_each(|needles| needles.search(bytes, found)), &mut found);
    }
    found
}

#[cfg(test)]
mod tests;
