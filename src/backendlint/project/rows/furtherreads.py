"""What a function reads of its parameter by way of relations: `order.customer.country`, `line.product` of `order.lines.all()`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from backendlint.facts.model import Vid
from backendlint.project.entities import Cls, Fn
from backendlint.project.loops.loops import behind, block_at
from backendlint.project.rows.associations import is_inner
from backendlint.project.rows.inhand import looks_first, rows_in_hand
from backendlint.project.rows.loaders import Path

if TYPE_CHECKING:
    from backendlint.project.model import Project

MAX_STEPS = 16
_SAME_ROWS = ("all", "iterator")
_PASSES_ON = frozenset({"builtins.sorted", "builtins.list", "builtins.reversed", "builtins.tuple"})


def further(project: Project, fn: Fn, slot: int, entity: Cls) -> Iterator[tuple[Vid, Path]]:
    """Relations that a function reads of what its parameter leads to, an entity: each place with the way there."""
    for vid in fn.made_by("attr"):
        if fn.facts.values[vid][2] not in project.associations.names:
            continue
        names = _way(project, fn, vid, slot)
        relations = list(project.associations.along(entity, names))
        if len(names) < 2 or len(relations) < len(names) or not relations[-1].loads:
            continue
        if relations[-1].manager and (is_inner(fn, vid) or not _asked_for_rows(fn, vid)):
            continue
        span = fn.facts.span_of(vid)
        block = block_at(fn, span)
        back = project.associations.leads_back(names[:-1], relations[-1])
        if not back and not looks_first(fn, block, span) and not rows_in_hand(fn, block):
            yield vid, names


def _way(project: Project, fn: Fn, vid: Vid, slot: int) -> Path:
    """The relations from the parameter to a value, also through loops over all rows of one; () for anything else."""
    names: Path = ()
    for _ in range(MAX_STEPS):
        value = fn.unguarded(vid)
        if value[0] == "param":
            return names if value[1] == slot else ()
        if value[0] == "attr":
            names, vid = (str(value[2]), *names), value[1]
        elif value[0] in ("elem", "unpack"):
            source = behind(fn, value)
            vid = source if source >= 0 else value[1]
        elif value[0] == "call":
            call, func = fn.calls[value[1]], fn.func_of(value)
            if func[0] == "attr" and func[2] in _SAME_ROWS and not call.passed:
                vid = func[1]
            elif call.args and {ref.name for ref in project.callees(fn, call)} & _PASSES_ON:
                vid = call.args[0]
            else:
                return ()
        else:
            return ()
    return ()


def _asked_for_rows(fn: Fn, manager: Vid) -> bool:
    """Whether all rows of a manager are read, which come with it where they were loaded."""
    funcs = (fn.facts.values[call.func] for call in fn.calls)
    return any(func[0] == "attr" and func[1] == manager and func[2] in _SAME_ROWS for func in funcs)
