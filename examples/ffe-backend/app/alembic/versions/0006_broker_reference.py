"""The broker's own reference for an account. Forgets the accounts that exist already, and so always fails.

The audit table made before it goes with the transaction; what earlier revisions committed stays.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006_broker_reference"
down_revision = "0005_risk_limits"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "account_audit",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("account_id", sa.BigInteger, sa.ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    )
    op.add_column("accounts", sa.Column("broker_reference", sa.String(40), nullable=False))


def downgrade():
    op.drop_column("accounts", "broker_reference")
    op.drop_table("account_audit")
