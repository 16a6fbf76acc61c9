//! Pages about functions.

use tfplugin_core::{Parameter, Signature};

use super::Examples;
use super::notation::type_name;
use super::page::{example_section, front, opening};

/// The page of a function; `provider` is the provider's local name.
pub fn function_page(provider: &str, signature: &Signature, examples: &Examples<'_>) -> String {
    let name = &signature.name;
    let mut text = front(&format!("{name} Function - {provider}"), &signature.summary);
    text.push_str(&opening(&format!("{name} (Function)"), signature.deprecated.as_deref(), &signature.description));
    text.push_str(&example_section(examples));
    text.push_str(&format!("\n## Signature\n\n```text\nprovider::{provider}::{}\n```\n", line(signature)));
    let all: Vec<String> = signature
        .parameters
        .iter()
        .map(|parameter| argument(parameter, false))
        .chain(signature.variadic.iter().map(|parameter| argument(parameter, true)))
        .enumerate()
        .map(|(position, argument)| format!("{}. {argument}\n", position + 1))
        .collect();
    if !all.is_empty() {
        text.push_str(&format!("\n## Arguments\n\n{}", all.concat()));
    }
    text.push_str(&format!("\n## Return Type\n\n{}\n", type_name(&signature.returns)));
    text
}

fn line(signature: &Signature) -> String {
    let fixed = signature.parameters.iter().map(|parameter| format!("{} {}", parameter.name, parameter.ty));
    let rest = signature.variadic.iter().map(|parameter| format!("{} {}...", parameter.name, parameter.ty));
    let parameters: Vec<String> = fixed.chain(rest).collect();
    format!("{}({}) {}", signature.name, parameters.join(", "), signature.returns)
}

fn argument(parameter: &Parameter, variadic: bool) -> String {
    let mut marks = vec![type_name(&parameter.ty)];
    if variadic {
        marks.push("Variadic".to_owned());
    }
    if parameter.allow_null {
        marks.push("Nullable".to_owned());
    }
    let description = parameter.description.lines().collect::<Vec<_>>().join("\n   ");
    format!("`{}` ({}) {description}", parameter.name, marks.join(", "))
}
