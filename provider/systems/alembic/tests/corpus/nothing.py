"""merge heads"""
# undo: possible
revision = "nothing"
down_revision = ("a", "b")


def upgrade():
    """Nothing to do."""
    pass


def downgrade():
    # nothing either
    ...
