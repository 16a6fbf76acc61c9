//! A configuration with parts of it unknown: what validation must tolerate.

use tfplugin_core::{Diagnostics, Value};

use super::Terraform;
use crate::fail;

impl Terraform {
    /// The configuration with each of its attributes unknown, one after the other, and with all of them; with
    /// what to call each of these.
    pub(super) fn variants(&self, config: &Value) -> Vec<(String, Value)> {
        let Some(entries) = config.as_map().filter(|_| self.checks.validate_unknowns) else { return Vec::new() };
        let set: Vec<&String> = entries.iter().filter(|(_, value)| !value.is_null()).map(|(name, _)| name).collect();
        let with = |names: &[&String], replaced: &dyn Fn(&Value) -> Value| {
            let mut entries = entries.clone();
            entries.iter_mut().filter(|(name, _)| names.contains(name)).for_each(|(_, value)| *value = replaced(value));
            Value::Map(entries)
        };
        let mut variants: Vec<(String, Value)> =
            set.iter().map(|name| ((*name).clone(), with(&[name], &|_| Value::Unknown))).collect();
        variants.push(("everything".to_owned(), with(&set, &|_| Value::Unknown)));
        variants.push(("every leaf".to_owned(), with(&set, &leaves_unknown)));
        variants.push(("every element of a list or a set".to_owned(), with(&set, &elements_unknown)));
        variants
    }
}

fn leaves_unknown(value: &Value) -> Value {
    match value {
        Value::Null => Value::Null,
        Value::Map(entries) => {
            Value::Map(entries.iter().map(|(name, value)| (name.clone(), leaves_unknown(value))).collect())
        }
        Value::List(elements) => Value::List(elements.iter().map(leaves_unknown).collect()),
        Value::Set(elements) => Value::set(elements.iter().map(leaves_unknown)),
        _ => Value::Unknown,
    }
}

/// As with `[var.element]`, which Terraform validates with the variable unknown.
fn elements_unknown(value: &Value) -> Value {
    match value {
        Value::Map(entries) => {
            Value::Map(entries.iter().map(|(name, value)| (name.clone(), elements_unknown(value))).collect())
        }
        Value::List(elements) => Value::List(elements.iter().map(|_| Value::Unknown).collect()),
        Value::Set(elements) => Value::set(elements.iter().map(|_| Value::Unknown)),
        other => other.clone(),
    }
}

/// Fails the test when a configuration is refused only because something in it is not known yet.
pub(super) fn tolerate(whose: &str, which: &str, told: &Diagnostics) {
    if told.has_errors() {
        fail(format!("{whose}: validation must tolerate unknowns, and fails with {which} unknown:\n{told}"));
    }
}
