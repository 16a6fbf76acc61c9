//! The section about the attributes, nested ones in parts of their own.

use tfplugin_core::{Attribute, Mode, Nesting, Schema, Shape};

use super::notation::{type_name, value};

const GROUPS: [(&str, &[Mode]); 3] = [
    ("Required", &[Mode::Required]),
    ("Optional", &[Mode::Optional, Mode::OptionalComputed]),
    ("Read-Only", &[Mode::Computed]),
];

/// Everything under "Schema".
pub(super) fn schema_section(schema: &Schema) -> String {
    let mut text = "\n## Schema\n".to_owned();
    if schema.attributes.is_empty() {
        text.push_str("\nThere are no attributes.\n");
    }
    if any_write_only(&schema.attributes) {
        text.push_str(
            "\n-> Write-only attributes are sent to the provider and never stored, neither in a plan nor in state. \
             They need Terraform 1.11 or later, or OpenTofu 1.11 or later (not tested yet).\n",
        );
    }
    text.push_str(&groups(&schema.attributes, "", |group| format!("### {group}")));
    text.push_str(&nested_sections(&schema.attributes, ""));
    text
}

fn any_write_only(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.write_only || matches!(&attribute.shape, Shape::Nested(_, children) if any_write_only(children))
    })
}

fn groups(attributes: &[Attribute], parent: &str, heading: impl Fn(&str) -> String) -> String {
    let mut text = String::new();
    for (group, modes) in GROUPS {
        let mut members = attributes.iter().filter(|attribute| modes.contains(&attribute.mode)).peekable();
        if members.peek().is_some() {
            text.push_str(&format!("\n{}\n\n", heading(group)));
            members.for_each(|attribute| text.push_str(&item(attribute, parent)));
        }
    }
    text
}

/// The nested objects below `parent`, each directly followed by those inside it.
fn nested_sections(attributes: &[Attribute], parent: &str) -> String {
    let mut text = String::new();
    for attribute in attributes {
        if let Shape::Nested(_, children) = &attribute.shape {
            let path = below(parent, &attribute.name);
            text.push_str(&format!("\n<a id=\"{}\"></a>\n### Nested Schema for `{path}`\n", anchor(&path)));
            text.push_str(&groups(children, &path, |group| format!("{group}:")));
            text.push_str(&nested_sections(children, &path));
        }
    }
    text
}

fn below(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") }
}

fn anchor(path: &str) -> String {
    format!("nestedatt--{}", path.replace('.', "--"))
}

/// One attribute: what it is, then what follows from its rules.
fn item(attribute: &Attribute, parent: &str) -> String {
    let description = attribute.description.trim();
    let notes = notes(attribute, parent).join(" ");
    let mut text = format!("- `{}` ({})", attribute.name, marks(attribute).join(", "));
    let (first, rest) = description.split_once("\n\n").unwrap_or((description, ""));
    if !first.is_empty() {
        text.push(' ');
        text.push_str(&indented(first));
    }
    if rest.is_empty() && !notes.is_empty() {
        if first.ends_with(|last: char| last.is_alphanumeric() || matches!(last, '`' | ')' | '"' | '*')) {
            text.push('.');
        }
        text.push(' ');
        text.push_str(&notes);
    } else if !rest.is_empty() {
        text.push_str(&format!("\n\n  {}", indented(rest)));
        if !notes.is_empty() {
            text.push_str(&format!("\n\n  {notes}"));
        }
    }
    text.push('\n');
    text
}

/// The lines after the first moved to the right, so that they stay in the list's item.
fn indented(text: &str) -> String {
    text.lines()
        .map(|line| if line.is_empty() { String::new() } else { format!("  {line}") })
        .collect::<Vec<_>>()
        .join("\n")
        .trim_start()
        .to_owned()
}

fn marks(attribute: &Attribute) -> Vec<String> {
    let kind = match &attribute.shape {
        Shape::Plain(ty) => type_name(ty),
        Shape::Nested(Nesting::Single, _) => "Attributes".to_owned(),
        Shape::Nested(Nesting::List, _) => "Attributes List".to_owned(),
        Shape::Nested(Nesting::Set, _) => "Attributes Set".to_owned(),
        Shape::Nested(Nesting::Map, _) => "Attributes Map".to_owned(),
    };
    let mut marks = vec![kind];
    for (is, mark) in [
        (attribute.sensitive, "Sensitive"),
        (attribute.write_only, "Write-only"),
        (attribute.deprecated.is_some(), "Deprecated"),
    ] {
        if is {
            marks.push(mark.to_owned());
        }
    }
    marks
}

fn notes(attribute: &Attribute, parent: &str) -> Vec<String> {
    let mut notes: Vec<String> = attribute.checks.iter().map(|check| format!("Must be {}.", check.expected)).collect();
    if let Some(default) = &attribute.default {
        notes.push(format!("Defaults to `{}`.", value(default)));
    }
    // What the provider alone decides is not the user's to change.
    if attribute.replace && attribute.mode.is_configurable() {
        notes.push("Changing this replaces the resource.".to_owned());
    }
    if let Some(deprecated) = &attribute.deprecated {
        notes.push(format!("**Deprecated:** {}", ended(deprecated)));
    }
    if matches!(attribute.shape, Shape::Nested(..)) {
        let path = below(parent, &attribute.name);
        notes.push(format!("(see [below for nested schema](#{}))", anchor(&path)));
    }
    notes
}

fn ended(text: &str) -> String {
    if text.ends_with(['.', '!', '?']) { text.to_owned() } else { format!("{text}.") }
}
