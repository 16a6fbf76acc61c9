//! Which names there may be: of a provider's schema, and of a variable's type.

use std::collections::BTreeMap;

use tfplugin_core::{Attribute, Engine, Nesting, Schema, Shape, Type};

use crate::written::Step;

/// The names that a value may have.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expected {
    /// These, and no others.
    Object(BTreeMap<String, Expected>),
    /// Those of each element of a list, set or map.
    Elements(Box<Expected>),
    /// Those of each element, by its place.
    Tuple(Vec<Expected>),
    /// A value without names, or with any.
    Any,
}

impl Expected {
    /// What is expected at a step into a value of which this is expected.
    pub(crate) fn step(&self, step: &Step) -> Expected {
        match (self, step) {
            (Expected::Object(names), Step::Attribute(name)) => names.get(name).cloned().unwrap_or(Expected::Any),
            // `map.key` as well as `list[0]`.
            (Expected::Elements(each), _) => (**each).clone(),
            _ => Expected::Any,
        }
    }

    fn of_schema(schema: &Schema) -> Expected {
        Expected::of_attributes(&schema.attributes)
    }

    fn of_attributes(attributes: &[Attribute]) -> Expected {
        let each = |attribute: &Attribute| (attribute.name.clone(), Expected::of_shape(&attribute.shape));
        Expected::Object(attributes.iter().filter(|attribute| attribute.mode.is_configurable()).map(each).collect())
    }

    fn of_shape(shape: &Shape) -> Expected {
        match shape {
            Shape::Plain(ty) => Expected::of_type(ty),
            Shape::Nested(Nesting::Single, attributes) => Expected::of_attributes(attributes),
            Shape::Nested(_, attributes) => Expected::Elements(Box::new(Expected::of_attributes(attributes))),
        }
    }

    fn of_type(ty: &Type) -> Expected {
        match ty {
            Type::List(element) | Type::Set(element) | Type::Map(element) => {
                Expected::Elements(Box::new(Expected::of_type(element)))
            }
            Type::Object(attributes) => {
                Expected::Object(attributes.iter().map(|(name, ty)| (name.clone(), Expected::of_type(ty))).collect())
            }
            Type::Tuple(elements) => Expected::Tuple(elements.iter().map(Expected::of_type).collect()),
            Type::Bool | Type::Number | Type::String | Type::Dynamic => Expected::Any,
        }
    }
}

/// What a provider has.
pub(crate) struct Provider {
    /// The beginning of its resources' names, and what its source address ends with.
    pub(crate) name: &'static str,
    pub(crate) configuration: Expected,
    /// By the kind of block (`resource`, `data`, `ephemeral`) and the type's name.
    pub(crate) types: BTreeMap<(&'static str, &'static str), Expected>,
}

impl Provider {
    pub(crate) fn of(engine: &Engine) -> Provider {
        let resources = engine.resources().iter().map(|(name, it)| (("resource", *name), it.schema()));
        let sources = engine.data_sources().iter().map(|(name, it)| (("data", *name), it.schema()));
        let ephemeral = engine.ephemeral_resources().iter().map(|(name, it)| (("ephemeral", *name), it.schema()));
        let all = resources.chain(sources).chain(ephemeral);
        Provider {
            name: engine.name(),
            configuration: Expected::of_schema(engine.schema()),
            types: all.map(|(key, schema)| (key, Expected::of_schema(schema))).collect(),
        }
    }

    /// Whether a type's name says that it is this provider's.
    pub(crate) fn owns(&self, type_name: &str) -> bool {
        type_name.strip_prefix(self.name).is_some_and(|rest| rest.starts_with('_'))
    }

    /// The names of its types of a kind of block.
    pub(crate) fn names<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.types.keys().filter(move |(of, _)| *of == kind).map(|(_, name)| *name)
    }
}
