"""PERF108: rows that are fetched and thrown away."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

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

from .given import BINDS, SAME, Place, given, plain

CATALOGUE = re.compile(r"\bFROM\s+(sqlite_master|sqlite_schema|pg_\w+|information_schema\b)", re.IGNORECASE)
A_FEW = re.compile(r"\bLIMIT\s+\d\b", re.IGNORECASE)
"""So few rows that it does not matter either, in a text."""
BY_KEY = re.compile(
    r"\bFROM\s+[^\s,()]+\s+WHERE\s+(?:\w+\.)?[\"`]?(?:id|uuid|pk)[\"`]?\s*=\s*(?:[%$:@]\(?\w+\)?s?|\?)\s*(?:;|\bAND\b|$)",
    re.IGNORECASE,
)
"""The one row of a key, in a text."""
ALWAYS_TRUE = "sqlalchemy"
"""Its query objects fetch nothing where they are tested, and have no length."""
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
            asked = project.counts(fn) and len(call.args) == 1 and _for_nothing(project, fn, call.args[0], call, 0)
            if asked and not for_tests(project, fn):
                yield _hit(project, fn, call, what, better)
    for fn in filter(project.counts, project.functions_with("if")):
        tests = [n for n, block in enumerate(fn.facts.blocks) if block.kind == "if" and block.value >= 0]
        for number in tests if tests and not for_tests(project, fn) else ():
            yield from _tested(project, fn, number)


def _tested(project: Project, fn: Fn, number: int) -> Iterator[Hit]:
    vid, own = fn.facts.blocks[number].value, 1
    value = fn.facts.values[vid]
    if value[0] == "not":
        vid, own = value[1], 0
    vid = plain(fn, vid)
    value = fn.facts.values[vid]
    if value[0] == "call" and _for_nothing(project, fn, vid, None, own):
        hit = _hit(project, fn, fn.facts.calls[value[1]], "fetches all rows to see whether there are any", "exists()")
        yield replace(hit, profile="strict") if own == 0 and _until_free(fn, number) else hit


def _until_free(fn: Fn, number: int) -> bool:
    """`while True: code = new_code(); if not Ticket.objects.filter(code=code): break`: what is looked for is one row, or none."""
    around = [block.kind for _, block in fn.blocks_of(number)]
    return fn.facts.blocks[number].exits in ("break", "return") and "while" in around


def _for_nothing(project: Project, fn: Fn, vid: Vid, but: Call | None, own: int) -> bool:
    """Whether the value is all rows of a query, perhaps many, which nothing but the call reads, and `own` more at most."""
    place = _fetched(project, fn, vid)
    return place is not None and _uses(project, fn, vid, but) <= own and not _few(project, fn, vid, place)


def _fetched(project: Project, fn: Fn, vid: Vid) -> Place | None:
    """Where all rows of a query are fetched that the value is: the function asks itself, or has them from another one."""
    if _own_rows(project, fn, vid):
        return fn, vid
    value = fn.value(plain(fn, vid))
    return given(project, fn, fn.calls[value[1]], _own_rows) if value[0] == "call" else None


def _own_rows(project: Project, fn: Fn, vid: Vid) -> bool:
    """A query object, `.all()` of one, `list()` of one."""
    vid = plain(fn, vid)
    value = fn.facts.values[vid]
    if value[0] != "call" or project.queries.loaded(fn, vid):
        return False
    call = fn.facts.calls[value[1]]
    builds = _builds(project, fn, call) or (fn, call)
    built = project.queries.unsent(builds[0], builds[1].value)
    if built is not None:
        return built.library != ALWAYS_TRUE
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
    value = targets[0].facts.values[plain(targets[0], built[0])] if len(built) == 1 and built[0] >= 0 else ("",)
    if value[0] != "call" or project.queries.unsent(targets[0], built[0]) is None:
        return None
    return targets[0], targets[0].facts.calls[value[1]]


def _few(project: Project, fn: Fn, vid: Vid, place: Place) -> bool:
    """Whether the query is limited to a few rows, and, where another function fetches them, to as many as callers say."""
    lent = place != (fn, vid)
    if _picks(project, fn, vid) or (lent and _picks(project, *place)):
        return True
    return _limited(project, *place, asked=lent)


def _picks(project: Project, fn: Fn, vid: Vid) -> bool:
    """Whether the query asks for one row by a unique key, for a few by its text, or of a catalogue."""
    value = fn.facts.values[plain(fn, vid)]
    call = fn.facts.calls[value[1]] if value[0] == "call" else None
    return call is not None and (
        one_row(project, *(_builds(project, fn, call) or (fn, call))) or _asks_for_little(project, fn, call)
    )


def _limited(project: Project, fn: Fn, vid: Vid, *, asked: bool) -> bool:
    """`bool(User.select().limit(1))`, and rows that are wanted themselves; `asked`: also a limit that callers give."""
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


def _asks_for_little(project: Project, fn: Fn, call: Call) -> bool:
    """Whether the call, or for `cursor.fetchall()` one of its cursor, asks for the database's own tables, or for a few rows."""
    root = _root(fn, call)
    asked = [call] if root < 0 else [item for item in fn.calls if root in (_root(fn, item), item.value)]
    texts = [text for item in asked if (text := project.queries.text(fn, item))]
    own = project.queries.text(fn, call) or (texts[0] if len(texts) == 1 else "")
    return BY_KEY.search(own) is not None or any(CATALOGUE.search(text) or A_FEW.search(text) for text in texts)


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
    todo = [vid, plain(fn, vid)]
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
