"""Exceptions that a handler has met before: what it looked for is there, or it has left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Value
from backendlint.facts.within import called_name
from backendlint.project.entities import Fn
from backendlint.project.exceptions import Escape

if TYPE_CHECKING:
    from backendlint.project.model import Project

_LEAVES = ("return", "raise")


def met_before(project: Project, fn: Fn, escape: Escape) -> bool:
    """`try: key = find(kid) except NoKey: return 404`, and below it `find(kid)` once more."""
    call = escape.site.call if escape.site is not None else escape.edge.call if escape.edge is not None else None
    if call is None:
        return False
    wanted = [value for vid in call.passed if (value := fn.unguarded(vid))[0] != "const"]
    around = {number for number, _ in fn.blocks_of(escape.block)}
    before = [other for other in fn.calls if other.span[2:] <= call.span[:2]] if wanted else []
    return any(_leaves_without(project, fn, other, call, wanted, around, escape.name) for other in before)


def _leaves_without(
    project: Project, fn: Fn, other: Call, call: Call, wanted: list[Value], around: set[int], name: str
) -> bool:
    """Whether another call asks the same of the same, in a `try` before that leaves where there is nothing."""
    same = called_name(fn.file, fn.facts, other) == called_name(fn.file, fn.facts, call)
    if not same or not any(fn.unguarded(vid) in wanted for vid in other.passed):
        return False
    handler = project.exceptions.caught_by(fn, other.block, name)
    if handler < 0 or fn.facts.blocks[handler].kind != "except":
        return False
    block = fn.facts.blocks[handler]
    return block.exits in _LEAVES and fn.facts.blocks[block.group].parent in around
