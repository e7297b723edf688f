"""Where a lock makes those who change the same rows wait for each other."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Vid
from backendlint.facts.within import name_of
from backendlint.project.entities import Fn
from backendlint.project.graph.calls import Edge
from backendlint.project.graph.certain import given, never_made, truth
from backendlint.project.linking.binding import chained_calls
from backendlint.project.linking.decorators import wrapping_calls
from backendlint.project.rows.transactions import before, exclusive
from backendlint.project.values.uses import ingredients

if TYPE_CHECKING:
    from backendlint.project.model import Project
    from backendlint.project.rows.origins import Origin

FOR_UPDATE = re.compile(r"\bFOR\s+(NO\s+KEY\s+)?UPDATE\b|\bFOR\s+SHARE\b", re.IGNORECASE)
_LINKS = 12
"""Calls of a chain."""
_ALONE = re.compile(r"^\s*(BEGIN\s+(IMMEDIATE|EXCLUSIVE)|LOCK\s+TABLE)\b", re.IGNORECASE)
"""After these nobody else writes until the transaction ends."""
_ADVISORY = re.compile(r"\bpg_(try_)?advisory_(xact_)?lock\s*\(", re.IGNORECASE)
_ADVISES = frozenset(f"pg_{attempt}advisory_{until}lock" for attempt in ("", "try_") for until in ("", "xact_"))
"""`select(func.pg_advisory_xact_lock(...))`."""
_ACQUIRES = re.compile(r"(^|_)(acquire|take|obtain|claim|try)_(\w+_)?lock$", re.IGNORECASE)
_LOCK = re.compile(r"(^|[._])(advisory_?)?(lock|mutex|semaphore)(ed|ing)?($|[._(])", re.IGNORECASE)


def locked(origin: Origin) -> bool:
    """Whether the query locks the rows that it fetches."""
    asking = (step for step in origin.steps if not step.unlocked)
    return "lock" in origin.ops or any(any("for_update" in key for key, _ in step.call.kwargs) for step in asking)


def serialized(project: Project, fn: Fn, call: Call, asking: Fn | None = None) -> bool:
    """Whether a lock is held when the call runs: a row locked before it, here or by the caller (`asking`, where it is known
    who), or a `with lock:` around."""
    if _locked_before(project, fn, call):
        return True
    edges = [edge for edge in project.graph.callers(fn) if edge.kind == "call"]
    edges = [edge for edge in edges if edge.caller is asking] or edges
    return any(edge.call is not None and _locked_before(project, edge.caller, edge.call) for edge in edges)


def held_above(project: Project, fn: Fn, levels: int = 4) -> bool:
    """Whether each way there goes through a place that holds a lock: `with lock: return self.run_within_lock(...)`."""
    edges = [edge for edge in project.graph.callers(fn) if edge.caller is not fn] if levels else []
    return bool(edges) and all(
        edge.kind == "call"
        and edge.call is not None
        and (_locked_before(project, edge.caller, edge.call) or held_above(project, edge.caller, levels - 1))
        for edge in edges
    )


def locks_rows(project: Project, fn: Fn, call: Call) -> bool:
    """Whether a query locks the rows that it fetches, here or in a function of the project's that makes it for its callers."""
    sites = [(fn, call), *((target, inner) for target in project.targets(fn, call) for inner in target.calls)]
    return any(
        _locks(project, place, site)
        and not _ADVISORY.search(project.queries.text(place, site))
        and place.const(site.kwarg("read")) is not True  # shared, and meant to last
        and (place is fn or not _left_out(Edge(fn, place, call, "call", call.span), site))
        for place, site in sites
    )


def _locked_before(project: Project, fn: Fn, call: Call) -> bool:
    for _, block in fn.blocks_of(call.block):
        if block.kind == "with" and block.value >= 0 and _holds(project, fn, block.value):
            return True
    return runs_locked(project, fn) or any(
        before(other.span, call.span)
        and not exclusive(fn, other.block, call.block)
        and _takes_lock(project, fn, other)
        and not _if_asked(project, fn, other)
        for other in fn.calls
    )


def _holds(project: Project, fn: Fn, vid: Vid) -> bool:
    """`with rows_lock(number):`, `with rows_lock(number) if alone else nullcontext():`, `lock, _ = lockers.of(number)` and `with lock:`."""
    value = fn.unguarded(vid)
    names = [name_of(fn.file, fn.facts, vid), *(item.name for item in fn.facts.bindings if item.value == vid)]
    return (
        any(map(_LOCK.search, names))
        or _enters_locked(project, fn, vid)
        or (value[0] == "phi" and any(_holds(project, fn, part) for part in value[1] if part != vid))
    )


def runs_locked(project: Project, fn: Fn) -> bool:
    """Whether a decorator takes a lock for as long as the function runs: a context manager of the project's, put on it."""
    wrapping = (project.functions[ref.name] for ref in fn.decorators if ref.kind == "func")
    return any(_yields_locked(project, wrapper) for wrapper in wrapping)


def locked_afresh(project: Project, fn: Fn, vid: Vid) -> bool:
    """`self.row` where a decorator has read it anew, with a lock: `self.row = rows.select_for_update().get(pk=self.row.pk)`."""
    value = fn.unguarded(vid)
    if value[0] != "attr" or fn.unguarded(value[1]) != ("param", 0):
        return False
    return any(
        store.name == value[2]
        and store.span < call.span
        and inner.unguarded(store.base) == ("param", 0)
        and _asked_locked(project, inner, store.value)
        for inner, call in wrapping_calls(project, fn)
        for store in inner.facts.stores
    )


def _asked_locked(project: Project, fn: Fn, vid: Vid) -> bool:
    """Whether one of the calls of a query's chain locks the rows."""
    return any(_locks(project, fn, call) for call in chained_calls(fn, vid, _LINKS))


def _enters_locked(project: Project, fn: Fn, vid: Vid, depth: int = 2) -> bool:
    """`with exclusively():` of the project's own context manager that takes a lock when it is entered."""
    value = fn.unguarded(vid)
    made = project.targets(fn, fn.facts.calls[value[1]]) if value[0] == "call" else ()
    if depth and any(_yields_locked(project, inner, depth - 1) for inner in made):
        return True
    classes = [project.classes[ref.name] for ref in project.refs(fn, vid) if ref.kind == "inst"]
    entered = [project.method(cls, name) for cls in classes for name in ("__enter__", "__aenter__")]
    return any(item is not None and any(_takes_lock(project, item, call) for call in item.calls) for item in entered)


def _yields_locked(project: Project, fn: Fn, depth: int = 1) -> bool:
    inside = {number for item in fn.facts.returns if item.is_yield for number, _ in fn.blocks_of(item.block)}
    opened = (fn.facts.blocks[number] for number in inside)
    return any(
        item.kind == "with" and item.value >= 0 and _enters_locked(project, fn, item.value, depth) for item in opened
    )


def _takes_lock(project: Project, fn: Fn, call: Call) -> bool:
    """A locking query, here or in a function that makes one, or `if not lock.acquire(): return`."""
    if _locks(project, fn, call):
        return True
    if fn.callee_name(call) == "acquire" and _LOCK.search(name_of(fn.file, fn.facts, call.func)):
        return True
    if _claims(project, fn, call) and any(
        item.kind == "if" and item.value >= 0 and call.value in ingredients(fn.facts, (item.value,))
        for item in fn.facts.blocks
    ):
        return True
    return any(
        _locks(project, target, inner) and not _left_out(Edge(fn, target, call, "call", call.span), inner)
        for target in project.targets(fn, call)
        for inner in target.calls
    )


def _claims(project: Project, fn: Fn, call: Call) -> bool:
    """What only one of several gets, of a store that all share: `cache.add("import", 1)`, `redis.set(key, 1, nx=True)`, or by its
    name: `acquire_import_lock()`."""
    name = fn.callee_name(call)
    if _ACQUIRES.search(name):
        return True
    once = name in ("add", "setnx") or (name == "set" and fn.const(call.kwarg("nx")) is True)
    return once and "cache-write" in project.effects.call_effects(fn, call)


def _left_out(edge: Edge, call: Call) -> bool:
    """`if lock: query = query.with_for_update()`, `with_for_update=lock`, where the caller does not ask for it."""
    if call.block and never_made(edge, call):
        return True
    return asks_for_none(edge.callee, call, edge)


def asks_for_none(fn: Fn, call: Call, way: Edge | None) -> bool:
    """Whether a call says that it takes no lock: `with_for_update=lock`, where whoever calls the function does not ask for it."""
    asked = [vid for key, vid in call.kwargs if "for_update" in key]
    known = given(way) if asked and way is not None else {}
    return bool(asked) and all(truth(fn, vid, known) is False for vid in asked)


def _if_asked(project: Project, fn: Fn, call: Call) -> bool:
    """Whether it is for callers to ask for the lock, and one does not."""
    return any(_left_out(edge, call) for edge in project.graph.callers(fn))


def _locks(project: Project, fn: Fn, call: Call) -> bool:
    if fn.callee_name(call) in ("select_for_update", *_ADVISES) or any("for_update" in key for key, _ in call.kwargs):
        return True  # also of `type(self.row).objects`
    if any(model.orm is not None and model.orm.op == "lock" for model in project.models(fn, call)):
        return True
    text = project.queries.text(fn, call)
    return any(pattern.search(text) for pattern in (FOR_UPDATE, _ALONE, _ADVISORY))
