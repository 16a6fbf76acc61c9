//! The format of a journal.
//!
//! It stands where the first format had the inputs as a text (`inputs`): a provider that knows only that one finds a number there, does
//! not read the journal, and says that it may be of a newer version. So no version takes a newer journal for one without inputs.

use serde::{Deserialize, Serialize};

/// The format that this version of the provider writes, and the newest that it reads.
const CURRENT: u32 = 2;

/// Which format a journal has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Format {
    /// The first: these are the inputs, with all values in clear; and its digests have no key.
    Plain(String),
    /// A later one, by its number.
    Numbered(u32),
    /// None is named.
    #[default]
    None,
}

impl Format {
    /// The one that is written. What the first has in clear stays until a run has succeeded: an import needs it.
    pub(super) fn to_write(&self) -> Format {
        match self {
            Format::Plain(inputs) => Format::Plain(inputs.clone()),
            Format::Numbered(_) | Format::None => Format::current(),
        }
    }

    /// The newest.
    pub(crate) fn current() -> Format {
        Format::Numbered(CURRENT)
    }

    /// The inputs of the first format.
    pub(crate) fn plain(&self) -> &str {
        match self {
            Format::Plain(inputs) => inputs,
            Format::Numbered(_) | Format::None => "",
        }
    }

    /// Whether it is one that this version of the provider reads.
    ///
    /// # Errors
    /// With what is wrong.
    pub(super) fn check(&self) -> Result<(), String> {
        match self {
            Format::Numbered(number) if *number > CURRENT => Err(format!(
                "it has the format {number}, and this version of the provider reads formats up to {CURRENT}"
            )),
            Format::Plain(_) | Format::Numbered(_) | Format::None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// What a provider knows that knows the first format alone.
    #[derive(Debug, Default, Deserialize)]
    #[serde(default)]
    struct First {
        inputs: String,
    }

    #[test]
    fn whoever_knows_only_the_first_format_does_not_read_a_later_one() {
        let later = serde_json::json!({ "inputs": Format::current(), "runs": [] }).to_string();
        serde_json::from_str::<First>(&later).unwrap_err();
        let first = serde_json::json!({ "inputs": Format::Plain("{}".to_owned()) }).to_string();
        assert_eq!(serde_json::from_str::<First>(&first).unwrap().inputs, "{}");
    }

    #[test]
    fn a_format_that_is_not_known_is_refused() {
        let read = |text: &str| serde_json::from_str::<Format>(text).unwrap();
        assert_eq!(read("\"{}\"").check(), Ok(()));
        assert_eq!(read("2").check(), Ok(()));
        assert!(read("3").check().unwrap_err().contains("format 3"));
        assert_eq!(read("\"{}\"").to_write(), read("\"{}\""), "an import needs what it has");
        assert_eq!(Format::default().to_write(), Format::current());
    }
}
