"""Conversions that are tried, and where a function ends: what has gone well there."""

from __future__ import annotations

from backendlint.facts.model import Call
from backendlint.project.entities import Fn
from backendlint.project.values.uses import ingredients


def raises_on(fn: Fn, block: int) -> bool:
    """True in the body itself, and in tries whose handlers all raise."""
    for number, item in fn.blocks_of(block):
        if item.kind not in ("func", "try") or any(exits != "raise" for exits in _handlers(fn, number)):
            return False
    return True


def went_well(fn: Fn, call: Call, block: int, line: int) -> bool:
    """Whether the call has been made, and has not failed, wherever control comes to that line of that block."""
    if call.span.end_line >= line or any(call.value in fn.value(vid)[2][1:] for vid in fn.made_by("bool")):
        return False
    around = dict(fn.blocks_of(block))
    failed = {item.group for item in around.values() if item.kind in ("except", "finally")}
    for number, item in fn.blocks_of(call.block):
        if number in failed:
            return False
        left = item.kind == "try" and all(exits in ("return", "raise") for exits in _handlers(fn, number))
        if number not in around and not left:
            return False
    return True


def ends(fn: Fn) -> list[tuple[int, int]]:
    """Block and line of each place where a function ends without an exception, unless it is switched off there."""
    returns = [item for item in fn.facts.returns if not item.is_yield]
    found = [(item.block, item.span.line) for item in returns if not _is_switched(fn, item.block)]
    return found if fn.facts.blocks[0].exits else [*found, (0, fn.facts.span.end_line + 1)]


def _is_switched(fn: Fn, block: int) -> bool:
    """Below a test that asks for nothing that was passed: `if not settings.CHECK_URLS: return`."""
    own = 1 if fn.kind in ("method", "classmethod") and fn.cls is not None else 0
    for test, _ in fn.tests_of(block):
        values = (fn.facts.values[vid] for vid in ingredients(fn.facts, (test,)))
        if not any(value[0] == "param" and value[1] >= own for value in values):
            return True
    return False


def _handlers(fn: Fn, number: int) -> list[str]:
    """How control leaves each handler of a try."""
    return [item.exits for item in fn.facts.blocks if item.kind == "except" and item.group == number]
