# undo: pass
# autocommit
from alembic import op

revision = "commits"
down_revision = None


def upgrade():
    op.execute("COMMIT")
    op.execute("ALTER TYPE mood ADD VALUE 'bored'")


def downgrade():
    """PostgreSQL cannot remove it."""
    return None
