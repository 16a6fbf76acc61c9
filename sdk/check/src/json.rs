//! Terraform's syntax in JSON (<https://developer.hashicorp.com/terraform/language/syntax/json>), in the one form. It has no places.

use std::rc::Rc;

use serde_json::{Map, Value};

use crate::configuration::{Block, Item};
use crate::hcl;
use crate::written::{Entry, Place, Written};

/// The items of a file `*.tf.json`.
pub(crate) fn read(file: &str, text: &str) -> Result<Vec<Item>, String> {
    let reader = Reader { place: Place { file: Rc::from(file), at: None } };
    let all: Value = serde_json::from_str(text).map_err(|error| format!("cannot be parsed: {error}"))?;
    let mut items = Vec::new();
    for object in objects(&all) {
        for (kind, value) in object {
            // How many names stand between the kind of block and its body.
            let labels = match kind.as_str() {
                "resource" | "data" | "ephemeral" => 2,
                "provider" | "module" | "variable" | "output" => 1,
                _ => 0,
            };
            reader.blocks(kind, labels, &mut Vec::new(), value, &mut items);
        }
    }
    Ok(items)
}

/// The values of a file `*.tfvars.json`.
pub(crate) fn read_values(file: &str, text: &str) -> Result<Vec<Item>, String> {
    let reader = Reader { place: Place { file: Rc::from(file), at: None } };
    let all: Map<String, Value> = serde_json::from_str(text).map_err(|error| format!("cannot be parsed: {error}"))?;
    // Values are values: nothing in them is an expression.
    Ok(all.iter().map(|(name, value)| Item::Attribute(reader.entry(name, value, false))).collect())
}

struct Reader {
    place: Place,
}

impl Reader {
    fn blocks(&self, kind: &str, labels: usize, so_far: &mut Vec<String>, value: &Value, items: &mut Vec<Item>) {
        for object in objects(value) {
            if so_far.len() == labels {
                items.push(Item::Block(Block {
                    kind: kind.to_owned(),
                    labels: so_far.clone(),
                    place: self.place.clone(),
                    label_places: so_far.iter().map(|_| self.place.clone()).collect(),
                    items: object
                        .iter()
                        .filter(|(name, _)| *name != "//")
                        .map(|(name, value)| self.item(kind, name, value))
                        .collect(),
                }));
                continue;
            }
            for (label, value) in object {
                so_far.push(label.clone());
                self.blocks(kind, labels, so_far, value, items);
                so_far.pop();
            }
        }
    }

    fn item(&self, kind: &str, name: &str, value: &Value) -> Item {
        match value {
            Value::String(text) if kind == "variable" && name == "type" => Item::Type(hcl::read_constraint(text)),
            value => Item::Attribute(self.entry(name, value, true)),
        }
    }

    fn entry(&self, name: &str, value: &Value, expressions: bool) -> Entry {
        Entry { name: Some(name.to_owned()), place: self.place.clone(), value: self.value(value, expressions) }
    }

    fn value(&self, value: &Value, expressions: bool) -> Written {
        match value {
            Value::Object(entries) => Written::Object(
                // A comment.
                entries
                    .iter()
                    .filter(|(name, _)| *name != "//")
                    .map(|(name, value)| self.entry(name, value, expressions))
                    .collect(),
            ),
            Value::Array(elements) => {
                Written::List(elements.iter().map(|element| self.value(element, expressions)).collect())
            }
            Value::String(text) => match text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) {
                Some(expression) if expressions => hcl::read_expression(&self.place, expression),
                _ => Written::Text(text.clone()),
            },
            Value::Null | Value::Bool(_) | Value::Number(_) => Written::Opaque,
        }
    }
}

/// An object, or the objects of a list: Terraform takes both where blocks are expected.
fn objects(value: &Value) -> Vec<&Map<String, Value>> {
    match value {
        Value::Object(object) => vec![object],
        Value::Array(elements) => elements.iter().filter_map(Value::as_object).collect(),
        _ => Vec::new(),
    }
}
