//! Checking a configuration against its schema: required attributes, rules, write-only support.

use crate::{Attribute, ClientCapabilities, Diagnostic, Diagnostics, Mode, Nesting, Path, Schema, Shape, Value};

/// Everything that is wrong with a configuration as far as the schema says. Unknowns pass.
pub fn validate(schema: &Schema, config: &Value, client: ClientCapabilities) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    attributes(&schema.attributes, config, &Path::root(), client, &mut diagnostics);
    diagnostics
}

fn attributes(all: &[Attribute], object: &Value, at: &Path, client: ClientCapabilities, diagnostics: &mut Diagnostics) {
    for attribute in all {
        let value = object.attribute(&attribute.name);
        let path = at.child(&attribute.name);
        if value.is_null() {
            if attribute.mode == Mode::Required {
                diagnostics.push(
                    Diagnostic::error(format!("Missing attribute {path}"), format!("{path} is required.")).at(path),
                );
            }
            continue;
        }
        if attribute.mode == Mode::Computed {
            let detail = format!("{path} is an output of the provider; remove it from the configuration.");
            diagnostics.push(Diagnostic::error(format!("{path} cannot be set"), detail).at(path));
            continue;
        }
        if attribute.write_only && !client.write_only_attributes_allowed {
            let detail = format!(
                "{path} is write-only: it is sent to the provider and never stored. That needs Terraform 1.11 or later, or OpenTofu 1.11 or later."
            );
            diagnostics
                .push(Diagnostic::error("Write-only attributes are not supported by this version", detail).at(path));
            continue;
        }
        if value.is_unknown() {
            continue;
        }
        for check in &attribute.checks {
            if let Err(wrong) = check.run(value) {
                let detail = format!("{path} must be {}: {wrong}.", check.expected);
                diagnostics.push(Diagnostic::error(format!("Invalid value for {path}"), detail).at(path.clone()));
            }
        }
        if let Shape::Nested(nesting, children) = &attribute.shape {
            match (nesting, value) {
                (Nesting::Single, object) => attributes(children, object, &path, client, diagnostics),
                (Nesting::List, Value::List(elements)) => {
                    for (index, element) in elements.iter().enumerate() {
                        element_of(children, element, &path.index(index), client, diagnostics);
                    }
                }
                (Nesting::Map, Value::Map(elements)) => {
                    for (key, element) in elements {
                        element_of(children, element, &path.key(key), client, diagnostics);
                    }
                }
                (Nesting::Set, Value::Set(elements)) => {
                    for element in elements {
                        element_of(children, element, &path, client, diagnostics);
                    }
                }
                _ => {}
            }
        }
    }
}

fn element_of(
    children: &[Attribute],
    element: &Value,
    path: &Path,
    client: ClientCapabilities,
    diagnostics: &mut Diagnostics,
) {
    match element {
        Value::Unknown => {}
        Value::Null => {
            let detail = format!("{path} is null; leave the element out instead.");
            diagnostics.push(Diagnostic::error(format!("Invalid value for {path}"), detail).at(path.clone()));
        }
        element => attributes(children, element, path, client, diagnostics),
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
