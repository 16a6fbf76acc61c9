"""Instruments that can be traded, and the decisions taken about them."""

import sqlalchemy as sa
from alembic import op

revision = "0002_decisions"
down_revision = "0001_accounts"
branch_labels = None
depends_on = None


def upgrade():
    instruments = op.create_table(
        "instruments",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("symbol", sa.String(20), nullable=False, unique=True),
        sa.Column("asset_class", sa.String(20), nullable=False),
        sa.Column("tradable", sa.Boolean, nullable=False, server_default=sa.true()),
    )
    op.bulk_insert(
        instruments,
        [
            {"symbol": "BTC-USD", "asset_class": "crypto"},
            {"symbol": "ETH-USD", "asset_class": "crypto"},
            {"symbol": "EUR-USD", "asset_class": "forex"},
        ],
    )
    op.create_table(
        "decisions",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("account_id", sa.BigInteger, sa.ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
        sa.Column("instrument_id", sa.BigInteger, sa.ForeignKey("instruments.id"), nullable=False),
        sa.Column("action", sa.String(4), nullable=False),
        sa.Column("confidence", sa.SmallInteger, nullable=False),
        sa.Column("prompt", sa.Text),
        sa.Column("reasoning", sa.Text),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.CheckConstraint("action IN ('BUY', 'SELL', 'HOLD')", name="decisions_action_known"),
        sa.CheckConstraint("confidence BETWEEN 0 AND 100", name="decisions_confidence_percent"),
    )
    op.create_index("decisions_by_instrument", "decisions", ["instrument_id", "decided_at"])


def downgrade():
    op.drop_table("decisions")
    op.drop_table("instruments")
