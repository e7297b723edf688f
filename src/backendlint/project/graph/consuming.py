"""Functions that take messages from a queue for as long as their program runs: nobody stands by and waits for their end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.facts.model import Block
from backendlint.facts.within import below, calls_in
from backendlint.project.entities import Fn
from backendlint.project.loops.loops import going_through, plain

if TYPE_CHECKING:
    from backendlint.project.model import Project

_TAKES = "queue-consume"
_RUNNING = frozenset({"const", "not", "attr", "name", "call", "param"})
"""What says that the program is to go on: `True`, `not stopping.is_set()`, `self.running`; no comparison of what is left."""


def consumers(project: Project) -> dict[str, list[int]]:
    """The loops of each such function."""
    found: dict[str, list[int]] = {}
    for fn in project.functions_with("while", "for"):
        for number, block in enumerate(fn.facts.blocks):
            if block.kind in ("while", "for") and block.value >= 0 and _goes_on(project, fn, number, block):
                found.setdefault(fn.fqn, []).append(number)
    return found


def _goes_on(project: Project, fn: Fn, number: int, block: Block) -> bool:
    """Whether the loop takes from a queue in each round, and no round leaves it when there is nothing more."""
    if block.kind == "for" and _TAKES not in going_through(project, fn, plain(fn, block.value)):
        return False
    if block.kind == "while" and fn.unguarded(block.value)[0] not in _RUNNING:
        return False
    inside = below(fn.facts, number) - {number}
    ways_out = (item for item in inside if fn.facts.blocks[item].exits in ("break", "return"))
    if any(fn.inside(item, "except") is None for item in ways_out):
        return False
    return block.kind == "for" or any(
        _TAKES in project.effects.call_effects(fn, call) for call in calls_in(fn.facts, number)
    )
