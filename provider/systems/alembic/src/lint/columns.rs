//! What operations and SQL have in common: the same danger, however it is written.

use tree_sitter::Node;

use super::{Rule, walk::Walk};
use crate::python::{Call, Value};
use crate::{Dropped, DroppedKind};

impl<'t> Walk<'_, 't> {
    fn made_column(&self, table: &str, column: &str) -> bool {
        self.made.contains(table) || self.made_columns.contains(&(table.to_owned(), column.to_owned()))
    }

    pub(crate) fn drop_table(&mut self, node: Node<'t>, table: &str) {
        if !self.made.remove(table) {
            let dropped = Dropped::new(DroppedKind::Table, table);
            self.lose(Rule::DropTable, node, &format!("Drops the table \"{table}\""), dropped);
        }
    }

    pub(crate) fn drop_column(&mut self, node: Node<'t>, table: &str, column: &str) {
        if !self.made_column(table, column) {
            let what = format!("Drops the column \"{column}\" of \"{table}\"");
            self.lose(Rule::DropColumn, node, &what, Dropped::column(table, column));
        }
    }

    pub(crate) fn rename_table(&mut self, node: Node<'t>, old: &str, new: &str) {
        // The new name is in the same schema.
        let new = match old.rsplit_once('.') {
            Some((schema, _)) => format!("{schema}.{new}"),
            None => new.to_owned(),
        };
        if self.made.remove(old) {
            self.made.insert(new);
        } else {
            self.find(Rule::RenameTable, node, &format!("Renames the table \"{old}\" to \"{new}\""));
        }
    }

    pub(crate) fn rename_column(&mut self, node: Node<'t>, table: &str, old: &str, new: &str) {
        if self.made_column(table, old) {
            self.made_columns.insert((table.to_owned(), new.to_owned()));
        } else {
            self.find(Rule::RenameColumn, node, &format!("Renames the column \"{old}\" of \"{table}\" to \"{new}\""));
        }
    }

    pub(crate) fn narrow(&mut self, node: Node<'t>, table: &str, column: &str, how: &str) {
        if !self.made_column(table, column) {
            let what = format!("Changes the type of the column \"{column}\" of \"{table}\" {how}");
            self.find(Rule::TypeNarrowing, node, &what);
        }
    }

    pub(crate) fn set_not_null(&mut self, node: Node<'t>, table: &str, column: &str) {
        let filled = self.filled_columns.contains(&(table.to_owned(), column.to_owned()));
        if !self.made.contains(table) && !filled {
            self.find(Rule::SetNotNull, node, &format!("Sets the column \"{column}\" of \"{table}\" to NOT NULL"));
        }
    }

    /// `sa.Column(…)` that is added to a table.
    pub(crate) fn add_column(&mut self, node: Node<'t>, table: &str, column: Node<'t>) {
        let column = match self.value(column) {
            Value::Other(column) => column,
            _ => return,
        };
        let Some(column) = Call::read(self.module, column) else { return };
        let Some(name) = column.argument(0, "name").map(|name| self.shown(name)) else { return };
        let computes = |argument: &Node<'t>| {
            let value = match self.value(*argument) {
                Value::Other(value) => value,
                _ => return false,
            };
            let call = Call::read(self.module, value);
            call.is_some_and(|call| matches!(call.name, "Identity" | "Computed" | "Sequence" | "FetchedValue"))
        };
        let filled = self.is_set(&column, "server_default") || column.positional.iter().any(computes);
        let not_null = column.named("nullable").map(|node| self.value(node)) == Some(Value::Bool(false));
        self.new_column(node, table, &name, not_null, filled || column.spread);
        // Alembic makes the index of a column along with it.
        if column.named("index").map(|node| self.value(node)) == Some(Value::Bool(true)) {
            self.index(node, &format!("ix_{table}_{name}"), table, false);
        }
    }

    /// A new column, however it is written; `filled` when rows that exist get a value.
    pub(crate) fn new_column(&mut self, node: Node<'t>, table: &str, column: &str, not_null: bool, filled: bool) {
        if not_null && !filled && !self.made.contains(table) {
            let what = format!("Adds the column \"{column}\" to \"{table}\", NOT NULL and without a default");
            self.find(Rule::NotNullWithoutDefault, node, &what);
        }
        let key = (table.to_owned(), column.to_owned());
        if filled {
            self.filled_columns.insert(key.clone());
        }
        self.made_columns.insert(key);
    }

    /// An index on a table.
    pub(crate) fn index(&mut self, node: Node<'t>, name: &str, table: &str, concurrently: bool) {
        let what = format!("the index \"{name}\" on \"{table}\"");
        if concurrently {
            self.concurrently(node, &format!("builds {what} concurrently"));
        } else if !self.made.contains(table) {
            let what = format!("Builds {what} without CONCURRENTLY");
            self.find(Rule::IndexWithoutConcurrently, node, &what);
        }
    }

    /// Something done with `CONCURRENTLY`.
    pub(crate) fn concurrently(&mut self, node: Node<'t>, what: &str) {
        if self.autocommit == 0 {
            let mut letters = what.chars();
            let what: String =
                letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect();
            self.find(Rule::ConcurrentlyInTransaction, node, &format!("{what}, in a transaction"));
        }
    }

    /// A constraint that rows have to keep; none can break it in a new table, nor in new columns without values.
    pub(crate) fn add_constraint(&mut self, node: Node<'t>, what: &str, table: &str, columns: &[String]) {
        let new = |column: &String| {
            let key = (table.to_owned(), column.clone());
            self.made_columns.contains(&key) && !self.filled_columns.contains(&key)
        };
        if !self.made.contains(table) && (columns.is_empty() || !columns.iter().all(new)) {
            self.find(Rule::ConstraintOnExistingRows, node, &format!("Adds the {what} to \"{table}\""));
        }
    }
}
