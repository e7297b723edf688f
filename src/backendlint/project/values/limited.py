"""Collections of which more than so many were refused before, here or by whoever passes them: `if len(items) > LIMIT: raise`."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

from backendlint.facts.model import Span, Vid
from backendlint.project.entities import Fn
from backendlint.project.linking.binding import object_root
from backendlint.project.loops.loops import VIEWS, plain
from backendlint.project.routes.params import marker_calls

if TYPE_CHECKING:
    from backendlint.project.model import Project

_MOST = ("max_length", "max_items")
"""What a field says of the number of its items."""
CALLERS = 2
"""Calls up to where they are refused."""
_NUMBERS = tuple(("name", f"builtins.{name}") for name in ("range", "len", "enumerate"))


def limited(project: Project, fn: Fn, vid: Vid, block: int) -> bool:
    """Whether there are but a few in what a loop (its block) goes through: more were refused, or all who ask pass a list of one
    (`stop_all([shop])`)."""
    vid = _numbered(fn, plain(fn, vid))
    span = fn.facts.blocks[block].span if block else fn.facts.span_of(vid)
    few = _one_or_many(fn, vid) or _declared(project, fn, vid)
    return few or _refused(project, fn, vid, block, span) or _by_callers(project, fn, vid, CALLERS)


def _declared(project: Project, fn: Fn, vid: Vid) -> bool:
    """`lines: list[Line] = Field(max_length=50)`, of a parameter as well as of an object's attribute: more are refused as they come in."""
    value = fn.unguarded(vid)
    func = fn.func_of(value)
    if func[0] == "attr" and func[2] in VIEWS:
        return _declared(project, fn, func[1])
    stated: list[tuple[Fn, Vid]] = []
    if value[0] == "param" and fn.parent is not None:
        param = fn.facts.params[value[1]]
        stated = [(fn.parent, param.annotation), (fn.parent, param.default)]
    elif value[0] == "attr":
        kinds = (project.classes[ref.name] for ref in project.refs(fn, value[1]) if ref.kind == "inst")
        owners = [owner for cls in kinds for owner in project.hierarchy.mro(cls)]
        for said in ("annotations", "attributes"):
            stated += [(cls.owner, getattr(cls.facts, said).get(value[2], -1)) for cls in owners]
    marks = (call for home, item in stated for _, call in marker_calls(project, home, item))
    return any(call.kwarg(key) >= 0 for call in marks for key in _MOST)


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
    left = (item.value for item in fn.left_before(block, span, ("return", "raise")) if item.value >= 0)
    return any(_too_long(project, fn, part, vid) for test in left for part in _any_of(fn, test))


def _any_of(fn: Fn, test: Vid) -> tuple[Vid, ...]:
    """The parts of `a or b`."""
    value = fn.unguarded(test)
    return tuple(value[2]) if value[:2] == ("bool", "or") else (test,)


def _too_long(project: Project, fn: Fn, test: Vid, vid: Vid) -> bool:
    """`len(items) > LIMIT`, not `len(items) > 0`."""
    compared = fn.unguarded(test)
    if compared[0] != "compare" or compared[1][0] not in (">", ">=") or fn.const(compared[2][1]) == 0:
        return False
    size = fn.unguarded(compared[2][0])
    counted = fn.facts.calls[size[1]] if size[0] == "call" else None
    if counted is None or [_part(fn, arg) for arg in counted.args] != [_part(fn, vid)]:
        return False
    return any(ref.name == "builtins.len" for ref in project.callees(fn, counted))


def _part(fn: Fn, vid: Vid) -> tuple[object, ...]:
    """An object and the attributes by which it is got at, read as often as one likes: `order.lines`, also `order.lines.values()`."""
    value = fn.facts.values[plain(fn, vid)]
    func = fn.func_of(value)
    if func[0] == "attr" and func[2] in VIEWS:
        return _part(fn, func[1])
    return (*_part(fn, value[1]), value[2]) if value[0] == "attr" else (object_root(fn, vid),)


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
