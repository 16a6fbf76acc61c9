# undo: possible
from alembic import op

revision = "several_databases"
down_revision = None


def upgrade(engine_name: str) -> None:
    globals()["upgrade_%s" % engine_name]()


def downgrade(engine_name: str) -> None:
    globals()["downgrade_%s" % engine_name]()


def upgrade_first():
    op.drop_table("of_first")  # finds drop-table


def upgrade_second():
    op.drop_column("of_second", "x")  # finds drop-column


def downgrade_first():
    op.drop_table("other")  # drops the table other


def downgrade_second():
    pass
