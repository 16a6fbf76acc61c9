"""Adds what does no harm

and says more in a second paragraph.

Revision ID: ab12
"""
# undo: possible
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa

# revision identifiers, used by Alembic.
revision: str = "plain"
down_revision: Union[str, None] = None
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    op.create_table("fresh", sa.Column("id", sa.Integer(), nullable=False), sa.Column("x", sa.Text(), index=True))
    op.create_index(op.f("ix_fresh_x"), "fresh", ["x"], unique=False)
    op.create_unique_constraint("uq_fresh", "fresh", ["x"])
    op.add_column("fresh", sa.Column("y", sa.Integer(), nullable=False))
    op.alter_column("fresh", "y", existing_type=sa.Integer(), type_=sa.SmallInteger(), nullable=False)
    op.drop_column("fresh", "y")
    op.rename_table("fresh", "fresher")
    op.drop_table("fresher")
    op.add_column("users", sa.Column("nick", sa.String(80), nullable=True))
    op.add_column("users", sa.Column("n", sa.Integer(), server_default="0", nullable=False))
    op.add_column("users", sa.Column("k", sa.Integer(), sa.Identity(), nullable=False))
    op.add_column("users", sa.Column("c", sa.Integer(), sa.Computed("n * 2"), nullable=False))
    op.alter_column("users", "n", existing_type=sa.Integer(), nullable=False)
    op.alter_column("users", "n", server_default=None)
    op.alter_column("users", "name", existing_type=sa.String(40), type_=sa.String(80), existing_nullable=False)
    op.create_foreign_key("fk_nick", "users", "nicks", ["nick"], ["id"])
    op.create_check_constraint("ck", "users", "n > 0", postgresql_not_valid=True)
    op.drop_index("old_index", table_name="users")
    op.drop_constraint("old", "users")
    op.execute("UPDATE users SET nick = 'x' WHERE nick IS NULL")
    op.execute("DELETE FROM users WHERE id < 0")
    op.execute("COMMENT ON TABLE users IS 'DROP TABLE users'")
    op.execute("CREATE FUNCTION f() RETURNS void AS $$ DELETE FROM users; $$ LANGUAGE sql")
    op.execute("-- DROP TABLE users\nSELECT 1")


def downgrade() -> None:
    op.drop_table("users")  # drops the table users
    op.execute("TRUNCATE accounts")  # drops all rows of accounts
