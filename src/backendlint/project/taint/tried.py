"""Conversions that are tried: where what follows shows that they went well."""

from __future__ import annotations

from backendlint.facts.model import Call
from backendlint.project.entities import Fn


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


def _handlers(fn: Fn, number: int) -> list[str]:
    """How control leaves each handler of a try."""
    return [item.exits for item in fn.facts.blocks if item.kind == "except" and item.group == number]
