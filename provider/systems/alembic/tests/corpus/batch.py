# undo: pass
from alembic import op
import sqlalchemy as sa

revision = (
    "bat"
    "ch"
)
down_revision = "a" + "b"


def upgrade():
    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.drop_column("name")  # finds drop-column
        batch_op.add_column(sa.Column("x", sa.Integer(), nullable=False))  # finds not-null-without-default
        batch_op.alter_column("y", existing_type=sa.String(length=80), type_=sa.String(length=40))  # finds type-narrowing
        batch_op.alter_column("z", existing_type=sa.Integer(), nullable=False)  # finds set-not-null
        batch_op.create_index(batch_op.f("ix"), ["y"], unique=False)  # finds index-without-concurrently
        batch_op.create_unique_constraint("uq", ["y"])  # finds constraint-on-existing-rows
    op.create_table("fresh", sa.Column("id", sa.Integer))
    with op.batch_alter_table("fresh") as b, open("x") as file:
        b.drop_column("id")
        b.create_index("ix2", ["id"])


def downgrade():
    pass
