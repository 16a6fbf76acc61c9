"""Prompts are no longer kept: they held account numbers."""

from alembic import op

revision = "0006_drop_prompts"
down_revision = "0005_risk_limits"
branch_labels = None
depends_on = None


def upgrade():
    op.drop_column("decisions", "prompt")


def downgrade():
    raise NotImplementedError("the prompts are gone; restore a backup to have them back")
