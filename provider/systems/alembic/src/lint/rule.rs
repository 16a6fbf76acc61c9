//! The rules: their names, and what there is to say about each.

use std::fmt;

/// A kind of danger. Names are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Rule {
    /// A table with its rows is dropped.
    DropTable,
    /// A column with its values is dropped.
    DropColumn,
    /// A table changes its name.
    RenameTable,
    /// A column changes its name.
    RenameColumn,
    /// A column gets a type that cannot hold every value of the old one.
    TypeNarrowing,
    /// A column that must have a value is added without saying which.
    NotNullWithoutDefault,
    /// A column that may be null becomes one that may not.
    SetNotNull,
    /// An index is built while writing to its table waits.
    IndexWithoutConcurrently,
    /// An index is built or dropped concurrently, inside a transaction.
    ConcurrentlyInTransaction,
    /// Rows that are there may break a new constraint.
    ConstraintOnExistingRows,
    /// SQL that removes rows or whole objects.
    RawSqlDestructive,
    /// A type that `downgrade()` leaves behind.
    TypeLeftByDowngrade,
}

impl Rule {
    /// Every rule.
    pub const ALL: [Rule; 12] = [
        Rule::DropTable,
        Rule::DropColumn,
        Rule::RenameTable,
        Rule::RenameColumn,
        Rule::TypeNarrowing,
        Rule::NotNullWithoutDefault,
        Rule::SetNotNull,
        Rule::IndexWithoutConcurrently,
        Rule::ConcurrentlyInTransaction,
        Rule::ConstraintOnExistingRows,
        Rule::RawSqlDestructive,
        Rule::TypeLeftByDowngrade,
    ];

    /// Its name, as it is displayed.
    pub const fn name(self) -> &'static str {
        match self {
            Rule::DropTable => "drop-table",
            Rule::DropColumn => "drop-column",
            Rule::RenameTable => "rename-table",
            Rule::RenameColumn => "rename-column",
            Rule::TypeNarrowing => "type-narrowing",
            Rule::NotNullWithoutDefault => "not-null-without-default",
            Rule::SetNotNull => "set-not-null",
            Rule::IndexWithoutConcurrently => "index-without-concurrently",
            Rule::ConcurrentlyInTransaction => "concurrently-in-transaction",
            Rule::ConstraintOnExistingRows => "constraint-on-existing-rows",
            Rule::RawSqlDestructive => "raw-sql-destructive",
            Rule::TypeLeftByDowngrade => "type-left-by-downgrade",
        }
    }

    /// Why it is dangerous and what to do instead.
    pub(crate) const fn advice(self) -> &'static str {
        match self {
            Rule::DropTable => {
                "Its rows are lost, no downgrade brings them back, and the version that serves now fails without it. \
                 Release a version that does not use it first; drop it in a later one, with a backup."
            }
            Rule::DropColumn => {
                "Its values are lost, no downgrade brings them back, and the version that serves now fails without it. \
                 Release a version that does not use it first; drop it in a later one, with a backup."
            }
            Rule::RenameTable => {
                "The version that serves now still uses the old name, during the rollout and after a rollback. Keep the \
                 old name, or leave a view of that name until the version after."
            }
            Rule::RenameColumn => {
                "The version that serves now still uses the old name, during the rollout and after a rollback. Add the \
                 new column, write both, and drop the old one in a later release."
            }
            Rule::TypeNarrowing => {
                "The migration fails on a value that does not fit, or the value is cut, and the table is rewritten under \
                 a lock. Add a column of the new type, copy and check the values, and drop the old one in a later release."
            }
            Rule::NotNullWithoutDefault => {
                "The migration fails as soon as the table has a row, and the version that serves now does not fill it. \
                 Give it a server_default (a `default=` is Python's and does not count), or add it as nullable, fill it, \
                 and set NOT NULL in a later release."
            }
            Rule::SetNotNull => {
                "The migration fails on a row that has null, every row is read under a lock, and the version that serves \
                 now may still write null. Add a CHECK (… IS NOT NULL) NOT VALID first, fill the nulls, validate it, and \
                 set NOT NULL in a later release."
            }
            Rule::IndexWithoutConcurrently => {
                "Nothing can be written to the table until it is built. Use postgresql_concurrently=True inside `with \
                 op.get_context().autocommit_block():`, in a revision of its own."
            }
            Rule::ConcurrentlyInTransaction => {
                "PostgreSQL refuses CONCURRENTLY inside a transaction, so the migration fails unless env.py runs without \
                 one. Put it inside `with op.get_context().autocommit_block():`, in a revision of its own."
            }
            Rule::ConstraintOnExistingRows => {
                "The migration fails on rows that break it, and reads every row under a lock. Add a check or foreign key \
                 as NOT VALID (postgresql_not_valid=True) and validate it in a later revision; build a unique index \
                 concurrently and add the constraint USING INDEX."
            }
            Rule::RawSqlDestructive => {
                "What it removes is lost, and no downgrade brings it back. Take a backup first \
                 (migration.backup = \"always\"), or do it in a release of its own once nothing needs it."
            }
            Rule::TypeLeftByDowngrade => {
                "A release that fails is taken back by downgrade(), and the next upgrade() fails because the type is there \
                 already. Drop it in downgrade(), behind the table: sa.Enum(name=\"…\").drop(op.get_bind())."
            }
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
