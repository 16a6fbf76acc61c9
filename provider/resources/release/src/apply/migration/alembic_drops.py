"""What the downgrade() of a revision file drops with its rows: read from the file, which is not run. The provider reads
revision files by the same rules where it has them (ffe-alembic, lint/walk.rs); both answer alike.

Stands before alembic_job.py in the same script.
"""
import ast
import re

# Calls within the file are followed so deep, loops over so many constants item by item, and so many nodes are looked at.
CALLS, ROUNDS, STEPS = 4, 64, 200_000

OP = object()


class Batch:
    def __init__(self, table):
        self.table = table


class Unknown:
    """An expression whose value is not known without running it."""

    def __init__(self, node):
        self.node = node


def dropped_by(text):
    """A list of (kind, name, column); None where it is not in this file."""
    tree = ast.parse(text)
    walk = Walk(tree, text)
    function = walk.functions.get("downgrade")
    if function is None:
        return None if "downgrade" in walk.bound else []
    walk.calls.append(function)
    walk.visit_all(function.body)
    return list(dict.fromkeys(walk.dropped))


class Walk:
    def __init__(self, tree, text):
        self.text, self.names, self.functions, self.bound = text, {"op": OP}, {}, set()
        self.inner, self.calls, self.steps = [], [], 0
        self.made, self.made_columns, self.dropped = set(), set(), []
        for statement in tree.body:
            self.top(statement)

    def top(self, node):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            self.functions[node.name] = node
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            for name, value in assigned(node):
                self.bound.add(name)
                self.names[name] = self.value(value)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if node.module == "alembic" and alias.name == "op":
                    self.names[alias.asname or alias.name] = OP
                self.bound.add(alias.asname or alias.name)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name == "alembic.op" and alias.asname:
                    self.names[alias.asname] = OP
        elif isinstance(node, (ast.If, ast.Try)):
            handlers = [one for handler in getattr(node, "handlers", []) for one in handler.body]
            for inner in node.body + handlers + node.orelse:
                self.top(inner)

    # Values, as far as they are known.

    def source(self, node):
        return ast.get_source_segment(self.text, node) or ""

    def shown(self, node):
        value = self.value(node)
        if isinstance(value, str):
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        return "{" + self.source(node) + "}"

    def value(self, node):
        known = self.known(node)
        return Unknown(node) if known is Unknown else known

    def known(self, node):
        if isinstance(node, ast.Constant):
            return node.value if node.value is None or isinstance(node.value, (bool, int, str)) else Unknown
        if isinstance(node, ast.JoinedStr):
            formatted = [part.value if isinstance(part, ast.FormattedValue) else part for part in node.values]
            return "".join(map(self.shown, formatted))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            number = self.known(node.operand)
            return -number if isinstance(number, int) and not isinstance(number, bool) else Unknown
        if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
            return [self.value(item) for item in node.elts]
        if isinstance(node, ast.BinOp):
            left = self.known(node.left)
            if isinstance(left, str) and isinstance(node.op, ast.Add):
                return left + self.shown(node.right)
            if isinstance(left, str) and isinstance(node.op, ast.Mod):
                return left
            if isinstance(left, list) and isinstance(node.op, ast.Add):
                right = self.known(node.right)
                return left + right if isinstance(right, list) else Unknown
            return Unknown
        if isinstance(node, ast.Name):
            return self.names.get(node.id, Unknown)
        if isinstance(node, ast.Attribute):
            return OP if self.source(node) == "alembic.op" else Unknown
        if isinstance(node, ast.Call):
            return self.dressed_up(node)
        return Unknown

    def dressed_up(self, call):
        """sa.text("…"), "…".format(…), op.f("…") and the like."""
        owner, name = parts(call)
        if name in ("format", "strip", "lstrip", "rstrip", "bindparams", "columns", "execution_options") and owner:
            inner = owner
        elif name in ("text", "DDL", "dedent", "cleandoc", "f", "quoted_name", "str", "literal_column"):
            inner = argument(call, 0, "text")
        elif name in ("tuple", "list", "set", "sorted", "reversed") and owner is None:
            inner = argument(call, 0, "")
        else:
            return Unknown
        value = Unknown if inner is None else self.known(inner)
        return value if isinstance(value, (str, list)) else Unknown

    # The way through the function.

    def visit_all(self, nodes):
        for node in nodes:
            self.visit(node)

    def visit(self, node):
        self.steps += 1
        if self.steps > STEPS:
            raise ValueError("the file is too large")
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            self.inner.append(node)
        elif isinstance(node, (ast.With, ast.AsyncWith)):
            self.enter(node)
        elif isinstance(node, (ast.For, ast.AsyncFor)):
            self.each(node)
        else:
            self.visit_all(ast.iter_child_nodes(node))
            if isinstance(node, (ast.Assign, ast.AnnAssign)):
                for name, value in assigned(node):
                    self.names[name] = self.value(value)
            elif isinstance(node, ast.Call):
                self.call(node)

    def enter(self, node):
        for item in node.items:
            self.visit(item.context_expr)
            call, name = item.context_expr, item.optional_vars
            if isinstance(call, ast.Call) and parts(call)[1] == "batch_alter_table" and isinstance(name, ast.Name):
                table = self.table(call, 0)
                if table is not None:
                    self.names[name.id] = Batch(table)
        self.visit_all(node.body)

    def each(self, node):
        self.visit(node.iter)
        items = self.value(node.iter)
        known = isinstance(items, list) and 0 < len(items) <= ROUNDS
        for item in items if known else [Unknown(node.target)]:
            self.take(node.target, item)
            self.visit_all(node.body + node.orelse)

    def take(self, target, item):
        if isinstance(target, ast.Name):
            self.names[target.id] = item
        elif isinstance(target, (ast.Tuple, ast.List)):
            fits = isinstance(item, list) and len(item) == len(target.elts)
            for at, part in enumerate(target.elts):
                self.take(part, item[at] if fits else Unknown(part))

    def call(self, call):
        owner, name = parts(call)
        if name is None:
            return
        if owner is not None:
            value = self.value(owner)
            if value is OP:
                self.operation(call, name, None)
            elif isinstance(value, Batch):
                self.operation(call, name, value.table)
            else:
                self.method(call, name)
        elif name == "globals":
            for inner in sorted(self.functions.values(), key=lambda one: one.lineno):
                if inner.name.startswith("downgrade_"):
                    self.follow(inner, None)
        else:
            inner = next((one for one in reversed(self.inner) if one.name == name), self.functions.get(name))
            if inner is None:
                self.method(call, name)
            else:
                self.follow(inner, call)

    def follow(self, function, call):
        if len(self.calls) > CALLS or function in self.calls:
            return
        outer = dict(self.names)
        if call is not None:
            arguments = function.args
            positional = getattr(arguments, "posonlyargs", []) + arguments.args
            given = dict(zip([one.arg for one in positional[::-1]], arguments.defaults[::-1]))
            given.update({one.arg: value for one, value in zip(arguments.kwonlyargs, arguments.kw_defaults) if value})
            bound = {}
            for at, one in enumerate(positional + arguments.kwonlyargs):
                value = argument(call, at, one.arg) or given.get(one.arg)
                bound[one.arg] = Unknown(one) if value is None else self.value(value)
            self.names.update(bound)
        self.calls.append(function)
        self.visit_all(function.body)
        self.calls.pop()
        if call is not None:
            self.names = outer

    # What is done to the database.

    def table(self, call, position, name="table_name"):
        table = argument(call, position, name)
        if table is None:
            return None
        schema = named(call, "schema") or named(call, "source_schema")
        schema = None if schema is None else self.value(schema)
        return f"{schema}.{self.shown(table)}" if isinstance(schema, str) else self.shown(table)

    def operation(self, call, name, batch):
        at = 0 if batch else 1

        def of(position, keyword):
            value = argument(call, position, keyword)
            return None if value is None else self.shown(value)

        table = batch or self.table(call, 0)
        if name == "create_table":
            table = self.table(call, 0)
            self.made.update([table] if table is not None else [])
        elif name == "drop_table":
            self.drop_table(self.table(call, 0))
        elif name == "rename_table":
            self.rename_table(self.table(call, 0, "old_table_name"), of(1, "new_table_name"))
        elif name == "add_column":
            column = argument(call, at, "column")
            column = self.value(column) if column is not None else None
            if table is not None and isinstance(column, Unknown) and isinstance(column.node, ast.Call):
                column = argument(column.node, 0, "name")
                self.made_columns.update([(table, self.shown(column))] if column is not None else [])
        elif name == "drop_column":
            self.drop_column(table, of(at, "column_name"))
        elif name == "alter_column":
            column, new = of(at, "column_name"), named(call, "new_column_name")
            if None not in (table, column, new):
                self.rename_column(table, column, self.shown(new))
        elif name == "execute":
            self.execute(call)

    def method(self, call, name):
        if name in ("execute", "exec_driver_sql", "scalar", "scalars"):
            self.execute(call)
        elif name == "drop_all":
            self.dropped.append(("other", "every table that the metadata knows", None))

    def execute(self, call):
        values = [one for one in call.args if not isinstance(one, ast.Starred)]
        values += [one.value for one in call.keywords if one.arg]
        if not values:
            return
        statement = self.value(values[0])
        if isinstance(statement, str):
            for one in statements(statement):
                self.statement(one)
        elif isinstance(statement, Unknown) and isinstance(statement.node, ast.Call):
            # op.execute(table.delete()), with nothing behind it that narrows it down.
            owner, name = parts(statement.node)
            if name == "delete":
                table = statement.node.args[0] if statement.node.args else owner
                self.dropped.append(("rows", "{" + (self.source(table) if table else "") + "}", None))

    def drop_table(self, table):
        if table in self.made:
            self.made.discard(table)
        elif table is not None:
            self.dropped.append(("table", table, None))

    def is_made(self, table, column):
        return table in self.made or (table, column) in self.made_columns

    def drop_column(self, table, column):
        if table is not None and column is not None and not self.is_made(table, column):
            self.dropped.append(("column", table, column))

    def rename_table(self, old, new):
        if old in self.made and new is not None:
            self.made.discard(old)
            self.made.add(f"{old.rpartition('.')[0]}.{new}" if "." in old else new)

    def rename_column(self, table, old, new):
        if old != new and self.is_made(table, old):
            self.made_columns.add((table, new))

    def statement(self, words):
        if words.take("do"):
            for kind, text, _glued in words.tokens:
                if kind == "body":
                    for inner in statements(text):
                        self.one(inner.beginning_with("drop", "alter", "truncate", "delete", "create", "with"))
            return
        self.one(words)

    def one(self, words):
        if words.take("drop"):
            self.sql_drop(words)
        elif words.take("alter table"):
            words.take("if exists")
            words.take("only")
            table = words.name()
            for action in words.split():
                self.sql_alter(table, action)
        elif words.take("create"):
            while any(words.take(one) for one in ("global", "local", "temporary", "temp", "unlogged")):
                pass
            if words.take("table"):
                words.take("if not exists")
                self.made.add(words.name())
        elif words.take("truncate"):
            words.take("table")
            words.take("only")
            tables = [one.name() for one in words.split()]
            if not all(table in self.made for table in tables):
                self.dropped.extend(("rows", table, None) for table in tables)
        elif words.take("delete from"):
            words.take("only")
            table = words.name()
            if not words.contains("where") and not words.contains("using") and table not in self.made:
                self.dropped.append(("rows", table, None))

    def sql_drop(self, words):
        if words.take("table"):
            words.take("if exists")
            for one in words.split():
                self.drop_table(one.name() or None)
            return
        if words.take("index"):
            return
        first = words.tokens[0] if words.tokens else ("", "", False)
        holds = ("schema", "database", "owned", "sequence", "materialized", "tablespace")
        cascade = words.contains("cascade")
        if first[0] != "word" or not (first[1] in holds or cascade):
            return
        words.tokens = words.tokens[1:]
        kind = first[1]
        if kind == "materialized" and words.take("view"):
            kind = "materialized view"
        elif kind == "owned" and words.take("by"):
            kind = "what is owned by"
        words.take("if exists")
        along = " and all that depends on it" if cascade else ""
        self.dropped.append(("other", f"{kind} {words.name()}{along}", None))

    def sql_alter(self, table, action):
        if action.take("rename to"):
            self.rename_table(table, action.name())
        elif action.take("rename constraint") or action.take("drop constraint"):
            pass
        elif action.take("rename"):
            action.take("column")
            old = action.name()
            if action.take("to"):
                self.rename_column(table, old, action.name())
        elif action.take("drop"):
            action.take("column")
            action.take("if exists")
            self.drop_column(table, action.name())
        elif action.take("add"):
            if action.take("constraint"):
                action.name()
            if not any(action.take(one) for one in ("unique", "check", "foreign key", "primary key", "exclude")):
                action.take("column")
                action.take("if not exists")
                self.made_columns.add((table, action.name()))


def assigned(node):
    """The pairs of an assignment to names."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    if node.value is None:
        return []
    return [(target.id, node.value) for target in targets if isinstance(target, ast.Name)]


def parts(call):
    """What stands before the last dot of a call, and its last name."""
    if isinstance(call.func, ast.Attribute):
        return call.func.value, call.func.attr
    return None, getattr(call.func, "id", None)


def named(call, name):
    return next((one.value for one in call.keywords if one.arg == name), None)


def argument(call, position, name):
    positional = [one for one in call.args if not isinstance(one, ast.Starred)]
    return named(call, name) or (positional[position] if position < len(positional) else None)


TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n]*|/\*.*?\*/)
    |(?P<body>\$(?P<tag>[A-Za-z_]\w*|)\$.*?\$(?P=tag)\$)
    |(?P<text>[eE]?'(?:[^']|'')*')
    |(?P<quoted>"(?:[^"]|"")*")
    |(?P<word>[^\W\d][\w$]*)
    |(?P<number>\d+)
    |(?P<sign>.)""",
    re.DOTALL | re.VERBOSE,
)


def statements(sql):
    """The statements of a text, as far as it can be read."""
    found, glued = [[]], False
    for token in TOKEN.finditer(sql):
        kind, text = token.lastgroup, token.group()
        if kind == "tag":
            kind = "body"
        if kind == "space":
            glued = False
        elif text == ";" and kind == "sign":
            found.append([])
            glued = False
        else:
            if kind == "word":
                text = text.lower()
            elif kind == "quoted":
                text = text[1:-1].replace('""', '"')
            elif kind == "body":
                edge = text.index("$", 1) + 1
                text = text[edge:-edge]
            found[-1].append((kind, text, glued))
            glued = True
    return [Words(tokens) for tokens in found if tokens]


class Words:
    """Reads the tokens of a statement from left to right."""

    def __init__(self, tokens):
        self.tokens = tokens

    def take(self, words):
        """Takes these words if all of them come next."""
        words = words.split(" ")
        if [token[:2] for token in self.tokens[: len(words)]] != [("word", word) for word in words]:
            return False
        self.tokens = self.tokens[len(words) :]
        return True

    def contains(self, word):
        return any(token[:2] == ("word", word) for token in self.tokens)

    def name(self):
        """Takes words with dots between them, or what Python will put there."""
        name, braces = "", 0
        while self.tokens:
            kind, text, glued = self.tokens[0]
            if name and not glued and not braces:
                break
            if kind == "sign":
                if text == "{":
                    braces += 1
                elif text == "}" and braces:
                    braces -= 1
                elif text not in ".%:" and not braces:
                    break
            elif kind == "body" or (kind == "text" and not braces):
                break
            name += text.strip("'") if kind == "text" else text
            self.tokens = self.tokens[1:]
        return name

    def split(self):
        """What is left, cut at commas that are not in parentheses."""
        pieces, depth = [[]], 0
        for token in self.tokens:
            if token[:2] == ("sign", "("):
                depth += 1
            elif token[:2] == ("sign", ")"):
                depth = max(depth - 1, 0)
            if token[:2] == ("sign", ",") and not depth:
                pieces.append([])
            else:
                pieces[-1].append(token)
        return [Words(tokens) for tokens in pieces]

    def beginning_with(self, *words):
        for at, token in enumerate(self.tokens):
            if token[0] == "word" and token[1] in words:
                return Words(self.tokens[at:])
        return Words([])
