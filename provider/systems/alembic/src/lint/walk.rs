//! Follows `upgrade()` or `downgrade()` through blocks, loops and the functions of the same file.

use std::collections::HashSet;

use tree_sitter::Node;

use super::{Finding, Rule};
use crate::Dropped;
use crate::python::{Call, DEPTH, Module, Names, Value, children, line};

/// Calls of functions of the same file are followed so deep.
const CALLS: usize = 4;
/// A loop over so many constants is followed item by item.
const ROUNDS: usize = 64;
/// An end to files that call and loop without one.
const STEPS: usize = 200_000;

/// Where the walk is, and what it has seen.
pub(crate) struct Walk<'m, 't> {
    pub(crate) module: &'m Module<'t>,
    pub(crate) names: Names<'t>,
    /// The function that is followed.
    function: &'static str,
    /// Functions defined inside of functions.
    inner: Vec<(&'t str, Node<'t>)>,
    calls: Vec<Node<'t>>,
    steps: usize,
    /// How many autocommit blocks are open.
    pub(crate) autocommit: usize,
    /// Tables that this revision made: there is nothing in them to lose.
    pub(crate) made: HashSet<String>,
    /// Columns that this revision made, with their table.
    pub(crate) made_columns: HashSet<(String, String)>,
    /// Of these, the ones that have a value in every row.
    pub(crate) filled_columns: HashSet<(String, String)>,
    pub(super) findings: Vec<Finding>,
    /// What is dropped with its rows.
    pub(super) dropped: Vec<Dropped>,
}

impl<'m, 't> Walk<'m, 't> {
    /// Along one of the file's functions.
    pub(crate) fn of(module: &'m Module<'t>, function: &'static str) -> Walk<'m, 't> {
        let mut walk = Walk {
            module,
            names: module.names.clone(),
            function,
            inner: Vec::new(),
            calls: Vec::new(),
            steps: 0,
            autocommit: 0,
            made: HashSet::new(),
            made_columns: HashSet::new(),
            filled_columns: HashSet::new(),
            findings: Vec::new(),
            dropped: Vec::new(),
        };
        if let Some(followed) = module.function(function) {
            walk.calls.push(followed);
            walk.body(followed, 0);
        }
        walk
    }

    /// Notes a finding: what the line does; why it is dangerous is the rule's.
    pub(crate) fn find(&mut self, rule: Rule, node: Node<'t>, what: &str) {
        self.findings.push(Finding { rule, line: line(node), text: format!("{what}. {}", rule.advice()) });
    }

    /// Notes a finding about something that goes with its rows.
    pub(crate) fn lose(&mut self, rule: Rule, node: Node<'t>, what: &str, dropped: Dropped) {
        self.find(rule, node, what);
        self.dropped.push(dropped);
    }

    /// What an expression is, here.
    pub(crate) fn value(&self, node: Node<'t>) -> Value<'t> {
        self.module.value(node, &self.names)
    }

    /// A name as far as it is known, its source in braces otherwise.
    pub(crate) fn shown(&self, node: Node<'t>) -> String {
        self.module.shown(node, &self.names)
    }

    fn body(&mut self, function: Node<'t>, depth: usize) {
        if let Some(body) = function.child_by_field_name("body") {
            self.visit(body, depth + 1);
        }
    }

    fn visit(&mut self, node: Node<'t>, depth: usize) {
        self.steps += 1;
        if depth > DEPTH || self.steps > STEPS {
            return;
        }
        match node.kind() {
            "function_definition" | "decorated_definition" => {
                if let Some((name, function)) = self.module.function_in(node) {
                    self.inner.push((name, function));
                }
            }
            "with_statement" => self.with(node, depth),
            "for_statement" => self.for_each(node, depth),
            "assignment" => {
                self.visit_children(node, depth);
                for (name, value) in self.module.assigned(node, 0) {
                    let known = self.value(value);
                    self.names.insert(name.to_owned(), known);
                }
            }
            "call" => {
                // What stands before the dot and in the arguments happens first.
                self.visit_children(node, depth);
                if let Some(call) = Call::read(self.module, node) {
                    self.call(&call, depth);
                }
            }
            _ => self.visit_children(node, depth),
        }
    }

    fn visit_children(&mut self, node: Node<'t>, depth: usize) {
        for child in children(node) {
            self.visit(child, depth + 1);
        }
    }

    fn call(&mut self, call: &Call<'t>, depth: usize) {
        let object = call.object.map(|object| self.value(object));
        match object {
            Some(Value::Op) => self.operation(call, None),
            Some(Value::Batch(table)) => self.operation(call, Some(&table)),
            Some(_) => self.method(call),
            None if call.name == "globals" => self.by_computed_name(depth),
            None => match self.function(call.name) {
                Some(function) => self.follow(function, call, depth),
                None => self.method(call),
            },
        }
    }

    fn function(&self, name: &str) -> Option<Node<'t>> {
        let inner = self.inner.iter().rev().find(|(known, _)| *known == name).map(|(_, function)| *function);
        inner.or_else(|| self.module.function(name))
    }

    /// A call of a function of the same file.
    fn follow(&mut self, function: Node<'t>, call: &Call<'t>, depth: usize) {
        if self.calls.len() > CALLS || self.calls.contains(&function) {
            return;
        }
        let bound = self.bind(function, call);
        let outer = self.names.clone();
        self.names.extend(bound);
        self.calls.push(function);
        self.body(function, depth);
        self.calls.pop();
        self.names = outer;
    }

    /// The parameters and what they get: an argument, or their default.
    fn bind(&self, function: Node<'t>, call: &Call<'t>) -> Vec<(String, Value<'t>)> {
        let parameters = function.child_by_field_name("parameters").map(children).unwrap_or_default();
        let mut bound = Vec::new();
        let mut position = 0;
        for parameter in parameters {
            let name = match parameter.kind() {
                "identifier" => Some(parameter),
                "typed_parameter" => parameter.named_child(0).filter(|name| name.kind() == "identifier"),
                "default_parameter" | "typed_default_parameter" => parameter.child_by_field_name("name"),
                _ => None,
            };
            let Some(name) = name else { continue };
            let text = self.module.source(name);
            let given = call.argument(position, text).or_else(|| parameter.child_by_field_name("value"));
            position += 1;
            bound.push((text.to_owned(), given.map_or(Value::Other(name), |given| self.value(given))));
        }
        bound
    }

    /// `globals()["upgrade_" + engine]()`, as in Alembic's template for several databases: all of them count.
    fn by_computed_name(&mut self, depth: usize) {
        for function in self.module.functions_beginning(&format!("{}_", self.function)) {
            if self.calls.len() > CALLS || self.calls.contains(&function) {
                continue;
            }
            self.calls.push(function);
            self.body(function, depth);
            self.calls.pop();
        }
    }

    /// `with op.batch_alter_table(…) as batch_op:` and `with op.get_context().autocommit_block():`
    fn with(&mut self, node: Node<'t>, depth: usize) {
        let outer = self.autocommit;
        let body = node.child_by_field_name("body");
        let clauses = children(node).into_iter().filter(|child| child.kind() == "with_clause");
        for item in clauses.flat_map(children).filter(|item| item.kind() == "with_item") {
            let Some(value) = item.child_by_field_name("value") else { continue };
            let (expression, name) = match value.kind() {
                "as_pattern" => (value.named_child(0), value.child_by_field_name("alias")),
                _ => (Some(value), None),
            };
            let Some(expression) = expression else { continue };
            self.visit(expression, depth + 1);
            let Some(call) = Call::read(self.module, expression) else { continue };
            match call.name {
                "autocommit_block" => self.autocommit += 1,
                "batch_alter_table" => {
                    if let (Some(table), Some(name)) = (self.table(&call, 0, "table_name"), name) {
                        self.names.insert(self.module.source(name).to_owned(), Value::Batch(table));
                    }
                }
                _ => {}
            }
        }
        if let Some(body) = body {
            self.visit(body, depth + 1);
        }
        self.autocommit = outer;
    }

    /// A loop over constants, item by item; any other loop once.
    fn for_each(&mut self, node: Node<'t>, depth: usize) {
        let (left, right) = (node.child_by_field_name("left"), node.child_by_field_name("right"));
        let (Some(left), Some(right)) = (left, right) else { return self.visit_children(node, depth) };
        self.visit(right, depth + 1);
        let rounds = match self.value(right) {
            Value::List(items) if !items.is_empty() && items.len() <= ROUNDS => items.into_iter().map(Some).collect(),
            _ => vec![None],
        };
        for item in rounds {
            self.take(left, item, 0);
            for part in ["body", "alternative"].iter().filter_map(|field| node.child_by_field_name(field)) {
                self.visit(part, depth + 1);
            }
        }
    }

    /// Binds a loop's names.
    fn take(&mut self, pattern: Node<'t>, item: Option<Value<'t>>, depth: usize) {
        if depth > DEPTH {
            return;
        }
        match pattern.kind() {
            "identifier" => {
                let name = self.module.source(pattern).to_owned();
                match item {
                    Some(item) => self.names.insert(name, item),
                    None => self.names.remove(&name),
                };
            }
            "pattern_list" | "tuple_pattern" | "list_pattern" => {
                let parts = children(pattern);
                let items = match item {
                    Some(Value::List(items)) if items.len() == parts.len() => items.into_iter().map(Some).collect(),
                    _ => vec![None; parts.len()],
                };
                for (part, item) in parts.into_iter().zip(items) {
                    self.take(part, item, depth + 1);
                }
            }
            _ => {}
        }
    }
}
