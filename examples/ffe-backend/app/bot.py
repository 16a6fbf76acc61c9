"""What the trading engine has in its database."""

from typing import Any, Dict

from sqlalchemy import inspect, text
from sqlalchemy.engine import Connection

# What the engine cannot work without; later revisions add more.
NEEDED = ("accounts", "instruments", "decisions", "positions")


class SchemaMissing(Exception):
    """The database answers, but was not migrated."""


def status(connection: Connection) -> Dict[str, Any]:
    """Counts from the engine's tables; raises `SchemaMissing` before the first migrations."""
    tables = [name for name in inspect(connection).get_table_names() if name != "alembic_version"]
    missing = [name for name in NEEDED if name not in tables]
    if missing:
        raise SchemaMissing(f"tables {', '.join(missing)} do not exist; run the migrations")
    quote = connection.dialect.identifier_preparer.quote
    rows = {
        name: connection.execute(text(f"SELECT count(*) FROM {quote(name)}")).scalar_one()
        for name in sorted(tables)
    }
    last_decision = connection.execute(text("SELECT max(decided_at) FROM decisions")).scalar_one()
    return {
        "status": "running" if rows["accounts"] else "idle",
        "accounts": connection.execute(text("SELECT count(*) FROM accounts WHERE enabled")).scalar_one(),
        "instruments": connection.execute(text("SELECT count(*) FROM instruments WHERE tradable")).scalar_one(),
        "open_positions": connection.execute(
            text("SELECT count(*) FROM positions WHERE closed_at IS NULL")
        ).scalar_one(),
        "decisions": rows["decisions"],
        "last_decision_at": last_decision.isoformat() if last_decision else None,
        "rows": rows,
    }
