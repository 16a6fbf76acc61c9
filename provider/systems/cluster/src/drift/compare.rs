//! Field by field.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::Difference;
use super::path::{Step, element_fields, port_fields};
use super::scalar::{is_empty, same};

/// Fields below which texts are amounts.
const AMOUNTS: [&str; 13] = [
    "hard",
    "requests",
    "limits",
    "default",
    "defaultRequest",
    "max",
    "min",
    "maxLimitRequestRatio",
    "capacity",
    "sizeLimit",
    "averageValue",
    "divisor",
    "allocatable",
];
/// Of the metadata, what was applied; the rest is the API server's.
const METADATA: [&str; 2] = ["labels", "annotations"];

/// Compares whole objects.
pub(super) fn objects(applied: &Value, live: &Value, resolved: Option<&Value>) -> Vec<Difference> {
    let given = if applied["kind"] == "Secret" { secret(applied) } else { applied.clone() };
    let mut comparison = Comparison { builtin: is_builtin(applied), steps: Vec::new(), found: Vec::new() };
    for (name, value) in given.as_object().into_iter().flatten() {
        match name.as_str() {
            "apiVersion" | "kind" | "status" => {}
            "metadata" => {
                let fields = value.as_object().into_iter().flatten();
                let kept: Map<String, Value> =
                    fields.filter(|(name, _)| METADATA.contains(&name.as_str())).map(own).collect();
                comparison.field(name, &Value::Object(kept), live, resolved, Texts::Exact);
            }
            "data" | "binaryData" => comparison.field(name, value, live, resolved, Texts::Exact),
            _ => comparison.field(name, value, live, resolved, Texts::Loose),
        }
    }
    comparison.found
}

fn own((name, value): (&String, &Value)) -> (String, Value) {
    (name.clone(), value.clone())
}

/// Whether it is of a kind of Kubernetes' own, whose lists are known.
fn is_builtin(object: &Value) -> bool {
    let group = object["apiVersion"].as_str().unwrap_or_default().rsplit_once('/').map_or("", |(group, _)| group);
    !group.contains('.') || group.ends_with(".k8s.io")
}

/// A Secret as the API server keeps it: all content encoded, in `data`.
fn secret(applied: &Value) -> Value {
    let mut whole = applied.clone();
    let mut data = Map::new();
    for (name, value) in applied["data"].as_object().into_iter().flatten() {
        let text: String = value.as_str().unwrap_or_default().split_whitespace().collect();
        let same = STANDARD.decode(&text).map_or(text, |bytes| STANDARD.encode(bytes));
        data.insert(name.clone(), Value::from(same));
    }
    for (name, value) in applied["stringData"].as_object().into_iter().flatten() {
        data.insert(name.clone(), Value::from(STANDARD.encode(value.as_str().unwrap_or_default())));
    }
    if let Some(fields) = whole.as_object_mut() {
        fields.remove("stringData");
        fields.insert("data".to_owned(), Value::Object(data));
    }
    whole
}

/// How texts and absent fields are taken.
#[derive(Clone, Copy, PartialEq)]
enum Texts {
    /// Content of the user's: as it is, also when it is empty.
    Exact,
    /// Fields of Kubernetes': what is empty may be left out.
    Loose,
    /// Likewise, and texts are amounts.
    Amounts,
}

struct Comparison {
    builtin: bool,
    steps: Vec<Step>,
    found: Vec<Difference>,
}

impl Comparison {
    fn field(&mut self, name: &str, wanted: &Value, live: &Value, resolved: Option<&Value>, texts: Texts) {
        let texts = if texts == Texts::Loose && AMOUNTS.contains(&name) { Texts::Amounts } else { texts };
        self.steps.push(Step::Field(name.to_owned()));
        self.value(wanted, live.get(name), resolved.map(|whole| whole.get(name).unwrap_or(&Value::Null)), texts);
        self.steps.pop();
    }

    fn value(&mut self, wanted: &Value, live: Option<&Value>, resolved: Option<&Value>, texts: Texts) {
        let live = live.filter(|live| !live.is_null());
        // What is given as nothing is left to the API server.
        if wanted.is_null() || (live.is_none() && texts != Texts::Exact && is_empty(wanted)) {
            return;
        }
        match (wanted, live) {
            (Value::Object(fields), Some(there @ Value::Object(_))) => {
                for (name, value) in fields {
                    self.field(name, value, there, resolved, texts);
                }
            }
            (Value::Object(fields), None) if fields.is_empty() => {}
            (Value::Array(elements), Some(Value::Array(there))) => self.list(elements, there, resolved, texts),
            (wanted, Some(there)) if same(wanted, there, texts == Texts::Amounts) => {}
            (wanted, live) => self.note(wanted, live, resolved),
        }
    }

    fn list(&mut self, wanted: &[Value], live: &[Value], resolved: Option<&Value>, texts: Texts) {
        let resolved_list = resolved.and_then(Value::as_array);
        if let Some(keys) = self.keys(wanted, live) {
            for (index, element) in wanted.iter().enumerate() {
                let told = told_by(element, keys);
                let is = |candidate: &&Value| told_by(candidate, keys) == told;
                let there = live.iter().find(is);
                // Where the server's own answer has no such element, there is none to hold against it.
                let resolved = resolved_list.map(|list| list.iter().find(is).unwrap_or(&Value::Null));
                self.steps.push(Step::Element(index, told.clone()));
                match there {
                    Some(there) => self.value(element, Some(there), resolved, texts),
                    None => self.note(element, None, resolved),
                }
                self.steps.pop();
            }
        } else if wanted.len() == live.len() {
            for (index, (element, there)) in wanted.iter().zip(live).enumerate() {
                let resolved = resolved_list.map(|list| list.get(index).unwrap_or(&Value::Null));
                self.steps.push(Step::Position(index));
                self.value(element, Some(there), resolved, texts);
                self.steps.pop();
            }
        } else {
            self.note(&Value::from(wanted.to_vec()), Some(&Value::from(live.to_vec())), resolved);
        }
    }

    /// The fields that tell the elements of the list at this place, if there are some and all elements have them.
    fn keys(&self, wanted: &[Value], live: &[Value]) -> Option<&'static [&'static str]> {
        let name = self.steps.last()?.field().filter(|_| self.builtin)?;
        let keys = match name {
            "ports" => port_fields(wanted.first()?),
            _ => element_fields(name),
        };
        let first = keys.first()?;
        let told = wanted.iter().chain(live).all(|element| element.get(first).is_some());
        told.then_some(keys)
    }

    /// A field that is not as applied, unless the API server says that it is.
    fn note(&mut self, wanted: &Value, live: Option<&Value>, resolved: Option<&Value>) {
        if resolved.is_some_and(|resolved| resolved == live.unwrap_or(&Value::Null)) {
            return;
        }
        self.found.push(Difference { steps: self.steps.clone(), was: wanted.clone(), is: live.cloned() });
    }
}

/// What tells an element. A port without a protocol is one of TCP.
fn told_by(element: &Value, keys: &[&str]) -> Map<String, Value> {
    let value = |key: &str| match element.get(key) {
        None | Some(Value::Null) if key == "protocol" => Value::from("TCP"),
        found => found.cloned().unwrap_or(Value::Null),
    };
    keys.iter().map(|key| ((*key).to_owned(), value(key))).collect()
}
