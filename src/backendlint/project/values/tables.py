"""Tables that are written out in the code (dicts and sequences, also filled item by item), and loops over them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Vid
from backendlint.project.entities import Fn
from backendlint.project.linking.variables import variable
from backendlint.project.loops.loops import VIEWS

if TYPE_CHECKING:
    from backendlint.project.model import Project

MAX_DEPTH = 12
MAX_CHANGES = 40
_ADDS = ("append", "add")


class Entry(NamedTuple):
    """An item of a table, in the function in whose table the values lie."""

    fn: Fn
    key: Vid
    """-1 in a sequence."""
    value: Vid


def kept_alike(fn: Fn, vid: Vid) -> Iterator[Vid]:
    """What a dict is given under keys that vary, or a list, down to where it was made: things of one kind."""
    todo, seen = [vid], set[Vid]()
    while todo and len(seen) < MAX_CHANGES:
        item = todo.pop()
        if item < 0 or item in seen:
            continue
        seen.add(item)
        value = fn.facts.values[item]
        if value[0] == "store" and fn.facts.values[value[2]][0] != "const":
            yield value[3]
        if value[0] == "mut" and value[2] in _ADDS:
            yield from value[3]
        if value[0] in ("phi", "store", "mut", "guard"):
            todo += reversed(value[1]) if value[0] == "phi" else (value[1],)


def entries(project: Project, fn: Fn, vid: Vid, depth: int = MAX_DEPTH) -> Iterator[Entry]:
    """What a dict, list, tuple or set holds, as far as the code says it."""
    if vid < 0 or depth == 0:
        return
    value = fn.facts.values[vid]
    operation = value[0]
    if operation == "dict":
        for key, item in value[1]:
            if key < 0:
                yield from entries(project, fn, item, depth - 1)
            else:
                yield Entry(fn, key, item)
    elif operation in ("list", "tuple", "set"):
        for item in value[1]:
            inner = fn.facts.values[item]
            if inner[0] == "star":
                yield from entries(project, fn, inner[1], depth - 1)
            else:
                yield Entry(fn, -1, item)
    elif operation == "store":
        yield Entry(fn, value[2], value[3])
        yield from entries(project, fn, value[1], depth - 1)
    elif operation == "mut":
        yield from entries(project, fn, value[1], depth - 1)
        if value[2] == "append":
            yield from (Entry(fn, -1, item) for item in value[3])
        elif value[2] in ("update", "extend"):
            for item in value[3]:
                yield from entries(project, fn, item, depth - 1)
    else:
        for owner, other in _sources(project, fn, vid):
            yield from entries(project, owner, other, depth - 1)


def _sources(project: Project, fn: Fn, vid: Vid) -> Iterator[tuple[Fn, Vid]]:
    """Where a value that is no table itself has its contents from."""
    value = fn.facts.values[vid]
    operation = value[0]
    if operation == "guard":
        yield fn, value[1]
    elif operation == "phi":
        yield from ((fn, item) for item in value[1] if item != vid)
    elif operation == "binop" and value[1] in ("|", "+"):
        yield from ((fn, item) for item in value[2:4])
    elif operation == "outer":
        owner = fn.outer(value)
        if owner is not None:
            yield owner, value[1]
    elif operation == "name":
        named = variable(project, fn, value[1])
        if named is not None:
            yield named
    elif operation == "call":
        for callee in project.targets(fn, fn.facts.calls[value[1]]):
            yield from ((callee, item.value) for item in callee.facts.returns if not item.is_yield)


def bound(project: Project, fn: Fn, vid: Vid) -> Iterator[tuple[Fn, Vid]]:
    """The value itself; for a variable of a loop over a table what it is bound to, item by item."""
    value = fn.facts.values[vid]
    position = value[2] if value[0] == "unpack" else None
    element = fn.facts.values[value[1]] if value[0] == "unpack" else value
    if element[0] != "elem":
        yield fn, vid
        return
    for entry in looped(project, fn, element[1]):
        if position is None:
            yield entry.fn, entry.value if entry.key < 0 else entry.key
        elif entry.key >= 0:
            yield entry.fn, entry.key if position == 0 else entry.value
        else:
            pair = entry.fn.facts.values[entry.value]
            if pair[0] in ("tuple", "list") and 0 <= position < len(pair[1]):
                yield entry.fn, pair[1][position]


def looped(project: Project, fn: Fn, vid: Vid) -> Iterator[Entry]:
    """The items of an iterable, such as a loop's; `table.items()` and the like are seen through."""
    value = fn.facts.values[vid]
    callee = fn.func_of(value)
    table, view = (fn, vid), ""
    if callee[0] == "attr" and callee[2] in VIEWS:
        table, view = (fn, callee[1]), callee[2]
    elif callee[0] == "name" and callee[1].rpartition(".")[2] in VIEWS:
        name, _, view = callee[1].rpartition(".")
        table = variable(project, fn, name) or table
    for entry in entries(project, *table):
        yield Entry(entry.fn, -1, entry.value) if view == "values" else entry
