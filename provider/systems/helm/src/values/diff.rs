//! What changed between two sets of values, by path: what a plan shows instead of two walls of YAML.

use serde_json::{Map, Value};

/// One path whose value differs.
#[derive(Clone, PartialEq)]
pub struct Difference {
    /// The path in Helm's own grammar (`image.tag`, `list[0].x`, `a\.b`).
    pub path: String,
    /// The value before; `None`: not set.
    pub before: Option<Value>,
    /// The value after; `None`: not set.
    pub after: Option<Value>,
}

impl Difference {
    /// The names on the path, as they are in the values; a place in a list is one of them.
    #[must_use]
    pub fn steps(&self) -> Vec<String> {
        let mut steps = vec![String::new()];
        let mut chars = self.path.chars();
        while let Some(char) = chars.next() {
            let begins = char == '.' || char == '[';
            let rest = match char {
                '\\' => chars.next(),
                '.' | '[' | ']' => None,
                other => Some(other),
            };
            if begins {
                steps.push(String::new());
            }
            if let (Some(step), Some(char)) = (steps.last_mut(), rest) {
                step.push(char);
            }
        }
        steps
    }
}

impl std::fmt::Debug for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Difference").field("path", &self.path).finish_non_exhaustive()
    }
}

/// The differences, in the order of their paths. Lists of equal length are compared item by item, others as a whole.
#[must_use]
pub fn differences(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<Difference> {
    let mut found = Vec::new();
    maps("", before, after, &mut found);
    found
}

fn maps(path: &str, before: &Map<String, Value>, after: &Map<String, Value>, found: &mut Vec<Difference>) {
    let mut keys: Vec<&String> = before.keys().chain(after.keys().filter(|k| !before.contains_key(*k))).collect();
    keys.sort();
    for key in keys {
        let escaped = escape(key);
        let path = if path.is_empty() { escaped } else { format!("{path}.{escaped}") };
        values(path, before.get(key), after.get(key), found);
    }
}

fn values(path: String, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<Difference>) {
    match (before, after) {
        (Some(b), Some(a)) if b == a => {}
        (Some(Value::Object(b)), Some(Value::Object(a))) => maps(&path, b, a, found),
        (Some(Value::Array(b)), Some(Value::Array(a))) if a.len() == b.len() => {
            for (i, (b, a)) in b.iter().zip(a).enumerate() {
                values(format!("{path}[{i}]"), Some(b), Some(a), found);
            }
        }
        (b, a) => found.push(Difference { path, before: b.cloned(), after: a.cloned() }),
    }
}

fn escape(key: &str) -> String {
    let mut out = String::with_capacity(key.len());
    for c in key.chars() {
        if matches!(c, '.' | ',' | '=' | '[' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_are_helms_own() {
        let before = json!({"image": {"tag": "1"}, "list": [{"x": 1}, {"x": 2}], "gone": 1, "a.b": 1, "same": [1]});
        let after =
            json!({"image": {"tag": "2"}, "list": [{"x": 1}, {"x": 3}], "new": {"k": 1}, "a.b": 2, "same": [1]});
        let found = differences(before.as_object().unwrap(), after.as_object().unwrap());
        let paths: Vec<_> = found.iter().map(|d| d.path.as_str()).collect();
        assert_eq!(paths, ["a\\.b", "gone", "image.tag", "list[1].x", "new"]);
        assert_eq!(found[0].steps(), ["a.b"]);
        assert_eq!(found[3].steps(), ["list", "1", "x"]);
        assert_eq!(found[1].after, None);
        assert_eq!(found[4].before, None);
    }

    #[test]
    fn lists_of_other_length_and_other_kinds_differ_as_a_whole() {
        let before = json!({"l": [1], "k": {"a": 1}});
        let after = json!({"l": [1, 2], "k": null});
        let found = differences(before.as_object().unwrap(), after.as_object().unwrap());
        assert_eq!(found.iter().map(|d| d.path.as_str()).collect::<Vec<_>>(), ["k", "l"]);
        assert_eq!(found[0].after, Some(Value::Null));
    }
}
