"""Statements that a loop comes to and that fetch nothing there: what they would ask for was handed in, or nobody reads what
they give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Fn
from backendlint.project.graph.calls import Edge
from backendlint.project.linking.binding import bind
from backendlint.project.rows.queries import Query
from backendlint.project.values.uses import ingredients

if TYPE_CHECKING:
    from backendlint.project.model import Project


def handed_in(edges: Sequence[Edge], query: Query, of_item: Callable[[Vid], bool]) -> bool:
    """`known or ask(key)`, `if known is None: known = ask(key)` in what the loop calls, and it passes something for `known`
    that is the same for all items."""
    if not edges or edges[0].call is None:
        return False
    first, fn = edges[0], edges[0].callee
    block, span = (edges[1].block, edges[1].span) if edges[1:] else (query.block, query.span)
    slots = {_none(fn, vid, outcome) for vid, outcome in fn.tests_of(block)}
    slots |= {_param(fn, vid) for vid, outcome in fn.operands_before(span) if not outcome}
    bound = bind(first.caller, edges[0].call, fn) if slots - {-1} else {}
    passed = [vid for slot in slots for vid, part in bound.get(slot, ()) if not part]
    return any(first.caller.const(vid) is ... and not of_item(vid) for vid in passed)


def _none(fn: Fn, vid: Vid, outcome: bool) -> int:
    """The parameter that a test finds to be None, or -1."""
    value = fn.facts.values[vid]
    if value[0] != "compare" or len(value[1]) != 1 or fn.const(value[2][1]) is not None:
        return -1
    return _param(fn, value[2][0]) if value[1][0] in (("is", "==") if outcome else ("is not", "!=")) else -1


def _param(fn: Fn, vid: Vid) -> int:
    value = fn.unguarded(vid)
    return value[1] if value[0] == "param" else -1


def unread(project: Project, query: Query, edges: Sequence[Edge]) -> bool:
    """A statement of which neither the text nor an answer is known: it rather changes something (`cursor.execute(sql)`)."""
    fn, call = query.fn, query.call
    if call is None or query.model.sql is None or "db" not in query.model.effect or _fetches(fn):
        return False
    if project.queries.text_of(edges, query) or project.queries.statement_kind(fn, call):
        return False
    if _dropped(fn, call):
        return True
    last = edges[-1] if edges else None
    back = fn.returned
    return (
        last is not None
        and last.call is not None
        and call.value in ingredients(fn.facts, back)
        and _dropped(last.caller, last.call)
    )


def _fetches(fn: Fn) -> bool:
    """Whether it also takes rows from a cursor: by a method, or by going through what a name holds that executes."""
    if any(fn.callee_name(call).startswith("fetch") for call in fn.calls):
        return True
    executes = {fn.unguarded(call.func)[1] for call in fn.calls if fn.unguarded(call.func)[0] == "attr"}
    iterated = {block.value for block in fn.facts.blocks if block.kind in ("for", "comp")}
    return not iterated.isdisjoint(executes)


def _dropped(fn: Fn, call: Call) -> bool:
    """Whether the call is a statement of its own: nobody looks at what it gives."""
    discarded = (fn.facts.values[item.value] for item in fn.facts.statements if item.kind == "expr" and item.value >= 0)
    own = fn.facts.values[call.value]
    return any(value in (own, ("await", call.value)) for value in discarded)
