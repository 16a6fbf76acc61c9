"""Where the database stands, and what an upgrade would run: one line of JSON behind "ffe-inspect ".

Run in the application's image as `python3 -c SCRIPT CONFIG TARGET`. It goes through the application's own env.py, so
it reaches the database as the migration will, and changes nothing: no version table is made.
"""
import ast
import contextlib
import json
import sys
import tokenize
import traceback

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError


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


def pending_of(revision):
    try:
        undo, autocommit = undo_of(revision.path)
    except (OSError, SyntaxError, ValueError):
        # An image may have compiled files only.
        undo, autocommit = ("possible" if hasattr(revision.module, "downgrade") else "missing"), False
    return {"revision": revision.revision, "message": revision.doc or "", "undo": undo, "autocommit": autocommit}


def main():
    config, target = Config(sys.argv[1]), sys.argv[2]
    script = ScriptDirectory.from_config(config)
    current = set()

    def note(heads, context):
        current.update(context.get_current_heads())
        return []

    # env.py may print; the answer must stay alone on its line.
    with contextlib.redirect_stdout(sys.stderr):
        with EnvironmentContext(config, script, fn=note, dont_mutate=True):
            script.run_env()

    def is_known(revision):
        try:
            return script.get_revision(revision) is not None
        except Exception:
            return False

    current = sorted(current)
    unknown = [revision for revision in current if not is_known(revision)]
    pending = []
    if not unknown:
        steps = script._upgrade_revs(target, tuple(current))
        pending = [pending_of(step.revision) for step in steps if getattr(step, "revision", None) is not None]
    answer = {"current": current, "heads": list(script.get_heads()), "pending": pending, "unknown": unknown}
    # What env.py wrote past sys.stdout may not have ended its line.
    print("\nffe-inspect " + json.dumps(answer), flush=True)


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
