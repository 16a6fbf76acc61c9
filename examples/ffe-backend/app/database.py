"""The way to PostgreSQL: one small pool for each worker, and answers within the time that a probe has."""

from contextlib import contextmanager
from typing import Dict, Iterator, Optional, Tuple

from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from settings import Settings, SettingsError

# The tightest probe gives three seconds. Two is the shortest that libpq knows.
CONNECT_TIMEOUT_SECONDS = 2
SESSION = "SET TRANSACTION READ ONLY; SET LOCAL statement_timeout = '5s'"


class DatabaseUnavailable(Exception):
    """The database cannot be used now. The text may be logged: it names host and cause, never a password."""


def engine_url(raw: Optional[str]) -> URL:
    """`DATABASE_URL` as psycopg2 wants it; postgres://, postgresql:// and postgresql+<driver>:// are understood."""
    if not raw:
        raise SettingsError("DATABASE_URL is not set; expected postgresql://user:password@host:5432/name")
    scheme, separator, rest = raw.partition("://")
    if not separator or scheme.split("+")[0] not in ("postgres", "postgresql"):
        raise SettingsError("DATABASE_URL does not start with postgresql://; only PostgreSQL is supported")
    try:
        # With a second @ a part of the password would be taken for the host, and told as such.
        url = None if rest.partition("?")[0].count("@") > 1 else make_url(f"postgresql+psycopg2://{rest}")
    except (SQLAlchemyError, ValueError):
        # The library's own text repeats the URL, password included.
        url = None
    if url is None:
        raise SettingsError(
            "DATABASE_URL cannot be read; expected postgresql://user:password@host:5432/name, "
            "with special characters of user and password percent-encoded"
        )
    return url


def connect_arguments(url: URL) -> Dict[str, object]:
    """What libpq is told unless the URL says otherwise: give up early on a host that does not answer."""
    defaults: Dict[str, object] = {
        "connect_timeout": CONNECT_TIMEOUT_SECONDS,
        "tcp_user_timeout": CONNECT_TIMEOUT_SECONDS * 1000,
        "fallback_application_name": "ffe-backend",
    }
    return {name: value for name, value in defaults.items() if name not in url.query}


def one_connection_engine(raw: Optional[str]) -> Engine:
    """An engine for short-lived commands, without a pool. Row values stay out of its error texts."""
    url = engine_url(raw)
    return create_engine(url, connect_args=connect_arguments(url), poolclass=NullPool, hide_parameters=True)


def cause(error: BaseException) -> str:
    """The database's own words in one line, without the library's decoration."""
    original = getattr(error, "orig", None) or error
    words = " ".join(str(original).split())
    return words or type(original).__name__


class Database:
    """The pool of one worker. Nothing is opened before it is needed."""

    def __init__(self, settings: Settings) -> None:
        self._engine: Optional[Engine] = None
        self._unusable: Optional[SettingsError] = None
        # Made here and not at the first request: several threads may make the first request.
        try:
            url = engine_url(settings.database_url)
        except SettingsError as error:
            self._unusable = error
            return
        self._engine = create_engine(
            url,
            connect_args=connect_arguments(url),
            pool_size=settings.pool_size,
            max_overflow=0,
            pool_timeout=CONNECT_TIMEOUT_SECONDS,
            pool_pre_ping=True,
            pool_use_lifo=True,
            pool_recycle=1800,
            hide_parameters=True,
        )

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A connection in a read-only transaction with a statement timeout; raises `DatabaseUnavailable`."""
        if self._engine is None:
            raise DatabaseUnavailable(str(self._unusable))
        try:
            with self._engine.connect() as connection, connection.begin():
                connection.execute(text(SESSION))
                yield connection
        except SQLAlchemyError as error:
            raise DatabaseUnavailable(cause(error)) from error

    def close(self) -> None:
        """Closes every connection of the pool."""
        if self._engine is not None:
            self._engine.dispose()


def schema_revisions(connection: Connection) -> Tuple[str, ...]:
    """The revisions that the database says it has: one, or none before the first migration; several after a branch."""
    return tuple(sorted(MigrationContext.configure(connection).get_current_heads()))


def spelled(revisions: Tuple[str, ...]) -> Optional[str]:
    """Revisions as one text; None when there is none."""
    return ",".join(revisions) or None
