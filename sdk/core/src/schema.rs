//! What a resource, data source, ephemeral resource or provider configuration looks like.
//!
//! Everything is attributes: protocol 6 has nested attributes, so blocks are not needed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::{Type, Value};

/// How the objects of a nested attribute are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nesting {
    /// One object.
    Single,
    /// A list of objects.
    List,
    /// A set of objects.
    Set,
    /// Objects by name.
    Map,
}

/// The form of an attribute's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// A value of a plain type.
    Plain(Type),
    /// Objects whose attributes have descriptions and modes of their own.
    Nested(Nesting, Vec<Attribute>),
}

impl Shape {
    /// The type of the value.
    pub fn ty(&self) -> Type {
        match self {
            Shape::Plain(ty) => ty.clone(),
            Shape::Nested(nesting, attributes) => {
                let object = object_type(attributes);
                match nesting {
                    Nesting::Single => object,
                    Nesting::List => Type::list(object),
                    Nesting::Set => Type::set(object),
                    Nesting::Map => Type::map(object),
                }
            }
        }
    }
}

/// The type of an object with these attributes.
pub fn object_type(attributes: &[Attribute]) -> Type {
    Type::Object(attributes.iter().map(|attribute| (attribute.name.clone(), attribute.shape.ty())).collect())
}

/// Who gives an attribute its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The configuration must.
    Required,
    /// The configuration may.
    Optional,
    /// The configuration may; otherwise the provider does.
    OptionalComputed,
    /// The provider does.
    Computed,
}

impl Mode {
    /// Whether the provider may give it a value.
    pub fn is_computed(self) -> bool {
        matches!(self, Mode::OptionalComputed | Mode::Computed)
    }

    /// Whether the configuration may give it a value.
    pub fn is_configurable(self) -> bool {
        self != Mode::Computed
    }
}

/// A check of a configured value; see [`Attribute::checks`].
type CheckFn = dyn Fn(&Value) -> Result<(), String> + Send + Sync;

/// A rule for a configured value, run when it is known and not null.
#[derive(Clone)]
pub struct Check {
    /// What is expected, to follow "must be": `a duration such as 10m`. Also in the docs.
    pub expected: String,
    run: Arc<CheckFn>,
}

impl Check {
    /// A rule. `run` gets the value and says what is wrong with it.
    pub fn new(
        expected: impl Into<String>,
        run: impl Fn(&Value) -> Result<(), String> + Send + Sync + 'static,
    ) -> Check {
        Check { expected: expected.into(), run: Arc::new(run) }
    }

    /// A rule for text.
    pub fn text(
        expected: impl Into<String>,
        run: impl Fn(&str) -> Result<(), String> + Send + Sync + 'static,
    ) -> Check {
        Check::new(expected, move |value| value.as_str().map_or(Ok(()), &run))
    }

    /// One of a few words.
    pub fn one_of(words: &[&str]) -> Check {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let expected =
            format!("one of {}", words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", "));
        Check::text(expected, move |text| {
            if words.iter().any(|word| word == text) { Ok(()) } else { Err(format!("\"{text}\" is none of them")) }
        })
    }

    /// A number between two bounds, both included.
    pub fn between(low: i64, high: i64) -> Check {
        Check::new(format!("a number from {low} to {high}"), move |value| match value {
            Value::Number(number) if number.as_f64() < low as f64 || number.as_f64() > high as f64 => {
                Err(format!("{number} is outside"))
            }
            _ => Ok(()),
        })
    }

    /// Runs the rule.
    ///
    /// # Errors
    /// What is wrong with the value.
    pub fn run(&self, value: &Value) -> Result<(), String> {
        (self.run)(value)
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Check({:?})", self.expected)
    }
}

impl PartialEq for Check {
    fn eq(&self, other: &Check) -> bool {
        self.expected == other.expected
    }
}

/// One attribute.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribute {
    /// Its name in the configuration.
    pub name: String,
    /// The form of its value.
    pub shape: Shape,
    /// Who gives it its value.
    pub mode: Mode,
    /// Markdown for the documentation.
    pub description: String,
    /// Not shown by Terraform.
    pub sensitive: bool,
    /// In the configuration only, never in a plan or in state (needs Terraform 1.11).
    pub write_only: bool,
    /// No secret, though it stands in an object that is sensitive or write-only (the name beside a password): messages show it.
    pub not_secret: bool,
    /// An object of it says something by being there, though nothing stands in it. Any other empty object is warned about: Terraform drops
    /// names that do not exist, and what was misspelt comes as nothing.
    pub may_be_empty: bool,
    /// Why it should not be used any more, and what to use instead.
    pub deprecated: Option<String>,
    /// The value where the configuration gives none.
    pub default: Option<Value>,
    /// A change of it replaces the resource.
    pub replace: bool,
    /// Computed once and then kept: it does not become unknown because something else changes.
    pub keep: bool,
    /// Its numbers, or those in it, need not be whole. A client compares such numbers digit by digit, which is slow: a state had
    /// better have none.
    pub fractional: bool,
    /// Rules for a configured value.
    pub checks: Vec<Check>,
}

impl Attribute {
    /// An attribute with nothing special about it.
    pub fn new(name: impl Into<String>, shape: Shape, mode: Mode) -> Attribute {
        Attribute {
            name: name.into(),
            shape,
            mode,
            description: String::new(),
            sensitive: false,
            write_only: false,
            not_secret: false,
            may_be_empty: false,
            deprecated: None,
            default: None,
            replace: false,
            keep: false,
            fractional: false,
            checks: Vec::new(),
        }
    }
}

/// The attributes of one thing and the version of its state.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schema {
    /// Raised when a state of the version before cannot be read any more without an upgrade.
    pub version: i64,
    /// In the order of the declaration.
    pub attributes: Vec<Attribute>,
    /// Markdown for the documentation.
    pub description: String,
    /// Why it should not be used any more, and what to use instead.
    pub deprecated: Option<String>,
}

impl Schema {
    /// The object type of the whole.
    pub fn ty(&self) -> Type {
        object_type(&self.attributes)
    }

    /// An object with every attribute null.
    pub fn empty(&self) -> Value {
        Value::Map(
            self.attributes.iter().map(|attribute| (attribute.name.clone(), Value::Null)).collect::<BTreeMap<_, _>>(),
        )
    }
}
