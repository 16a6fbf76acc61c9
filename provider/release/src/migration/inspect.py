"""Where the database stands, and what an upgrade would run: one line of JSON behind "ffe-inspect ".

Run in the application's image as `python3 -c SCRIPT CONFIG TARGET`. It goes through the application's own env.py, so
it reaches the database as the migration will, and changes nothing: no version table is made.
"""
import ast
import contextlib
import json
import sys

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory


def undo_of(path):
    """What downgrade() of a revision file is: possible, missing, pass or raises."""
    with open(path, encoding="utf-8") as file:
        source = file.read()
    functions = {node.name: node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}
    downgrade = functions.get("downgrade")
    if downgrade is None:
        return "missing", "autocommit_block" in source
    body = [
        node
        for node in downgrade.body
        if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)) and not isinstance(node, ast.Pass)
    ]
    if not body:
        # An empty downgrade undoes an empty upgrade.
        upgrade = functions.get("upgrade")
        does_nothing = upgrade is not None and all(
            isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
            for node in upgrade.body
        )
        return ("possible" if does_nothing else "pass"), "autocommit_block" in source
    if isinstance(body[0], ast.Raise):
        return "raises", "autocommit_block" in source
    return "possible", "autocommit_block" in source


def main():
    config, target = Config(sys.argv[1]), sys.argv[2]
    script = ScriptDirectory.from_config(config)
    current = []

    def note(heads, context):
        current.extend(context.get_current_heads())
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

    unknown = [revision for revision in current if not is_known(revision)]
    pending = []
    if not unknown:
        for step in script._upgrade_revs(target, tuple(current)):
            revision = getattr(step, "revision", None)
            if revision is None:
                continue
            undo, autocommit = undo_of(revision.path)
            pending.append({"revision": revision.revision, "message": revision.doc or "", "undo": undo, "autocommit": autocommit})
    answer = {"current": sorted(current), "heads": list(script.get_heads()), "pending": pending, "unknown": unknown}
    print("ffe-inspect " + json.dumps(answer), flush=True)


main()
