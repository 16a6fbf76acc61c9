//! What is written against what there may be.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::rc::Rc;

use crate::configuration::{Block, Configuration};
use crate::expected::{Expected, Provider};
use crate::folder::{Loaded, Modules, Source};
use crate::nearest;
use crate::report::{Finding, Note, Report};
use crate::written::{Entry, Kind, Place, Reference, Written};

/// What every resource may have beside its own attributes; blocks in the native syntax are attributes in JSON.
const META_ARGUMENTS: [&str; 7] =
    ["count", "for_each", "provider", "depends_on", "lifecycle", "provisioner", "connection"];
const MODULE_ARGUMENTS: [&str; 6] = ["source", "version", "providers", "count", "for_each", "depends_on"];
const PROVIDER_ARGUMENTS: [&str; 2] = ["alias", "version"];
/// References that lead to references: a circle is Terraform's to refuse.
const DEEPEST: usize = 32;

/// Compares a root module, and the modules that it calls, each folder once.
pub(crate) fn root(provider: &Provider, root: &Rc<Loaded>, modules: &mut Modules, report: &mut Report) {
    let manifest = modules.manifest(root, report);
    let mut seen: BTreeSet<PathBuf> = BTreeSet::new();
    let mut waiting = vec![(String::new(), Rc::clone(root))];
    while let Some((key, loaded)) = waiting.pop() {
        let first = seen.insert(loaded.folder.clone());
        if first {
            own(provider, &loaded.configuration, report);
        }
        for call in loaded.configuration.blocks.iter().filter(|block| block.kind == "module") {
            let Some(name) = call.labels.first() else { continue };
            let child = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
            let Some(Written::Text(source)) = call.attribute("source") else { continue };
            match manifest.find(&loaded, &child, &source) {
                Source::Folder(folder) => {
                    let called = match modules.load(&folder, report) {
                        Ok(called) => called,
                        Err(error) => {
                            let message = format!("module.{child}: {error}");
                            report.unreadable.push(Note { file: call.place.file.to_string(), message });
                            continue;
                        }
                    };
                    if first {
                        arguments(call, name, &loaded.configuration, &called.configuration, report);
                    }
                    // A module that calls itself never ends; Terraform refuses it.
                    if child.matches('.').count() < DEEPEST && !seen.contains(&called.folder) {
                        waiting.push((child, called));
                    }
                }
                Source::NotHere => report.notes.push(Note {
                    file: call.place.file.to_string(),
                    message: format!(
                        "module.{child} comes from {source} and is not here, so it was not looked at; `terraform init` fetches it"
                    ),
                }),
            }
        }
    }
}

/// What a module has of the provider itself, and the values of its variables.
fn own(provider: &Provider, configuration: &Configuration, report: &mut Report) {
    for block in &configuration.blocks {
        match (block.kind.as_str(), block.labels.as_slice()) {
            (kind @ ("resource" | "data" | "ephemeral"), [type_name, name]) if provider.owns(type_name) => {
                let subject = match kind {
                    "resource" => format!("{type_name}.{name}"),
                    _ => format!("{kind}.{type_name}.{name}"),
                };
                match provider.types.iter().find(|((of, it), _)| *of == kind && *it == type_name.as_str()) {
                    Some((_, expected)) => {
                        Comparison::new(configuration, report, subject, type_name, expected)
                            .block(block, &META_ARGUMENTS);
                    }
                    None => unknown_type(provider, kind, type_name, subject, block, report),
                }
            }
            ("provider", [name]) if is_provider(provider, name, configuration) => {
                let subject = format!("provider {name}");
                Comparison::new(
                    configuration,
                    report,
                    subject,
                    "the provider's configuration",
                    &provider.configuration,
                )
                .block(block, &PROVIDER_ARGUMENTS);
            }
            _ => {}
        }
    }
    for (name, variable) in &configuration.variables {
        for value in &variable.values {
            let subject = format!("variable {name}");
            Comparison::new(configuration, report, subject, "the variable", &variable.expected).value(
                &variable.expected,
                value,
                &mut Vec::new(),
            );
        }
    }
}

fn is_provider(provider: &Provider, name: &str, configuration: &Configuration) -> bool {
    match configuration.providers.get(name) {
        Some(source) => source.rsplit('/').next() == Some(provider.name),
        None => name == provider.name,
    }
}

fn unknown_type(provider: &Provider, kind: &str, name: &str, subject: String, block: &Block, report: &mut Report) {
    let place = block.label_places.first().unwrap_or(&block.place);
    let suggestion = nearest::among(name, provider.names(kind));
    let message = format!("the provider has no {} \"{name}\".", kind_in_words(kind));
    report.findings.push(finding(place, subject, String::new(), message, suggestion));
}

fn kind_in_words(kind: &str) -> &'static str {
    match kind {
        "data" => "data source",
        "ephemeral" => "ephemeral resource",
        _ => "resource",
    }
}

/// What a call of a module gives to it.
fn arguments(call: &Block, name: &str, caller: &Configuration, called: &Configuration, report: &mut Report) {
    let variables = called.variables.iter().map(|(name, variable)| (name.clone(), variable.expected.clone())).collect();
    let expected = Expected::Object(variables);
    Comparison::new(caller, report, format!("module.{name}"), "the module", &expected).block(call, &MODULE_ARGUMENTS);
}

/// One thing that is compared.
struct Comparison<'a> {
    configuration: &'a Configuration,
    report: &'a mut Report,
    subject: String,
    /// What the whole is called in messages.
    whole: &'a str,
    expected: &'a Expected,
    depth: usize,
}

impl<'a> Comparison<'a> {
    fn new(
        configuration: &'a Configuration,
        report: &'a mut Report,
        subject: String,
        whole: &'a str,
        expected: &'a Expected,
    ) -> Comparison<'a> {
        Comparison { configuration, report, subject, whole, expected, depth: 0 }
    }

    /// All that is written in a block. `meta`: what Terraform itself knows there.
    fn block(&mut self, block: &Block, meta: &[&str]) {
        let is_own = |entry: &Entry| !entry.name.as_deref().is_some_and(|name| meta.contains(&name));
        let entries: Vec<Entry> = block.attributes().into_iter().filter(is_own).collect();
        let expected = self.expected;
        self.value(expected, &Written::Object(entries), &mut Vec::new());
    }

    fn value(&mut self, expected: &Expected, written: &Written, at: &mut Vec<String>) {
        match (expected, written) {
            (_, Written::AnyOf(all)) => all.iter().for_each(|one| self.value(expected, one, at)),
            (Expected::Any, _) => {}
            (_, Written::Reference(reference)) => self.reference(expected, reference, at),
            (Expected::Object(names), Written::Object(entries)) => {
                for entry in entries {
                    let Some(name) = &entry.name else { continue };
                    match names.get(name) {
                        Some(below) => self.step(below, &entry.value, name.clone(), at),
                        None => {
                            let message = self.no_such_name(name, at);
                            self.found(name, &entry.place, at, names.keys().map(String::as_str), message);
                        }
                    }
                }
            }
            (Expected::Elements(each), Written::Object(entries)) => {
                for entry in entries {
                    let key = entry.name.as_deref().map_or("*".to_owned(), |name| format!("\"{name}\""));
                    self.element(each, &entry.value, &key, at);
                }
            }
            (Expected::Elements(each), Written::List(elements)) => {
                for (index, element) in elements.iter().enumerate() {
                    self.element(each, element, &index.to_string(), at);
                }
            }
            (Expected::Elements(each), Written::Elements(element)) => self.element(each, element, "*", at),
            (Expected::Tuple(all), Written::List(elements)) => {
                for (index, (each, element)) in all.iter().zip(elements).enumerate() {
                    self.element(each, element, &index.to_string(), at);
                }
            }
            // A value of another form is Terraform's to refuse, and of some the names cannot be told.
            _ => {}
        }
    }

    fn step(&mut self, expected: &Expected, written: &Written, name: String, at: &mut Vec<String>) {
        at.push(name);
        self.value(expected, written, at);
        at.pop();
    }

    fn element(&mut self, expected: &Expected, written: &Written, key: &str, at: &mut Vec<String>) {
        let last = at.last().cloned();
        if let Some(last) = at.last_mut() {
            last.push_str(&format!("[{key}]"));
        }
        self.value(expected, written, at);
        if let (Some(place), Some(last)) = (at.last_mut(), last) {
            *place = last;
        }
    }

    fn reference(&mut self, expected: &Expected, reference: &Reference, at: &mut Vec<String>) {
        if self.depth == DEEPEST {
            return;
        }
        self.depth += 1;
        let configuration = self.configuration;
        match reference.kind {
            Kind::Local => {
                if let Some(local) = configuration.locals.get(&reference.name) {
                    let written = reference.steps.iter().fold(local.clone(), |value, step| value.step(step));
                    self.value(expected, &written, at);
                }
            }
            Kind::Variable => {
                if let Some(variable) = configuration.variables.get(&reference.name) {
                    let type_of = reference.steps.iter().fold(variable.expected.clone(), |ty, step| ty.step(step));
                    if type_of == Expected::Any {
                        for value in &variable.values {
                            let written = reference.steps.iter().fold(value.clone(), |value, step| value.step(step));
                            self.value(expected, &written, at);
                        }
                    } else {
                        self.types(expected, &type_of, reference, at);
                    }
                }
            }
        }
        self.depth -= 1;
    }

    /// A variable's type against what is expected where the variable is used.
    fn types(&mut self, expected: &Expected, given: &Expected, reference: &Reference, at: &mut Vec<String>) {
        match (expected, given) {
            (Expected::Object(names), Expected::Object(attributes)) => {
                for (name, given) in attributes {
                    match names.get(name) {
                        Some(below) => {
                            at.push(name.clone());
                            self.types(below, given, reference, at);
                            at.pop();
                        }
                        None => {
                            let message = format!(
                                "the type of var.{} has \"{name}\", and {}",
                                reference.name,
                                self.no_such_name(name, at)
                            );
                            self.found(name, &reference.place, at, names.keys().map(String::as_str), message);
                        }
                    }
                }
            }
            (Expected::Elements(each), Expected::Elements(given)) => self.types(each, given, reference, at),
            (Expected::Elements(each), Expected::Object(attributes)) => {
                attributes.values().for_each(|given| self.types(each, given, reference, at));
            }
            (Expected::Elements(each), Expected::Tuple(elements)) => {
                elements.iter().for_each(|given| self.types(each, given, reference, at));
            }
            _ => {}
        }
    }

    fn no_such_name(&self, name: &str, at: &[String]) -> String {
        if at.is_empty() && self.whole != "the variable" {
            format!("{} has no attribute \"{name}\".", self.whole)
        } else {
            let object = if at.is_empty() { self.whole.to_owned() } else { at.join(".") };
            format!("{object} has no attribute \"{name}\": Terraform drops it without a word.")
        }
    }

    fn found<'n>(
        &mut self,
        name: &str,
        place: &Place,
        at: &[String],
        names: impl Iterator<Item = &'n str>,
        message: String,
    ) {
        let below = |name: &str| at.iter().map(String::as_str).chain([name]).collect::<Vec<_>>().join(".");
        let plain: Vec<String> = at.iter().map(|step| step.split('[').next().unwrap_or_default().to_owned()).collect();
        let suggestion = nearest::among(name, names)
            .map(|near| below(&near))
            .or_else(|| nearest::elsewhere(name, &plain, self.expected));
        self.report.findings.push(finding(place, self.subject.clone(), below(name), message, suggestion));
    }
}

fn finding(place: &Place, subject: String, path: String, message: String, suggestion: Option<String>) -> Finding {
    Finding {
        file: place.file.to_string(),
        line: place.at.map(|(line, _)| line),
        column: place.at.map(|(_, column)| column),
        subject,
        path,
        message,
        suggestion,
    }
}
