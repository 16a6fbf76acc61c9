//! What is wrong with a `--set` line, in Helm's words where Helm has words for it.

use std::fmt;

/// A line that Helm refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StrvalsError {
    /// What is wrong.
    pub kind: Kind,
    /// Where: characters before the offending part.
    pub at: usize,
}

/// What is wrong with a line. Texts in here may be parts of a value: show them only by way of [`StrvalsError::describe`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A path without `=`.
    NoValue {
        /// The last part of the path.
        key: String,
        /// A comma ended it.
        ended_by_comma: bool,
    },
    /// `a.` with nothing set below it.
    EmptyMap {
        /// The map's key.
        key: String,
    },
    /// More dots than Helm accepts.
    TooDeep,
    /// The path goes through something that is neither what it needs nor absent.
    NotA {
        /// What the path needs there.
        wanted: &'static str,
        /// Where it needs it.
        key: String,
        /// What stands there.
        found: &'static str,
    },
    /// What stands in brackets is no whole number, or the bracket is not closed.
    BadIndex {
        /// What stands there.
        text: String,
        /// Whether `]` was found.
        closed: bool,
    },
    /// An index below zero.
    NegativeIndex(i64),
    /// An index beyond [`super::MAX_INDEX`].
    IndexTooLarge(usize),
    /// Something between `]` and the next part of the path.
    AfterIndex {
        /// What stands there.
        text: String,
    },
    /// `{` without `}`.
    OpenList,
    /// No JSON where JSON was announced.
    Json,
}

impl StrvalsError {
    /// The message, given that the first `name_length` characters of the line are the name: what comes later belongs to
    /// the value and is not quoted.
    #[must_use]
    pub fn describe(&self, name_length: usize) -> String {
        if self.at <= name_length || matches!(self.kind, Kind::OpenList | Kind::Json) {
            return self.to_string();
        }
        "the value has a comma, after which Helm expects another name=value: write \\, for a comma that belongs to the \
         value, or use type = \"literal\""
            .into()
    }
}

impl fmt::Display for StrvalsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::NoValue { key, ended_by_comma: false } => write!(f, "key {key:?} has no value"),
            Kind::NoValue { key, ended_by_comma: true } => write!(f, "key {key:?} has no value (cannot end with ,)"),
            Kind::EmptyMap { key } => write!(f, "key map {key:?} has no value"),
            Kind::TooDeep => write!(
                f,
                "value name nested level is greater than maximum supported nested level of {}",
                super::MAX_NESTED_NAME_LEVEL
            ),
            Kind::NotA { wanted, key, found } => {
                write!(f, "unable to parse key: {key:?} holds {found}, not a {wanted}")
            }
            Kind::BadIndex { text, closed: true } => {
                write!(f, "error parsing index: expected a whole number in brackets, found {text:?}")
            }
            Kind::BadIndex { closed: false, .. } => write!(f, "error parsing index: the bracket is not closed"),
            Kind::NegativeIndex(index) => write!(f, "negative {index} index not allowed"),
            Kind::IndexTooLarge(index) => {
                write!(f, "index of {index} is greater than maximum supported index of {}", super::MAX_INDEX)
            }
            Kind::AfterIndex { text } => write!(f, "unexpected data at end of array index: {text:?}"),
            Kind::OpenList => write!(f, "list must terminate with '}}'"),
            Kind::Json => write!(f, "the value is not valid JSON"),
        }
    }
}

impl std::error::Error for StrvalsError {}
