"""How often a piece of code tries again, by its counters."""

from __future__ import annotations

from backendlint.facts.model import Block, Call, Vid
from backendlint.project.binding import bind
from backendlint.project.entities import Fn


def same_again(fn: Fn, call: Call, handler: int) -> bool:
    """The function's own parameters, passed on unchanged, whatever happened before."""
    tests = [
        number
        for number, item in enumerate(fn.facts.blocks)
        if item.kind in ("if", "case") and any(outer == handler for outer, _ in fn.blocks_of(number))
    ]
    if tests or call.open_ended:
        return False
    for index, passed in bind(fn, call, fn).items():
        for vid, part in passed:
            value = fn.facts.values[vid]
            while value[0] == "guard":
                value = fn.facts.values[value[1]]
            if part or value != ("param", index):
                return False
    return True


def rounds(fn: Fn, test: Vid) -> float | None:
    """How often `while tries < 3` with a counter from 0 goes round."""
    value = fn.facts.values[test]
    if value[0] != "compare" or len(value[1]) != 1 or value[1][0] not in ("<", "<="):
        return None
    counter, limit = fn.facts.values[value[2][0]], fn.const(value[2][1])
    starts = [fn.const(item) for item in counter[1]] if counter[0] == "phi" else []
    start = next((item for item in starts if type(item) is int), None)
    if type(limit) is not int or start is None:
        return None
    return float(max(0, limit - start + (value[1][0] == "<=")))


def counted(fn: Fn, block: Block) -> bool:
    value = fn.facts.values[block.value] if block.value >= 0 else ("",)
    return value[0] == "compare" and value[1][0] in (">", ">=", "<", "<=", "==")
