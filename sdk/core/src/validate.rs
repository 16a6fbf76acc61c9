//! Checking a configuration against its schema: required attributes, rules, write-only support.

use crate::{Attribute, ClientCapabilities, Diagnostic, Diagnostics, Mode, Nesting, Path, Schema, Shape, Value};

/// Everything that is wrong with a configuration as far as the schema says. Unknowns pass.
pub fn validate(schema: &Schema, config: &Value, client: ClientCapabilities) -> Diagnostics {
    let mut validation = Validation { client, diagnostics: Diagnostics::new(), set: None };
    validation.attributes(&schema.attributes, config, &Path::root(), false);
    validation.diagnostics
}

struct Validation {
    client: ClientCapabilities,
    diagnostics: Diagnostics,
    /// The set that is being looked into: paths end at it, since its elements have no steps.
    set: Option<Path>,
}

impl Validation {
    /// `secret`: the object is part of something that must not be shown.
    fn attributes(&mut self, all: &[Attribute], object: &Value, at: &Path, secret: bool) {
        for attribute in all {
            self.attribute(attribute, object.attribute(&attribute.name), at.child(&attribute.name), secret);
        }
    }

    fn attribute(&mut self, attribute: &Attribute, value: &Value, path: Path, secret: bool) {
        if value.is_null() {
            if attribute.mode == Mode::Required {
                self.error(format!("Missing attribute {path}"), format!("{path} is required."), path);
            }
            return;
        }
        if attribute.mode == Mode::Computed {
            let detail = format!("{path} is an output of the provider; remove it from the configuration.");
            self.error(format!("{path} cannot be set"), detail, path);
            return;
        }
        if attribute.write_only && !self.client.write_only_attributes_allowed {
            let detail = format!(
                "{path} is write-only: it is sent to the provider and never stored. That needs Terraform 1.11 or later, or OpenTofu 1.11 or later."
            );
            self.error("Write-only attributes are not supported by this version", detail, path);
            return;
        }
        if value.is_unknown() {
            return;
        }
        let secret = secret || attribute.sensitive || attribute.write_only;
        for check in &attribute.checks {
            if let Err(wrong) = check.run(value) {
                // What is wrong usually quotes the value.
                let wrong = if secret { String::new() } else { format!(": {wrong}") };
                let detail = format!("{path} must be {}{wrong}.", check.expected);
                self.error(format!("Invalid value for {path}"), detail, path.clone());
            }
        }
        let Shape::Nested(nesting, children) = &attribute.shape else { return };
        match (nesting, value) {
            (Nesting::Single, object) => {
                if !attribute.may_be_empty && children.iter().all(|child| object.attribute(&child.name).is_null()) {
                    self.empty(children, path.clone());
                }
                self.attributes(children, object, &path, secret);
            }
            (Nesting::List, Value::List(elements)) => {
                for (index, element) in elements.iter().enumerate() {
                    self.element(children, element, &path.index(index), secret);
                }
            }
            (Nesting::Map, Value::Map(elements)) => {
                for (key, element) in elements {
                    self.element(children, element, &path.key(key), secret);
                }
            }
            (Nesting::Set, Value::Set(elements)) => {
                let outer = self.set.replace(path.clone());
                for element in elements {
                    self.element(children, element, &path, secret);
                }
                self.set = outer;
            }
            _ => {}
        }
    }

    fn element(&mut self, children: &[Attribute], element: &Value, path: &Path, secret: bool) {
        match element {
            Value::Unknown => {}
            Value::Null => {
                let detail = format!("{path} is null; leave the element out instead.");
                self.error(format!("Invalid value for {path}"), detail, path.clone());
            }
            element => self.attributes(children, element, path, secret),
        }
    }

    /// Terraform converts an object to the attribute's type before the provider gets it, and drops names that are not in the type.
    fn empty(&mut self, children: &[Attribute], path: Path) {
        // The missing ones are errors of their own.
        if children.iter().any(|child| child.mode == Mode::Required) {
            return;
        }
        let names: Vec<&str> =
            children.iter().filter(|child| child.mode.is_configurable()).map(|child| child.name.as_str()).collect();
        let detail = format!(
            "{path} has no attribute that there is, so it changes nothing. If something stands in it, Terraform has dropped it: it drops \
             names that do not exist in an object without a word. There are: {}. Correct the names, or leave {path} out.",
            names.join(", ")
        );
        let summary = format!("{path} is empty");
        self.diagnostics.push(Diagnostic::warning(summary, detail).at(self.set.clone().unwrap_or(path)));
    }

    fn error(&mut self, summary: impl Into<String>, detail: String, path: Path) {
        let path = self.set.clone().unwrap_or(path);
        self.diagnostics.push(Diagnostic::error(summary, detail).at(path));
    }
}

impl Schema {
    /// What is wrong with the schema itself, for a test to find: combinations that the protocol forbids or that
    /// the plan's rules cannot honour.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        collect_problems(&self.attributes, &Path::root(), false, false, &mut problems);
        problems
    }
}

fn collect_problems(all: &[Attribute], at: &Path, in_set: bool, output: bool, problems: &mut Vec<String>) {
    for attribute in all {
        let path = at.child(&attribute.name);
        let mut wrong = |what: &str| problems.push(format!("{path}: {what}"));
        if !attribute.name.starts_with(|c: char| c.is_ascii_lowercase())
            || !attribute.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        {
            wrong("a name is lower case letters, digits and underscores");
        }
        if attribute.description.trim().is_empty() {
            wrong("has no description");
        }
        if attribute.write_only && attribute.mode.is_computed() {
            wrong("write-only and computed exclude each other");
        }
        if attribute.write_only && attribute.replace {
            wrong("a write-only attribute has no prior value to be replaced for");
        }
        if attribute.default.is_some() && attribute.mode != Mode::OptionalComputed {
            wrong("a default needs an optional, computed attribute");
        }
        if in_set && (attribute.write_only || attribute.mode.is_computed()) {
            wrong("the elements of a set cannot have computed or write-only attributes");
        }
        if in_set && attribute.replace {
            wrong("no path leads into a set, so its elements' attributes cannot ask for replacement");
        }
        if output && attribute.mode.is_configurable() {
            wrong("an output has no attributes that can be configured");
        }
        if let Shape::Nested(nesting, children) = &attribute.shape {
            if attribute.mode.is_configurable() && children.iter().any(|child| child.mode == Mode::Computed) {
                wrong("mixes input and output: an object that is left out would lose its computed attributes");
            }
            collect_problems(
                children,
                &path,
                in_set || *nesting == Nesting::Set,
                attribute.mode == Mode::Computed,
                problems,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Check, Type};

    fn text(name: &str, mode: Mode) -> Attribute {
        Attribute { description: "text".into(), ..Attribute::new(name, Shape::Plain(Type::String), mode) }
    }

    #[test]
    fn an_object_that_comes_empty_is_warned_about() {
        let object =
            |name: &str, children| Attribute::new(name, Shape::Nested(Nesting::Single, children), Mode::Optional);
        let mut marked = object("http01", vec![text("class", Mode::Optional)]);
        marked.may_be_empty = true;
        let schema = Schema {
            attributes: vec![
                object("drift", vec![text("ignore", Mode::Optional), text("mode", Mode::OptionalComputed)]),
                object("outer", vec![object("inner", vec![text("size", Mode::Optional)])]),
                object("strict", vec![text("name", Mode::Required)]),
                marked,
            ],
            ..Schema::default()
        };
        let empty = |name: &'static str| Value::map([(name, Value::Null)]);
        let drift = Value::map([("ignore", Value::Null), ("mode", Value::Null)]);
        let outer = Value::map([("inner", empty("size"))]);
        let all =
            Value::map([("drift", drift), ("outer", outer), ("strict", empty("name")), ("http01", empty("class"))]);
        let told = |config: &Value| -> Vec<String> {
            let found = validate(&schema, config, ClientCapabilities::default());
            found.iter().map(|one| format!("{:?} {}", one.severity, one.summary)).collect()
        };
        assert_eq!(
            told(&all),
            ["Warning drift is empty", "Warning outer.inner is empty", "Error Missing attribute strict.name"]
        );
        // What is not known, what is not there, and what has something in it.
        let nulls = [("outer", Value::Null), ("strict", Value::Null), ("http01", Value::Null)];
        let unknown = Value::map([("drift", Value::Unknown)].into_iter().chain(nulls.clone()));
        assert_eq!(told(&unknown), Vec::<String>::new());
        let inner = Value::map([("ignore", Value::Unknown), ("mode", Value::Null)]);
        assert_eq!(told(&Value::map([("drift", inner)].into_iter().chain(nulls))), Vec::<String>::new());
    }

    #[test]
    fn every_fault_is_named_with_its_path() {
        let mut size = text("size", Mode::Required);
        size.checks.push(Check::one_of(&["small", "large"]));
        let mut secret = text("secret_wo", Mode::Optional);
        secret.write_only = true;
        let disks = Attribute::new("disks", Shape::Nested(Nesting::List, vec![size]), Mode::Optional);
        let schema = Schema {
            attributes: vec![text("name", Mode::Required), text("id", Mode::Computed), secret, disks],
            ..Schema::default()
        };
        let disks = Value::List(vec![
            Value::map([("size", "huge".into())]),
            Value::map([("size", Value::Unknown)]),
            Value::Null,
        ]);
        let config =
            Value::map([("name", Value::Null), ("id", "x".into()), ("secret_wo", "s3cret".into()), ("disks", disks)]);
        let found = validate(&schema, &config, ClientCapabilities::default());
        let found: Vec<String> =
            found.iter().map(|one| format!("{} | {}", one.path.clone().unwrap_or_default(), one.detail)).collect();
        assert_eq!(
            found,
            [
                "name | name is required.",
                "id | id is an output of the provider; remove it from the configuration.",
                "secret_wo | secret_wo is write-only: it is sent to the provider and never stored. That needs Terraform 1.11 or later, or OpenTofu 1.11 or later.",
                "disks[0].size | disks[0].size must be one of \"small\", \"large\": \"huge\" is none of them.",
                "disks[2] | disks[2] is null; leave the element out instead.",
            ]
        );
        assert!(!found.iter().any(|line| line.contains("s3cret")));
    }

    #[test]
    fn what_is_wrong_with_a_secret_is_said_without_it() {
        let mut word = text("word", Mode::Required);
        word.checks.push(Check::one_of(&["open"]));
        let mut group = Attribute::new("group", Shape::Nested(Nesting::Single, vec![word.clone()]), Mode::Optional);
        group.sensitive = true;
        word.sensitive = true;
        let schema = Schema { attributes: vec![word, group], ..Schema::default() };
        let config = Value::map([("word", "s3cret".into()), ("group", Value::map([("word", Value::from("s3cret"))]))]);
        let found = validate(&schema, &config, ClientCapabilities::default());
        let found: Vec<&str> = found.iter().map(|one| one.detail.as_str()).collect();
        assert_eq!(found, ["word must be one of \"open\".", "group.word must be one of \"open\"."]);
    }

    #[test]
    fn a_schema_that_cannot_work_is_found_out() {
        let mut both = text("both", Mode::OptionalComputed);
        both.write_only = true;
        let mut defaulted = text("defaulted", Mode::Optional);
        defaulted.default = Some("x".into());
        let mut group =
            Attribute::new("group", Shape::Nested(Nesting::Set, vec![text("made", Mode::Computed)]), Mode::Optional);
        group.description = "group".into();
        let schema =
            Schema { attributes: vec![both, defaulted, group, text("Bad", Mode::Optional)], ..Schema::default() };
        let problems = schema.problems();
        assert_eq!(problems.len(), 5, "{problems:#?}");
    }
}
