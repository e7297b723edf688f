"""Durable steps: the writes of a function that stay even if what follows fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Call, Store, Vid
from backendlint.facts.within import below
from backendlint.project.entities import Fn
from backendlint.project.graph.calls import Edge
from backendlint.project.graph.certain import Given, certain, given
from backendlint.project.rows.saved import only_made
from backendlint.project.rows.transactions import before
from backendlint.project.rows.writes import Write
from backendlint.project.values.uses import operands

if TYPE_CHECKING:
    from backendlint.project.model import Project

MAX_DEPTH = 2


class Durable(NamedTuple):
    """A call after which something is stored for good."""

    fn: Fn
    call: Call
    write: Write
    """What is stored (the first write of the step)."""
    edges: tuple[Edge, ...]
    """The calls that lead to the write or its commit, where a callee does it."""
    committed: bool
    """Stored by a commit (of what was pending), not by each write by itself."""


def durable_steps(project: Project, fn: Fn) -> list[Durable]:
    """The function's durable steps in the order in which they end, each call once: what an argument stores comes first."""
    if fn.fqn not in project.writes.storing:
        return []
    writes = project.writes.direct(fn)
    found = [Durable(fn, write.call, write, (), False) for write in writes if _autocommitted(project, write)]
    pending = [write for write in writes if not _autocommitted(project, write)]
    last: Call | None = None
    for call in project.transactions.commits(fn):
        ready = [write for write in pending if before(write.call.span, call.span) or write.call is call]
        ready = ready or _flushed(project, fn, last, call)
        if ready:
            found.append(Durable(fn, call, ready[0], (), True))
            pending = [write for write in pending if write not in ready]
        last = call
    known: dict[tuple[str, str], tuple[Write, tuple[Edge, ...], bool] | None] = {}
    for edge in project.graph.callees(fn):
        if edge.kind == "call" and edge.call is not None and edge.callee.fqn in project.writes.storing:
            passed = given(edge)
            key = (edge.callee.fqn, repr(passed))
            if key not in known:
                known[key] = callee_step(project, edge, (), passed)
            step = known[key]
            if step is not None:
                edges = (edge, *step[1][1:])
                write = project.writes.saved(edge) or project.writes.received(step[0], edges)
                found.append(Durable(fn, edge.call, write, edges, step[2]))
    unique: dict[int, Durable] = {}
    for item in sorted(found, key=lambda item: item.call.span[2:]):
        unique.setdefault(item.call.value, item)
    return list(unique.values())


def closed_steps(project: Project, fn: Fn) -> list[list[Durable]]:
    """The writes of each transaction that the function opens itself, by a `with` that stands in no other: stored for good
    where the block ends. One list a transaction, in source order."""
    if fn.fqn not in project.writes.storing:
        return []
    opened = [
        number
        for number, block in enumerate(fn.facts.blocks)
        if block.kind == "with" and project.transactions.is_transaction(fn, block)
    ]
    outer = [number for number in opened if not any(above in opened for above, _ in fn.blocks_of(number)[1:])]
    if len(outer) < 2 or project.transactions.around(fn, 0) is not None:
        return []
    found: dict[int, list[Durable]] = {number: [] for number in outer}
    entered = {fn.unguarded(fn.facts.blocks[number].value): number for number in outer}
    for step in (*_direct_steps(project, fn), *_called_steps(project, fn)):
        inside = next((number for number, _ in fn.blocks_of(step.call.block) if number in found), -1)
        if inside < 0:  # `async with unit_of_work(session): device.status = "retired"` stores when it ends
            inside = entered.get(fn.value(step.call.value), -1)
            changed = below(fn.facts, inside) if inside >= 0 else set[int]()
            inside = inside if any(item.name and item.block in changed for item in fn.facts.stores) else -1
        if inside >= 0:
            found[inside].append(step)
    return [sorted(steps, key=lambda step: step.call.span) for steps in found.values() if steps]


def _direct_steps(project: Project, fn: Fn) -> list[Durable]:
    return [Durable(fn, write.call, write, (), True) for write in project.writes.direct(fn)]


def _called_steps(project: Project, fn: Fn) -> list[Durable]:
    """Calls that certainly write, each with the first write that it leads to."""
    found = []
    for edge in project.graph.callees(fn):
        if edge.kind != "call" or edge.call is None or edge.callee.fqn not in project.writes.storing:
            continue
        passed = given(edge)
        for write, chain in project.writes.reached(edge.callee):
            first = chain[0].call if chain else write.call
            if first is not None and certain(edge.callee, first, passed):
                edges = (edge, *chain)
                found.append(Durable(fn, edge.call, project.writes.received(write, edges), edges, True))
                break
    return found


def _flushed(project: Project, fn: Fn, last: Call | None, commit: Call) -> list[Write]:
    """Writes of callees that do not commit themselves, between the commit before and this one."""
    for edge in project.graph.callees(fn):
        if edge.kind != "call" or edge.call is None or not before(edge.span, commit.span):
            continue
        if last is not None and before(edge.span, last.span):
            continue
        writes = [] if project.effects.has(edge.callee, "commit") else project.writes.reached(edge.callee)
        if writes:
            return [writes[0][0]]
    return []


def callee_step(
    project: Project, edge: Edge, seen: tuple[str, ...], passed: Given
) -> tuple[Write, tuple[Edge, ...], bool] | None:
    """The durable write that a call leads to: with the calls in between, and whether a commit stores it."""
    callee = edge.callee
    if callee.fqn not in project.writes.storing or callee.fqn in seen or len(seen) >= MAX_DEPTH:
        return None
    if project.layer(callee) == "migration":
        return None
    found = _stored_below(project, edge, seen, passed)
    saved = project.writes.saved(edge) if found is not None else None
    return (saved, (edge,), False) if saved is not None else found


def _stored_below(
    project: Project, edge: Edge, seen: tuple[str, ...], passed: Given
) -> tuple[Write, tuple[Edge, ...], bool] | None:
    callee = edge.callee
    for write in project.writes.direct(callee):
        stored = _autocommitted(project, write, edge) and not only_made(callee, write.call, (edge,))
        if stored and certain(callee, write.call, passed):
            return write, (edge,), False
    if any(certain(callee, call, passed) for call in project.transactions.commits(callee)):
        writes = project.writes.reached(callee)
        if writes:
            return writes[0][0], (edge,), True
    enclosed = _in_own_block(project, callee, passed)
    if enclosed is not None:
        return enclosed, (edge,), True
    tried: set[str] = set()
    for inner in project.graph.callees(callee):
        if inner.kind != "call" or inner.call is None or inner.callee.fqn in tried:
            continue
        tried.add(inner.callee.fqn)
        if certain(callee, inner.call, passed):
            found = callee_step(project, inner, (*seen, callee.fqn), given(inner, passed))
            chain = (edge, *found[1]) if found is not None else ()
            if found is not None and not only_made(found[0].fn, found[0].call, chain):
                return found[0], chain, found[2]
    return None


def _in_own_block(project: Project, fn: Fn, passed: Given) -> Write | None:
    """The first write of a transaction that the function opens by a `with` of its own, and so ends: `with unit_of_work() as work:
    work.entries.add(entry)`."""
    opened = {
        number
        for number, block in enumerate(fn.facts.blocks)
        if block.kind == "with" and project.transactions.is_transaction(fn, block)
    }
    for step in (*_direct_steps(project, fn), *_called_steps(project, fn)) if opened else ():
        inside = any(number in opened for number, _ in fn.blocks_of(step.call.block))
        if inside and not _autocommitted(project, step.write) and certain(fn, step.call, passed):
            return step.write
    return None


def _autocommitted(project: Project, write: Write, edge: Edge | None = None) -> bool:
    if project.transactions.ends(write.fn, write.call):
        return False
    models = project.models(write.fn, write.call)
    return any(project.transactions.autocommits(model) for model in models) or project.queries.ended(
        write.fn, write.call, edge
    )


def related(project: Project, fn: Fn, first: Durable, second: Durable) -> bool:
    """Whether two steps work on the same things: the second uses what the first made, or both use the same values."""
    one, two = _values(project, fn, first, None), _values(project, fn, second, first.call)
    made = {first.call.value, *([first.write.call.value] if first.write.fn is fn else [])}
    return bool(two & made or one & two)


def _values(project: Project, fn: Fn, step: Durable, after: Call | None) -> set[Vid]:
    """Parameters, results and items that a step's arguments (for a commit: what was assigned since `after`) are made
    from; sessions and requests left out."""
    call = step.call if step.edges or step.write.fn is not fn else step.write.call
    todo = [call.func, *call.passed]
    if step.committed and not step.edges:
        todo += [vid for store in _stored_by(fn, call, after) for vid in (store.base, store.value)]
        todo += [vid for sent in _sent_below(project, fn, step, after) for vid in sent.passed]
    found: set[Vid] = set()
    seen: set[Vid] = set()
    while todo:
        vid = todo.pop()
        if vid < 0 or vid in seen:
            continue
        seen.add(vid)
        value = fn.facts.values[vid]
        if _everywhere(project, fn, vid):
            continue
        if value[0] in ("param", "call", "elem", "unpack"):
            found.add(vid)
        if value[0] == "call":
            inner = fn.facts.calls[value[1]]
            todo += [inner.func, *inner.passed]
        else:
            todo += list(operands(value))
    return found


def _stored_by(fn: Fn, call: Call, after: Call | None) -> list[Store]:
    """The attributes that a commit stores: set before it, or inside of the `with` that commits."""
    blocks, stores = fn.facts.blocks, [store for store in fn.facts.stores if store.name]
    for number, item in enumerate(blocks):
        if item.kind == "with" and item.value >= 0 and fn.unguarded(item.value) == fn.value(call.value):
            return [store for store in stores if store.block in below(fn.facts, number)]
    return [
        store for store in stores if before(store.span, call.span) and not (after and before(store.span, after.span))
    ]


def _sent_below(project: Project, fn: Fn, step: Durable, after: Call | None) -> Iterator[Call]:
    """Calls of functions that write what the commit then stores: `orders.drop_lines(order.id); session.commit()`."""
    for edge in project.graph.callees(fn) if step.write.fn is not fn else ():
        if edge.call is None or edge.kind != "call" or not before(edge.call.span, step.call.span):
            continue
        if after is not None and before(edge.call.span, after.span):
            continue
        if any(write.call is step.write.call for write, _ in project.writes.reached(edge.callee)):
            yield edge.call


def _everywhere(project: Project, fn: Fn, vid: Vid) -> bool:
    """`self` (but for a row of a model), sessions, connections, requests and points in time, which everything uses."""
    value = fn.facts.values[vid]
    if value[0] == "param":
        param = fn.facts.params[value[1]]
        if (value[1] == 0 and fn.cls is not None) or param.name in ("request", "req"):
            return not (value[1] == 0 and fn.kind == "method" and fn.cls and project.hierarchy.role(fn.cls) == "model")
    for ref in project.refs(fn, vid):
        cls = project.libraries.cls(ref.name) if ref.kind == "libinst" else None
        if (cls is not None and cls.resource.startswith("db-")) or ref.name.startswith("datetime."):
            return True
    return False
