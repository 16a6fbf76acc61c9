//! `#[derive(Model)]`: one annotated struct is the schema, the decoding and encoding, and the reference
//! documentation of a resource, data source, ephemeral resource, provider configuration or nested object.
//!
//! The rooms: `options` reads what stands in `#[model(...)]` and `#[attr(...)]`, `model` reads the struct
//! and refuses what cannot work, `expand` writes the implementations. Used through the crate `tfplugin`.

mod expand;
mod model;
mod options;

use proc_macro::TokenStream;

/// Implements `Field` and `Model` for a struct with named fields.
///
/// The doc comment of the struct is the description of the whole, the doc comment of a field that of its
/// attribute; both are Markdown. Every field needs a doc comment and says who gives it its value:
///
/// | option | meaning |
/// | --- | --- |
/// | `required` | the configuration must set it |
/// | `optional` | the configuration may set it |
/// | `computed` | the provider sets it; with `optional`: where the configuration does not |
/// | `default = expr` | the value where the configuration gives none; implies `optional, computed` |
/// | `replace` | a change replaces the resource |
/// | `keep` | computed once and then kept |
/// | `sensitive` | not shown by Terraform |
/// | `write_only` | in the configuration only, never in a plan or in state |
/// | `not_secret` | shown in messages, though it stands in an object that is sensitive or write-only |
/// | `may_be_empty` | for an object: `{}` says something, and is not warned about |
/// | `check = expr` | a `Check` of the configured value; may be repeated |
/// | `one_of("a", "b")` | the words that are allowed |
/// | `name = "type"` | the attribute's name, where it is not the field's |
/// | `deprecated = "text"` | why it should not be used, and what to use instead |
///
/// On the struct, `#[model(version = 1)]` gives the schema's version, `#[model(deprecated = "text")]` marks the
/// whole as deprecated, and `#[model(crate = path)]` names the crate that the generated code refers to, where
/// that is not `::tfplugin`.
///
/// The documentation of `tfplugin` has an example.
#[proc_macro_derive(Model, attributes(model, attr))]
pub fn derive_model(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    model::Model::read(&input).map(|model| expand::expand(&model)).unwrap_or_else(syn::Error::into_compile_error).into()
}
