# undo: possible
from alembic import op

revision = "back_only"
down_revision = None


def upgrade():
    op.execute("UPDATE t SET a = 1")


def downgrade():
    with op.get_context().autocommit_block():
        op.drop_index("x", postgresql_concurrently=True)
