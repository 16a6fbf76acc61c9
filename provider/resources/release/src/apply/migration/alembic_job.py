"""Alembic as a migration's Job runs it: looks where the database stands, migrates, or undoes what was migrated.

alembic_drops.py stands before it in the same script.

Run in the application's image as `python3 -c SCRIPT MARK SETTINGS`; SETTINGS is JSON. It reads the configuration as the
command `alembic` does, and goes through the application's own env.py. A look changes nothing: no version table is made.

What a look finds is told in lines `MARK fact json`, one fact a line; the last line is `MARK end COUNT`. The application
does not know the mark, so nothing that it prints is taken for an answer; and an answer without its end is none.
"""
import ast
import contextlib
import json
import os
import sys
import tokenize
import traceback

# The command `alembic` does not import from the working directory either, unless the configuration says so.
sys.path[:] = [entry for entry in sys.path if entry]

from alembic.config import CommandLine
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationStep
from alembic.script import ScriptDirectory
from alembic.util import CommandError

# A pipe hands longer lines over in pieces.
LONGEST_MESSAGE = 300


class Answer:
    def __init__(self, mark):
        # env.py may close, redirect or write to standard output.
        self.mark, self.count, self.out = mark, 0, os.dup(1)

    def tell(self, fact, value):
        self.count += 1
        self.write(fact, value)

    def end(self):
        self.write("end", self.count)

    def write(self, fact, value):
        # What was written before may not have ended its line.
        line = f"\n{self.mark} {fact} {json.dumps(value)}\n".encode()
        while line:
            line = line[os.write(self.out, line) :]


class Reader(CommandLine):
    """Reads the configuration that the command `alembic` would use."""

    def run_cmd(self, config, options):
        self.config = config


def config_of(settings, command):
    """What follows reads the arguments as if it were the command."""
    arguments = [word for flag, name in (("-c", "config"), ("-n", "section")) if settings.get(name) for word in (flag, settings[name])]
    arguments += command
    sys.argv = ["alembic", *arguments]
    reader = Reader(prog="alembic")
    reader.main(arguments)
    return reader.config


def does_nothing(node):
    """`pass`, `...`, a docstring, `return`, `return None`."""
    if isinstance(node, ast.Return):
        return node.value is None or (isinstance(node.value, ast.Constant) and node.value.value is None)
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def binds(node, name):
    """Whether a statement gives that name something that is not a function of this file."""
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return any((alias.asname or alias.name) == name for alias in node.names)
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return any(isinstance(target, ast.Name) and target.id == name for target in targets)


def leaves_transaction(node):
    """Whether it is an autocommit block, or a COMMIT of its own."""
    if not isinstance(node, ast.Call):
        return False
    name = getattr(node.func, "attr", getattr(node.func, "id", None))
    if name != "execute" or not node.args:
        return name == "autocommit_block"
    statement = node.args[0]
    if isinstance(statement, ast.Call) and statement.args:
        statement = statement.args[0]
    sql = getattr(statement, "value", None)
    return isinstance(sql, str) and sql.strip().rstrip(";").upper() == "COMMIT"


def undo_of(path):
    """What downgrade() of a revision file is (possible, missing, pass or raises), and if upgrade() leaves its transaction."""
    with tokenize.open(path) as file:
        statements = ast.parse(file.read()).body
    functions = {node.name: node for node in statements if isinstance(node, ast.FunctionDef)}
    upgrade, downgrade = functions.get("upgrade"), functions.get("downgrade")
    others = (node for statement in statements if statement is not downgrade for node in ast.walk(statement))
    autocommit = any(map(leaves_transaction, others))
    if downgrade is None:
        # Assigned or imported: there is one, and what it does is not in this file.
        return ("possible" if any(binds(node, "downgrade") for node in statements) else "missing"), autocommit
    first = next((node for node in downgrade.body if not does_nothing(node)), None)
    if isinstance(first, ast.Raise):
        return "raises", autocommit
    if first is not None or (upgrade is not None and all(map(does_nothing, upgrade.body))):
        # An empty downgrade undoes an empty upgrade.
        return "possible", autocommit
    return "pass", autocommit


def described(revision):
    try:
        undo, autocommit = undo_of(revision.path)
    except (OSError, SyntaxError, ValueError):
        # An image may have compiled files only.
        undo, autocommit = ("possible" if hasattr(revision.module, "downgrade") else "missing"), False
    message = (revision.doc or "")[:LONGEST_MESSAGE]
    told = {"revision": revision.revision, "message": message, "undo": undo, "autocommit": autocommit}
    dropped = dropped_in(revision)
    return {**told, "dropped": dropped if dropped is None else [thing(one) for one in dropped]}


def dropped_in(revision):
    """What undoing a revision drops; None where that is not known."""
    try:
        with tokenize.open(revision.path) as file:
            return dropped_by(file.read())
    except Exception:
        return None


def thing(dropped):
    return dict(zip(("kind", "name", "column"), dropped))


def find(script, revision):
    try:
        return script.get_revision(revision)
    except Exception:
        return None


def history(script, heads):
    """These revisions and all that they stand on, each behind what it stands on."""
    done, order = set(), []
    waiting = [(head, False) for head in reversed(heads)]
    while waiting:
        name, ready = waiting.pop()
        if name in done:
            continue
        revision = script.get_revision(name)
        if ready:
            done.add(name)
            order.append(revision)
            continue
        waiting.append((name, True))
        waiting.extend((below, False) for below in reversed(sorted(revision._all_down_revisions)))
    return order


def since(script, base, heads):
    """What has run since a base, in order; and what of the base the database no longer stands on."""
    unknown = [name for name in base if find(script, name) is None]
    if unknown:
        return [], unknown
    before = {one.revision for one in history(script, base)}
    now = history(script, heads)
    here = {one.revision for one in now}
    return [one for one in now if one.revision not in before], sorted(before - here)


def invalid_indexes(connection):
    """Indexes that a failed CREATE INDEX CONCURRENTLY has left; not those that are being built."""
    if connection is None or connection.dialect.name != "postgresql":
        return []
    statement = (
        "SELECT n.nspname || '.' || c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
        "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE NOT i.indisvalid AND c.relkind = 'i' "
        "AND NOT EXISTS (SELECT 1 FROM pg_locks l WHERE l.relation = i.indrelid AND l.pid <> pg_backend_pid() "
        "AND l.mode = 'ShareUpdateExclusiveLock') ORDER BY 1"
    )
    return [row[0] for row in execute(connection, statement)]


# What is larger is not counted row by row.
COUNTED_BYTES = 256 << 20
COUNTED_MS = 30_000


def count_rows(connection, revisions, found):
    """Adds up how many rows go with what is dropped: counted, or as the server estimates it. What cannot be told stays None."""
    for dropped in dict.fromkeys(one for revision in revisions for one in dropped_in(revision) or []):
        rows, estimate = found.get(dropped, (0, False))
        more, is_estimate = rows_of(connection, *dropped)
        found[dropped] = (None if rows is None or more is None else rows + more, estimate or is_estimate)


def rows_of(connection, kind, name, column):
    if kind == "other" or connection is None or "{" in f"{name}{column}":
        return None, False
    marks = connection.dialect.identifier_preparer

    def quote(name):
        # What the dialect itself quotes has its percent signs doubled, and a text has them doubled once more.
        return f"{marks.initial_quote}{name.replace(marks.final_quote, marks.final_quote * 2)}{marks.final_quote}"

    table = ".".join(quote(part) for part in name.split(".", 1))
    filled = "" if column is None else f" WHERE {quote(column)} IS NOT NULL"
    if connection.dialect.name == "postgresql":
        place = table.replace("'", "''")
        size = one_value(
            connection,
            "SELECT coalesce(sum(pg_table_size(c.oid)), 0) FROM pg_class c WHERE c.oid IN (SELECT inhrelid FROM pg_inherits "
            f"WHERE inhparent = to_regclass('{place}') UNION ALL SELECT to_regclass('{place}'))",
        )
        if size is None or size > COUNTED_BYTES:
            return estimated(connection, place, column)
    rows = one_value(connection, f"SELECT count(*) FROM {table}{filled}")
    if rows is None and connection.dialect.name == "postgresql":
        return estimated(connection, place, column)
    return rows, False


def estimated(connection, place, column):
    """As the server has it from its last ANALYZE, and that this is an estimate; None where there was none."""
    share = "1"
    if column is not None:
        name = column.replace("'", "''")
        share = (
            "(SELECT 1 - coalesce(max(s.null_frac), 0) FROM pg_stats s JOIN pg_namespace n ON n.nspname = s.schemaname "
            f"WHERE s.tablename = c.relname AND n.oid = c.relnamespace AND s.attname = '{name}')"
        )
    rows = one_value(
        connection,
        f"SELECT CASE WHEN min(c.reltuples) >= 0 AND sum(c.reltuples) > 0 THEN CAST(sum(c.reltuples * {share}) AS bigint) END FROM "
        f"pg_class c WHERE c.relkind <> 'p' AND c.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = "
        f"to_regclass('{place}') UNION ALL SELECT to_regclass('{place}'))",
    )
    return rows, rows is not None


def one_value(connection, statement):
    """The value of a statement; None where the server refuses it or it takes too long. A savepoint keeps what is around it."""
    from sqlalchemy import text

    try:
        around = connection.begin_nested() if connection.in_transaction() else connection.begin()
    except Exception:
        # Each statement is a transaction of its own.
        around = contextlib.nullcontext()
    try:
        with around:
            if connection.dialect.name == "postgresql":
                connection.execute(text(f"SELECT set_config('statement_timeout', '{COUNTED_MS}', true)"))
            row = connection.execute(text(statement.replace(":", "\\:"))).fetchone()
    except Exception:
        return None
    return None if row is None or row[0] is None else int(row[0])


def execute(connection, statement):
    # SQLAlchemy before 1.4 has no exec_driver_sql.
    return getattr(connection, "exec_driver_sql", connection.execute)(statement)


def run_env(config, script, function, destination, **options):
    with EnvironmentContext(config, script, fn=function, as_sql=False, destination_rev=destination, **options):
        script.run_env()


def look(settings, answer):
    config = config_of(settings, ["current"])
    script = ScriptDirectory.from_config(config)
    target, base = settings.get("target"), settings.get("base")
    databases, indexes, rows = [], [], {}

    def note(_heads, context):
        heads = tuple(sorted(context.get_current_heads()))
        databases.append(heads)
        indexes.extend(invalid_indexes(context.connection))
        if settings.get("rows") and all(find(script, name) for name in heads):
            count_rows(context.connection, since(script, base, heads)[0], rows)
        return []

    run_env(config, script, note, target, dont_mutate=True)
    if not databases:
        raise CommandError("env.py ended without context.run_migrations(), so the database was not asked")
    current = sorted({name for heads in databases for name in heads})
    unknown = [name for name in current if find(script, name) is None]
    pending, ran, astray = {}, {}, set()
    for heads in dict.fromkeys(databases):
        if unknown:
            break
        if target:
            steps = script._upgrade_revs(target, heads)
            revisions = [step.revision for step in steps if getattr(step, "revision", None) is not None]
            pending.update((one.revision, one) for one in revisions)
        if base is not None:
            newer, gone = since(script, base, heads)
            ran.update((one.revision, one) for one in newer)
            astray.update(gone)
    for heads in databases:
        answer.tell("database", list(heads))
    for name in sorted(script.get_heads()):
        answer.tell("head", name)
    for name in unknown:
        answer.tell("unknown", name)
    for one in pending.values():
        answer.tell("pending", described(one))
    for one in ran.values():
        answer.tell("ran", described(one))
    for name in sorted(astray):
        answer.tell("astray", name)
    if unknown and settings.get("aim"):
        # Steps are counted from where the database stands, which these files do not know.
        aim = script.get_revisions(target) if "+" not in target else []
        for name in sorted(one.revision for one in aim if one is not None):
            answer.tell("aim", name)
    for dropped, (count, estimate) in rows.items():
        answer.tell("rows", {**thing(dropped), "rows": count, "estimate": estimate})
    for name in dict.fromkeys(indexes):
        answer.tell("invalid_index", name)
    answer.end()


def limit_locks(settings):
    """A transaction that waits long for a lock holds up everybody behind it. What the session has been given by others
    (PGOPTIONS, the role, env.py) stays, unless the release says otherwise itself. It is set by SQL in each transaction:
    that reaches each driver, and a pooler neither refuses it nor hands it on to others."""
    limit = settings.get("lock_timeout")
    if not limit:
        return
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    unset = "" if settings.get("lock_timeout_is_said") else " WHERE current_setting('lock_timeout') IN ('0', '0ms')"

    def begin(connection):
        autocommit = connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT"
        if connection.dialect.name == "postgresql" and not autocommit:
            execute(connection, f"SELECT set_config('lock_timeout', '{limit}', true){unset}")

    event.listen(Engine, "begin", begin)


def upgrade(settings, _answer):
    limit_locks(settings)
    arguments = ["upgrade", settings["target"]]
    config_of(settings, arguments)
    CommandLine(prog="alembic").main(sys.argv[1:])


def back(settings, _answer):
    """Undoes exactly what has run since the base: with several heads, branches and dependencies as well."""
    limit_locks(settings)
    base = settings["base"]
    config = config_of(settings, ["downgrade", base[0]])
    script = ScriptDirectory.from_config(config)

    def steps(_heads, context):
        ran, astray = since(script, base, context.get_current_heads())
        if astray:
            raise CommandError(f"The database does not stand on {', '.join(astray)}, so there is no way back to it")
        for one in ran:
            undo = described(one)["undo"]
            if undo != "possible":
                raise CommandError(f"Revision {one.revision} cannot be undone (downgrade: {undo}); nothing was changed")
        return [MigrationStep.downgrade_from_script(script.revision_map, one) for one in reversed(ran)]

    run_env(config, script, steps, base[0])


def forward(settings, _answer):
    """Brings the database to where it stood before a way back was begun, and no further."""
    limit_locks(settings)
    to = settings["to"]
    config = config_of(settings, ["upgrade", to[0]])
    script = ScriptDirectory.from_config(config)
    run_env(config, script, lambda heads, _context: script._upgrade_revs(tuple(to), heads), to[0])


MODES = {"look": look, "upgrade": upgrade, "back": back, "forward": forward}


def main():
    mark, settings = sys.argv[1], json.loads(sys.argv[2])
    MODES[settings["mode"]](settings, Answer(mark))


if __name__ == "__main__":
    try:
        main()
    except CommandError as error:
        # Alembic's own words, without the way to them.
        sys.exit(f"FAILED: {error}")
    except Exception as error:
        # The reason last, where a log is read first; SQLAlchemy's own last line is a link.
        traceback.print_exc()
        reason = str(error).strip().split("\n")[0]
        sys.exit(f"FAILED: {type(error).__name__}: {reason}")
