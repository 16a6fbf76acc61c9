//! The implementations of `Field` and `Model`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::LitStr;
use syn::spanned::Spanned;

use crate::model::{Mode, Model, ModelAttribute};

/// The implementations for a model.
pub(crate) fn expand(model: &Model) -> TokenStream {
    let (ident, root) = (&model.ident, &model.options.root);
    let (impl_generics, ty_generics, where_clause) = model.generics.split_for_impl();

    let fields: Vec<_> = model.attributes.iter().map(|attribute| &attribute.field).collect();
    let names: Vec<_> = model.attributes.iter().map(|attribute| &attribute.name).collect();
    let reads = model.attributes.iter().map(|attribute| {
        let (ty, name) = (&attribute.ty, &attribute.name);
        quote_spanned! {ty.span()=>
            <#ty as #root::Field>::from_value(value.attribute(#name), &path.child(#name))?
        }
    });
    let attributes = model.attributes.iter().map(|attribute| declaration(model, attribute));
    let (version, description) = (&model.options.version, &model.description);
    let deprecated = optional_text(model.options.deprecated.as_ref());

    quote! {
        #[automatically_derived]
        impl #impl_generics #root::Field for #ident #ty_generics #where_clause {
            fn shape() -> #root::Shape {
                #root::Shape::Nested(#root::Nesting::Single, <Self as #root::Model>::attributes())
            }

            #[allow(unused_variables)]
            fn from_value(
                value: &#root::Value,
                path: &#root::Path,
            ) -> ::core::result::Result<Self, #root::Diagnostic> {
                match value {
                    // Of an object that is unknown as a whole every attribute is.
                    #root::Value::Map(_) | #root::Value::Unknown => {
                        ::core::result::Result::Ok(Self { #(#fields: #reads,)* })
                    }
                    other => ::core::result::Result::Err(#root::unfit(other, path, "an object")),
                }
            }

            fn to_value(&self) -> #root::Value {
                #root::Value::Map(::std::collections::BTreeMap::from([
                    #((::std::string::String::from(#names), #root::Field::to_value(&self.#fields)),)*
                ]))
            }
        }

        #[automatically_derived]
        impl #impl_generics #root::Model for #ident #ty_generics #where_clause {
            fn attributes() -> ::std::vec::Vec<#root::Attribute> {
                ::std::vec![#(#attributes),*]
            }

            fn schema() -> #root::Schema {
                #root::Schema {
                    version: #version,
                    attributes: <Self as #root::Model>::attributes(),
                    description: ::std::string::String::from(#description),
                    deprecated: #deprecated,
                }
            }
        }
    }
}

/// An expression for the attribute's entry in the schema.
fn declaration(model: &Model, attribute: &ModelAttribute) -> TokenStream {
    let root = &model.options.root;
    let ModelAttribute {
        ty, name, description, replace, keep, sensitive, write_only, not_secret, may_be_empty, ..
    } = attribute;
    let mode = match attribute.mode {
        Mode::Required => quote!(Required),
        Mode::Optional => quote!(Optional),
        Mode::OptionalComputed => quote!(OptionalComputed),
        Mode::Computed => quote!(Computed),
    };
    let deprecated = optional_text(attribute.deprecated.as_ref());
    // Through the field's own type, so that a default of another type does not compile.
    let default = match &attribute.default {
        None => quote!(::core::option::Option::None),
        Some(default) => quote_spanned! {default.span()=>
            ::core::option::Option::Some(
                #root::Field::to_value(&<#ty as ::core::convert::From<_>>::from(#default))
            )
        },
    };
    let one_of = attribute.one_of.iter().map(|words| quote!(#root::Check::one_of(&[#(#words),*])));
    let checks = &attribute.checks;
    quote! {
        #root::Attribute {
            name: ::std::string::String::from(#name),
            shape: <#ty as #root::Field>::shape(),
            mode: #root::Mode::#mode,
            description: ::std::string::String::from(#description),
            sensitive: #sensitive,
            write_only: #write_only,
            not_secret: #not_secret,
            may_be_empty: #may_be_empty,
            deprecated: #deprecated,
            default: #default,
            replace: #replace,
            keep: #keep,
            fractional: <#ty as #root::Field>::fractional(),
            checks: ::std::vec![#(#one_of,)* #(#checks,)*],
        }
    }
}

fn optional_text(text: Option<&LitStr>) -> TokenStream {
    match text {
        None => quote!(::core::option::Option::None),
        Some(text) => quote!(::core::option::Option::Some(::std::string::String::from(#text))),
    }
}
