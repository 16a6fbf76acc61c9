"""When this worker may be sent requests: after the first price. The feed that would bring one was never wired up."""

from typing import Dict, Optional

from database import Database, DatabaseUnavailable, schema_revisions
from settings import Settings


class Readiness:
    """Asked by `/ready`."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._database = database
        self._last_price_at: Optional[float] = None

    def problem(self) -> Optional[Dict[str, Optional[str]]]:
        """Why not yet. None would mean ready."""
        try:
            with self._database.connect() as connection:
                schema_revisions(connection)
        except DatabaseUnavailable as error:
            return {"reason": "the database cannot be reached", "log": str(error)}
        if self._last_price_at is None:
            return {"reason": "the market data feed has not delivered a price yet"}
        return None
