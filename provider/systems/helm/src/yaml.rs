//! YAML exactly as Helm reads it.
//!
//! Helm decodes values files, `Chart.yaml` and manifests with `sigs.k8s.io/yaml`: go-yaml v2 (YAML 1.1 scalars, so a
//! plain `yes` is a boolean and `0777` an octal number), turned into JSON. A YAML 1.2 reader would show in a plan what
//! Helm then does not do. The events come from a port of libyaml, which go-yaml is a port of too; what the scalars mean
//! is decided in `resolve` by go-yaml's own table.

mod emit;
mod resolve;

use std::collections::HashMap;

use libyaml_safer::{Event, EventData, Mark, Parser};
use serde_json::{Map, Value};

pub use emit::{EmitError, to_document};
pub(crate) use resolve::float;

/// How deep a document may nest. Beyond what charts do, below what exhausts the stack.
const MAX_DEPTH: usize = 200;
/// How many nodes aliases may add to a stream (a "billion laughs" ends here).
const MAX_ALIASED_NODES: usize = 1_000_000;

/// YAML that Helm would refuse too.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct YamlError {
    /// Line in the text, from 1.
    pub line: usize,
    /// What is wrong; quotes no values, since these may be secret.
    pub problem: String,
}

/// All documents of a stream, in order. An empty document is `null`.
///
/// # Errors
/// Text that is not YAML, keys that are not scalars, numbers that JSON cannot hold (`.nan`, `.inf`), excessive aliasing.
pub fn parse_documents(text: &str) -> Result<Vec<Value>, YamlError> {
    // As Helm 4 does to values files: a last line without an end would be lost in places.
    let text = if text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") };
    // The port of libyaml panics on a few malformed documents; to a user they are no more than that.
    std::panic::catch_unwind(|| documents(&text))
        .unwrap_or_else(|_| Err(YamlError { line: 1, problem: "malformed document".into() }))
}

fn documents(text: &str) -> Result<Vec<Value>, YamlError> {
    let mut bytes = text.as_bytes();
    let mut reader = Reader { parser: Parser::new(), anchors: HashMap::new(), aliased: 0 };
    reader.parser.set_input_string(&mut bytes);
    let mut documents = Vec::new();
    loop {
        let event = reader.next()?;
        match event.data {
            EventData::StreamEnd => return Ok(documents),
            EventData::DocumentStart { .. } => {
                reader.anchors.clear();
                let first = reader.next()?;
                documents.push(reader.node(first, 0)?.value);
            }
            _ => {}
        }
    }
}

/// The first document of a stream; an empty stream is `null`.
///
/// # Errors
/// As [`parse_documents`].
pub fn parse(text: &str) -> Result<Value, YamlError> {
    Ok(parse_documents(text)?.into_iter().next().unwrap_or(Value::Null))
}

fn error(mark: Mark, problem: impl Into<String>) -> YamlError {
    YamlError { line: usize::try_from(mark.line).unwrap_or(usize::MAX).max(1), problem: problem.into() }
}

/// A finished node with what its parent must know about it.
#[derive(Clone)]
struct Node {
    value: Value,
    /// The key form of a scalar, or why it cannot be a key.
    key: Result<String, &'static str>,
    /// A plain `<<`: as a key it merges its value into the mapping.
    merges: bool,
    /// Nodes in this subtree.
    size: usize,
}

struct Reader<'r, 't> {
    parser: Parser<&'t mut &'r [u8]>,
    anchors: HashMap<String, Node>,
    aliased: usize,
}

impl Reader<'_, '_> {
    fn next(&mut self) -> Result<Event, YamlError> {
        self.parser.parse().map_err(|e| {
            let mark = e.problem_mark().or(e.context_mark()).unwrap_or_default();
            // These texts are fixed; the whole message could quote what is there.
            let context = e.context().filter(|context| !context.is_empty()).map(|context| format!("{context}, "));
            error(mark, format!("{}{}", context.unwrap_or_default(), e.problem()))
        })
    }

    fn node(&mut self, event: Event, depth: usize) -> Result<Node, YamlError> {
        let mark = event.start_mark;
        if depth > MAX_DEPTH {
            return Err(error(mark, format!("nested deeper than {MAX_DEPTH} levels")));
        }
        let (node, anchor) = match event.data {
            EventData::Alias { anchor } => {
                let node = self.anchors.get(&anchor).cloned();
                let node = node.ok_or_else(|| error(mark, "an alias to an anchor that is not (yet) defined"))?;
                self.aliased += node.size;
                if self.aliased > MAX_ALIASED_NODES {
                    return Err(error(mark, "document contains excessive aliasing"));
                }
                return Ok(node);
            }
            EventData::Scalar { anchor, tag, value, plain_implicit, .. } => {
                (scalar(value, plain_implicit, tag.as_deref()).map_err(|problem| error(mark, problem))?, anchor)
            }
            EventData::SequenceStart { anchor, .. } => (self.sequence(depth)?, anchor),
            EventData::MappingStart { anchor, .. } => (self.mapping(depth)?, anchor),
            _ => return Err(error(mark, "unexpected end of a node")),
        };
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn sequence(&mut self, depth: usize) -> Result<Node, YamlError> {
        let mut items = Vec::new();
        let mut size = 1;
        loop {
            let event = self.next()?;
            if matches!(event.data, EventData::SequenceEnd) {
                return Ok(collection(Value::Array(items), size));
            }
            let node = self.node(event, depth + 1)?;
            size += node.size;
            items.push(node.value);
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<Node, YamlError> {
        let mut map = Map::new();
        let mut size = 1;
        loop {
            let event = self.next()?;
            if matches!(event.data, EventData::MappingEnd) {
                return Ok(collection(Value::Object(map), size));
            }
            let key_mark = event.start_mark;
            let key = self.node(event, depth + 1)?;
            let event = self.next()?;
            let mark = event.start_mark;
            let node = self.node(event, depth + 1)?;
            size += key.size + node.size;
            if key.merges {
                // go-yaml v2 merges where the `<<` stands: it overrides keys before it, keys after override it.
                merge(&mut map, node.value).map_err(|problem| error(mark, problem))?;
                continue;
            }
            let key = key.key.map_err(|problem| error(key_mark, problem))?;
            map.insert(key, node.value);
        }
    }
}

fn collection(value: Value, size: usize) -> Node {
    Node { value, key: Err("a mapping or list cannot be a key"), merges: false, size }
}

fn scalar(text: String, implicit: bool, tag: Option<&str>) -> Result<Node, String> {
    let merges = text == "<<" && (implicit || tag == Some("tag:yaml.org,2002:merge"));
    let resolved = resolve::resolve(&text, implicit, tag)?;
    Ok(Node { key: resolved.as_key(), value: resolved.into_json()?, merges, size: 1 })
}

fn merge(into: &mut Map<String, Value>, from: Value) -> Result<(), &'static str> {
    const WANT: &str = "map merge requires map or sequence of maps as the value";
    match from {
        Value::Object(map) => into.extend(map),
        Value::Array(maps) => {
            // Earlier ones win, so they come last.
            for map in maps.into_iter().rev() {
                let Value::Object(map) = map else { return Err(WANT) };
                into.extend(map);
            }
        }
        _ => return Err(WANT),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn documents_are_kept_apart_and_empty_ones_are_null() {
        assert_eq!(
            parse_documents("a: 1\n---\nb: 2\n---\n").unwrap(),
            vec![json!({"a": 1}), json!({"b": 2}), json!(null)]
        );
        assert_eq!(parse_documents("").unwrap(), Vec::<Value>::new());
        assert_eq!(parse("# only a comment\n").unwrap(), json!(null));
    }

    #[test]
    fn anchors_and_merge_keys_follow_go_yaml_v2() {
        let text =
            "base: &b {x: 1, z: 2}\nafter:\n  <<: *b\n  z: 3\nbefore:\n  z: 3\n  <<: *b\nlist:\n  <<: [{x: 9}, *b]\n";
        assert_eq!(
            parse(text).unwrap(),
            json!({"base": {"x": 1, "z": 2}, "after": {"x": 1, "z": 3}, "before": {"z": 2, "x": 1}, "list": {"x": 9, "z": 2}})
        );
        assert_eq!(parse("'<<': {a: 1}\n").unwrap(), json!({"<<": {"a": 1}}));
    }

    #[test]
    fn the_last_of_equal_keys_wins() {
        assert_eq!(parse("a: 1\na: 2\n").unwrap(), json!({"a": 2}));
    }

    #[test]
    fn keys_become_strings_as_sigs_yaml_makes_them() {
        assert_eq!(parse("on: 1\n2: b\n1.5: c\n'3': d\n").unwrap(), json!({"true": 1, "2": "b", "1.5": "c", "3": "d"}));
        assert!(parse("~: 1\n").unwrap_err().problem.contains("null cannot be a key"));
        assert!(parse("? [a]\n: 1\n").unwrap_err().problem.contains("cannot be a key"));
    }

    #[test]
    fn errors_carry_the_line_and_no_values() {
        let e = parse("a: 1\nb: [hunter2\n").unwrap_err();
        assert!(e.line >= 2, "{e}");
        assert!(!e.to_string().contains("hunter2"), "{e}");
    }

    #[test]
    fn alias_bombs_are_refused() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for i in 1..9 {
            let alias = format!("*a{}", i - 1);
            text.push_str(&format!("a{i}: &a{i} [{}]\n", vec![alias; 10].join(", ")));
        }
        assert!(parse(&text).unwrap_err().problem.contains("excessive aliasing"));
    }

    #[test]
    fn depth_is_bounded() {
        let text = format!("{}{}", "[".repeat(230), "]".repeat(230));
        assert!(parse(&text).unwrap_err().problem.contains("nested deeper"));
    }

    #[test]
    fn a_parser_that_panics_is_an_error() {
        assert_eq!(parse("a: [!, 0,]\n").unwrap_err().problem, "malformed document");
    }

    #[test]
    fn brackets_may_close_at_the_margin() {
        assert_eq!(parse("a: {\n  b: 1\n}\nc: [\n  1\n]\n").unwrap(), json!({"a": {"b": 1}, "c": [1]}));
    }

    #[test]
    fn a_self_referring_anchor_is_refused() {
        assert!(parse("a: &a [*a]\n").is_err());
    }
}
