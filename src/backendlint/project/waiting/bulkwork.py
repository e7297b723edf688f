"""Loops that ask the database for each row of a file, as many as there are in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Vid
from backendlint.facts.within import below
from backendlint.project.entities import Fn
from backendlint.project.loops.loops import plain
from backendlint.project.values.limited import limited
from backendlint.project.values.uses import ingredients

if TYPE_CHECKING:
    from backendlint.project.model import Project

_DATABASE = frozenset({"db", "db-read", "commit"})
"""What no bulk write takes off a loop: rows that are looked up, transactions of their own."""
CALLERS = 2
"""Calls up to where a file is read."""
_READERS = frozenset({"csv.reader", "csv.DictReader"})
_ROWS = frozenset({"iter_rows", "iterrows", "itertuples", "get_all_records"})
"""Methods that give the rows of a sheet or a frame."""


def asked_by_row(project: Project, fn: Fn) -> Iterator[Call]:
    """The first such call of each loop."""
    for number, block in enumerate(fn.facts.blocks):
        if block.kind != "for" or project.fanouts.lengths.small(fn, block.value):
            continue
        inside = below(fn.facts, number)
        within = (call for call in fn.calls if call.block in inside)
        first = next((call for call in within if _DATABASE & project.effects.call_effects(fn, call)), None)
        if first is None or limited(project, fn, block.value, number):
            continue
        if _of_file(project, fn, block.value, CALLERS):
            yield first


def _of_file(project: Project, fn: Fn, vid: Vid, depth: int) -> bool:
    parts = ingredients(fn.facts, (vid,))
    made = (fn.calls[value[1]] for value in map(fn.facts.values.__getitem__, parts) if value[0] == "call")
    for call in made:
        if fn.callee_name(call) in _ROWS or any(ref.name in _READERS for ref in project.callees(fn, call)):
            return True
    value = fn.facts.values[plain(fn, vid)]
    if value[0] == "call" and len(args := fn.calls[value[1]].args) == 1:  # `enumerate(rows)`
        value = fn.facts.values[plain(fn, args[0])]
    if value[0] != "param" or not depth:
        return False
    passed = [(edge.caller, item) for edge in project.graph.callers(fn) for item, _ in edge.passed(value[1])]
    return any(_of_file(project, caller, item, depth - 1) for caller, item in passed if caller in project.in_request)
