//! Terraform's native syntax: what hcl-edit parses, in the one form.

use std::rc::Rc;

use hcl_edit::Span;
use hcl_edit::expr::{Expression, ObjectKey, Traversal, TraversalOperator};
use hcl_edit::structure::{BlockLabel, Body, Structure};

use crate::configuration::{Block, Item};
use crate::expected::Expected;
use crate::written::{Entry, Kind, Place, Reference, Step, Written};

/// A file that cannot be parsed: where, and what was expected there.
pub(crate) struct Unparsable {
    pub(crate) at: (usize, usize),
    pub(crate) what: String,
}

/// The items of a file. `file` is how the file is named in what is reported.
pub(crate) fn read(file: &str, text: &str) -> Result<Vec<Item>, Unparsable> {
    let body = hcl_edit::parser::parse_body(text).map_err(|error| Unparsable {
        at: (error.location().line(), error.location().column()),
        what: error.message().to_owned(),
    })?;
    Ok(Reader::new(file, text).body(&body, false))
}

/// An expression that stands in a file of the other syntax, so that there are no places in it.
pub(crate) fn read_expression(place: &Place, text: &str) -> Written {
    let reader = Reader { file: Rc::clone(&place.file), lines: None };
    hcl_edit::parser::parse_expr(text).map_or(Written::Opaque, |expression| reader.expression(&expression))
}

/// The names that a type constraint in another syntax's text allows.
pub(crate) fn read_constraint(text: &str) -> Expected {
    hcl_edit::parser::parse_expr(text).map_or(Expected::Any, |expression| constraint(&expression))
}

/// <https://developer.hashicorp.com/terraform/language/expressions/type-constraints>
fn constraint(expression: &Expression) -> Expected {
    let Expression::FuncCall(call) = expression else { return Expected::Any };
    let Some(argument) = call.args.iter().next() else { return Expected::Any };
    match (call.name.name.as_str(), argument) {
        ("list" | "set" | "map", element) => Expected::Elements(Box::new(constraint(element))),
        ("optional", inner) => constraint(inner),
        ("tuple", Expression::Array(elements)) => Expected::Tuple(elements.iter().map(constraint).collect()),
        ("object", Expression::Object(attributes)) => Expected::Object(
            attributes
                .iter()
                .filter_map(|(key, value)| name_of(key).map(|name| (name, constraint(value.expr()))))
                .collect(),
        ),
        _ => Expected::Any,
    }
}

/// Functions whose result has the names of all their arguments together, or of one of them.
const ANY_ARGUMENT: [&str; 5] = ["merge", "try", "coalesce", "concat", "coalescelist"];
/// Functions whose result has the names of their first argument.
const FIRST_ARGUMENT: [&str; 9] =
    ["tolist", "toset", "tomap", "sensitive", "nonsensitive", "ephemeralasnull", "distinct", "reverse", "defaults"];

struct Reader {
    file: Rc<str>,
    /// The offset at which each line begins; none where the text is no file.
    lines: Option<Vec<usize>>,
}

impl Reader {
    fn new(file: &str, text: &str) -> Reader {
        let after = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(offset, _)| offset + 1);
        Reader { file: Rc::from(file), lines: Some(std::iter::once(0).chain(after).collect()) }
    }

    /// `is_variable`: of a variable's block, whose `type` is no value.
    fn body(&self, body: &Body, is_variable: bool) -> Vec<Item> {
        body.iter()
            .map(|structure| match structure {
                Structure::Attribute(attribute) if is_variable && attribute.key.as_str() == "type" => {
                    Item::Type(constraint(&attribute.value))
                }
                Structure::Attribute(attribute) => Item::Attribute(Entry {
                    name: Some(attribute.key.as_str().to_owned()),
                    place: self.place(&attribute.key),
                    value: self.expression(&attribute.value),
                }),
                Structure::Block(block) => Item::Block(Block {
                    kind: block.ident.as_str().to_owned(),
                    labels: block.labels.iter().map(BlockLabel::as_str).map(str::to_owned).collect(),
                    place: self.place(&block.ident),
                    label_places: block.labels.iter().map(|label| self.place(label)).collect(),
                    items: self.body(&block.body, block.ident.as_str() == "variable"),
                }),
            })
            .collect()
    }

    fn expression(&self, expression: &Expression) -> Written {
        match expression {
            Expression::Object(object) => Written::Object(
                object
                    .iter()
                    .map(|(key, value)| Entry {
                        name: name_of(key),
                        place: match key {
                            ObjectKey::Ident(ident) => self.place(ident),
                            ObjectKey::Expression(expression) => self.place(expression),
                        },
                        value: self.expression(value.expr()),
                    })
                    .collect(),
            ),
            Expression::String(text) => Written::Text(text.value().clone()),
            Expression::Array(array) => Written::List(array.iter().map(|element| self.expression(element)).collect()),
            Expression::Parenthesis(inner) => self.expression(inner.inner()),
            Expression::Conditional(either) => {
                Written::AnyOf(vec![self.expression(&either.true_expr), self.expression(&either.false_expr)])
            }
            Expression::ForExpr(each) => {
                let element = self.expression(&each.value_expr);
                let element = if each.grouping { Written::List(vec![element]) } else { element };
                Written::Elements(Box::new(element))
            }
            Expression::FuncCall(call) if !call.name.is_namespaced() => {
                let name = call.name.name.as_str();
                let arguments: Vec<Written> = call.args.iter().map(|argument| self.expression(argument)).collect();
                if name == "flatten" {
                    // The elements of the lists in a list.
                    return match arguments.into_iter().next() {
                        Some(Written::List(lists)) => Written::AnyOf(lists),
                        Some(Written::Elements(each)) => *each,
                        _ => Written::Opaque,
                    };
                }
                // `merge(list...)`: of all elements of the list.
                if call.args.expand_final() && ANY_ARGUMENT.contains(&name) {
                    let mut all = arguments;
                    let last = all.pop().map(|last| last.step(&Step::Element));
                    return Written::AnyOf(all.into_iter().chain(last).collect());
                }
                if ANY_ARGUMENT.contains(&name) {
                    Written::AnyOf(arguments)
                } else if FIRST_ARGUMENT.contains(&name) {
                    arguments.into_iter().next().unwrap_or(Written::Opaque)
                } else {
                    Written::Opaque
                }
            }
            Expression::Traversal(traversal) => self.traversal(traversal),
            _ => Written::Opaque,
        }
    }

    fn traversal(&self, traversal: &Traversal) -> Written {
        let place = self.place(traversal);
        let mut operators = traversal.operators.iter().map(|operator| operator.value());
        let start = match &traversal.expr {
            Expression::Variable(variable) => {
                let kind = match variable.as_str() {
                    "var" => Kind::Variable,
                    "local" => Kind::Local,
                    _ => return Written::Opaque,
                };
                let Some(TraversalOperator::GetAttr(name)) = operators.next() else { return Written::Opaque };
                let name = name.as_str().to_owned();
                Written::Reference(Reference { kind, name, steps: Vec::new(), place })
            }
            other => self.expression(other),
        };
        let mut written = start;
        for operator in operators {
            written = match operator {
                TraversalOperator::GetAttr(name) => written.step(&Step::Attribute(name.as_str().to_owned())),
                TraversalOperator::Index(index) => match index.as_str() {
                    Some(key) => written.step(&Step::Attribute(key.to_owned())),
                    None => written.step(&Step::Element),
                },
                TraversalOperator::LegacyIndex(_) => written.step(&Step::Element),
                // A splat makes a list of what follows it for each element.
                TraversalOperator::AttrSplat(_) | TraversalOperator::FullSplat(_) => return Written::Opaque,
            };
        }
        written
    }

    fn place(&self, what: &impl Span) -> Place {
        let at = self.lines.as_ref().zip(what.span()).map(|(lines, span)| {
            let line = lines.partition_point(|begin| *begin <= span.start);
            let begin = lines.get(line.saturating_sub(1)).copied().unwrap_or(0);
            (line, span.start - begin + 1)
        });
        Place { file: Rc::clone(&self.file), at }
    }
}

fn name_of(key: &ObjectKey) -> Option<String> {
    match key {
        ObjectKey::Ident(ident) => Some(ident.as_str().to_owned()),
        ObjectKey::Expression(Expression::String(text)) => Some(text.value().clone()),
        // `{ name = ... }` with a plain name is an identifier, whether hcl-edit reads it as a variable or not.
        ObjectKey::Expression(Expression::Variable(ident)) => Some(ident.as_str().to_owned()),
        ObjectKey::Expression(_) => None,
    }
}
