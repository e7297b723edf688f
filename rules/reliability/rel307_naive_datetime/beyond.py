"""Where a time goes from the function that makes it: into those that are handed it, and back to those that asked for it."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from backendlint.api import Clocks, Fn, Project, Vid, slots

from .uses import calls_with, times_of

DEPTH = 4
"""Calls that are followed."""


def ends_in(project: Project, clocks: Clocks, fn: Fn, times: AbstractSet[Vid]) -> str:
    """ "harm" where local time meets another clock further on, "rows" where it gets into rows; "" as far as is known."""
    found = [
        "harm" if clocks.harms(other, vids, local=True) else "rows" if clocks.in_rows(other, vids) else ""
        for other, vids in _further(project, fn, times, DEPTH)
    ]
    return "harm" if "harm" in found else "rows" if "rows" in found else ""


def _further(project: Project, fn: Fn, times: AbstractSet[Vid], depth: int) -> Iterator[tuple[Fn, set[Vid]]]:
    """The functions that get the time, with what holds it in each."""
    reached: list[tuple[Fn, set[Vid]]] = []
    if any(back.value in times for back in fn.facts.returns):
        edges = (edge for edge in project.graph.callers(fn) if edge.kind == "call" and edge.call is not None)
        reached += [(edge.caller, times_of(edge.caller, edge.call.value)) for edge in edges if edge.call is not None]
    for call in calls_with(fn, set(times)):
        for target in project.targets(fn, call):
            reached += [(target, times_of(target, slot)) for slot in slots(fn, call, target, times)]
    for other, vids in reached:
        yield other, vids
        if depth > 1:
            yield from _further(project, other, vids, depth - 1)
