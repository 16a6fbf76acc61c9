//! What is written where a value is expected, as far as the names in it go: one form for both syntaxes of Terraform.

use std::rc::Rc;

/// Where something is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The file, as it was named.
    pub(crate) file: Rc<str>,
    /// Counted from 1; JSON has no places.
    pub(crate) at: Option<(usize, usize)>,
}

/// A value as it is written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Written {
    /// An object or a map with its entries.
    Object(Vec<Entry>),
    /// A list, set or tuple with its elements.
    List(Vec<Written>),
    /// A collection each of whose elements is written so: a `for` expression.
    Elements(Box<Written>),
    /// One of these, or some of them taken together: a conditional, `merge`, `try`.
    AnyOf(Vec<Written>),
    /// What a variable or a local value is, or something in it.
    Reference(Reference),
    /// A text, which has no names.
    Text(String),
    /// Its names cannot be told.
    Opaque,
}

/// One name in an object, and its value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    /// None where it is computed.
    pub(crate) name: Option<String>,
    pub(crate) place: Place,
    pub(crate) value: Written,
}

/// `var.name`, `local.name`, and steps into it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reference {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    pub(crate) steps: Vec<Step>,
    pub(crate) place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Variable,
    Local,
}

/// A step into a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Attribute(String),
    /// Any element: which one it is does not matter for names.
    Element,
}

impl Written {
    /// What is written at a step into this value.
    pub(crate) fn step(&self, step: &Step) -> Written {
        match (self, step) {
            (Written::Object(entries), Step::Attribute(name)) => {
                let found = entries.iter().find(|entry| entry.name.as_deref() == Some(name));
                found.map_or(Written::Opaque, |entry| entry.value.clone())
            }
            (Written::Object(entries), Step::Element) => {
                Written::AnyOf(entries.iter().map(|entry| entry.value.clone()).collect())
            }
            (Written::List(elements), Step::Element) => Written::AnyOf(elements.clone()),
            (Written::Elements(each), Step::Element | Step::Attribute(_)) => (**each).clone(),
            (Written::AnyOf(all), step) => Written::AnyOf(all.iter().map(|one| one.step(step)).collect()),
            (Written::Reference(reference), step) => {
                let mut further = reference.clone();
                further.steps.push(step.clone());
                Written::Reference(further)
            }
            (Written::List(_), Step::Attribute(_)) | (Written::Text(_) | Written::Opaque, _) => Written::Opaque,
        }
    }
}
