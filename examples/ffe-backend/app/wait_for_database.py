"""Waits until the database takes connections: `python3 -m wait_for_database --timeout 120`.

Ends with 0 when it does, with 1 and the last cause when the time is over, with 2 when waiting cannot help.
"""

import argparse
import os
import sys
import time

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from database import cause, one_connection_engine
from settings import Settings, SettingsError


def main() -> int:
    """The command; says a cause when it changes, not at every try."""
    parser = argparse.ArgumentParser(description="Waits until the database takes connections.")
    parser.add_argument("--timeout", type=float, default=120, help="seconds to wait at most (120)")
    parser.add_argument("--interval", type=float, default=1, help="seconds between two tries (1)")
    arguments = parser.parse_args()
    try:
        engine = one_connection_engine(Settings.from_environment(os.environ).database_url)
    except SettingsError as error:
        print(f"cannot wait for the database: {error}", file=sys.stderr, flush=True)
        return 2

    started = time.monotonic()
    last = None
    while True:
        try:
            with engine.connect() as connection:
                connection.execute(text("SELECT 1"))
            print(f"database answers after {time.monotonic() - started:.0f} s", flush=True)
            return 0
        except SQLAlchemyError as error:
            reason = cause(error)
        if reason != last:
            print(f"waiting for the database: {reason}", file=sys.stderr, flush=True)
            last = reason
        if time.monotonic() - started + arguments.interval > arguments.timeout:
            print(f"no database after {arguments.timeout:.0f} s: {reason}", file=sys.stderr, flush=True)
            return 1
        time.sleep(arguments.interval)


if __name__ == "__main__":
    sys.exit(main())
