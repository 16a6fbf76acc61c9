//! A module's configuration: the blocks that matter here.

use std::collections::BTreeMap;

use crate::expected::Expected;
use crate::written::{Entry, Place, Written};

/// An attribute or a block, in either syntax.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    Attribute(Entry),
    Block(Block),
    /// `type` in a variable's block: which names its value may have.
    Type(Expected),
}

/// A block as it is written.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    /// `resource`, `variable`.
    pub(crate) kind: String,
    pub(crate) labels: Vec<String>,
    pub(crate) place: Place,
    /// As many as there are labels.
    pub(crate) label_places: Vec<Place>,
    pub(crate) items: Vec<Item>,
}

impl Block {
    /// The attributes. Blocks in it are Terraform's own business: it refuses those that there are not.
    pub(crate) fn attributes(&self) -> Vec<Entry> {
        let attribute = |item: &Item| match item {
            Item::Attribute(entry) => Some(entry.clone()),
            Item::Block(_) | Item::Type(_) => None,
        };
        self.items.iter().filter_map(attribute).collect()
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<Written> {
        self.attributes().into_iter().find(|entry| entry.name.as_deref() == Some(name)).map(|entry| entry.value)
    }
}

/// A variable of a module.
#[derive(Clone, Debug)]
pub(crate) struct Variable {
    /// Which names its value may have. `Any` where there is no type.
    pub(crate) expected: Expected,
    /// The values that are written in the module's folder: its default, and `*.tfvars`.
    pub(crate) values: Vec<Written>,
}

/// All that is written in one folder.
#[derive(Clone, Debug, Default)]
pub(crate) struct Configuration {
    /// Resources, data sources, ephemeral resources, providers, modules.
    pub(crate) blocks: Vec<Block>,
    pub(crate) variables: BTreeMap<String, Variable>,
    pub(crate) locals: BTreeMap<String, Written>,
    /// Local names of providers by their source addresses.
    pub(crate) providers: BTreeMap<String, String>,
}
