"""Risk limits: how much an account may lose in a day and hold at once."""

import sqlalchemy as sa
from alembic import op

revision = "0005_risk_limits"
down_revision = "0004_feedback"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "risk_limits",
        sa.Column("account_id", sa.BigInteger, sa.ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("max_daily_loss", sa.Numeric(18, 2), nullable=False),
        sa.Column("max_open_positions", sa.SmallInteger, nullable=False, server_default="5"),
        sa.CheckConstraint("max_daily_loss > 0", name="risk_limits_loss_positive"),
    )
    op.execute("INSERT INTO risk_limits (account_id, max_daily_loss) SELECT id, 500 FROM accounts")


def downgrade():
    op.drop_table("risk_limits")
