"""PERF108: rows that are fetched and thrown away."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backendlint.api import (
    Call,
    Fn,
    Hit,
    Project,
    Value,
    Vid,
    for_tests,
    ingredients,
    object_root,
    one_row,
    only_by_hand,
    receiver,
    told_once,
    unbounded,
)

from .given import BINDS, given

CATALOGUE = re.compile(r"\bFROM\s+(sqlite_master|sqlite_schema|pg_\w+|information_schema\b)", re.IGNORECASE)
SAME = ("guard", "await")
FEW = 10
"""Rows of which it does not matter that they are fetched."""
_ASKS = (
    ("builtins.len", "fetches all rows to count them", "count()"),
    ("builtins.bool", "fetches all rows to see whether there are any", "exists()"),
)


def check(project: Project) -> Iterator[Hit]:
    """`len()` of a query's rows, and query objects used as truth values, where the rows serve nothing else; a habit of a file
    is told once."""
    yield from told_once(
        _hits(project), _everywhere, severity=None, each=lambda hit: (hit.location.path, hit.message.split("`")[-2])
    )


def _everywhere(hit: Hit, others: str) -> str:
    return hit.message.replace(
        " and uses nothing else", f", here and in {others} of the file, and uses nothing else", 1
    )


def _hits(project: Project) -> Iterator[Hit]:
    for name, what, better in _ASKS:
        for fn, call in project.graph.calls_of(name):
            asked = (
                project.counts(fn)
                and len(call.args) == 1
                and _rows(project, fn, call.args[0])
                and not for_tests(project, fn)
            )
            if asked and _uses(project, fn, call.args[0], call) == 0 and not _few(project, fn, call.args[0]):
                yield _hit(project, fn, call, what, better)
    for fn in filter(project.counts, project.functions_with("if")):
        tests = [block.value for block in fn.facts.blocks if block.kind == "if" and block.value >= 0]
        if tests and not for_tests(project, fn):
            for vid in tests:
                yield from _tested(project, fn, vid)


def _tested(project: Project, fn: Fn, vid: Vid) -> Iterator[Hit]:
    tested, value = vid, fn.facts.values[vid]
    if value[0] == "not":
        vid = value[1]
    plain = _plain(fn, vid)
    value = fn.facts.values[plain]
    own = 0 if fn.facts.values[tested][0] == "not" else 1
    alone = value[0] == "call" and _rows(project, fn, plain) and _uses(project, fn, plain, None) <= own
    if alone and not _few(project, fn, plain):
        yield _hit(project, fn, fn.facts.calls[value[1]], "fetches all rows to see whether there are any", "exists()")


def _plain(fn: Fn, vid: Vid) -> Vid:
    while fn.facts.values[vid][0] in SAME:
        vid = fn.facts.values[vid][1]
    return vid


def _rows(project: Project, fn: Fn, vid: Vid) -> bool:
    """Whether the value is all rows of a query, which the function asks itself or has from another one."""
    value = fn.value(_plain(fn, vid))
    return _own_rows(project, fn, vid) or (
        value[0] == "call" and given(project, fn, fn.calls[value[1]], _own_rows) is not None
    )


def _own_rows(project: Project, fn: Fn, vid: Vid) -> bool:
    """A query object, `.all()` of one, `list()` of one."""
    vid = _plain(fn, vid)
    value = fn.facts.values[vid]
    if value[0] != "call" or project.queries.loaded(fn, vid):
        return False
    call = fn.facts.calls[value[1]]
    if project.queries.unsent(fn, vid) is not None or _builds(project, fn, call) is not None:
        return True
    for model in project.models(fn, call):
        if model.orm is not None and model.orm.rows == "many" and model.orm.op in ("all", "iterate"):
            return True
    if call.args and any(ref.name == "builtins.list" for ref in project.callees(fn, call)):
        return project.queries.unsent(fn, call.args[0]) is not None
    asks = any(query.call is call for query in project.queries.sent(fn))
    return asks and any(item.query.call is call for item in unbounded(project, fn))


def _builds(project: Project, fn: Fn, call: Call) -> tuple[Fn, Call] | None:
    """The query object that the project's function gives which is called, where it does nothing but build one."""
    targets = project.targets(fn, call)
    if (
        len(targets) != 1
        or targets[0].facts.is_generator
        or targets[0].facts.is_async
        or any(ref.name not in BINDS for ref in targets[0].decorators)
        or project.queries.direct(targets[0])
    ):
        return None
    built = [item.value for item in targets[0].facts.returns]
    value = targets[0].facts.values[_plain(targets[0], built[0])] if len(built) == 1 and built[0] >= 0 else ("",)
    if value[0] != "call" or project.queries.unsent(targets[0], built[0]) is None:
        return None
    return targets[0], targets[0].facts.calls[value[1]]


def _few(project: Project, fn: Fn, vid: Vid, *, asked: bool = False) -> bool:
    """Whether the query is limited to a few rows: `bool(User.select().limit(1))`, or one by a unique key, or asks a catalogue;
    `asked`: or to as many as callers say."""
    value = fn.facts.values[_plain(fn, vid)]
    call = fn.facts.calls[value[1]] if value[0] == "call" else None
    if call is not None and (
        one_row(project, *(_builds(project, fn, call) or (fn, call))) or _asks_catalogue(project, fn, call)
    ):
        return True
    below = given(project, fn, call, _own_rows) if call is not None and not _own_rows(project, fn, vid) else None
    if below is not None:
        return _few(project, *below, asked=True)
    for origin in project.origins.of(fn, vid):
        if origin.ops & {"insert", "update", "delete", "lock"} or any(
            _wanted_themselves(step.fn, step.call) for step in origin.steps
        ):
            return True
        for step in origin.steps:
            if step.model.orm is not None and step.model.orm.op == "limit" and step.call.args:
                most = step.fn.const(step.call.args[0])
                if most <= FEW if isinstance(most, int) else asked:
                    return True
    return False


def _asks_catalogue(project: Project, fn: Fn, call: Call) -> bool:
    """Whether the call, or for `cursor.fetchall()` one of its cursor, asks for the database's own tables."""
    root = _root(fn, call)
    asked = [call] if root < 0 else [item for item in fn.calls if _root(fn, item) == root]
    return any(CATALOGUE.search(project.queries.text(fn, item)) for item in asked)


def _root(fn: Fn, call: Call) -> Vid:
    """The object behind the one on which a method is called, or -1."""
    owner = receiver(fn, call)
    return object_root(fn, owner) if owner >= 0 else -1


def _wanted_themselves(fn: Fn, call: Call) -> bool:
    """Rows that are locked, or that a write gives back: fetching them is the point."""
    names = {
        fn.callee_name(fn.calls[value[1]])
        for vid in ingredients(fn.facts, (call.func, *call.args))
        if (value := fn.facts.values[vid])[0] == "call"
    }
    return not names.isdisjoint(("with_for_update", "select_for_update", "returning"))


def _uses(project: Project, fn: Fn, vid: Vid, but: Call | None) -> int:
    """How often anything else reads the value, followed through guards and from one round of a loop to the next."""
    same: set[Vid] = set()
    todo = [vid, _plain(fn, vid)]
    while todo:
        held = todo.pop()
        if held not in same:
            same.add(held)
            todo += (user for user in fn.made_of(held) if _goes_on(fn.value(user), held))
    users = {user for held in same for user in fn.made_of(held)} - same
    count = sum(1 for user in users if fn.value(user)[0] not in ("not", "guard"))
    for call in fn.calls:
        if call is not but and same.intersection(call.passed):
            count += 1
    count += sum(1 for item in fn.facts.returns if item.value in same)
    for inner in project.functions_of(fn.file):
        if inner.parent is fn and any(value[0] == "outer" and value[1] in same for value in inner.facts.values):
            count += 1
    count += sum(1 for item in fn.facts.stores if item.value in same)
    return count + sum(1 for block in fn.facts.blocks if block.value in same)


def _goes_on(value: Value, held: Vid) -> bool:
    """Whether a value that is made of another is that other still."""
    return value[0] == "phi" or (value[0] in SAME and value[1] == held)


def _hit(project: Project, fn: Fn, call: Call, what: str, better: str) -> Hit:
    kept = project.queries.cached(fn) and fn.fqn not in project.route_functions  # not a page for some minutes
    seldom = kept or only_by_hand(project, fn) or project.layer(fn) in ("migration", "command")
    return Hit(
        f"`{fn.name}()` {what} and uses nothing else of them: each row is read, sent and made into an object; let the database do it "
        f"(`{better}`).",
        fn.location(call.span),
        function=fn.fqn,
        profile="strict" if seldom else None,
    )
