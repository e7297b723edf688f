"""Where a time goes from the function that makes it: into those that are handed it, and back to those that asked for it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from backendlint.api import Clocks, Fn, Project, Vid, slots

from .uses import calls_with, times_of

DEPTH = 4
"""Calls that are followed."""


def ends_in(project: Project, clocks: Clocks, fn: Fn, times: AbstractSet[Vid]) -> str:
    """ "harm" where local time meets another clock further on, "rows" where it gets into rows; "" as far as is known."""
    in_rows = False
    for other, vids in _further(project, fn, times):
        if clocks.harms(other, vids, local=True):
            return "harm"
        in_rows = in_rows or clocks.in_rows(other, vids)
    return "rows" if in_rows else ""


def _further(project: Project, fn: Fn, times: AbstractSet[Vid]) -> Iterator[tuple[Fn, AbstractSet[Vid]]]:
    """The functions that get the time, the nearest first, with what holds it in each."""
    todo, seen = deque([(fn, times, DEPTH)]), set[tuple[str, frozenset[Vid]]]()
    while todo:
        at, held, depth = todo.popleft()
        for other, vids in _next(project, at, held):
            key = (other.fqn, frozenset(vids))
            if key not in seen:
                seen.add(key)
                yield other, vids
                if depth > 1:
                    todo.append((other, vids, depth - 1))


def _next(project: Project, fn: Fn, times: AbstractSet[Vid]) -> Iterator[tuple[Fn, set[Vid]]]:
    """Those that get it from one that has it."""
    if any(back.value in times for back in fn.facts.returns):
        for edge in project.graph.callers(fn):
            if edge.kind == "call" and edge.call is not None:
                yield edge.caller, times_of(edge.caller, edge.call.value)
    for call in calls_with(fn, times):
        for target in project.targets(fn, call):
            yield from ((target, times_of(target, slot)) for slot in slots(fn, call, target, times))
