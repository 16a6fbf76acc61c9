//! Alembic's operations, of `op` and of a batch, and other calls that change a database.

use tree_sitter::Node;

use super::{
    Rule,
    types::{Type, narrowing},
    walk::Walk,
};
use crate::python::{Call, Value};
use crate::{Dropped, DroppedKind};

impl<'t> Walk<'_, 't> {
    /// A call on `op`, or on the batch of `batch` (its table).
    pub(crate) fn operation(&mut self, call: &Call<'t>, batch: Option<&str>) {
        // In a batch the table is not among the arguments.
        let at = usize::from(batch.is_none());
        let table = |walk: &Self, position, name| match batch {
            Some(table) => Some(table.to_owned()),
            None => walk.table(call, position, name),
        };
        match call.name {
            "create_table" => {
                if let Some(table) = self.table(call, 0, "table_name") {
                    self.made.insert(table);
                }
            }
            "drop_table" => {
                if let Some(table) = self.table(call, 0, "table_name") {
                    self.drop_table(call.node, &table);
                }
            }
            "rename_table" => {
                let new = call.argument(1, "new_table_name").map(|node| self.shown(node));
                if let (Some(old), Some(new)) = (self.table(call, 0, "old_table_name"), new) {
                    self.rename_table(call.node, &old, &new);
                }
            }
            "add_column" => {
                if let (Some(table), Some(column)) = (table(self, 0, "table_name"), call.argument(at, "column")) {
                    self.add_column(call.node, &table, column);
                }
            }
            "drop_column" => {
                let column = call.argument(at, "column_name").map(|node| self.shown(node));
                if let (Some(table), Some(column)) = (table(self, 0, "table_name"), column) {
                    self.drop_column(call.node, &table, &column);
                }
            }
            "alter_column" => {
                let column = call.argument(at, "column_name").map(|node| self.shown(node));
                if let (Some(table), Some(column)) = (table(self, 0, "table_name"), column) {
                    self.alter_column(call, &table, &column);
                }
            }
            "create_index" => {
                let (table, name) = (table(self, 1, "table_name"), call.argument(0, "index_name"));
                let name = name.map(|node| self.shown(node)).unwrap_or_default();
                if let Some(table) = table {
                    self.index(call.node, &name, &table, self.is_set(call, "postgresql_concurrently"));
                }
            }
            "drop_index" if self.is_set(call, "postgresql_concurrently") => {
                let name = call.argument(0, "index_name").map(|node| self.shown(node)).unwrap_or_default();
                self.concurrently(call.node, &format!("drops the index \"{name}\" concurrently"));
            }
            "create_unique_constraint"
            | "create_check_constraint"
            | "create_foreign_key"
            | "create_exclude_constraint" => {
                let name = if call.name == "create_foreign_key" { "source_table" } else { "table_name" };
                if let Some(table) = table(self, 1, name) {
                    self.constraint(call, &table, batch.is_some());
                }
            }
            "execute" => self.execute(call),
            _ => {}
        }
    }

    /// A call on anything else: a connection, a session, metadata.
    pub(crate) fn method(&mut self, call: &Call<'t>) {
        match call.name {
            "execute" | "exec_driver_sql" | "scalar" | "scalars" => self.execute(call),
            "drop_all" => {
                let dropped = Dropped::new(DroppedKind::Other, "every table that the metadata knows");
                self.lose(Rule::DropTable, call.node, "Drops every table that the metadata knows", dropped);
            }
            _ => {}
        }
    }

    fn execute(&mut self, call: &Call<'t>) {
        let Some(statement) = call.positional.first().copied().or_else(|| call.keyword.first().map(|(_, node)| *node))
        else {
            return;
        };
        match self.value(statement) {
            Value::Str(sql) => self.sql(call.node, &sql),
            // `op.execute(table.delete())`, `op.execute(sa.delete(table))`, with nothing after it that narrows it down.
            Value::Other(node) => {
                if let Some(inner) = Call::read(self.module, node).filter(|inner| inner.name == "delete") {
                    let table = inner.positional.first().copied().or(inner.object);
                    let table = table.map(|node| self.module.source(node)).unwrap_or_default();
                    let dropped = Dropped::new(DroppedKind::Rows, &format!("{{{table}}}"));
                    self.lose(Rule::RawSqlDestructive, call.node, &format!("Deletes every row of {table}"), dropped);
                }
            }
            _ => {}
        }
    }

    /// The table of a call, with its schema.
    pub(crate) fn table(&self, call: &Call<'t>, position: usize, name: &str) -> Option<String> {
        let table = self.shown(call.argument(position, name)?);
        let schema = call.named("schema").or_else(|| call.named("source_schema")).map(|node| self.value(node));
        Some(match schema {
            Some(Value::Str(schema)) => format!("{schema}.{table}"),
            _ => table,
        })
    }

    /// Whether a keyword is given and is not known to be false.
    pub(crate) fn is_set(&self, call: &Call<'t>, name: &str) -> bool {
        call.named(name).is_some_and(|node| !matches!(self.value(node), Value::Bool(false) | Value::None))
    }

    fn alter_column(&mut self, call: &Call<'t>, table: &str, column: &str) {
        if let Some(new) = call.named("new_column_name").map(|node| self.shown(node))
            && new != column
        {
            self.rename_column(call.node, table, column, &new);
        }
        let types = |name| call.named(name).and_then(|node: Node<'t>| Type::read(self.module, node, &self.names));
        if let Some(new) = types("type_") {
            // A type that is stated and not understood is not judged.
            let old = types("existing_type");
            if (old.is_some() || call.named("existing_type").is_none())
                && let Some(how) = narrowing(old.as_ref(), &new)
            {
                self.narrow(call.node, table, column, &how);
            }
        }
        let value = |name| call.named(name).map(|node| self.value(node));
        let was_nullable = value("existing_nullable") != Some(Value::Bool(false));
        if value("nullable") == Some(Value::Bool(false)) && was_nullable {
            self.set_not_null(call.node, table, column);
        }
    }

    fn constraint(&mut self, call: &Call<'t>, table: &str, in_batch: bool) {
        if self.is_set(call, "postgresql_not_valid") || self.is_set(call, "postgresql_using_index") {
            return;
        }
        let position = match (call.name, in_batch) {
            ("create_unique_constraint", false) => 2,
            ("create_unique_constraint", true) => 1,
            ("create_foreign_key", false) => 3,
            ("create_foreign_key", true) => 2,
            _ => usize::MAX,
        };
        let columns = call.argument(position, if call.name == "create_foreign_key" { "local_cols" } else { "columns" });
        let columns = columns.and_then(|node| self.value(node).names()).unwrap_or_default();
        let name = call.argument(0, "constraint_name").map(|node| match self.value(node) {
            Value::None => String::new(),
            _ => format!(" \"{}\"", self.shown(node)),
        });
        let kind = match call.name {
            "create_unique_constraint" => "unique constraint",
            "create_foreign_key" => "foreign key",
            "create_check_constraint" => "check constraint",
            _ => "exclusion constraint",
        };
        let what = format!("{kind}{}", name.unwrap_or_default());
        self.add_constraint(call.node, &what, table, &columns);
    }
}
