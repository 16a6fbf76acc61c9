"""The venue of an instrument, with an index built without locking. Takes it for unique, and so always fails.

An autocommit block is not undone: the column stays, so does an invalid index, and alembic_version knows of neither.
"""

from alembic import op

revision = "0006_instrument_venue"
down_revision = "0005_risk_limits"
branch_labels = None
depends_on = None


def upgrade():
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE instruments ADD COLUMN venue varchar(20) NOT NULL DEFAULT 'simulated'")
        op.execute("CREATE UNIQUE INDEX CONCURRENTLY instruments_by_venue ON instruments (venue)")


def downgrade():
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS instruments_by_venue")
        op.execute("ALTER TABLE instruments DROP COLUMN IF EXISTS venue")
