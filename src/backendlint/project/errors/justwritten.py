"""Rows that are there, as a statement before has written them and was asked how many it was."""

from __future__ import annotations

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Fn
from backendlint.project.values.uses import ingredients

_COUNTS = frozenset({"rowcount"})
_LEAVES = ("return", "raise")


def just_written(fn: Fn, call: Call) -> bool:
    """`if session.execute(update(Flow).where(Flow.uuid == uuid)).rowcount != 1: raise`, then a look-up by the same `uuid`."""
    wanted = _given(fn, [*call.passed, call.func])
    return bool(wanted) and any(
        wanted <= _given(fn, [left.value])
        for left in fn.left_before(call.block, call.span, _LEAVES)
        if any(
            fn.value(vid)[0] == "attr" and fn.value(vid)[2] in _COUNTS for vid in ingredients(fn.facts, (left.value,))
        )
    )


def _given(fn: Fn, vids: list[Vid]) -> set[int]:
    """The parameters of which something is made: not `self`."""
    values = (fn.value(vid) for vid in ingredients(fn.facts, vids))
    own = 1 if fn.cls is not None else 0
    return {value[1] for value in values if value[0] == "param" and value[1] >= own}
