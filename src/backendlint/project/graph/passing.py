"""Whether what is passed along a chain of calls decides what the last of them asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Fn
from backendlint.project.graph.calls import Edge
from backendlint.project.rows.queries import Query
from backendlint.project.values.uses import made_of


def inputs(call: Call) -> list[Vid]:
    """What a call is made of: the function, and all arguments."""
    return [call.func, *call.passed]


def parts_of(query: Query) -> list[Vid]:
    """The values of which a query is made."""
    return [query.vid] if query.call is None else [query.vid, *inputs(query.call)]


def read_from(edge: Edge) -> list[Vid]:
    """The objects of which a property is read."""
    fn, values = edge.caller, edge.caller.facts.values
    named = [vid for vid in fn.made_by("attr") if values[vid][2] == edge.callee.name]
    return [values[vid][1] for vid in named if fn.facts.span_of(vid) == edge.span]


def made_from(fn: Fn, vids: Iterable[Vid], params: set[int]) -> bool:
    """Whether any of the values is made from one of the function's parameters (by index)."""
    todo = [vid for vid in vids if vid >= 0]
    seen = set(todo)
    while todo:
        value = fn.facts.values[todo.pop()]
        if value[0] == "param" and value[1] in params:
            return True
        parts = inputs(fn.facts.calls[value[1]]) if value[0] == "call" else made_of(value)
        for part in parts:
            if part >= 0 and part not in seen:
                seen.add(part)
                todo.append(part)
    return False


def decides(edges: Sequence[Edge], query: Query, given: Callable[[Vid], bool], *, closures: bool) -> bool:
    """Whether values of which `given` is true, seen in the first edge's caller, decide what the query asks.

    `closures` is the answer where a function is called that lies in another one, and sees all that is there.
    """
    for edge in edges:
        if edge.callee.cls is None and edge.callee.parent is not None and not edge.callee.parent.is_module:
            return closures
        params = _received(edge, given)
        if not params:
            return False
        given = _from(edge.callee, params)
    return any(given(vid) for vid in parts_of(query))


def _received(edge: Edge, given: Callable[[Vid], bool]) -> set[int]:
    """The callee's parameters that get such a value; 0 for a property, whose object decides."""
    if edge.call is None:
        objects = read_from(edge)
        return {0} if not objects or any(map(given, objects)) else set()
    bound = edge.bound()
    return {slot for slot, items in bound.items() if any(given(vid) for vid, _ in items)}


def _from(fn: Fn, params: set[int]) -> Callable[[Vid], bool]:
    return lambda vid: made_from(fn, (vid,), params)
