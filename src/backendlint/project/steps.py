"""Durable steps: the writes of a function that stay even if what follows fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Call
from backendlint.project.calls import Edge
from backendlint.project.entities import Fn
from backendlint.project.transactions import before
from backendlint.project.writes import Write

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
    """The function's durable steps in source order, each call once."""
    writes = project.writes.direct(fn)
    found = [Durable(fn, write.call, write, (), False) for write in writes if _autocommitted(project, write)]
    pending = [write for write in writes if not _autocommitted(project, write)]
    last: Call | None = None
    for call in fn.calls:
        if project.transactions.ends(fn, call) == "commit":
            ready = [write for write in pending if before(write.call.span, call.span) or write.call is call]
            ready = ready or _flushed(project, fn, last, call)
            if ready:
                found.append(Durable(fn, call, ready[0], (), True))
                pending = [write for write in pending if write not in ready]
            last = call
    known: dict[str, tuple[Write, tuple[Edge, ...], bool] | None] = {}
    for edge in project.graph.callees(fn):
        if edge.kind == "call" and edge.call is not None:
            name = edge.callee.fqn
            if name not in known:
                known[name] = callee_step(project, edge, ())
            step = known[name]
            if step is not None:
                found.append(Durable(fn, edge.call, step[0], (edge, *step[1][1:]), step[2]))
    unique: dict[int, Durable] = {}
    for item in sorted(found, key=lambda item: item.call.span):
        unique.setdefault(item.call.value, item)
    return list(unique.values())


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


def callee_step(project: Project, edge: Edge, seen: tuple[str, ...]) -> tuple[Write, tuple[Edge, ...], bool] | None:
    """The durable write that a call leads to: with the calls in between, and whether a commit stores it."""
    callee = edge.callee
    if callee.fqn in seen or len(seen) >= MAX_DEPTH or project.layer(callee) == "migration":
        return None
    for write in project.writes.direct(callee):
        if _autocommitted(project, write):
            return write, (edge,), False
    commits = [call for call in callee.calls if project.transactions.ends(callee, call) == "commit"]
    if commits:
        writes = project.writes.reached(callee)
        if writes:
            return writes[0][0], (edge,), True
    tried: set[str] = set()
    for inner in project.graph.callees(callee):
        if inner.kind == "call" and inner.call is not None and inner.callee.fqn not in tried:
            tried.add(inner.callee.fqn)
            found = callee_step(project, inner, (*seen, callee.fqn))
            if found is not None:
                return found[0], (edge, *found[1]), found[2]
    return None


def _autocommitted(project: Project, write: Write) -> bool:
    if project.transactions.ends(write.fn, write.call):
        return False
    return any(project.transactions.autocommits(model) for model in project.models(write.fn, write.call))
