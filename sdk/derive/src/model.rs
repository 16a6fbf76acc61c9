//! The struct as read: a model with its attributes, free of contradictions.

use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Expr, Fields, Generics, Ident, LitStr, Result, Type};

use crate::options::{AttrOptions, ModelOptions, doc_comment};

/// A struct that is a model.
pub(crate) struct Model {
    pub(crate) ident: Ident,
    pub(crate) generics: Generics,
    pub(crate) options: ModelOptions,
    pub(crate) description: String,
    pub(crate) attributes: Vec<ModelAttribute>,
}

/// A field that is an attribute.
pub(crate) struct ModelAttribute {
    pub(crate) field: Ident,
    pub(crate) ty: Type,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) mode: Mode,
    pub(crate) default: Option<Expr>,
    pub(crate) replace: bool,
    pub(crate) keep: bool,
    pub(crate) sensitive: bool,
    pub(crate) write_only: bool,
    pub(crate) not_secret: bool,
    pub(crate) may_be_empty: bool,
    pub(crate) deprecated: Option<LitStr>,
    pub(crate) checks: Vec<Expr>,
    pub(crate) one_of: Vec<Vec<LitStr>>,
}

/// Who gives the attribute its value; named as in `tfplugin::Mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Required,
    Optional,
    OptionalComputed,
    Computed,
}

impl Model {
    /// Reads the struct. All its faults come as one error, each with its place.
    pub(crate) fn read(input: &DeriveInput) -> Result<Model> {
        let Data::Struct(data) = &input.data else {
            return Err(Error::new_spanned(&input.ident, "a model is a struct with named fields"));
        };
        let Fields::Named(fields) = &data.fields else {
            return Err(Error::new_spanned(&input.ident, "a model is a struct with named fields"));
        };
        let mut faults = Faults::default();
        let options = faults.keep(ModelOptions::read(&input.attrs));
        let description = faults.keep(doc_comment(&input.attrs));
        let mut attributes: Vec<ModelAttribute> = Vec::new();
        for field in &fields.named {
            if let Some(attribute) = faults.keep(ModelAttribute::read(field)) {
                if attributes.iter().any(|other| other.name == attribute.name) {
                    faults.add(Error::new(field.span(), format!("a second attribute named `{}`", attribute.name)));
                }
                attributes.push(attribute);
            }
        }
        match (options, description, faults.0) {
            (Some(options), Some(description), None) => Ok(Model {
                ident: input.ident.clone(),
                generics: input.generics.clone(),
                options,
                description,
                attributes,
            }),
            (_, _, Some(error)) => Err(error),
            _ => Err(Error::new_spanned(&input.ident, "not a model")),
        }
    }
}

#[derive(Default)]
struct Faults(Option<Error>);

impl Faults {
    fn add(&mut self, error: Error) {
        match &mut self.0 {
            Some(all) => all.combine(error),
            none => *none = Some(error),
        }
    }

    fn keep<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.add(error)).ok()
    }
}

impl ModelAttribute {
    fn read(field: &syn::Field) -> Result<ModelAttribute> {
        let ident = field.ident.clone().ok_or_else(|| Error::new(field.span(), "a field without a name"))?;
        let options = AttrOptions::read(&field.attrs)?;
        let description = doc_comment(&field.attrs)?;
        if description.is_empty() {
            let message = format!("`{ident}` has no doc comment; it is the attribute's documentation");
            return Err(Error::new(ident.span(), message));
        }
        let mode = mode(&options, &ident)?;
        contradictions(&options, mode)?;
        let (name, place) = match &options.name {
            Some(name) => (name.value(), name.span()),
            None => (ident.unraw().to_string(), ident.span()),
        };
        if !is_attribute_name(&name) {
            let message =
                format!("`{name}` is no attribute name: lower case letters, digits and underscores, a letter first");
            return Err(Error::new(place, message));
        }
        Ok(ModelAttribute {
            field: ident,
            ty: field.ty.clone(),
            name,
            description,
            mode,
            default: options.default,
            replace: options.replace.is_some(),
            keep: options.keep.is_some(),
            sensitive: options.sensitive.is_some(),
            write_only: options.write_only.is_some(),
            not_secret: options.not_secret.is_some(),
            may_be_empty: options.may_be_empty.is_some(),
            deprecated: options.deprecated,
            checks: options.checks,
            one_of: options.one_of,
        })
    }
}

fn mode(options: &AttrOptions, field: &Ident) -> Result<Mode> {
    match (options.required, options.optional, options.computed, &options.default) {
        (Some(_), None, None, Some(default)) => {
            Err(Error::new_spanned(default, "a required attribute always has a value: no default"))
        }
        (Some(required), _, _, _) if options.optional.or(options.computed).is_some() => {
            Err(Error::new(required, "`required` excludes `optional` and `computed`"))
        }
        (Some(_), ..) => Ok(Mode::Required),
        (None, _, _, Some(_)) | (None, Some(_), Some(_), None) => Ok(Mode::OptionalComputed),
        (None, Some(_), None, None) => Ok(Mode::Optional),
        (None, None, Some(_), None) => Ok(Mode::Computed),
        (None, None, None, None) => Err(Error::new(
            field.span(),
            format!(
                "`{field}` does not say who gives it its value: #[attr(required)], #[attr(optional)], #[attr(computed)], \
                 #[attr(optional, computed)] or #[attr(default = ...)]"
            ),
        )),
    }
}

fn contradictions(options: &AttrOptions, mode: Mode) -> Result<()> {
    let computed = matches!(mode, Mode::Computed | Mode::OptionalComputed);
    let refuse = |place: Span, message: &str| Err(Error::new(place, message));
    if let Some(place) = options.write_only {
        if computed {
            return refuse(place, "`write_only` excludes `computed` and `default`: the provider may not set it");
        }
        if options.replace.is_some() {
            return refuse(place, "`write_only` excludes `replace`: there is no prior value to compare with");
        }
    }
    if let Some(place) = options.not_secret
        && options.sensitive.or(options.write_only).is_some()
    {
        return refuse(
            place,
            "`not_secret` excludes `sensitive` and `write_only`: it is for a part of an object that is one of them",
        );
    }
    if let Some(place) = options.may_be_empty
        && mode == Mode::Computed
    {
        return refuse(place, "`may_be_empty` is for an object that is configured");
    }
    match (options.keep, options.checked) {
        (Some(place), _) if !computed => refuse(place, "`keep` is for a computed attribute"),
        (Some(place), _) if options.default.is_some() => {
            refuse(place, "`keep` excludes `default`: a default never becomes unknown")
        }
        (_, Some(place)) if mode == Mode::Computed => refuse(place, "only what is configured is checked"),
        _ => Ok(()),
    }
}

fn is_attribute_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use syn::parse_quote;

    /// The messages about a struct, in order; none when it is a model.
    fn faults(input: DeriveInput) -> Vec<String> {
        match Model::read(&input) {
            Ok(_) => Vec::new(),
            Err(error) => error.into_iter().map(|error| error.to_string()).collect(),
        }
    }

    /// The one message about a field with these options.
    fn fault_of(options: &str) -> String {
        let source = format!("struct M {{ /** Text. */ #[attr({options})] field: Attr<String> }}");
        let mut found = faults(syn::parse_str(&source).expect("the source parses"));
        assert_eq!(found.len(), 1, "{options}: {found:?}");
        found.remove(0)
    }

    #[test]
    fn contradicting_options_are_refused() {
        for (options, expected) in [
            ("", "does not say who gives it its value"),
            ("sensitive", "does not say who gives it its value"),
            ("required, optional", "`required` excludes"),
            ("required, computed", "`required` excludes"),
            ("required, default = \"x\"", "no default"),
            ("optional, computed, write_only", "`write_only` excludes `computed`"),
            ("default = \"x\", write_only", "`write_only` excludes `computed`"),
            ("required, write_only, replace", "`write_only` excludes `replace`"),
            ("required, sensitive, not_secret", "`not_secret` excludes `sensitive`"),
            ("required, write_only, not_secret", "`not_secret` excludes `sensitive`"),
            ("optional, keep", "`keep` is for a computed"),
            ("default = \"x\", keep", "`keep` excludes `default`"),
            ("computed, one_of(\"a\")", "only what is configured"),
            ("computed, check = c()", "only what is configured"),
            ("optional, optional", "given twice"),
            ("optional, name = \"Bad\"", "is no attribute name"),
            ("optional, name = \"a-b\"", "is no attribute name"),
            ("optional, one_of()", "at least one word"),
            ("optional, deprecated = \"\"", "must not be empty"),
            ("optional, forcenew", "unknown option; there are: required, optional"),
        ] {
            let found = fault_of(options);
            assert!(found.contains(expected), "{options}: {found}");
        }
    }

    #[test]
    fn every_fault_is_reported_and_at_its_place() {
        let found = faults(parse_quote! {
            #[model(versoin = 1)]
            struct M {
                #[attr(required)]
                undocumented: Attr<String>,
                /// Text.
                undecided: Attr<String>,
                /// Text.
                #[attr(optional)]
                twice: Attr<String>,
                /// Text.
                #[attr(optional, name = "twice")]
                again: Attr<String>,
            }
        });
        let expected = ["unknown option", "`undocumented` has no doc comment", "`undecided`", "a second attribute"];
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.contains(expected), "{found}");
        }
    }

    #[test]
    fn only_structs_with_named_fields_are_models() {
        assert_eq!(faults(parse_quote! { enum M { A } }).len(), 1);
        assert_eq!(faults(parse_quote! { struct M(String); }).len(), 1);
        assert_eq!(faults(parse_quote! { struct M; }).len(), 1);
        assert!(faults(parse_quote! { struct M {} }).is_empty());
    }

    #[test]
    fn options_and_doc_comments_are_read() {
        let model = Model::read(&parse_quote! {
            /// A thing.
            ///
            /// - indented
            ///   further
            #[model(version = 3, deprecated = "use other")]
            struct M {
                /// Kind of it.
                #[attr(optional, computed, name = "type")]
                #[attr(replace, keep, sensitive, deprecated = "old", check = one(), check = two(), one_of("a", "b",))]
                kind: Attr<String>,
                /// Raw.
                #[attr(default = 3 + 4)]
                r#move: Attr<i64>,
                /// Write-only.
                #[attr(required, write_only)]
                secret_wo: Attr<String>,
                /// Shown.
                #[attr(optional, not_secret)]
                key: Attr<String>,
            }
        })
        .unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(model.description, "A thing.\n\n- indented\n  further");
        assert_eq!(model.options.version.base10_digits(), "3");
        assert_eq!(model.options.deprecated.map(|text| text.value()).as_deref(), Some("use other"));
        let [kind, moved, secret, key] = model.attributes.as_slice() else { panic!("four attributes") };
        assert_eq!((kind.name.as_str(), kind.mode), ("type", Mode::OptionalComputed));
        assert!(kind.replace && kind.keep && kind.sensitive && !kind.write_only && kind.deprecated.is_some());
        assert_eq!((kind.checks.len(), kind.one_of[0].len()), (2, 2));
        assert_eq!((moved.name.as_str(), moved.mode), ("move", Mode::OptionalComputed));
        assert!(moved.default.is_some());
        assert_eq!(secret.mode, Mode::Required);
        assert!(secret.write_only && !secret.not_secret && key.not_secret);
    }

    #[test]
    fn a_version_beyond_the_wire_and_a_computed_description_are_refused() {
        assert_eq!(faults(parse_quote! { #[model(version = 99999999999999999999)] struct M {} }).len(), 1);
        assert_eq!(faults(parse_quote! { #[doc = concat!("a", "b")] struct M {} }).len(), 1);
    }
}
