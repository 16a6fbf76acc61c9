"""When this worker may be sent requests."""

from pathlib import Path
from typing import Dict, Optional, Tuple

from alembic.config import Config
from alembic.script import ScriptDirectory

from database import Database, DatabaseUnavailable, schema_revisions, spelled
from settings import Settings

HERE = Path(__file__).resolve().parent


def image_heads() -> Tuple[str, ...]:
    """The head revisions of the migrations that came with this image."""
    config = Config()
    config.set_main_option("script_location", str(HERE / "alembic"))
    return tuple(sorted(ScriptDirectory.from_config(config).get_heads()))


class Readiness:
    """Asked by `/ready`."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._strict = settings.strict_schema
        self._database = database
        self._heads = image_heads()

    def problem(self) -> Optional[Dict[str, Optional[str]]]:
        """Why not yet: a `reason`, and the revisions where they are the reason. None means ready."""
        try:
            with self._database.connect() as connection:
                found = schema_revisions(connection)
        except DatabaseUnavailable as error:
            return {"reason": "the database cannot be reached", "log": str(error)}
        if self._strict and found != self._heads:
            database, image = spelled(found), spelled(self._heads)
            return {
                "reason": f"the database is at revision {database or 'none'}, this image wants {image or 'none'}",
                "database_revision": database,
                "image_revision": image,
            }
        return None
