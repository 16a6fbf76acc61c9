//! Pages about things with a schema.

use tfplugin_core::Schema;

use super::Examples;
use super::attributes::schema_section;

/// The page of the provider's own configuration.
pub fn provider_page(name: &str, schema: &Schema, examples: &Examples<'_>) -> String {
    page(&format!("{name} Provider"), &format!("{name} Provider"), schema, examples)
}

/// The page of a resource; `name` is the full one, `provider_thing`.
pub fn resource_page(name: &str, schema: &Schema, examples: &Examples<'_>) -> String {
    thing(name, "Resource", schema, examples)
}

/// The page of a data source.
pub fn data_source_page(name: &str, schema: &Schema, examples: &Examples<'_>) -> String {
    thing(name, "Data Source", schema, examples)
}

/// The page of an ephemeral resource.
pub fn ephemeral_resource_page(name: &str, schema: &Schema, examples: &Examples<'_>) -> String {
    thing(name, "Ephemeral Resource", schema, examples)
}

fn thing(name: &str, kind: &str, schema: &Schema, examples: &Examples<'_>) -> String {
    let provider = name.split('_').next().unwrap_or(name);
    page(&format!("{name} {kind} - {provider}"), &format!("{name} ({kind})"), schema, examples)
}

fn page(title: &str, heading: &str, schema: &Schema, examples: &Examples<'_>) -> String {
    let mut text = front(title, &schema.description);
    text.push_str(&opening(heading, schema.deprecated.as_deref(), &schema.description));
    text.push_str(&example_section(examples));
    text.push_str(&schema_section(schema));
    if let Some(import) = examples.import {
        text.push_str(&format!("\n## Import\n\n```shell\n{}\n```\n", import.trim_end()));
    }
    text
}

/// The front matter: what a registry shows in lists and searches.
pub(super) fn front(title: &str, description: &str) -> String {
    let mut text = format!("---\npage_title: \"{title}\"\nsubcategory: \"\"\ndescription: |-\n");
    for line in description.lines().take_while(|line| !line.trim().is_empty()) {
        text.push_str(&format!("  {line}\n"));
    }
    text.push_str("---\n");
    text
}

/// The heading and what it is.
pub(super) fn opening(heading: &str, deprecated: Option<&str>, description: &str) -> String {
    let mut text = format!("\n# {heading}\n");
    if let Some(deprecated) = deprecated {
        text.push_str(&format!("\n~> **Deprecated:** {deprecated}\n"));
    }
    if !description.is_empty() {
        text.push_str(&format!("\n{description}\n"));
    }
    text
}

/// How it is used; empty when there is no example.
pub(super) fn example_section(examples: &Examples<'_>) -> String {
    examples
        .usage
        .map(|usage| format!("\n## Example Usage\n\n```terraform\n{}\n```\n", usage.trim_end()))
        .unwrap_or_default()
}
