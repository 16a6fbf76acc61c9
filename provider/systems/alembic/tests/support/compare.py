"""Asks the real Alembic: a list of {"folder", "queries": [[current, target]]} in, what would run or the error out."""
import json
import os
import sys
import warnings

from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionMap

# Alembic takes files as the file system lists them, and dependencies as a set does; for comparing, both in order.
listdir, normalize = os.listdir, RevisionMap._normalize_depends_on
os.listdir = lambda *path: sorted(listdir(*path))


def in_order(self, revisions, map_):
    normalize(self, revisions, map_)
    for revision in revisions:
        kept = revision._normalized_resolved_dependencies
        revision._normalized_resolved_dependencies = tuple(d for d in revision._resolved_dependencies if d in kept)


RevisionMap._normalize_depends_on = in_order
warnings.simplefilter("ignore")


def ask(script, current, target):
    try:
        return [step.revision.revision for step in script._upgrade_revs(target, tuple(current))]
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def load(path):
    import importlib.util

    spec = importlib.util.spec_from_file_location("part", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def undo(path):
    drops, job = map(load, sys.argv[1:])
    with open(path, encoding="utf-8") as file:
        dropped = drops.dropped_by(file.read())
    return [*job.undo_of(path), dropped]


answers = []
for case in json.load(sys.stdin):
    if "file" in case:
        answers.append(undo(case["file"]))
        continue
    script = ScriptDirectory(case["folder"])
    answers.append([ask(script, *query) for query in case["queries"]])
json.dump(answers, sys.stdout)
