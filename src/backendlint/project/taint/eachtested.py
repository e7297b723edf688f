"""What a loop over a list that refuses bad elements says of them: behind it they are clean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Fn
from backendlint.project.taint.asked import Place, place
from backendlint.project.taint.labels import Path
from backendlint.project.taint.same import same

if TYPE_CHECKING:
    from backendlint.project.taint.guards import Guards

_REFUSES = ("raise", "return")


def each_tested(guards: Guards, fn: Fn, vid: Vid, path: Path, call: Call) -> frozenset[str]:
    """`for step in steps: if not isinstance(step.get("id"), int): raise`, before the list goes on at a call."""
    kinds = frozenset[str]()
    if path[:1] != ("[*]",):
        return kinds
    enclosing = {number for number, _ in fn.blocks_of(call.block)}
    for number, block in enumerate(fn.facts.blocks):
        before = block.kind == "for" and number not in enclosing and block.span.end_line < call.span.line
        if not before or block.value < 0 or not same(fn, block.value, vid):
            continue
        tests = [
            item.value
            for item in fn.facts.blocks
            if item.parent == number and item.kind == "if" and item.exits in _REFUSES
        ]
        for subject in _mentions(fn, block.value, path[1:]) if tests else ():
            for test in tests:
                kinds |= guards.cleared(fn, subject, test, False)
    return kinds


def _mentions(fn: Fn, listed: Vid, path: Path) -> list[Vid]:
    """The values that are that part of an element of the list."""
    elements = [vid for vid in fn.made_by("elem") if same(fn, fn.facts.values[vid][1], listed)]
    wanted = {Place(vid, path) for vid in elements}
    found = (vid for op in ("elem", "item", "call", "attr") for vid in fn.made_by(op))
    return [vid for vid in found if place(fn, vid) in wanted]
