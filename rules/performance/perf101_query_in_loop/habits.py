"""What several loops have in common: what is to be mended once is told once."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator
from dataclasses import replace

from backendlint.api import Hit, Project, Repeated, Step, name_of, repeated

LOOKS_UP = re.compile(r"_*(\w+_)??(get|find|fetch|load|look_?up|resolve|retrieve|search|query|select|read|by)(_|$)")
"""Names of functions that look up one row by its key: each loop that calls one is to ask for all of its keys."""
SHOWN = 3
"""So many other loops of a habit are named."""


def cause(item: Repeated) -> Hashable:
    """What is to be mended: what several loops call, where the query lies below it (`order.as_json()`); the look-up, where
    several loops of a file over what is called the same (`for line in wanted.lines`), or methods of one name, come to it; or the
    loop."""
    called = item.edges[0].callee if item.edges else None
    if called is not None and len(item.edges) > 1 and not LOOKS_UP.match(called.name):
        return called.fqn, item.query.fn.fqn, item.query.span
    listed = _listed(item) or (item.fn.name if item.fn.cls is not None else "")
    if listed:
        return called.fqn if called is not None else item.query.name, listed, item.fn.path
    return item.fn.location(item.span)


def _listed(item: Repeated) -> str:
    """The attribute that the loop goes through; "" for others."""
    fn = item.fn
    block = next((block for block in fn.facts.blocks if block.span == item.loop and block.value >= 0), None)
    value = fn.unguarded(block.value) if block is not None else ("",)
    return str(value[2]) if value[0] == "attr" else ""


def elsewhere(project: Project, items: list[Repeated]) -> list[Repeated]:
    """The loops of files that are not reviewed which call the same: how many there are decides what is told."""
    if project.focus is None:
        return []
    shared = {item.edges[0].callee for item in items if len(item.edges) > 1}
    callers = {edge.caller for callee in shared for edge in project.graph.callers(callee)}
    others = sorted((fn for fn in callers if not project.counts(fn)), key=lambda fn: fn.fqn)
    return list(repeated(project, others)) if others else []


def by_others(hit: Hit, others: str) -> str:
    """Loops that come to one query through what they share are told at the first."""
    return f"{hit.message[:-1]}. Loops in {others} come to the same query."


def in_other_loops(hit: Hit, others: str) -> str:
    """A function whose loops ask one thing after the other is told at the first."""
    return f"{hit.message[:-1]}. Its other loops ask so in {others}."


def habit(item: Repeated) -> Hashable:
    """What a function, or the methods of a class, ask so in one loop after the other; through a helper of the file, all of it."""
    owner = item.fn.cls.fqn if item.fn.cls is not None else item.fn.fqn
    edge = item.edges[0] if item.edges else None
    if edge is None:  # `cursor.execute(...)` does not say what it asks
        plain = item.query.call is None or not item.query.call.args
        return owner, item.query.name if plain else item.span
    if edge.call is None:
        return owner, edge.callee.fqn
    if edge.callee.cls is None and edge.callee.path == item.fn.path:
        return edge.callee.fqn
    return owner, edge.callee.fqn, name_of(item.fn.file, item.fn.facts, edge.call.func)


def again(hits: list[Hit]) -> Iterator[Hit]:
    """The first of one habit, with where it is so too."""
    first, *others = sorted(hits, key=lambda hit: hit.location.line)
    if others:
        lines = [str(hit.location.line) for hit in others]
        where = f"lines {', '.join(lines[:-1])} and {lines[-1]}" if lines[1:] else f"line {lines[0]}"
        where = where if len(lines) <= SHOWN else f"{len(lines)} more loops"
        also = tuple(Step(hit.location, "asks so too") for hit in others[:SHOWN])
        first = replace(first, message=f"{first.message[:-1]}. So it is in {where}.", related=(*first.related, *also))
    yield first
    yield from (replace(hit, profile="strict") for hit in others)
