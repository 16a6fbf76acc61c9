//! Types that `downgrade()` leaves: the way back runs it, and the next `upgrade()` then meets what is there already.

use tree_sitter::Node;

use super::{Finding, Rule};
use crate::Undo;
use crate::python::{Call, Module, Value, children, line};

/// The enum types that a table of `upgrade()` brings along and `downgrade()` does not drop with it.
pub(super) fn findings(module: &Module<'_>) -> Vec<Finding> {
    let Some(upgrade) = module.function("upgrade") else { return Vec::new() };
    if module.function("downgrade").is_none()
        || crate::undo::of(module) != Undo::Possible
        || drops_types(module, upgrade)
    {
        return Vec::new();
    }
    let mut found = Vec::new();
    for table in calls(module, upgrade).into_iter().filter(|call| call.name == "create_table") {
        for call in calls(module, table.node) {
            if let Some(name) = made_type(module, &call) {
                let what = format!("makes the type \"{name}\" with its table, and downgrade() does not drop it");
                let text = format!("{what}. {}", Rule::TypeLeftByDowngrade.advice());
                found.push(Finding { rule: Rule::TypeLeftByDowngrade, line: line(call.node), text });
            }
        }
    }
    found
}

/// Whether the file drops a type anywhere but in `upgrade()`.
fn drops_types(module: &Module<'_>, upgrade: Node<'_>) -> bool {
    let mut others = children(module.root).into_iter().filter(|statement| {
        !(statement.start_byte() <= upgrade.start_byte() && upgrade.end_byte() <= statement.end_byte())
    });
    others.any(|statement| {
        let text = module.source(statement).to_lowercase();
        text.contains("drop type") || text.contains(".drop(")
    })
}

/// The name of a type that PostgreSQL makes together with the table.
fn made_type(module: &Module<'_>, call: &Call<'_>) -> Option<String> {
    let is_off = |name: &str| call.named(name).is_some_and(|value| value.kind() == "false");
    if !matches!(call.name, "Enum" | "ENUM") || is_off("create_type") || is_off("native_enum") {
        return None;
    }
    match module.value(call.named("name")?, &module.names) {
        Value::Str(name) => Some(name),
        _ => None,
    }
}

fn calls<'t>(module: &Module<'t>, node: Node<'t>) -> Vec<Call<'t>> {
    let mut found = Vec::new();
    let mut todo = vec![node];
    while let Some(node) = todo.pop() {
        found.extend(Call::read(module, node));
        todo.extend(children(node));
    }
    found
}
