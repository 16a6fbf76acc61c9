//! What a file's `downgrade()` is. The release asks the image the same question (`alembic_job.py`); both answer alike.

use tree_sitter::Node;

use crate::{
    Undo,
    python::{Call, Module, Names, Value, body, children},
};

/// What `downgrade()` is.
pub(crate) fn of(module: &Module<'_>) -> Undo {
    let Some(downgrade) = module.function("downgrade") else {
        // Assigned or imported: there is one, and what it does is not in this file.
        return if module.binds("downgrade") { Undo::Possible } else { Undo::Missing };
    };
    let first = body(downgrade).into_iter().find(|statement| !does_nothing(*statement));
    match first {
        Some(statement) if statement.kind() == "raise_statement" => Undo::Raises,
        Some(_) => Undo::Possible,
        None => {
            let upgrade = module.function("upgrade");
            let empty = upgrade.is_some_and(|upgrade| body(upgrade).into_iter().all(does_nothing));
            if empty { Undo::Possible } else { Undo::Pass }
        }
    }
}

/// `pass`, `...`, a docstring, `return`, `return None`.
fn does_nothing(statement: Node<'_>) -> bool {
    match statement.kind() {
        "pass_statement" => true,
        "return_statement" => children(statement).iter().all(|value| value.kind() == "none"),
        "expression_statement" => children(statement).iter().all(|expression| {
            let constants = ["string", "concatenated_string", "ellipsis", "integer", "float", "none", "true", "false"];
            // An f-string is not a constant.
            constants.contains(&expression.kind())
                && !children(*expression).iter().any(|part| part.kind() == "interpolation")
        }),
        _ => false,
    }
}

/// Whether the file leaves its transaction outside of `downgrade()`: an autocommit block, or a `COMMIT` of its own.
pub(crate) fn leaves_transaction(module: &Module<'_>) -> bool {
    let downgrade = module.function("downgrade");
    let names = Names::new();
    let mut todo = vec![module.root];
    while let Some(node) = todo.pop() {
        if Some(node) == downgrade {
            continue;
        }
        if let Some(call) = Call::read(module, node) {
            let commits = || match call.positional.first().map(|first| module.value(*first, &names)) {
                Some(Value::Str(sql)) => sql.trim().trim_end_matches(';').eq_ignore_ascii_case("commit"),
                _ => false,
            };
            if call.name == "autocommit_block" || (call.name == "execute" && commits()) {
                return true;
            }
        }
        todo.extend(children(node));
    }
    false
}
