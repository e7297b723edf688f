"""Conditions of which a function does not know the others: whoever sends the query adds them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Fn
from backendlint.project.linking.binding import object_root, receiver
from backendlint.project.sqltext.ormtables import MANAGERS

if TYPE_CHECKING:
    from backendlint.project.model import Project


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


def narrowed_before(project: Project, fn: Fn, vid: Vid) -> bool:
    """Whether rows that a class of querysets has (`self.filter(...)`) may be narrowed by what does not stand there: something else
    than `Model.objects` is asked for them."""
    calls = [(edge.caller, edge.call) for edge in project.graph.callers(fn) if edge.call is not None]
    bare = fn.facts.values[object_root(fn, vid)] == ("param", 0)
    return not (bare and calls and all(_of_all_rows(caller, call) for caller, call in calls))


def _of_all_rows(fn: Fn, call: Call) -> bool:
    """`Order.objects.unpaid()`, `Order.objects.all().unpaid()`"""
    func = fn.facts.values[call.func]
    if func[0] == "name":
        return str(func[1]).split(".")[-2:-1] in (["objects"], ["all"])
    asked = fn.unguarded(func[1]) if func[0] == "attr" else ("",)
    if asked[0] == "call":
        inner = fn.facts.calls[asked[1]]
        return fn.callee_name(inner) == "all" and _of_all_rows(fn, inner)
    return asked[0] in ("name", "attr") and str(asked[-1]).rpartition(".")[2] in MANAGERS
