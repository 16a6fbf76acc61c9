//! The pieces of a call.

use tree_sitter::Node;

use super::{Module, children};

/// `object.name(positional, keyword=…)`
#[derive(Clone, Debug)]
pub(crate) struct Call<'t> {
    pub(crate) node: Node<'t>,
    /// What stands before the last dot.
    pub(crate) object: Option<Node<'t>>,
    /// The last name.
    pub(crate) name: &'t str,
    pub(crate) positional: Vec<Node<'t>>,
    pub(crate) keyword: Vec<(&'t str, Node<'t>)>,
    /// Whether there are `*args` or `**kwargs`, so that arguments may be there that are not seen.
    pub(crate) spread: bool,
}

impl<'t> Call<'t> {
    /// `None` when the node is no call of a name.
    pub(crate) fn read(module: &Module<'t>, node: Node<'t>) -> Option<Call<'t>> {
        if node.kind() != "call" {
            return None;
        }
        let function = node.child_by_field_name("function")?;
        let (object, name) = match function.kind() {
            "identifier" => (None, function),
            "attribute" => (function.child_by_field_name("object"), function.child_by_field_name("attribute")?),
            _ => return None,
        };
        let mut call = Call {
            node,
            object,
            name: module.source(name),
            positional: Vec::new(),
            keyword: Vec::new(),
            spread: false,
        };
        for argument in children(node.child_by_field_name("arguments")?) {
            match argument.kind() {
                "comment" => {}
                "keyword_argument" => {
                    let (name, value) = (argument.child_by_field_name("name"), argument.child_by_field_name("value"));
                    if let (Some(name), Some(value)) = (name, value) {
                        call.keyword.push((module.source(name), value));
                    }
                }
                "list_splat" | "dictionary_splat" => call.spread = true,
                _ => call.positional.push(argument),
            }
        }
        Some(call)
    }

    /// An argument by its position or its name.
    pub(crate) fn argument(&self, position: usize, name: &str) -> Option<Node<'t>> {
        self.named(name).or_else(|| self.positional.get(position).copied())
    }

    /// An argument by its name alone.
    pub(crate) fn named(&self, name: &str) -> Option<Node<'t>> {
        self.keyword.iter().find(|(keyword, _)| *keyword == name).map(|(_, value)| *value)
    }
}
