//! Values that can be known without executing: literals, constants, and strings put together from them.

use tree_sitter::Node;

use super::{Call, DEPTH, LENGTH, Module, Names, Value, children};

impl<'t> Module<'t> {
    /// What an expression is, with these names in scope.
    pub(crate) fn value(&self, node: Node<'t>, names: &Names<'t>) -> Value<'t> {
        self.known(node, names, 0).unwrap_or(Value::Other(node))
    }

    fn known(&self, node: Node<'t>, names: &Names<'t>, depth: usize) -> Option<Value<'t>> {
        if depth > DEPTH {
            return None;
        }
        let inner = |node| self.known(node, names, depth + 1);
        match node.kind() {
            "none" => Some(Value::None),
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            "integer" => self.source(node).replace('_', "").parse().ok().map(Value::Int),
            "unary_operator" => match inner(node.child_by_field_name("argument")?)? {
                Value::Int(number) if self.source(node).starts_with('-') => Some(Value::Int(number.checked_neg()?)),
                _ => None,
            },
            "parenthesized_expression" => inner(children(node).into_iter().find(|child| child.kind() != "comment")?),
            "string" => Some(Value::Str(self.string_literal(node, names, depth))),
            "concatenated_string" => {
                let parts = children(node).into_iter().filter(|part| part.kind() == "string");
                Some(Value::Str(parts.map(|part| self.string_literal(part, names, depth)).collect()))
            }
            "list" | "tuple" | "set" | "expression_list" => {
                let items = children(node).into_iter().filter(|child| child.kind() != "comment");
                let list = Value::List(items.map(|item| inner(item).unwrap_or(Value::Other(item))).collect());
                (list.size() < LENGTH).then_some(list)
            }
            "binary_operator" => {
                let (left, right) = (node.child_by_field_name("left")?, node.child_by_field_name("right")?);
                match (self.source(node.child_by_field_name("operator")?), inner(left)?) {
                    ("+", Value::Str(start)) => {
                        let end = self.shown_at(right, names, depth + 1);
                        (start.len() + end.len() < LENGTH).then(|| Value::Str(start + &end))
                    }
                    ("+", Value::List(mut items)) => match inner(right)? {
                        Value::List(more) if items.len() + more.len() < LENGTH => {
                            items.extend(more);
                            Some(Value::List(items))
                        }
                        _ => None,
                    },
                    // The placeholders stay in the text, which is enough to see what the SQL does.
                    ("%", text @ Value::Str(_)) => Some(text),
                    _ => None,
                }
            }
            "identifier" => names.get(self.source(node)).cloned(),
            "attribute" => (self.source(node) == "alembic.op").then_some(Value::Op),
            "call" => self.called(Call::read(self, node)?, names, depth),
            _ => None,
        }
    }

    /// Calls that only dress up their string: `sa.text("…")`, `"…".format(…)`, `op.f("…")`, `quoted_name("…", True)`.
    fn called(&self, call: Call<'t>, names: &Names<'t>, depth: usize) -> Option<Value<'t>> {
        let inner = |node| self.known(node, names, depth + 1);
        let text = match (call.name, call.object) {
            (
                "format" | "strip" | "lstrip" | "rstrip" | "bindparams" | "columns" | "execution_options",
                Some(object),
            ) => inner(object)?,
            ("text" | "DDL" | "dedent" | "cleandoc" | "f" | "quoted_name" | "str" | "literal_column", _) => {
                inner(call.argument(0, "text")?)?
            }
            ("tuple" | "list" | "set" | "sorted" | "reversed", None) => inner(call.argument(0, "")?)?,
            _ => return None,
        };
        matches!(text, Value::Str(_) | Value::List(_)).then_some(text)
    }

    /// A string as far as it is known, and the source in braces where it is not.
    pub(crate) fn shown(&self, node: Node<'t>, names: &Names<'t>) -> String {
        self.shown_at(node, names, 0)
    }

    fn shown_at(&self, node: Node<'t>, names: &Names<'t>, depth: usize) -> String {
        match self.known(node, names, depth) {
            Some(Value::Str(text)) => text,
            Some(Value::Int(number)) => number.to_string(),
            _ => format!("{{{}}}", self.source(node)),
        }
    }

    fn string_literal(&self, node: Node<'t>, names: &Names<'t>, depth: usize) -> String {
        let mut text = String::new();
        let mut cursor = node.walk();
        let parts: Vec<Node<'t>> = node.children(&mut cursor).collect();
        let raw = parts.first().is_some_and(|start| self.source(*start).to_ascii_lowercase().contains('r'));
        for part in parts {
            if text.len() > LENGTH {
                break;
            }
            match part.kind() {
                "string_content" if raw => text.push_str(self.source(part)),
                "string_content" => unescape(self.source(part), &mut text),
                "interpolation" => match part.child_by_field_name("expression") {
                    Some(expression) => text.push_str(&self.shown_at(expression, names, depth + 1)),
                    None => text.push_str(self.source(part)),
                },
                _ => {}
            }
        }
        text
    }
}

/// Resolves the escapes of a string that is not raw; what Python leaves alone or refuses stays as it is.
fn unescape(source: &str, text: &mut String) {
    let mut rest = source;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let Some(escaped) = rest.chars().next() else {
            text.push('\\');
            return;
        };
        let code = |prefix: usize, digits: usize, radix: u32| {
            let number = rest.get(prefix..prefix + digits)?;
            let known = char::from_u32(u32::from_str_radix(number, radix).ok()?)?;
            Some((known, prefix + digits))
        };
        let octal = rest.chars().take(3).take_while(|c| c.is_digit(8)).count();
        let (known, length) = match escaped {
            '\n' => {
                rest = &rest[1..];
                continue;
            }
            'n' => ('\n', 1),
            't' => ('\t', 1),
            'r' => ('\r', 1),
            '\\' | '\'' | '"' => (escaped, 1),
            'x' => code(1, 2, 16).unwrap_or(('\\', 0)),
            'u' => code(1, 4, 16).unwrap_or(('\\', 0)),
            'U' => code(1, 8, 16).unwrap_or(('\\', 0)),
            '0'..='7' => code(0, octal, 8).unwrap_or(('\\', 0)),
            _ => ('\\', 0),
        };
        text.push(known);
        rest = &rest[length..];
    }
    text.push_str(rest);
}
