"""Exceptions of the project that a registered handler sends to the client: what they are made with is sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Cls, Fn, Ref
from backendlint.project.errors.errorhandlers import exception_parameter
from backendlint.project.linking.binding import bind
from backendlint.project.taint.labels import Path

if TYPE_CHECKING:
    from backendlint.project.model import Project

_PASSES = frozenset({"call", "inject", "property"})
"""Edges through which an exception comes back."""
Shown = dict[str, set[Path]]
"""Parts of an exception that its handler answers with, by the class that the handler is registered for."""


def shown_parts(project: Project, answers: Iterable[tuple[Fn, Vid]]) -> Shown:
    """By what error handlers give for responses."""
    found: Shown = {}
    for fn, vid in answers:
        classes = [ref.name for ref in project.error_handlers.get(fn.fqn, ()) if ref.kind == "class"]
        index = exception_parameter(fn)
        for name in classes:
            parts = found.setdefault(name, set())
            for origin in project.taint.labels(fn, vid):
                if origin.what == "param" and origin.fn == fn.fqn and origin.slot == index:
                    parts.add(origin.path)
    return found


def sent_arguments(project: Project, shown: Shown) -> Iterator[tuple[Fn, Call, Vid, str]]:
    """Arguments of raised exceptions that become the answer, with the exception's class."""
    for fn in project.all_functions() if shown else ():
        for item in fn.facts.raises:
            value = fn.unguarded(item.exc) if item.exc >= 0 else ("unknown",)
            call = fn.facts.calls[value[1]] if value[0] == "call" else None
            for ref in project.callees(fn, call) if call is not None else ():
                cls = project.classes.get(ref.name) if ref.kind == "class" else None
                parts = _parts(project, cls, shown) if cls is not None else set()
                if call is not None and cls is not None and parts and _leaves_handler(project, fn, cls.fqn):
                    for vid in _arguments(project, fn, call, cls, parts):
                        yield fn, call, vid, cls.fqn


def _leaves_handler(project: Project, fn: Fn, name: str) -> bool:
    """Whether the exception gets from the function up to a route's handler and out of it."""
    todo, seen = [fn], {fn.fqn}
    while todo:
        item = todo.pop()
        if name not in project.exceptions.escaping(item):
            continue
        if item.fqn in project.route_functions:
            return True
        for edge in project.graph.callers(item):
            if edge.kind in _PASSES and edge.caller.fqn not in seen:
                seen.add(edge.caller.fqn)
                todo.append(edge.caller)
    return False


def _parts(project: Project, cls: Cls, shown: Shown) -> set[Path]:
    """What the nearest handler shows of it."""
    return next((shown[item.fqn] for item in project.hierarchy.mro(cls) if item.fqn in shown), set())


def _arguments(project: Project, fn: Fn, call: Call, cls: Cls, parts: set[Path]) -> set[Vid]:
    init = project.method(cls, "__init__")
    if init is None or () in parts:
        return set(call.passed)
    bound = bind(fn, call, init, Ref("class", cls.fqn))
    found = set()
    for path in parts:
        found.add(call.kwarg(path[0]))
        for owner in project.hierarchy.mro(cls):
            for method, vid in project.hierarchy.stores(owner, path[0]):
                if method is init:
                    slots = {origin.slot for origin in project.taint.labels(init, vid) if origin.what == "param"}
                    found.update(item for slot in slots for item, _ in bound.get(slot, ()))
    return found - {-1}
