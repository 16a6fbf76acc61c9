"""How Alembic reaches the database: DATABASE_URL, one transaction for each revision, a lock timeout, one at a time."""

import os
import time
from logging.config import fileConfig

from alembic import context
from alembic.util import CommandError
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError

from database import cause, engine_url, one_connection_engine
from settings import Settings, SettingsError

config = context.config
if config.config_file_name is not None:
    fileConfig(config.config_file_name, disable_existing_loggers=False)

# Any number will do, so long as nobody else who takes advisory locks in this database uses it: "ffemigrt".
TURN = 0x6666656D69677274
CHANGING = ("upgrade", "downgrade", "stamp")


def database_url():
    try:
        return Settings.from_environment(os.environ).database_url
    except SettingsError as error:
        raise CommandError(str(error)) from None


def lock_timeout(connection):
    """What was asked for, or the file's own when the session has none (PGOPTIONS may have set one)."""
    asked = context.get_x_argument(as_dictionary=True).get("lock_timeout") or os.environ.get("LOCK_TIMEOUT")
    if asked:
        return asked
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        (current,) = cursor.fetchone()
    return current if current != "0" else config.get_main_option("lock_timeout", "10s")


def set_lock_timeout(connection, _record):
    # Outside any transaction: a rolled back one would take the setting with it.
    connection.autocommit = True
    value = lock_timeout(connection)
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, false)", (value,))
    connection.autocommit = False


def changes_the_database():
    command = getattr(config.cmd_opts, "cmd", None)
    return command is None or command[0].__name__ in CHANGING


def take_turn(connection):
    """Waits until no other command changes this database: several pods may start together, and one must migrate.

    The lock belongs to the session and goes with it, whatever ends it.
    """
    deadline = time.monotonic() + float(config.get_main_option("turn_timeout", "300"))
    while True:
        # A transaction for each try: one that stays open would hold up an index built concurrently.
        with connection.begin():
            if connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": TURN}).scalar_one():
                return
        if time.monotonic() > deadline:
            raise CommandError("another command is still migrating this database; nothing was changed")
        time.sleep(0.5)


def migrate(connection):
    context.configure(connection=connection, target_metadata=None, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()


def run_online():
    try:
        engine = one_connection_engine(database_url())
    except SettingsError as error:
        raise CommandError(str(error)) from None
    event.listen(engine, "connect", set_lock_timeout)
    try:
        connection = engine.connect()
    except OperationalError as error:
        raise CommandError(f"the database cannot be reached: {cause(error)}") from None
    with connection:
        if changes_the_database():
            take_turn(connection)
        migrate(connection)


def run_offline():
    """`--sql`: prints the statements instead of executing them; needs no database."""
    url = database_url()
    context.configure(
        url=engine_url(url) if url else None,
        dialect_name=None if url else "postgresql",
        literal_binds=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    run_offline()
else:
    run_online()
