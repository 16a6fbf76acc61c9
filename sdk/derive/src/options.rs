//! What stands in `#[model(...)]`, `#[attr(...)]` and the doc comments.

use proc_macro2::Span;
use syn::meta::ParseNestedMeta;
use syn::punctuated::Punctuated;
use syn::{
    Attribute, Error, Expr, ExprLit, Lit, LitInt, LitStr, Meta, Path, Result, Token, parenthesized, parse_quote,
};

/// `#[model(...)]`.
pub(crate) struct ModelOptions {
    /// The schema's version.
    pub(crate) version: LitInt,
    /// Why the whole is deprecated.
    pub(crate) deprecated: Option<LitStr>,
    /// The crate that the generated code refers to.
    pub(crate) root: Path,
}

/// `#[attr(...)]`, as written: not yet looked at for contradictions.
#[derive(Default)]
pub(crate) struct AttrOptions {
    pub(crate) required: Option<Span>,
    pub(crate) optional: Option<Span>,
    pub(crate) computed: Option<Span>,
    pub(crate) replace: Option<Span>,
    pub(crate) keep: Option<Span>,
    pub(crate) sensitive: Option<Span>,
    pub(crate) write_only: Option<Span>,
    pub(crate) not_secret: Option<Span>,
    pub(crate) may_be_empty: Option<Span>,
    pub(crate) name: Option<LitStr>,
    pub(crate) deprecated: Option<LitStr>,
    pub(crate) default: Option<Expr>,
    /// The first of the checks, for messages about them.
    pub(crate) checked: Option<Span>,
    pub(crate) checks: Vec<Expr>,
    pub(crate) one_of: Vec<Vec<LitStr>>,
}

const MODEL_OPTIONS: &str = "version = 1, deprecated = \"...\", crate = path";
const ATTR_OPTIONS: &str = "required, optional, computed, default = expr, replace, keep, sensitive, write_only, \
                            not_secret, may_be_empty, check = expr, one_of(\"a\", \"b\"), name = \"...\", deprecated = \"...\"";

impl ModelOptions {
    /// Reads every `#[model(...)]` of a struct.
    pub(crate) fn read(attributes: &[Attribute]) -> Result<ModelOptions> {
        let (mut version, mut deprecated, mut root) = (None, None, None);
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("model")) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("version") {
                    once(&meta, &mut version, |meta| meta.value()?.parse())
                } else if meta.path.is_ident("deprecated") {
                    once(&meta, &mut deprecated, text)
                } else if meta.path.is_ident("crate") {
                    once(&meta, &mut root, |meta| meta.value()?.call(Path::parse_mod_style))
                } else {
                    Err(meta.error(format!("unknown option; there are: {MODEL_OPTIONS}")))
                }
            })?;
        }
        let version: LitInt = version.unwrap_or_else(|| parse_quote!(0));
        version.base10_parse::<i64>()?;
        Ok(ModelOptions { version, deprecated, root: root.unwrap_or_else(|| parse_quote!(::tfplugin)) })
    }
}

impl AttrOptions {
    /// Reads every `#[attr(...)]` of a field.
    pub(crate) fn read(attributes: &[Attribute]) -> Result<AttrOptions> {
        let mut options = AttrOptions::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("attr")) {
            attribute.parse_nested_meta(|meta| options.take(&meta))?;
        }
        Ok(options)
    }

    fn take(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        let option = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
        let flag = |slot: &mut Option<Span>| once(meta, slot, |meta| Ok(span(meta)));
        match option.as_str() {
            "required" => flag(&mut self.required),
            "optional" => flag(&mut self.optional),
            "computed" => flag(&mut self.computed),
            "replace" => flag(&mut self.replace),
            "keep" => flag(&mut self.keep),
            "sensitive" => flag(&mut self.sensitive),
            "write_only" => flag(&mut self.write_only),
            "not_secret" => flag(&mut self.not_secret),
            "may_be_empty" => flag(&mut self.may_be_empty),
            "name" => once(meta, &mut self.name, text),
            "deprecated" => once(meta, &mut self.deprecated, text),
            "default" => once(meta, &mut self.default, |meta| meta.value()?.parse()),
            "check" => {
                self.checked.get_or_insert_with(|| span(meta));
                self.checks.push(meta.value()?.parse()?);
                Ok(())
            }
            "one_of" => {
                self.checked.get_or_insert_with(|| span(meta));
                self.one_of.push(words(meta)?);
                Ok(())
            }
            _ => Err(meta.error(format!("unknown option; there are: {ATTR_OPTIONS}"))),
        }
    }
}

fn span(meta: &ParseNestedMeta<'_>) -> Span {
    syn::spanned::Spanned::span(&meta.path)
}

fn once<T>(
    meta: &ParseNestedMeta<'_>,
    slot: &mut Option<T>,
    read: impl FnOnce(&ParseNestedMeta<'_>) -> Result<T>,
) -> Result<()> {
    if slot.is_some() {
        return Err(meta.error("given twice"));
    }
    *slot = Some(read(meta)?);
    Ok(())
}

fn text(meta: &ParseNestedMeta<'_>) -> Result<LitStr> {
    let text: LitStr = meta.value()?.parse()?;
    if text.value().trim().is_empty() { Err(Error::new(text.span(), "must not be empty")) } else { Ok(text) }
}

fn words(meta: &ParseNestedMeta<'_>) -> Result<Vec<LitStr>> {
    let list;
    parenthesized!(list in meta.input);
    let words: Vec<LitStr> = Punctuated::<LitStr, Token![,]>::parse_terminated(&list)?.into_iter().collect();
    if words.is_empty() { Err(meta.error("needs at least one word")) } else { Ok(words) }
}

/// The doc comment: one leading space a line stripped, lines joined, blank lines at both ends dropped. Empty when
/// there is none.
pub(crate) fn doc_comment(attributes: &[Attribute]) -> Result<String> {
    let mut lines = Vec::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("doc")) {
        let Meta::NameValue(doc) = &attribute.meta else { continue };
        let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &doc.value else {
            return Err(Error::new_spanned(&doc.value, "a description must be literal text: write a doc comment"));
        };
        let text = text.value();
        lines.extend(text.lines().map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end().to_owned()));
        if text.is_empty() {
            lines.push(String::new());
        }
    }
    Ok(lines.join("\n").trim_matches('\n').to_owned())
}
