//! Python as far as revision files need it: the parsed file, its top-level names, and values that are plain.

mod call;
mod literal;

use std::collections::HashMap;

use tree_sitter::{Node, Parser, Tree};

pub(crate) use call::Call;

/// Deeper nesting than this is nobody's migration; it bounds every recursion over a tree.
pub(crate) const DEPTH: usize = 150;
/// Longer strings and lists are not put together: a file may double one line by line.
const LENGTH: usize = 100_000;

/// Parses a text; what is not Python becomes error nodes.
pub(crate) fn parse(text: &str) -> Option<Tree> {
    let mut parser = Parser::new();
    // Fails only when grammar and library do not fit together, which the tests would show.
    parser.set_language(&tree_sitter_python::LANGUAGE.into()).ok()?;
    parser.parse(text, None)
}

/// What an expression is known to be, without executing anything.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value<'t> {
    /// `None`
    None,
    /// `True`, `False`
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A string; parts that cannot be known stand in it as they are written, in braces.
    Str(String),
    /// A list, tuple or set.
    List(Vec<Value<'t>>),
    /// Alembic's `op`.
    Op,
    /// What `op.batch_alter_table(table)` gives.
    Batch(String),
    /// Anything else: the expression.
    Other(Node<'t>),
}

impl Value<'_> {
    /// How much there is of it.
    fn size(&self) -> usize {
        match self {
            Value::Str(text) => text.len(),
            Value::List(items) => items.iter().map(Value::size).sum::<usize>() + items.len(),
            _ => 1,
        }
    }

    /// `None`, a string or a list of strings, as `down_revision` may be; `None` when it is something else.
    pub(crate) fn names(&self) -> Option<Vec<String>> {
        match self {
            Value::None => Some(Vec::new()),
            Value::Str(name) => Some(vec![name.clone()]),
            Value::List(items) => items
                .iter()
                .map(|item| match item {
                    Value::Str(name) => Some(name.clone()),
                    _ => None,
                })
                .collect(),
            _ => None,
        }
    }
}

/// Names and what they stand for.
pub(crate) type Names<'t> = HashMap<String, Value<'t>>;

/// A parsed file: its functions and constants.
pub(crate) struct Module<'t> {
    pub(crate) text: &'t str,
    pub(crate) root: Node<'t>,
    functions: HashMap<&'t str, Node<'t>>,
    variables: HashMap<&'t str, Node<'t>>,
    /// Top-level names, with those imported from Alembic.
    pub(crate) names: Names<'t>,
}

impl<'t> Module<'t> {
    pub(crate) fn new(tree: &'t Tree, text: &'t str) -> Module<'t> {
        let mut module = Module {
            text,
            root: tree.root_node(),
            functions: HashMap::new(),
            variables: HashMap::new(),
            names: HashMap::from([("op".to_owned(), Value::Op)]),
        };
        for statement in children(module.root) {
            module.statement(statement, 0);
        }
        module
    }

    fn statement(&mut self, statement: Node<'t>, depth: usize) {
        match statement.kind() {
            "function_definition" | "decorated_definition" => {
                if let Some((name, function)) = self.function_in(statement) {
                    self.functions.insert(name, function);
                }
            }
            "expression_statement" => {
                let pairs: Vec<_> = children(statement).into_iter().flat_map(|node| self.assigned(node, 0)).collect();
                for (name, value) in pairs {
                    self.variables.insert(name, value);
                    let known = self.value(value, &self.names);
                    self.names.insert(name.to_owned(), known);
                }
            }
            "import_from_statement" => {
                let module = statement.child_by_field_name("module_name").map(|node| self.source(node));
                for (name, alias) in self.imported(statement) {
                    if module == Some("alembic") && name == "op" {
                        self.names.insert(alias.to_owned(), Value::Op);
                    }
                    // Whatever was imported under it is not what this file defines.
                    self.variables.insert(alias, statement);
                }
            }
            "import_statement" => {
                for (name, alias) in self.imported(statement) {
                    if name == "alembic.op" && alias != name {
                        self.names.insert(alias.to_owned(), Value::Op);
                    }
                }
            }
            // `if TYPE_CHECKING:`, `try: import …`
            "if_statement" | "try_statement" | "else_clause" | "elif_clause" | "except_clause" | "block"
                if depth < DEPTH =>
            {
                for child in children(statement) {
                    self.statement(child, depth + 1);
                }
            }
            _ => {}
        }
    }

    /// The function that a (decorated) definition defines.
    pub(crate) fn function_in(&self, statement: Node<'t>) -> Option<(&'t str, Node<'t>)> {
        let function = match statement.kind() {
            "decorated_definition" => statement.child_by_field_name("definition")?,
            _ => statement,
        };
        let name = function.child_by_field_name("name")?;
        (function.kind() == "function_definition").then(|| (self.source(name), function))
    }

    /// The pairs of an assignment: `a = v`, `a: T = v`, `a = b = v`.
    pub(crate) fn assigned(&self, node: Node<'t>, depth: usize) -> Vec<(&'t str, Node<'t>)> {
        let (Some(left), Some(right)) = (node.child_by_field_name("left"), node.child_by_field_name("right")) else {
            return Vec::new();
        };
        if node.kind() != "assignment" || depth > DEPTH {
            return Vec::new();
        }
        let mut pairs = match right.kind() {
            "assignment" => self.assigned(right, depth + 1),
            _ => Vec::new(),
        };
        let value = pairs.first().map_or(right, |(_, value)| *value);
        if left.kind() == "identifier" {
            pairs.push((self.source(left), value));
        }
        pairs
    }

    fn imported(&self, statement: Node<'t>) -> Vec<(&'t str, &'t str)> {
        let mut cursor = statement.walk();
        let names: Vec<Node<'t>> = statement.children_by_field_name("name", &mut cursor).collect();
        names
            .into_iter()
            .map(|node| match (node.child_by_field_name("name"), node.child_by_field_name("alias")) {
                (Some(name), Some(alias)) => (self.source(name), self.source(alias)),
                _ => (self.source(node), self.source(node)),
            })
            .collect()
    }

    /// The top-level function of that name; the last one counts, as in Python.
    pub(crate) fn function(&self, name: &str) -> Option<Node<'t>> {
        self.functions.get(name).copied()
    }

    /// Top-level functions whose name begins so, by line.
    pub(crate) fn functions_beginning(&self, prefix: &str) -> Vec<Node<'t>> {
        let mut found: Vec<Node<'t>> =
            self.functions.iter().filter(|(name, _)| name.starts_with(prefix)).map(|(_, node)| *node).collect();
        found.sort_by_key(Node::start_byte);
        found
    }

    /// Whether the name is assigned or imported at top level.
    pub(crate) fn binds(&self, name: &str) -> bool {
        self.variables.contains_key(name)
    }

    /// What a top-level name is, and the line of that value.
    pub(crate) fn variable(&self, name: &str) -> Option<(Value<'t>, usize)> {
        let node = *self.variables.get(name)?;
        Some((self.names.get(name).cloned().unwrap_or(Value::Other(node)), line(node)))
    }

    /// The text of a node.
    pub(crate) fn source(&self, node: Node<'t>) -> &'t str {
        self.text.get(node.byte_range()).unwrap_or_default()
    }

    /// The file's docstring.
    pub(crate) fn docstring(&self) -> String {
        let first = children(self.root).into_iter().find(|node| node.kind() != "comment");
        let string = first.filter(|node| node.kind() == "expression_statement").and_then(|node| node.named_child(0));
        match string.map(|node| self.value(node, &Names::new())) {
            Some(Value::Str(text)) => text,
            _ => String::new(),
        }
    }

    /// The first line that is not Python, when there is one.
    pub(crate) fn error_line(&self) -> Option<usize> {
        if !self.root.has_error() {
            return None;
        }
        // Follows the first child that has an error in it, without recursion: error trees may be deep.
        let mut node = self.root;
        loop {
            if node.is_error() || node.is_missing() {
                return Some(line(node));
            }
            let mut cursor = node.walk();
            let next = node.children(&mut cursor).find(|child| child.has_error() || child.is_missing());
            match next {
                Some(next) => node = next,
                None => return Some(line(node)),
            }
        }
    }
}

/// The line that a node begins in, from 1.
pub(crate) fn line(node: Node<'_>) -> usize {
    node.start_position().row + 1
}

/// The named children of a node.
pub(crate) fn children(node: Node<'_>) -> Vec<Node<'_>> {
    let mut cursor = node.walk();
    node.named_children(&mut cursor).collect()
}

/// The statements of a function's body, without comments.
pub(crate) fn body(function: Node<'_>) -> Vec<Node<'_>> {
    let block = function.child_by_field_name("body");
    block.map(children).unwrap_or_default().into_iter().filter(|node| node.kind() != "comment").collect()
}
