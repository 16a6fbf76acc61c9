"""Feedback: how a decision turned out, which is what the engine learns from."""

import sqlalchemy as sa
from alembic import op

revision = "0004_feedback"
down_revision = "0003_positions"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "feedback",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("decision_id", sa.BigInteger, sa.ForeignKey("decisions.id", ondelete="CASCADE"), nullable=False),
        sa.Column("realised_pnl", sa.Numeric(18, 2), nullable=False),
        sa.Column("score", sa.SmallInteger, nullable=False),
        sa.Column("note", sa.Text),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.UniqueConstraint("decision_id", name="feedback_once_a_decision"),
        sa.CheckConstraint("score BETWEEN -100 AND 100", name="feedback_score_range"),
    )
    op.add_column("decisions", sa.Column("provider", sa.String(40), nullable=False, server_default="local"))


def downgrade():
    op.drop_column("decisions", "provider")
    op.drop_table("feedback")
