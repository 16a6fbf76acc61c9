//! Reference documentation out of the schema, as pages of a provider registry: one truth with the code.
//!
//! [`pages`] renders everything that a provider has. Texts come from the doc comments of the models, examples from
//! files at the paths that registries expect.

mod attributes;
mod function;
mod notation;
mod page;

use tfplugin_core::Engine;

pub use function::function_page;
pub use page::{data_source_page, ephemeral_resource_page, provider_page, resource_page};

/// One page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Below the directory `docs`: `resources/environment.md`.
    pub path: String,
    /// Markdown with front matter.
    pub text: String,
}

/// What a page shows that the schema does not have.
#[derive(Clone, Copy, Debug, Default)]
pub struct Examples<'a> {
    /// Configuration in HCL.
    pub usage: Option<&'a str>,
    /// Shell commands that import an existing object.
    pub import: Option<&'a str>,
}

/// Every page of a provider: `index.md`, and one for each resource, data source, ephemeral resource and function.
///
/// `example` reads an example by its path below the directory `examples`, where there is one:
///
/// | page | example |
/// | --- | --- |
/// | `index.md` | `provider/provider.tf` |
/// | `resources/thing.md` | `resources/provider_thing/resource.tf`, `resources/provider_thing/import.sh` |
/// | `data-sources/thing.md` | `data-sources/provider_thing/data-source.tf` |
/// | `ephemeral-resources/thing.md` | `ephemeral-resources/provider_thing/ephemeral-resource.tf` |
/// | `functions/name.md` | `functions/name/function.tf` |
pub fn pages(engine: &Engine, example: impl Fn(&str) -> Option<String>) -> Vec<Page> {
    let provider = engine.name();
    let with = |usage: String, import: Option<String>, render: &dyn Fn(&Examples<'_>) -> String| {
        let (usage, import) = (example(&usage), import.and_then(|path| example(&path)));
        render(&Examples { usage: usage.as_deref(), import: import.as_deref() })
    };
    let path = |kind: &str, name: &str| {
        let short = name.strip_prefix(provider).and_then(|rest| rest.strip_prefix('_')).unwrap_or(name);
        format!("{kind}/{short}.md")
    };

    let mut pages = vec![Page {
        path: "index.md".to_owned(),
        text: with("provider/provider.tf".to_owned(), None, &|examples| {
            provider_page(provider, engine.schema(), examples)
        }),
    }];
    for (name, resource) in engine.resources() {
        let (usage, import) = (format!("resources/{name}/resource.tf"), format!("resources/{name}/import.sh"));
        let text = with(usage, Some(import), &|examples| resource_page(name, resource.schema(), examples));
        pages.push(Page { path: path("resources", name), text });
    }
    for (name, source) in engine.data_sources() {
        let usage = format!("data-sources/{name}/data-source.tf");
        let text = with(usage, None, &|examples| data_source_page(name, source.schema(), examples));
        pages.push(Page { path: path("data-sources", name), text });
    }
    for (name, resource) in engine.ephemeral_resources() {
        let usage = format!("ephemeral-resources/{name}/ephemeral-resource.tf");
        let text = with(usage, None, &|examples| ephemeral_resource_page(name, resource.schema(), examples));
        pages.push(Page { path: path("ephemeral-resources", name), text });
    }
    for (name, function) in engine.functions() {
        let usage = format!("functions/{name}/function.tf");
        let text = with(usage, None, &|examples| function_page(provider, &function.signature(), examples));
        pages.push(Page { path: format!("functions/{name}.md"), text });
    }
    pages
}
