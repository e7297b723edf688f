"""Paths that a middleware hands on before it asks who calls: `if request.path in PUBLIC: return await handler(request)`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from backendlint.facts.model import Block, Vid
from backendlint.facts.within import around
from backendlint.project.entities import Fn, Ref
from backendlint.project.linking.variables import display
from backendlint.project.routes import Route
from backendlint.project.values.uses import ingredients

if TYPE_CHECKING:
    from backendlint.project.model import Project

_ASKS = frozenset({"authenticate", "authorize"})
_METHODS = ("dispatch", "__call__", "process_request", "process_view")
_PATH = re.compile(r"(^|_)path(_|$)")
_POSITIVE = (("in",), ("==",))
_NEGATIVE = (("not in",), ("!=",))


def before_middleware(project: Project, route: Route, evidence: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """The roles and names of what stands before a handler: `exempt` for a middleware that lets its path pass."""
    for role, name in evidence:
        standing = list(_standing(project, route, name)) if role in _ASKS else []
        texts = [item for fn in standing for item in _passing(project, fn)]
        passes = any(
            route.path == text or (begins and route.path.startswith(text) and text != "/") for text, begins in texts
        )
        yield ("exempt" if passes else role), name


def _standing(project: Project, route: Route, name: str) -> Iterator[Fn]:
    """The functions of what has that name among what stands before the handler."""
    yield from (fn for fn in route.hooks if fn.name == name)
    for ref in route.guards:
        if ref.name.rpartition(".")[2] == name:
            yield from _functions(project, ref)


def _functions(project: Project, ref: Ref) -> Iterator[Fn]:
    if ref.kind == "func" and ref.name in project.functions:
        yield project.functions[ref.name]
    cls = project.classes.get(ref.name) if ref.kind in ("class", "inst") else None
    if cls is not None:
        yield from (fn for name in _METHODS if (fn := project.method(cls, name)) is not None)


def _passing(project: Project, fn: Fn) -> Iterator[tuple[str, bool]]:
    """The paths with which a call goes on at once, and those with which nobody is asked; True for beginnings of paths."""
    named = any(_PATH.search(str(fn.facts.values[vid][2])) for vid in fn.made_by("attr"))
    asks = named or any(fn.const(vid) == "path" for vid in fn.made_by("const"))
    for number, block in enumerate(fn.facts.blocks):
        if asks and block.kind == "if" and block.value >= 0:
            if block.exits != "return":
                yield from _texts(project, fn, block.value, outcome=False)
            elif _hands_on(fn, number, block):
                yield from _texts(project, fn, block.value, outcome=True)


def _hands_on(fn: Fn, number: int, block: Block) -> bool:
    """Whether what is returned in a block is nothing, or what comes of a call that is given a parameter (the request)."""
    for item in fn.facts.returns:
        if number not in around(fn.facts, item.block) or item.value < 0 or fn.const(item.value) is None:
            continue
        value = fn.unguarded(item.value)
        made = fn.unguarded(value[1]) if value[0] == "await" else value
        passed = fn.calls[made[1]].passed if made[0] == "call" else ()
        if not any(fn.unguarded(vid)[0] in ("param", "outer") for vid in passed):
            return False
    return True


def _texts(project: Project, fn: Fn, vid: Vid, outcome: bool) -> Iterator[tuple[str, bool]]:
    """The texts of which the path is one, or begins with one, where a test comes out so."""
    value = fn.unguarded(vid)
    if value[0] == "not":
        yield from _texts(project, fn, value[1], not outcome)
    elif value[0] == "bool":
        for part in value[2]:
            yield from _texts(project, fn, part, outcome)
    elif value[0] == "compare" and value[1] in (_POSITIVE if outcome else _NEGATIVE):
        yield from ((text, False) for text in _spelled(project, fn, vid))
    elif value[0] == "call" and outcome:  # `request.path.startswith("/public/")`
        yield from ((text, True) for text in _spelled(project, fn, vid))


def _spelled(project: Project, fn: Fn, vid: Vid) -> Iterator[str]:
    for part in ingredients(fn.facts, (vid,)):
        home, shown = display(project, fn, part)
        texts = (home.const(item) for item in ingredients(home.facts, (shown,)))
        yield from (text for text in texts if isinstance(text, str) and text.startswith("/"))
