# undo: possible
# autocommit
from alembic import op
import sqlalchemy as sa

revision = "indexes"
down_revision = None
new_column = sa.Column("late", sa.Integer, nullable=False)


def upgrade():
    op.create_index("a", "users", ["name"])  # finds index-without-concurrently
    op.create_index("b", "users", ["name"], postgresql_concurrently=False)  # finds index-without-concurrently
    op.create_index("c", "users", ["name"], postgresql_concurrently=True)  # finds concurrently-in-transaction
    with op.get_context().autocommit_block():
        op.create_index("d", "users", ["name"], postgresql_concurrently=True, if_not_exists=True)
        op.drop_index("e", postgresql_concurrently=True)
        op.create_index("f", "users", ["name"])  # finds index-without-concurrently
        _helper()
    op.drop_index("e", "users", postgresql_concurrently=True)  # finds concurrently-in-transaction
    op.add_column("users", sa.Column("g", sa.Integer, index=True))  # finds index-without-concurrently
    op.add_column("users", new_column)  # finds not-null-without-default
    op.create_unique_constraint(None, "users", ["name"])  # finds constraint-on-existing-rows
    op.create_foreign_key("fk", "users", "accounts", ["account_id"], ["id"])  # finds constraint-on-existing-rows
    op.alter_column("users", "name", existing_type=sa.String(), nullable=False)  # finds set-not-null


def _helper():
    op.execute("CREATE INDEX CONCURRENTLY h ON users (name)")


def downgrade():
    op.drop_index("a")
