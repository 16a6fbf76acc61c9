//! What this process came to know.

use std::borrow::Cow;
use std::sync::{LazyLock, PoisonError, RwLock};

use crate::needles::Needles;
use crate::{masked, value};

/// How much one generation of secrets takes at most, in bytes.
const GENERATION: usize = 4 << 20;

static KNOWN: LazyLock<RwLock<Generations>> = LazyLock::new(RwLock::default);

/// From now on this secret is replaced by `(redacted)` in everything that goes through [`redacted`]: for what a provider learns while
/// it runs. What stands in sensitive and write-only attributes is known without.
pub fn redact(secret: &str) {
    let mut new = Vec::new();
    {
        let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
        value::each_needle(secret, &mut |needle| {
            if !known.young.contains(needle) {
                new.push(needle.to_owned());
            }
        });
    }
    if !new.is_empty() {
        let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
        new.iter().for_each(|needle| known.insert(needle, GENERATION));
    }
}

/// The text without everything that was given to [`redact`], and without passwords in URLs and connection strings.
pub fn redacted(text: &str) -> Cow<'_, str> {
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    masked(text, &[&known.young, &known.old])
}

/// Secrets in the order in which they were given last, roughly: a run gives again what it works with, so that what is forgotten
/// belongs to calls that are long over.
#[derive(Default)]
struct Generations {
    young: Needles,
    old: Needles,
}

impl Generations {
    fn insert(&mut self, needle: &str, limit: usize) {
        if self.young.size() > limit {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(needle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_bounded_and_what_was_given_last_is_known() {
        let mut known = Generations::default();
        for number in 0..10_000 {
            known.insert("the-one-that-comes-again", 10_000);
            known.insert(&format!("secret-number-{number}"), 10_000);
        }
        assert!(known.young.size() + known.old.size() < 21_000);
        let text = "secret-number-9999 the-one-that-comes-again secret-number-1";
        assert_eq!(masked(text, &[&known.young, &known.old]), "(redacted) (redacted) secret-number-1");
    }

    #[test]
    fn what_was_given_is_replaced_from_then_on() {
        assert_eq!(redacted("a swordfish-9 b"), "a swordfish-9 b");
        redact("swordfish-9");
        redact("swordfish-9");
        assert_eq!(redacted("a swordfish-9 b"), "a (redacted) b");
        assert!(matches!(redacted("nothing here"), Cow::Borrowed(_)));
    }
}
