//! The configuration as it was written, kept for an import without what is secret in it.
//!
//! What is secret in the chart's values stands in Helm's record as well, in the same namespace: of a text with such a value
//! everything else is kept, with a place holder for each line of the value, which an import fills from the record of the
//! revision that was deployed with it. What cannot be had from there is left out, and an import says so. Which values are
//! secret is told by [`telltale`](crate::settings::telltale).

use std::collections::BTreeMap;

use ffe_helm::values::{Inputs as ValueInputs, Values, merge, merge_documents};
use ffe_session::inputs as kept;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use tfplugin::{Attr, Attribute, Field, Model as _, Nesting, Shape, Value};

use crate::settings::inputs::{set_item, set_list, write_only_values};
use crate::settings::model::Release;
use crate::settings::telltale::{at, is_telltale, leaves, looks_secret, secrets_in};

/// What the attributes are called that become values of the chart.
const VALUES: [&str; 3] = ["values", "set", "set_list"];

/// The configuration of the last run that succeeded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Written {
    /// As `ffe_session::inputs` keeps it.
    inputs: String,
    /// What a place holder begins with; the number of what it stands for and a hyphen follow.
    mark: String,
    /// What the place holders stand for.
    withheld: Vec<Withheld>,
    /// Paths of attributes that are not kept.
    left_out: Vec<String>,
}

/// A line of a value in Helm's record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Withheld {
    /// The names and places on the way to the value.
    path: Vec<String>,
    /// Which line of it, without the blanks around.
    line: usize,
}

/// What an import gets back.
#[derive(Default)]
pub(crate) struct Restored {
    /// The configuration; absent where none was kept.
    pub config: Option<Value>,
    /// Paths of attributes that it lacks.
    pub missing: Vec<String>,
}

impl Written {
    /// What to keep of a configuration that was deployed with these values, as Helm's record has them.
    pub(crate) fn of(config: &Release, recorded: &Map<String, Json>) -> Written {
        let schema = Release::schema();
        let mark = unused(&kept::to_text(&config.to_value(), &schema));
        let hidden = write_only_values(config).map(|values| paths(&values)).unwrap_or_default();
        let mut keeper = Keeper { recorded, hidden, mark, withheld: Vec::new(), left_out: Vec::new() };
        let mut config = config.clone();
        keeper.documents(&mut config);
        keeper.sets(&mut config);
        keeper.lists(&mut config);
        let mut value = config.to_value();
        if let Value::Map(entries) = &mut value {
            keeper.others(&schema.attributes, "", entries);
        }
        let Keeper { mark, withheld, left_out, .. } = keeper;
        let mark = if withheld.is_empty() { String::new() } else { mark };
        Written { inputs: kept::to_text(&value, &schema), mark, withheld, left_out }
    }

    /// What a journal of an earlier version of the provider has kept.
    pub(crate) fn plain(inputs: &str) -> Written {
        Written { inputs: inputs.to_owned(), ..Written::default() }
    }

    /// The configuration, with what was withheld filled in from Helm's record of the same revision; `None`: there is no such
    /// record any more.
    pub(crate) fn restored(&self, recorded: Option<&Map<String, Json>>) -> Restored {
        let mut missing = self.left_out.clone();
        let mut config = kept::from_text(&self.inputs, &Release::schema());
        if let Some(Value::Map(entries)) = config.as_mut().filter(|_| !self.mark.is_empty()) {
            for name in VALUES {
                let Some(value) = entries.get_mut(name) else { continue };
                // A document is of no use where another one of the list is not there.
                if name == "values" {
                    if !self.fill(value, recorded) {
                        *value = Value::Null;
                        missing.push(name.to_owned());
                    }
                    continue;
                }
                let Value::List(items) = value else { continue };
                for (index, item) in items.iter_mut().enumerate() {
                    if let Value::Map(item) = item
                        && let Some(value) = item.get_mut("value")
                        && !self.fill(value, recorded)
                    {
                        *value = Value::Null;
                        missing.push(format!("{name}[{index}].value"));
                    }
                }
            }
        }
        Restored { config, missing }
    }

    /// Fills the place holders in all texts of a value. Whether all could be.
    fn fill(&self, value: &mut Value, recorded: Option<&Map<String, Json>>) -> bool {
        match value {
            Value::String(text) => match self.filled(text, recorded) {
                Some(filled) => {
                    *text = filled;
                    true
                }
                None => false,
            },
            Value::List(items) => items.iter_mut().all(|item| self.fill(item, recorded)),
            _ => true,
        }
    }

    fn filled(&self, text: &str, recorded: Option<&Map<String, Json>>) -> Option<String> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once(&self.mark) {
            let (number, after) = after.split_once('-')?;
            let Withheld { path, line } = self.withheld.get(number.parse::<usize>().ok()?)?;
            filled.push_str(before);
            filled.push_str(text_of(at(recorded?, path)?)?.lines().nth(*line)?.trim());
            rest = after;
        }
        filled.push_str(rest);
        Some(filled)
    }
}

/// Takes out what is secret.
struct Keeper<'a> {
    recorded: &'a Map<String, Json>,
    /// Places that a write-only value has.
    hidden: Vec<Vec<String>>,
    mark: String,
    withheld: Vec<Withheld>,
    left_out: Vec<String>,
}

impl Keeper<'_> {
    fn documents(&mut self, config: &mut Release) {
        let Some(documents) = config.values.known() else { return };
        let mut all = Vec::new();
        for (index, document) in documents.iter().enumerate() {
            let Some(text) = document.as_str() else { continue };
            match self.document(text) {
                Some(kept) => all.push(Attr::Known(kept)),
                None => self.left_out.push(format!("values[{index}]")),
            }
        }
        let whole = all.len() == documents.len();
        config.values = if whole { Attr::Known(all) } else { Attr::Null };
    }

    /// A document without its secrets; `None` where one is written in a form in which it is not found.
    fn document(&mut self, text: &str) -> Option<String> {
        let values = merge_documents(&[text]).ok()?;
        let secrets = secrets_in(values.as_map());
        if secrets.is_empty() {
            return Some(text.to_owned());
        }
        let kept = self.withheld(text, &secrets)?;
        let again = merge_documents(&[&kept]).ok()?;
        let nothing_left = |steps: &[String]| {
            at(again.as_map(), steps).and_then(Json::as_str).is_some_and(|text| self.is_withheld_whole(text))
        };
        secrets.iter().all(|(steps, _)| nothing_left(steps)).then_some(kept)
    }

    fn sets(&mut self, config: &mut Release) {
        let Attr::Known(items) = &mut config.set else { return };
        for (index, item) in items.iter_mut().enumerate() {
            let Some(read) = set_item(item) else { continue };
            let own = merge(&ValueInputs { set: vec![read.clone()], ..ValueInputs::default() });
            if !own.as_ref().is_ok_and(|own| self.is_open(own)) {
                item.value = own.ok().and_then(|own| self.text(&read.value, &own)).into();
                if item.value.is_null() {
                    self.left_out.push(format!("set[{index}].value"));
                }
            }
        }
    }

    fn lists(&mut self, config: &mut Release) {
        let Attr::Known(items) = &mut config.set_list else { return };
        for (index, item) in items.iter_mut().enumerate() {
            let Some(read) = set_list(item) else { continue };
            let own = merge(&ValueInputs { set_list: vec![read.clone()], ..ValueInputs::default() });
            if !own.as_ref().is_ok_and(|own| self.is_open(own)) {
                let kept = own.ok().and_then(|own| {
                    read.value.iter().map(|text| self.text(text, &own).map(Attr::Known)).collect::<Option<Vec<_>>>()
                });
                item.value = kept.into();
                if item.value.is_null() {
                    self.left_out.push(format!("set_list[{index}].value"));
                }
            }
        }
    }

    /// Whether nothing of these values is secret: neither by itself nor by what stands beside it in all values.
    fn is_open(&self, own: &Values) -> bool {
        let beside = secrets_in(self.recorded);
        secrets_in(own.as_map()).is_empty()
            && leaves(own.as_map()).iter().all(|(steps, _)| !beside.iter().any(|(secret, _)| secret == steps))
    }

    /// A text that is nothing but secret values.
    fn text(&mut self, text: &str, values: &Values) -> Option<String> {
        let kept = self.withheld(text, &leaves(values.as_map()))?;
        self.is_withheld_whole(&kept).then_some(kept)
    }

    /// A text with place holders for these values; `None` where Helm's record does not have one of them, or has it from a
    /// write-only value.
    fn withheld(&mut self, text: &str, secrets: &[(Vec<String>, &Json)]) -> Option<String> {
        let mut pieces: Vec<(String, usize)> = Vec::new();
        for (steps, value) in secrets {
            let hidden = self.hidden.iter().any(|hidden| hidden.starts_with(steps) || steps.starts_with(hidden));
            if hidden || at(self.recorded, steps) != Some(*value) {
                return None;
            }
            for (line, piece) in text_of(value)?.lines().map(str::trim).enumerate() {
                if !piece.is_empty() && !pieces.iter().any(|(known, _)| known == piece) {
                    pieces.push((piece.to_owned(), self.withheld.len()));
                    self.withheld.push(Withheld { path: steps.clone(), line });
                }
            }
        }
        // One may begin with another.
        pieces.sort_by_key(|(piece, _)| std::cmp::Reverse(piece.len()));
        let mut kept = String::new();
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            let found = pieces.iter().find_map(|(piece, number)| Some((rest.strip_prefix(piece.as_str())?, number)));
            if let Some((after, number)) = found {
                kept.push_str(&format!("{}{number}-", self.mark));
                rest = after;
            } else {
                kept.push(next);
                rest = &rest[next.len_utf8()..];
            }
        }
        Some(kept)
    }

    /// Whether a text is place holders and blanks alone.
    fn is_withheld_whole(&self, text: &str) -> bool {
        text.split_whitespace().all(|word| {
            let mut numbers = word.split(&self.mark);
            let number = |rest: &str| rest.strip_suffix('-').is_some_and(|digits| digits.parse::<usize>().is_ok());
            numbers.next() == Some("") && numbers.all(number)
        })
    }

    /// Everything that is no value of the chart: entries of maps that are named like a secret, and texts that look like one.
    fn others(&mut self, attributes: &[Attribute], path: &str, entries: &mut BTreeMap<String, Value>) {
        for attribute in attributes.iter().filter(|attribute| !attribute.write_only) {
            let path = if path.is_empty() { attribute.name.clone() } else { format!("{path}.{}", attribute.name) };
            if VALUES.contains(&path.as_str()) {
                continue;
            }
            let Some(value) = entries.get_mut(&attribute.name) else { continue };
            match (&attribute.shape, value) {
                (Shape::Nested(Nesting::Single, inner), Value::Map(entries)) => self.others(inner, &path, entries),
                (Shape::Nested(_, inner), Value::Map(items)) => {
                    for (key, item) in items {
                        self.item(inner, &format!("{path}[\"{key}\"]"), item);
                    }
                }
                (Shape::Nested(_, inner), Value::List(items)) => {
                    for (index, item) in items.iter_mut().enumerate() {
                        self.item(inner, &format!("{path}[{index}]"), item);
                    }
                }
                (_, Value::Map(entries)) => entries.retain(|key, value| {
                    let text = value.as_str().unwrap_or_default();
                    let secret = !text.is_empty() && (is_telltale(key) || looks_secret(text));
                    if secret {
                        self.left_out.push(format!("{path}[\"{key}\"]"));
                    }
                    !secret
                }),
                (_, value) if holds_secret_text(value) => {
                    self.left_out.push(path);
                    *value = Value::Null;
                }
                _ => {}
            }
        }
    }

    fn item(&mut self, attributes: &[Attribute], path: &str, item: &mut Value) {
        if let Value::Map(entries) = item {
            self.others(attributes, path, entries);
        }
    }
}

fn holds_secret_text(value: &Value) -> bool {
    match value {
        Value::String(text) => looks_secret(text),
        Value::List(items) | Value::Set(items) => items.iter().any(holds_secret_text),
        _ => false,
    }
}

/// The places of all values.
fn paths(values: &Values) -> Vec<Vec<String>> {
    leaves(values.as_map()).into_iter().map(|(steps, _)| steps).collect()
}

/// A value as it stands in a document.
fn text_of(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

/// A beginning of place holders that does not occur in a text.
fn unused(text: &str) -> String {
    let mut mark = "ffe-withheld-".to_owned();
    while text.contains(&mark) {
        mark.insert_str(0, "x-");
    }
    mark
}

#[cfg(test)]
mod tests;
