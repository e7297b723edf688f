"""Which coroutines run on an event loop of their own, on which nobody else is served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.facts.model import Call
from backendlint.project.entities import Fn
from backendlint.project.graph.calls import Edge
from backendlint.project.linking.decorators import is_job
from backendlint.project.values.uses import ingredients

if TYPE_CHECKING:
    from backendlint.project.model import Project

MAX_SEEN = 40
_THREADS = ("threading.Thread", "multiprocessing.Process")
_FOREVER = ("run_forever", "serve_forever")


def runs_alone(project: Project, fn: Fn) -> bool:
    """Whether every way to a coroutine function begins in a job, a thread or a handler that waits for a loop which it makes
    for that (`asyncio.run(collect())`, or that a queue's worker or a framework makes for each job or request): what blocks
    there blocks nobody else."""
    todo, seen, begins = [fn], {fn.fqn}, False
    while todo:
        item = todo.pop()
        edges = [
            edge for edge in project.graph.callers(item) if edge.caller is not item and not _for_trial(project, edge)
        ]
        if not edges and item is not fn and project.layer(item) == "task" and not is_job(project, item):
            continue  # handed to a queue in a way that is not seen
        if item.fqn in project.route_functions:
            if not _answers_alone(project, item):
                return False
            begins = True
        elif not edges or len(seen) > MAX_SEEN:
            return False
        for edge in edges:
            caller = edge.caller
            if edge.kind == "task" and _has_own_loop(project, edge):
                begins = True
                continue
            if caller.facts.is_async:
                if caller.fqn not in seen:
                    seen.add(caller.fqn)
                    todo.append(caller)
                continue
            known = _begins(project, caller) if _bridged(project, edge) else False
            if known is False:
                return False
            begins = begins or known is True
    return begins


def _answers_alone(project: Project, handler: Fn) -> bool:
    """Whether the frameworks that serve a handler run it on a loop of its own for each request."""
    routes = project.route_functions[handler.fqn]
    heads = [project.libraries.library(route.framework) for route in routes]
    return all(head is not None and head.own_loop for head in heads)


def _for_trial(project: Project, edge: Edge) -> bool:
    return edge.call is not None and project.literals.for_trial(edge.caller, edge.call.value)


def _has_own_loop(project: Project, edge: Edge) -> bool:
    models = project.models(edge.caller, edge.call) if edge.call is not None else ()
    return any(model.task is not None and model.task.own_loop for model in models)


def _bridged(project: Project, edge: Edge) -> bool:
    """`asyncio.run(f())`, `loop.run_until_complete(f())`, `async_to_sync(f)()`: the caller waits until it is done."""
    if edge.call is None:
        return False
    return any(_waits_for(project, edge, call) for call in edge.caller.calls) and not any(
        edge.caller.callee_name(call) in _FOREVER for call in edge.caller.calls
    )


def _waits_for(project: Project, edge: Edge, call: Call) -> bool:
    if not any(model.bridges is not None and model.blocking for model in project.models(edge.caller, call)):
        return False
    assert edge.call is not None
    return call is edge.call or edge.call.value in ingredients(edge.caller.facts, call.passed)


def _begins(project: Project, fn: Fn, depth: int = 4) -> bool | None:
    """A job, a handler or what runs in a thread, or something that only those call; None for what nobody is seen to call."""
    if is_job(project, fn) or project.layer(fn) == "task" or fn.fqn in project.route_functions:
        return True
    if fn.cls is not None and fn.name == "run" and set(project.hierarchy.library_bases(fn.cls)) & set(_THREADS):
        return True
    edges = [edge for edge in project.graph.callers(fn) if edge.caller is not fn]
    if not edges:
        return False if fn.is_module else None
    ways = {_begins_by(project, edge, depth) for edge in edges}
    return False if False in ways else True if True in ways else None


def _begins_by(project: Project, edge: Edge, depth: int) -> bool | None:
    if edge.kind in ("spawn", "thread", "task"):
        return True
    if depth == 0 or edge.kind != "call" or edge.caller.facts.is_async:
        return False
    return _begins(project, edge.caller, depth - 1)
