//! What SQL statements do.

use tree_sitter::Node;

use super::{
    Rule,
    sql::{Part, Parts, Reader, statements},
    types::{Type, narrowing},
    walk::Walk,
};
use crate::{Dropped, DroppedKind};

/// What a statement inside of `DO $$ … $$` may begin with, after `BEGIN`, `IF … THEN` and the like.
const BEGINNINGS: [&str; 6] = ["drop", "alter", "truncate", "delete", "create", "with"];

impl<'t> Walk<'_, 't> {
    /// SQL that is executed at this place.
    pub(crate) fn sql(&mut self, node: Node<'t>, sql: &str) {
        for statement in statements(sql) {
            self.statement(node, &statement);
        }
    }

    fn statement(&mut self, node: Node<'t>, statement: &Parts) {
        let mut reader = Reader::new(statement);
        if reader.words("do") {
            for (part, _) in statement {
                if let Part::Body(body) = part {
                    for inner in statements(body) {
                        self.one(node, Reader::new(&inner).beginning_with(&BEGINNINGS));
                    }
                }
            }
            return;
        }
        self.one(node, reader);
    }

    fn one(&mut self, node: Node<'t>, mut reader: Reader<'_>) {
        if reader.words("drop") {
            self.sql_drop(node, reader);
        } else if reader.words("alter table") {
            self.sql_alter_table(node, reader);
        } else if reader.words("create") {
            self.sql_create(node, reader);
        } else if reader.words("truncate") {
            reader.words("table");
            reader.words("only");
            let tables: Vec<String> = reader.split().into_iter().map(|mut table| table.name()).collect();
            if !tables.iter().all(|table| self.made.contains(table)) {
                self.find(Rule::RawSqlDestructive, node, &format!("Empties {}", tables.join(", ")));
                self.dropped.extend(tables.iter().map(|table| Dropped::new(DroppedKind::Rows, table)));
            }
        } else if reader.words("delete from") {
            reader.words("only");
            let table = reader.name();
            if !reader.contains("where") && !reader.contains("using") && !self.made.contains(&table) {
                let dropped = Dropped::new(DroppedKind::Rows, &table);
                self.lose(Rule::RawSqlDestructive, node, &format!("Deletes every row of {table}"), dropped);
            }
        }
    }

    fn sql_drop(&mut self, node: Node<'t>, mut reader: Reader<'_>) {
        if reader.words("table") {
            reader.words("if exists");
            for mut table in reader.split() {
                let table = table.name();
                if !table.is_empty() {
                    self.drop_table(node, &table);
                }
            }
        } else if reader.words("index") {
            if reader.words("concurrently") {
                reader.words("if exists");
                let name = reader.name();
                self.concurrently(node, &format!("drops the index \"{name}\" concurrently"));
            }
        } else {
            // What holds data, or takes along what depends on it.
            let holds_data = ["schema", "database", "owned", "sequence", "materialized", "tablespace"];
            let holds_data = matches!(reader.peek(), Some(Part::Word(kind)) if holds_data.contains(&kind.as_str()));
            let cascade = reader.contains("cascade");
            if holds_data || cascade {
                let Some(Part::Word(kind)) = reader.next() else { return };
                let kind = match kind.as_str() {
                    "materialized" if reader.words("view") => "materialized view",
                    "owned" if reader.words("by") => "what is owned by",
                    other => other,
                };
                reader.words("if exists");
                let along = if cascade { " and all that depends on it" } else { "" };
                let what = format!("{kind} {}{along}", reader.name());
                let dropped = Dropped::new(DroppedKind::Other, &what);
                self.lose(Rule::RawSqlDestructive, node, &format!("Drops {what}"), dropped);
            }
        }
    }

    fn sql_create(&mut self, node: Node<'t>, mut reader: Reader<'_>) {
        for word in ["global", "local", "temporary", "temp", "unlogged"] {
            reader.words(word);
        }
        if reader.words("table") {
            reader.words("if not exists");
            let table = reader.name();
            self.made.insert(table);
            return;
        }
        reader.words("unique");
        if reader.words("index") {
            let concurrently = reader.words("concurrently");
            reader.words("if not exists");
            let name = if reader.words("on") { String::new() } else { reader.name() };
            reader.words("on");
            reader.words("only");
            let table = reader.name();
            self.index(node, &name, &table, concurrently);
        }
    }

    fn sql_alter_table(&mut self, node: Node<'t>, mut reader: Reader<'_>) {
        reader.words("if exists");
        reader.words("only");
        let table = reader.name();
        for mut action in reader.split() {
            if action.words("rename to") {
                self.rename_table(node, &table, &action.name());
            } else if action.words("rename constraint") {
                // Nobody uses its name.
            } else if action.words("rename") {
                action.words("column");
                let old = action.name();
                if action.words("to") {
                    self.rename_column(node, &table, &old, &action.name());
                }
            } else if action.words("drop constraint") {
                // Loses nothing.
            } else if action.words("drop") {
                action.words("column");
                action.words("if exists");
                self.drop_column(node, &table, &action.name());
            } else if action.words("alter") {
                action.words("column");
                let column = action.name();
                if action.words("set not null") {
                    self.set_not_null(node, &table, &column);
                } else if action.words("set data type") || action.words("type") {
                    // PostgreSQL knows the type that it has; a file does not.
                    if let Some(how) = sql_type(&mut action).and_then(|new| narrowing(None, &new)) {
                        let how = how.replace(", from a type that is not stated (existing_type)", "");
                        self.narrow(node, &table, &column, &how);
                    }
                }
            } else if action.words("add") {
                self.sql_add(node, &table, action);
            }
        }
    }

    fn sql_add(&mut self, node: Node<'t>, table: &str, mut action: Reader<'_>) {
        let named = action.words("constraint").then(|| action.name());
        let kinds = [("unique", "unique constraint"), ("check", "check constraint"), ("foreign key", "foreign key")];
        let kinds = kinds.into_iter().chain([("primary key", "primary key"), ("exclude", "exclusion constraint")]);
        for (words, kind) in kinds {
            if action.words(words) {
                if !action.contains("not valid") && !action.contains("using index") {
                    let what = named.map_or(kind.to_owned(), |name| format!("{kind} \"{name}\""));
                    self.add_constraint(node, &what, table, &[]);
                }
                return;
            }
        }
        action.words("column");
        action.words("if not exists");
        let column = action.name();
        let serial = matches!(action.peek(), Some(Part::Word(kind)) if kind.ends_with("serial"));
        let filled = serial || action.contains("default") || action.contains("generated");
        let not_null = action.contains("not null") || action.contains("primary key");
        self.new_column(node, table, &column, not_null, filled);
    }
}

/// `varchar(40)`, `timestamp with time zone`, `numeric(18, 2)`
fn sql_type(reader: &mut Reader<'_>) -> Option<Type> {
    let Some(Part::Word(name)) = reader.next() else { return None };
    reader.words("varying");
    reader.words("precision");
    let mut numbers = Vec::new();
    if reader.peek() == Some(&Part::Sign("(".to_owned())) {
        reader.next();
        while let Some(part) = reader.next() {
            match part {
                Part::Number(number) => numbers.push(*number),
                Part::Sign(sign) if sign == "," => {}
                _ => break,
            }
        }
    }
    if reader.peek() == Some(&Part::Sign("[".to_owned())) {
        return None;
    }
    let zone = reader.words("with time zone");
    // `character varying` without a length has none.
    let name = if name == "character" && numbers.is_empty() { "varchar" } else { name };
    Type::named(name, numbers.first().copied(), numbers.get(1).copied(), zone)
}
