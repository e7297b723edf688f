"""Collections of which more than so many were refused before, here or by whoever passes them: `if len(items) > LIMIT: raise`."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

from backendlint.facts.model import Span, Vid
from backendlint.project.entities import Fn
from backendlint.project.loops.loops import plain

if TYPE_CHECKING:
    from backendlint.project.model import Project

CALLERS = 2
"""Calls up to where they are refused."""
_NUMBERS = tuple(("name", f"builtins.{name}") for name in ("range", "len", "enumerate"))


def limited(project: Project, fn: Fn, vid: Vid, block: int) -> bool:
    """Whether there are but a few in what a loop (its block) goes through: more were refused, or all who ask pass a list of one
    (`stop_all([shop])`)."""
    vid = _numbered(fn, plain(fn, vid))
    span = fn.facts.blocks[block].span if block else fn.facts.span_of(vid)
    return _one_or_many(fn, vid) or _refused(project, fn, vid, block, span) or _by_callers(project, fn, vid, CALLERS)


def _by_callers(project: Project, fn: Fn, vid: Vid, depth: int) -> bool:
    value = fn.facts.values[vid]
    callers = project.graph.callers(fn) if value[0] == "param" and depth else []
    edges = [edge for edge in callers if edge.caller in project.in_request] or callers
    for edge in edges:
        passed = [plain(edge.caller, item) for item, part in edge.passed(value[1]) if not part]
        if len(passed) != 1 or not _few(project, edge.caller, passed[0], (edge.block, edge.span), depth):
            return False
    return bool(edges)


def _few(project: Project, fn: Fn, vid: Vid, place: tuple[int, Span], depth: int) -> bool:
    """Whether what is passed at a place is short; of a comprehension, what it goes through."""
    value = fn.facts.values[vid]
    if project.fanouts.lengths.small(fn, vid) or _refused(project, fn, vid, *place):
        return True
    if value[0] == "comp":
        around = takewhile(lambda item: item.kind == "comp", (block for _, block in fn.blocks_of(value[4])))
        return all(_few(project, fn, plain(fn, item.value), place, depth) for item in around)
    return _by_callers(project, fn, vid, depth - 1)


def _refused(project: Project, fn: Fn, vid: Vid, block: int, span: Span) -> bool:
    for item in fn.left_before(block, span, ("return", "raise")):
        test = fn.unguarded(item.value) if item.value >= 0 else ("",)
        if test[0] != "compare" or test[1][0] not in (">", ">="):
            continue
        size = fn.unguarded(test[2][0])
        counted = fn.facts.calls[size[1]] if size[0] == "call" else None
        if counted is not None and fn.const(test[2][1]) != 0 and [plain(fn, arg) for arg in counted.args] == [vid]:
            return any(ref.name == "builtins.len" for ref in project.callees(fn, counted))
    return False


def _one_or_many(fn: Fn, vid: Vid) -> bool:
    """`if not many: pilots = [pilots]`, also in `list(set(pilots))`: who asks for one has one done."""
    value = fn.unguarded(vid)
    while value[0] == "call" and len(args := fn.facts.calls[value[1]].args) == 1:
        value = fn.unguarded(args[0])
    parts = [fn.unguarded(item) for item in value[1]] if value[0] == "phi" else []
    single = [fn.unguarded(part[1][0]) for part in parts if part[0] == "list" and len(part[1]) == 1]
    return any(part[0] == "param" and part in single for part in parts)


def _numbered(fn: Fn, vid: Vid) -> Vid:
    """The list behind `enumerate(items)` and `range(len(items))`."""
    value = fn.facts.values[vid]
    call = fn.facts.calls[value[1]] if value[0] == "call" else None
    name = fn.facts.values[call.func] if call is not None and call.args else ("",)
    if call is None or name not in _NUMBERS or (name[1] == "builtins.range" and len(call.args) > 1):
        return vid
    inner = plain(fn, call.args[0])
    counted = _numbered(fn, inner)
    return vid if name[1] == "builtins.range" and counted == inner else counted
