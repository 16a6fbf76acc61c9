//! Writing a document that Helm's YAML reader reads back as exactly the same values.
//!
//! JSON is almost a subset of YAML 1.1; this is the rest: characters that end a line in YAML though not in JSON
//! (U+0085, U+2028, U+2029) or that a YAML reader refuses raw are escaped.

use std::io;

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};

/// YAML looks for the end of a key within this many characters.
const MAX_KEY: usize = 1000;

/// A document that cannot be handed over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EmitError {
    /// A key longer than YAML's reader accepts.
    #[error("a key is {0} characters long; Helm reads at most {MAX_KEY}")]
    KeyTooLong(usize),
    /// The serialiser failed; carries its message.
    #[error("cannot write the values: {0}")]
    Write(String),
}

/// One line of JSON that is YAML 1.1 too.
///
/// # Errors
/// Keys that no YAML reader accepts.
pub fn to_document(value: &Value) -> Result<String, EmitError> {
    check_keys(value)?;
    let mut out = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut out, YamlSafe(CompactFormatter));
    value.serialize(&mut serializer).map_err(|e| EmitError::Write(e.to_string()))?;
    String::from_utf8(out).map_err(|e| EmitError::Write(e.to_string()))
}

fn check_keys(value: &Value) -> Result<(), EmitError> {
    match value {
        Value::Object(map) => map.iter().try_for_each(|(key, value)| {
            let length = key.chars().count();
            if length > MAX_KEY { Err(EmitError::KeyTooLong(length)) } else { check_keys(value) }
        }),
        Value::Array(items) => items.iter().try_for_each(check_keys),
        _ => Ok(()),
    }
}

struct YamlSafe(CompactFormatter);

impl Formatter for YamlSafe {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| needs_escape(*c)) {
            writer.write_all(&rest.as_bytes()[..at])?;
            write!(writer, "\\u{:04x}", u32::from(c))?;
            rest = &rest[at + c.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        // YAML wants the blank where the value could be taken for more of the key.
        self.0.begin_object_value(writer)?;
        writer.write_all(b" ")
    }
}

fn needs_escape(c: char) -> bool {
    matches!(c, '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn what_yaml_cannot_hold_raw_is_escaped() {
        let value = json!({"a\u{85}b": ["x\u{2028}y\u{7f}", "tab\t\"q\"\\ \u{1f600} é\u{feff}"]});
        let document = to_document(&value).unwrap();
        assert_eq!(document, "{\"a\\u0085b\": [\"x\\u2028y\\u007f\",\"tab\\t\\\"q\\\"\\\\ \u{1f600} é\\ufeff\"]}");
        assert_eq!(serde_json::from_str::<Value>(&document).unwrap(), value);
    }

    #[test]
    fn the_document_reads_back_through_the_yaml_reader() {
        let value =
            json!({"yes": "no", "n": [1, -2.5, 1e21, null, true, "0777", "~", "", "<<", "# x", "a: b"], "m": {}});
        assert_eq!(crate::yaml::parse(&to_document(&value).unwrap()).unwrap(), value);
    }

    #[test]
    fn keys_beyond_yaml_are_refused() {
        let value = json!({"a": [{ "k".repeat(1001): 1 }]});
        assert_eq!(to_document(&value), Err(EmitError::KeyTooLong(1001)));
    }
}
