# undo: raises
from alembic import op as operations
import sqlalchemy as sa

revision = "drops"
down_revision = ("a", "b")
branch_labels = ["left", "right"]
depends_on = "c"

TABLES = ("one", "two")
OLD = "legacy"


def upgrade():
    operations.drop_table("users")  # finds drop-table
    operations.drop_column("users", "name")  # finds drop-column
    operations.drop_column(  # finds drop-column
        table_name="users",
        column_name="age",
        schema="private",
    )
    operations.rename_table("users", "people")  # finds rename-table
    operations.alter_column("users", "a", new_column_name="b")  # finds rename-column
    for table in TABLES:
        operations.drop_table(table)  # finds drop-table drop-table
    for table in computed():
        operations.drop_table(table)  # finds drop-table
    if operations.get_bind().dialect.name == "postgresql":
        operations.drop_table(OLD)  # finds drop-table
    try:
        operations.drop_table("try")  # finds drop-table
    finally:
        _cleanup("users", column="email")

    def inner():
        operations.drop_table("inner")  # finds drop-table

    inner()

    def never_called():
        operations.drop_table("never")


def _cleanup(table, column):
    operations.drop_column(table, column)  # finds drop-column
    upgrade()


def not_called():
    operations.drop_table("other")


def downgrade():
    """There is no way."""
    raise NotImplementedError("no")
