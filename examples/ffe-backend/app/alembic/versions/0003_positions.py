"""Positions: what a decision opened, and when it was closed again."""

import sqlalchemy as sa
from alembic import op

revision = "0003_positions"
down_revision = "0002_decisions"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "positions",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("account_id", sa.BigInteger, sa.ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
        sa.Column("instrument_id", sa.BigInteger, sa.ForeignKey("instruments.id"), nullable=False),
        sa.Column("decision_id", sa.BigInteger, sa.ForeignKey("decisions.id", ondelete="SET NULL")),
        sa.Column("quantity", sa.Numeric(24, 8), nullable=False),
        sa.Column("entry_price", sa.Numeric(18, 8), nullable=False),
        sa.Column("exit_price", sa.Numeric(18, 8)),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("closed_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("quantity <> 0", name="positions_quantity_not_zero"),
        sa.CheckConstraint("closed_at IS NULL OR closed_at >= opened_at", name="positions_closed_after_opened"),
    )
    op.create_index(
        "positions_open", "positions", ["account_id", "instrument_id"], postgresql_where=sa.text("closed_at IS NULL")
    )


def downgrade():
    op.drop_table("positions")
