# undo: possible
from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

revision = "enum_dropped"
down_revision = None


status = sa.Enum("a", "b", name="status")


def upgrade():
    op.create_table("orders", sa.Column("status", sa.Enum("a", "b", name="status")))


def downgrade():
    op.drop_table("orders")  # drops the table orders
    status.drop(op.get_bind())
