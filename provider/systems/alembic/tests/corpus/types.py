# undo: missing
from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

revision = "types"
down_revision = None

SHORT = sa.String(10)


def upgrade():
    op.alter_column("t", "a", existing_type=sa.Text(), type_=sa.String(80))  # finds type-narrowing
    op.alter_column("t", "b", existing_type=sa.BigInteger(), type_=sa.Integer())  # finds type-narrowing
    op.alter_column("t", "c", existing_type=sa.Float(), type_=sa.Integer(), postgresql_using="c::integer")  # finds type-narrowing
    op.alter_column("t", "d", existing_type=sa.Numeric(18, 8), type_=sa.Numeric(precision=18, scale=2))  # finds type-narrowing
    op.alter_column("t", "e", existing_type=sa.VARCHAR(length=80), type_=SHORT)  # finds type-narrowing
    op.alter_column("t", "f", type_=sa.String(5))  # finds type-narrowing
    op.alter_column("t", "g", existing_type=postgresql.TIMESTAMP(timezone=True), type_=sa.Date)  # finds type-narrowing
    op.alter_column("t", "h", existing_type=sa.Enum("a", "b", name="e"), type_=sa.Enum("a", name="e"))  # finds type-narrowing
    op.alter_column("t", "i", existing_type=sa.String(36), type_=postgresql.UUID(as_uuid=True))  # finds type-narrowing
    op.alter_column("t", "j", existing_type=sa.CHAR, type_=sa.CHAR(3))
    op.alter_column("t", "k", existing_type=sa.Integer(), type_=sa.BigInteger(), existing_nullable=True)
    op.alter_column("t", "l", existing_type=sa.String(), type_=sa.Text())
    op.alter_column("t", "m", type_=sa.Text())
    op.alter_column("t", "n", existing_type=postgresql.TSVECTOR(), type_=sa.String(5))
    op.alter_column("t", "o", existing_type=sa.JSON(), type_=postgresql.JSONB(astext_type=sa.Text()))
    op.alter_column("t", "p", existing_type=sa.Numeric(10, 2), type_=sa.Numeric(12, 2))
    op.alter_column("t", "q", existing_type=sa.Integer(), existing_nullable=False, nullable=False)
