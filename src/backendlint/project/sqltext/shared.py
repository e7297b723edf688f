"""Conditions of which a function does not know the others: whoever sends the query adds them."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.facts.model import Vid
from backendlint.project.binding import object_root, receiver
from backendlint.project.entities import Fn


def handed_out(fn: Fn) -> Iterator[Vid]:
    """`return [Order.paid, Order.due < today]`: conditions to which whoever sends the query may add others."""
    for back in fn.facts.returns:
        value = fn.unguarded(back.value) if back.value >= 0 else ("",)
        yield from value[1] if value[0] in ("list", "tuple") else (back.value,)


def added(fn: Fn) -> Iterator[Vid]:
    """`conditions.append(Order.state == state)` to a list that the function is given, with the conditions of its callers."""
    for call in fn.facts.calls:
        base = receiver(fn, call) if fn.callee_name(call) in ("append", "insert") else -1
        if base >= 0 and fn.facts.values[object_root(fn, base)][0] == "param":
            yield from call.args
