# undo: possible
from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

revision = "enum_left"
down_revision = None


def upgrade():
    op.create_table(
        "orders",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("status", sa.Enum("a", "b", name="status")),  # finds type-left-by-downgrade
        sa.Column("kind", postgresql.ENUM("c", name="kind"), nullable=False),  # finds type-left-by-downgrade
        sa.Column("known", postgresql.ENUM("d", name="known", create_type=False)),
        sa.Column("text", sa.Enum("e", name="text", native_enum=False)),
    )
    op.create_table("more", sa.Column("unnamed", sa.String()))


def downgrade():
    op.drop_table("more")  # drops the table more
    op.drop_table("orders")  # drops the table orders
