"""Logging: one line for each event, and no line for each answered probe."""

import logging

PROBES = ("/health", "/ready", "/live")


class WithoutProbes(logging.Filter):
    """Drops access log lines of probes; their failures are logged with their reason by the routes themselves."""

    def filter(self, record: logging.LogRecord) -> bool:
        # uvicorn.access: (client, method, path, HTTP version, status)
        arguments = record.args
        if not isinstance(arguments, tuple) or len(arguments) != 5:
            return True
        return str(arguments[2]).split("?")[0] not in PROBES


class OnChange:
    """Logs a condition when it changes and not each time it is looked at."""

    def __init__(self, logger: logging.Logger, what: str) -> None:
        self._logger = logger
        self._what = what
        self._last = None

    def saw(self, problem) -> None:
        """`problem` is a text, or None when all is well."""
        if problem == self._last:
            return
        if problem is None:
            self._logger.info("%s: over", self._what)
        else:
            self._logger.warning("%s: %s", self._what, problem)
        self._last = problem


def configure(level: str) -> logging.Logger:
    """Sets the level everywhere and returns the engine's own logger."""
    number = getattr(logging, level.upper())
    logging.basicConfig(level=number, format="%(levelname)s %(name)s [%(process)d] %(message)s")
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).setLevel(number)
    # It has a handler of its own; with the root's, every line would come twice.
    logging.getLogger("uvicorn").propagate = False
    # Alembic and SQLAlchemy tell at info what every probe does.
    for name in ("alembic", "sqlalchemy"):
        logging.getLogger(name).setLevel(max(number, logging.WARNING))
    if number > logging.DEBUG:
        logging.getLogger("uvicorn.access").addFilter(WithoutProbes())
    return logging.getLogger("ffe")
