"""REL306: UPDATE and DELETE without WHERE, in SQL texts and by ORMs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sqlglot import exp

from backendlint.api import (
    Call,
    Fn,
    Hit,
    Project,
    SqlStatement,
    Write,
    below,
    for_development,
    identifier_words,
    ingredients,
    sql,
)

from .onerow import holds_one, of_one_row

_MEANT = re.compile(
    r"(?:^|_)(?:clear|reset|truncate|purge|wipe|nuke|invalidate|rebuild|flush|empty|delete_all|remove_all|drop|teardown|clean_?up|seed|populate)(?:_|$)",
    re.IGNORECASE,
)
_BARE = re.compile(r"^_?(?:clear|reset|drop|empty)_([a-z_]+)$", re.IGNORECASE)
"""`clear_drafts()`: which of them, the name leaves open."""
_STORES = frozenset({"cache", "data", "table", "db", "database", "queue", "state", "log"})
_ALL = re.compile(r"(?:^|_)all(?:_|$)", re.IGNORECASE)
"""`rate_all()`, `recount_all_berths()`: the name announces it."""
_TEMPORARY = re.compile(r"^(?:tmp|temp|staging|scratch)_|_(?:tmp|temp|staging|scratch)$|^#", re.IGNORECASE)
_COPY = re.compile(r"^(?:tmp|temp|temporary|scratch)_(?:\w*_)?(?:db|database)", re.IGNORECASE)
_SINGLE = re.compile(
    r"(?:version|ordering|position|counter|sequence|settings?|config|metadata|lock|cursor|checkpoint|watermark)$",
    re.IGNORECASE,
)
"""Tables that by their names hold one row."""
_SOME = re.compile(
    r"(?:^|_)(?:old|older|expired|stale|outdated|obsolete|inactive|unused|orphan\w*|by|for|of|from|before|single|one)(?:_|$)",
    re.IGNORECASE,
)
_KEY = re.compile(
    r"(?:^|_)(?:ids?|pk|uuid|email|user|username|owner|tenant|account|slug|days|before|since|older_than)$",
    re.IGNORECASE,
)
"""Parameters by which rows are picked."""
_WAY = re.compile(
    r"^_?(?:db|database|(?:db_?)?session|conn|connection|engine|cursor|tx|transaction|using)$", re.IGNORECASE
)
_WHOLE = frozenset(
    {
        "objects",
        "all",
        "query",
        "delete",
        "update",
        "values",
        "returning",
        "execution_options",
        "execute",
        "adelete",
        "aupdate",
    }
)
"""What leads from a model to all of its rows."""
_EXECUTES = frozenset({"execute", "exec", "scalars", "scalar"})
MAX_STEPS = 12


def check(project: Project) -> Iterator[Hit]:
    """SQL texts outside of migrations, then ORM calls."""
    for statement in project.data.reviewed:
        if (
            statement.verb() in {"UPDATE", "DELETE", "WITH"}
            and not statement.in_migration
            and statement.source.role != "file"
            and project.counts(statement.location())
        ):
            yield from _statement(project, statement)
    for write in project.writes.all():
        fn = write.fn
        if (
            not project.counts(fn)
            or write.op not in ("delete", "update")
            or not write.entity
            or project.queries.text(fn, write.call)
        ):
            continue
        if (
            fn.path in project.data.migration_paths
            or _meant(fn, write.entity)
            or "/management/commands/" in f"/{fn.path}"
        ):
            continue
        yield from _operation(project, write)


def _told_which(fn: Fn | None) -> bool:
    return fn is not None and any(_KEY.search(param.name) for param in fn.facts.params)


def _meant(fn: Fn, table: str) -> bool:
    """Whether the function's name says that all rows go, and neither its name nor its parameters tell some from others."""
    bare = _BARE.match(fn.name)
    if bare is not None and _parts(bare[1]) <= _parts(table) - _STORES:
        return False
    if not (_MEANT.search(fn.name) or _ALL.search(fn.name)) or _SOME.search(fn.name):
        return False
    return not _told_which(fn)


def _parts(name: str) -> set[str]:
    """The words of a name, in the singular."""
    return {word.removesuffix("s") for word in identifier_words(name.rpartition(".")[2])}


def _statement(project: Project, statement: SqlStatement) -> Iterator[Hit]:
    tree = statement.tree
    if not isinstance(tree, exp.Update | exp.Delete) or statement.partial:
        return
    fn = statement.function
    table = tree.this.name if isinstance(tree.this, exp.Table) else ""
    if tree.args.get("where") is not None or tree.args.get("limit") is not None or (fn and _meant(fn, table)):
        return
    if not table or _TEMPORARY.search(table) or tree.args.get("using") or tree.find(exp.Join) is not None:
        return
    if (
        statement.is_hole(table)
        or _SINGLE.search(table)
        or any("WHERE" in text.upper() for text in statement.source.others)
    ):
        return
    if _refilled(statement, table) if isinstance(tree, exp.Delete) else _moves_a_mark(statement, tree, table):
        return
    if isinstance(tree, exp.Update) and (_fills_new(statement, tree, table) or _evens_out(tree)):
        return
    shown = f"`{table}`"
    what = (
        f"`UPDATE` without WHERE{sql.within(statement)} changes"
        if isinstance(tree, exp.Update)
        else f"`DELETE` without WHERE{sql.within(statement)} removes"
    )
    yield statement.hit(
        f"{what} every row of {shown}, and no backup but the last one brings them back; add the condition, "
        "or, if all rows are meant, "
        "say so in the function's name (`..._all_...`).",
        profile="strict"
        if _aside(project, fn) or (not _told_which(fn) and holds_one(project, table)) or _on_a_copy(fn)
        else None,
    )


def _on_a_copy(fn: Fn | None) -> bool:
    """`connect(db_name=TMP_DATABASE)`: what the function works on is made for the purpose."""
    given = (fn.value(vid) for call in fn.calls for vid in call.passed) if fn is not None else ()
    return any(value[0] in ("name", "attr") and _COPY.search(str(value[-1]).rpartition(".")[2]) for value in given)


def _refilled(statement: SqlStatement, table: str) -> bool:
    """True where the same function inserts into the table: its contents are replaced as a whole."""
    wanted = re.compile(rf"\bINTO\s+[\"`]?{re.escape(table)}\b", re.IGNORECASE)
    return any(text.fn is statement.function and wanted.search(text.text) for text in statement.project.data.texts)


def _set_in(tree: exp.Update) -> list[str]:
    """The columns that it sets, as far as the text says them."""
    told = (item.this for item in tree.expressions)
    return [column.name for column in told if isinstance(column, exp.Expression) and column.name]


def _moves_a_mark(statement: SqlStatement, tree: exp.Update, table: str) -> bool:
    """True where the same function then sets the same column of one row: `UPDATE t SET main = false`, then the main one."""
    columns = "|".join(map(re.escape, _set_in(tree)))
    wanted = re.compile(
        rf"\bUPDATE\s+[\"`]?{re.escape(table)}\b.*?\bSET\b.*?\b(?:{columns})\b.*?\bWHERE\b", re.IGNORECASE | re.DOTALL
    )
    return any(text.fn is statement.function and wanted.search(text.text) for text in statement.project.data.texts)


def _fills_new(statement: SqlStatement, tree: exp.Update, table: str) -> bool:
    """True where the same function adds the columns: `ALTER TABLE t ADD COLUMN place`, then a first value for each row."""
    set_here = set(map(str.lower, _set_in(tree)))
    added = re.compile(
        rf"\bALTER\s+TABLE\s+[\"`]?{re.escape(table)}\b.*?\bADD\s+(?:COLUMN\s+)?[\"`]?(\w+)", re.IGNORECASE | re.DOTALL
    )
    texts = (text.text for text in statement.project.data.texts if text.fn is statement.function)
    return bool(set_here) and set_here <= {name.lower() for text in texts for name in added.findall(text)}


def _evens_out(tree: exp.Update) -> bool:
    """`SET email = lower(email)`: what is written in one way for all rows is meant for all."""
    told = [(item.this, item.expression) for item in tree.expressions if isinstance(item, exp.EQ)]
    return bool(told) and all(
        isinstance(made, exp.Func) and any(column.name == place.name for column in made.find_all(exp.Column))
        for place, made in told
    )


def _normalizes(fn: Fn, call: Call) -> bool:
    """`update(email=Lower("email"))`, `update(key=Func(F("key"), function="trim"))`: the same in Django."""
    return bool(call.kwargs) and not call.args and all(_made_of(fn, name, vid) for name, vid in call.kwargs)


def _made_of(fn: Fn, name: str, vid: int) -> bool:
    made = fn.value(vid)
    parts = list(ingredients(fn.facts, fn.calls[made[1]].passed)) if made[0] == "call" else []
    reckoned = any(fn.value(part)[0] == "binop" for part in parts)
    return not reckoned and any(fn.const(part) == name for part in parts)


def _operation(project: Project, write: Write) -> Iterator[Hit]:
    """An ORM's bulk delete or update with no condition on the way from the model."""
    fn, call = write.fn, write.call
    sent, start = _sent(fn, call)
    if sent and len(call.args) > 1 and _names_no_values(fn, start):
        return  # `execute(update(Model), rows)`: each by its primary key
    models = [model.orm for model in project.models(fn, call) if model.orm is not None]
    if not sent and (any(orm.lazy for orm in models) or not any(orm.bulk for orm in models)):
        return  # a statement that others send, or one object
    unless = "" if _everything(project, fn, start, MAX_STEPS) else _told_by(project, fn, start)
    if not (unless or _everything(project, fn, start, MAX_STEPS)):
        return
    if _replaced(project, write) or _mark(fn, call, start):
        return
    if write.op == "update" and _normalizes(fn, call):
        return
    model = write.entity.rpartition(".")[2]
    if _SINGLE.search(model):
        return
    did = "removes" if write.op == "delete" else "changes"
    lacks = f"has a condition only if `{unless}` is given, so without it" if unless else "has no condition, so"
    cure = f"ask for `{unless}`" if unless else "add the condition"
    yield Hit(
        f"The {write.op} of `{model}` in `{fn.name}()` {lacks} it {did} every row, and no backup but the last one "
        f"brings them back; {cure}, or, if all rows are meant, say so in the function's name (`..._all_...`).",
        fn.location(call.span),
        function=fn.fqn,
        profile="strict"
        if _aside(project, fn)
        or _starts_over(project, fn)
        or _otherwise_some(project, write)
        or of_one_row(project, write.entity)
        else None,
    )


def _sent(fn: Fn, call: Call) -> tuple[bool, int]:
    """Whether the call sends a statement, and the value that says which rows are meant."""
    sent = fn.callee_name(call) in _EXECUTES
    return sent, call.args[0] if sent and call.args else call.value


def _names_no_values(fn: Fn, start: int) -> bool:
    """`update(Model)` and nothing more."""
    made = fn.unguarded(start)
    call = fn.calls[made[1]] if made[0] == "call" else None
    return call is not None and fn.callee_name(call) == "update" and len(call.passed) == 1


def _aside(project: Project, fn: Fn | None) -> bool:
    """Benchmarks, seeds and demonstrations that no request leads to: the tables are theirs."""
    return fn is not None and for_development(fn.path) and not project.reach(fn.fqn)


def _starts_over(project: Project, fn: Fn) -> bool:
    """Whether the function does nothing but empty several tables: what `disconnect()` of a mirror is for."""
    writes = project.writes.direct(fn)
    if len({item.entity for item in writes}) < 2 or any(_picks(fn, number) for number in range(len(fn.facts.params))):
        return False
    if any(project.queries.text(fn, site.call) for site in project.effects.direct(fn)):
        return False
    own = fn.cls.fqn if fn.cls is not None else ""
    return all(
        item.op == "delete"
        and (item.entity in ("", own) or _everything(project, fn, _sent(fn, item.call)[1], MAX_STEPS))
        for item in writes
    )


def _otherwise_some(project: Project, write: Write) -> bool:
    """`if item_id: ...where(...)`, `else:` all of them: whoever calls it decides which."""
    fn = write.fn
    for number, item in fn.blocks_of(write.call.block):
        if item.kind not in ("if", "else"):
            continue
        group = item.group if item.kind == "else" else number
        tested = fn.facts.blocks[group].value
        asks = tested >= 0 and any(fn.value(vid)[0] == "param" for vid in ingredients(fn.facts, (tested,)))
        others = {
            inner
            for branch, block in enumerate(fn.facts.blocks)
            if branch != number and (branch == group or (block.kind == "else" and block.group == group))
            for inner in below(fn.facts, branch)
        }
        for other in project.writes.direct(fn) if asks else ():
            if other.op == write.op and other.entity == write.entity and other.call.block in others:
                return not _everything(project, fn, _sent(fn, other.call)[1], MAX_STEPS)
    return False


def _picks(fn: Fn, number: int) -> bool:
    """Whether rows could be picked by the parameter; not by the object or class itself, nor by the way to the database."""
    if _WAY.search(fn.facts.params[number].name):
        return False
    return number > 0 or fn.cls is None or fn.kind not in ("method", "classmethod")


def _everything(project: Project, fn: Fn, vid: int, steps: int) -> bool:
    """Whether the value stands for all rows of a model: nothing that leads to it picks some."""
    value = fn.value(vid)
    if steps == 0:
        return False
    if value[0] in ("guard", "await"):
        return _everything(project, fn, value[1], steps - 1)
    if value[0] == "phi":
        return all(_everything(project, fn, item, steps - 1) for item in value[1] if item != vid)
    if value[0] == "attr":
        return value[2] in _WHOLE and _everything(project, fn, value[1], steps - 1)
    if value[0] == "name":
        return _all_of_class(project, fn, str(value[1]))
    return value[0] == "call" and _built(project, fn, fn.calls[value[1]], steps - 1)


def _told_by(project: Project, fn: Fn, vid: int) -> str:
    """The parameter, by default None, without which the statement is left as it began: `if before is not None: statement =
    statement.where(...)`; "" where it is another way."""
    value = fn.unguarded(vid)
    ways = [item for item in value[1] if item != vid] if value[0] == "phi" else []
    narrowed = [item for item in ways if not _everything(project, fn, item, MAX_STEPS)]
    if not narrowed or len(narrowed) == len(ways):
        return ""
    asked = [
        {
            part
            for test, outcome in fn.tests_of(fn.calls[made[1]].block)
            if outcome
            for part in ingredients(fn.facts, (test,))
        }
        for item in narrowed
        if (made := fn.unguarded(item))[0] == "call"
    ]
    if len(asked) < len(narrowed):
        return ""
    home = fn.parent
    for number, param in enumerate(fn.facts.params):
        left_out = home is not None and param.default >= 0 and home.const(param.default) is None
        if left_out and all(any(fn.value(part) == ("param", number) for part in parts) for parts in asked):
            return param.name
    return ""


def _built(project: Project, fn: Fn, call: Call, steps: int) -> bool:
    """`query(Model)`, `delete(Model)`, `collection.delete_many({})`, or a method that keeps all rows."""
    func = fn.value(call.func)
    name = fn.callee_name(call)
    if name.endswith("_many"):
        return bool(call.args) and fn.value(call.args[0]) == ("dict", ())
    if name in ("query", "delete", "update") and len(call.args) == 1 and _is_table(project, fn, call.args[0]):
        return True
    if name == "update" and not (call.args or call.kwargs) and func[0] == "attr":
        return False
    if name in ("delete", "all") and call.args:
        return False
    return name in _WHOLE and _everything(project, fn, call.func, steps)


def _all_of_class(project: Project, fn: Fn, dotted: str) -> bool:
    """`Model.objects.all`, `Model.query`, `Model.delete`: attributes of a model that lead to all of its rows."""
    head = dotted
    while "." in head:
        head, _, last = head.rpartition(".")
        if last not in _WHOLE:
            return False
        if any(ref.kind == "class" for ref in project.resolver.dotted(head, fn.file.module)):
            return True
    return False


def _is_table(project: Project, fn: Fn, vid: int) -> bool:
    return any(
        ref.kind == "class" or (ref.kind == "libinst" and ref.name == "sqlalchemy.Table")
        for ref in project.refs(fn, vid)
    )


def _replaced(project: Project, write: Write) -> bool:
    """True where the same function stores new rows: the table's contents are replaced as a whole."""
    return write.op == "delete" and any(
        (other.creates or other.op == "update_or_create") and other.entity == write.entity
        for other in project.writes.direct(write.fn)
    )


def _mark(fn: Fn, call: Call, start: int) -> bool:
    """True where what is set for all rows is then set for one: `update(main=False)`, then `row.main = True`."""
    value = fn.value(start)
    calls = [call, *([fn.calls[value[1]]] if value[0] == "call" else [])]
    names = {key for item in calls for key, _ in item.kwargs}
    for item in calls:
        for vid in item.args:
            shown = fn.value(vid)
            keys = [fn.value(key) for key, _ in shown[1] if key >= 0] if shown[0] == "dict" else []
            names |= {str(key[-1]).rpartition(".")[2] for key in keys}
    if any(store.name in names for store in fn.facts.stores):
        return True
    others = [other for other in fn.calls if other not in calls]
    if any(names & {key for key, _ in other.kwargs} for other in others):
        return True
    gathered = {
        fn.const(key) for dictionary in fn.made_by("dict") for key, _ in fn.facts.values[dictionary][1] if key >= 0
    }
    return bool(names & gathered) and any(other.open_ended and fn.callee_name(other) == "update" for other in others)
