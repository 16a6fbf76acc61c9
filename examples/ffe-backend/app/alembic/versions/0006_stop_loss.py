"""A stop-loss price for positions. Nobody wrote the way back."""

import sqlalchemy as sa
from alembic import op

revision = "0006_stop_loss"
down_revision = "0005_risk_limits"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("positions", sa.Column("stop_loss", sa.Numeric(18, 8)))


def downgrade():
    pass
