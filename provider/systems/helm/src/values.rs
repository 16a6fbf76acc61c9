//! A release's values: documents merged in order, then `set`, `set_list` and `set_wo`, all by Helm's own rules, into one
//! document that is handed to Helm by pipe.
//!
//! `null` is kept: it is what deletes a key of the chart's defaults. Helm reads the document back with its YAML reader
//! into floating-point numbers; [`Values::notes`] says where that shows.

mod diff;
pub mod strvals;

use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::yaml::{self, EmitError, YamlError};
pub use diff::{Difference, differences};
use strvals::{Mode, StrvalsError};

/// How the text of a `set` entry is read; the names are the Helm provider's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SetKind {
    /// `--set`: booleans, null, whole numbers, `{a,b}` lists; commas and braces must be escaped.
    #[default]
    Auto,
    /// `--set-string`: the same grammar, always text.
    String,
    /// `--set-literal`: the value is text as it stands.
    Literal,
    /// `--set-json`: the value is JSON.
    Json,
}

impl SetKind {
    /// Every name, for messages and schemas.
    pub const NAMES: [&'static str; 4] = ["auto", "string", "literal", "json"];
}

impl FromStr for SetKind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "" | "auto" => Ok(Self::Auto),
            "string" => Ok(Self::String),
            "literal" => Ok(Self::Literal),
            "json" => Ok(Self::Json),
            other => Err(format!("expected one of {}, got {other:?}", Self::NAMES.join(", "))),
        }
    }
}

/// One entry of `set` or `set_wo`.
#[derive(Clone, PartialEq, Eq)]
pub struct SetItem {
    /// The path, in Helm's grammar: `a.b`, `list[0].x`, `a\.b`.
    pub name: String,
    /// The value's text.
    pub value: String,
    /// How it is read.
    pub kind: SetKind,
}

impl fmt::Debug for SetItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SetItem").field("name", &self.name).field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// One entry of `set_list`.
#[derive(Clone, PartialEq, Eq)]
pub struct SetList {
    /// The path, in Helm's grammar.
    pub name: String,
    /// The items, each read as `--set` reads it.
    pub value: Vec<String>,
}

impl fmt::Debug for SetList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SetList").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Everything that goes into a release's values, in the order in which it is merged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inputs {
    /// YAML documents.
    pub values: Vec<String>,
    /// Single values.
    pub set: Vec<SetItem>,
    /// Lists.
    pub set_list: Vec<SetList>,
    /// Single values that never reach state; quoted nowhere.
    pub set_wo: Vec<SetItem>,
}

/// Which input something is about: an attribute and the position in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// `values[i]`
    Values(usize),
    /// `set[i]`
    Set(usize),
    /// `set_list[i]`
    SetList(usize),
    /// `set_wo[i]`
    SetWo(usize),
    /// All of them merged.
    Merged,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Values(i) => write!(f, "values[{i}]"),
            Self::Set(i) => write!(f, "set[{i}]"),
            Self::SetList(i) => write!(f, "set_list[{i}]"),
            Self::SetWo(i) => write!(f, "set_wo[{i}]"),
            Self::Merged => write!(f, "the merged values"),
        }
    }
}

/// Values that Helm would refuse, or could not be handed to it as they are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{origin}: {problem}")]
pub struct ValuesError {
    /// Which input.
    pub origin: Origin,
    /// What is wrong; never quotes a value.
    pub problem: Problem,
}

/// What is wrong with an input.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// No YAML that Helm reads.
    #[error("not valid YAML: {0}")]
    Yaml(#[from] YamlError),
    /// A document that is a list or a scalar.
    #[error("expected a map of values, found {found}")]
    NotAMap {
        /// What the document is.
        found: &'static str,
    },
    /// A path or value outside Helm's grammar; the text is safe to show.
    #[error("{name}: {message}")]
    Set {
        /// The entry's name.
        name: String,
        /// What is wrong.
        message: String,
    },
    /// A whole number that Helm's floating-point reading would change.
    #[error(
        "{name}: the whole number is too large for Helm to read exactly from a values document; use type = \"string\""
    )]
    Inexact {
        /// The entry's name.
        name: String,
    },
    /// The merged document cannot be written.
    #[error(transparent)]
    Emit(#[from] EmitError),
}

/// Something a user may want to know about their values, though they are valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Which input.
    pub origin: Origin,
    /// What, and what to do; never quotes a value.
    pub message: String,
}

/// Merged values. `Debug` shows no content.
#[derive(Clone, Default, PartialEq)]
pub struct Values {
    map: Map<String, Value>,
    notes: Vec<Note>,
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Values").field("notes", &self.notes).finish_non_exhaustive()
    }
}

impl Values {
    /// No values: the chart's defaults.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// Values that are already merged.
    #[must_use]
    pub fn from_map(map: Map<String, Value>) -> Self {
        Self { map: sorted(map), notes: Vec::new() }
    }

    /// The merged map, keys in order.
    #[must_use]
    pub fn as_map(&self) -> &Map<String, Value> {
        &self.map
    }

    /// The document that is handed to Helm.
    ///
    /// # Errors
    /// A key that YAML cannot hold.
    pub fn to_document(&self) -> Result<String, ValuesError> {
        yaml::to_document(&Value::Object(self.map.clone()))
            .map_err(|e| ValuesError { origin: Origin::Merged, problem: e.into() })
    }

    /// `sha256:…` of the content; the same for values that Helm cannot tell apart. Of values with a secret in them it is
    /// a digest that could be guessed at: keep it out of state then.
    #[must_use]
    pub fn digest(&self) -> String {
        let canonical = Value::Object(self.map.clone()).to_string();
        format!("sha256:{}", hex::encode(Sha256::digest(canonical.as_bytes())))
    }

    /// What a user may want to know.
    #[must_use]
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }
}

/// Merges everything by Helm's rules.
///
/// # Errors
/// The first input that Helm would refuse.
pub fn merge(inputs: &Inputs) -> Result<Values, ValuesError> {
    let mut map = Map::new();
    for (i, document) in inputs.values.iter().enumerate() {
        merge_document(&mut map, document).map_err(|problem| ValuesError { origin: Origin::Values(i), problem })?;
    }
    let mut notes = Vec::new();
    for (i, item) in inputs.set.iter().enumerate() {
        set_item(&mut map, item, Origin::Set(i), &mut notes)?;
    }
    for (i, item) in inputs.set_list.iter().enumerate() {
        set_list(&mut map, item, Origin::SetList(i), &mut notes)?;
    }
    for (i, item) in inputs.set_wo.iter().enumerate() {
        set_item(&mut map, item, Origin::SetWo(i), &mut notes)?;
    }
    Ok(Values { map: sorted(map), notes })
}

/// Merges YAML documents in order: maps deeply, everything else replaced.
///
/// # Errors
/// The first document that is no map of values; `Origin::Values` says which.
pub fn merge_documents<T: AsRef<str>>(documents: &[T]) -> Result<Values, ValuesError> {
    let values = documents.iter().map(|d| d.as_ref().to_owned()).collect();
    merge(&Inputs { values, ..Inputs::default() })
}

/// Several YAML documents in one text are merged too (Helm 4 does, Helm 3 reads only the first).
fn merge_document(map: &mut Map<String, Value>, text: &str) -> Result<(), Problem> {
    for document in yaml::parse_documents(text)? {
        match document {
            Value::Null => {}
            Value::Object(new) => overlay(map, new),
            Value::Array(_) => return Err(Problem::NotAMap { found: "a list" }),
            _ => return Err(Problem::NotAMap { found: "a single value" }),
        }
    }
    Ok(())
}

/// Helm's `MergeMaps`.
fn overlay(under: &mut Map<String, Value>, over: Map<String, Value>) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Object(under)), Value::Object(over)) => overlay(under, over),
            (Some(slot), value) => *slot = value,
            (None, value) => {
                under.insert(key, value);
            }
        }
    }
}

fn set_item(
    map: &mut Map<String, Value>,
    item: &SetItem,
    origin: Origin,
    notes: &mut Vec<Note>,
) -> Result<(), ValuesError> {
    let mode = match item.kind {
        SetKind::Auto => Mode::Typed,
        SetKind::String => Mode::Text,
        SetKind::Literal => Mode::Literal,
        SetKind::Json => Mode::Json,
    };
    assign(map, &item.name, &item.value, mode, origin)?;
    if mode == Mode::Typed {
        check_number(&item.name, &item.value, origin, notes)?;
    }
    Ok(())
}

fn set_list(
    map: &mut Map<String, Value>,
    item: &SetList,
    origin: Origin,
    notes: &mut Vec<Note>,
) -> Result<(), ValuesError> {
    if item.value.is_empty() {
        // `{}` means a list of one empty text in Helm's grammar; nobody means that by an empty list.
        return assign(map, &item.name, "[]", Mode::Json, origin);
    }
    assign(map, &item.name, &format!("{{{}}}", item.value.join(",")), Mode::Typed, origin)?;
    item.value.iter().try_for_each(|value| check_number(&item.name, value, origin, notes))
}

fn assign(
    map: &mut Map<String, Value>,
    name: &str,
    value: &str,
    mode: Mode,
    origin: Origin,
) -> Result<(), ValuesError> {
    let refused = |message: String| ValuesError { origin, problem: Problem::Set { name: name.to_owned(), message } };
    if name.is_empty() {
        return Err(refused("the name is empty; expected a path such as image.tag".into()));
    }
    strvals::parse_into(&format!("{name}={value}"), mode, map)
        .map_err(|e: StrvalsError| refused(e.describe(name.chars().count())))
}

/// `--set n=1000000` reaches templates as an integer, a values document only as floating point, which `{{ .Values.n }}`
/// prints as `1e+06`; beyond 2^53 digits would be lost.
fn check_number(name: &str, value: &str, origin: Origin, notes: &mut Vec<Note>) -> Result<(), ValuesError> {
    const SHOWN_AS_FLOAT: u64 = 1_000_000;
    const EXACT: u64 = 1 << 53;
    let Ok(number) = value.parse::<i64>() else { return Ok(()) };
    if value.starts_with('0') || number.unsigned_abs() < SHOWN_AS_FLOAT {
        return Ok(());
    }
    if number.unsigned_abs() > EXACT {
        return Err(ValuesError { origin, problem: Problem::Inexact { name: name.to_owned() } });
    }
    notes.push(Note {
        origin,
        message: format!(
            "{name} is a whole number of a million or more: a template that prints it without `int64` shows it in \
             scientific notation, as with every number from a values file; use type = \"string\" to keep its digits"
        ),
    });
    Ok(())
}

/// Keys in order all the way down, so that equal values have equal documents.
fn sorted(map: Map<String, Value>) -> Map<String, Value> {
    let mut entries: Vec<_> = map.into_iter().map(|(key, value)| (key, sorted_value(value))).collect();
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    entries.into_iter().collect()
}

fn sorted_value(value: Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(sorted(map)),
        Value::Array(items) => Value::Array(items.into_iter().map(sorted_value).collect()),
        // 3.0 (JSON of a `set` entry) and 3 are one number to Helm.
        Value::Number(n) if n.is_f64() => n.as_f64().and_then(yaml::float).unwrap_or(Value::Number(n)),
        other => other,
    }
}

#[cfg(test)]
mod tests;
