"""What the calls that register a route, and decorators beside them, say of it besides path, methods and handler."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from backendlint.facts.model import Call
from backendlint.project.entities import Fn, Ref
from backendlint.project.graph.calls import arguments
from backendlint.project.libraries.model import DecoratorModel
from backendlint.project.linking.decorators import Decoration
from backendlint.project.routes.listed import listed
from backendlint.project.routes.model import Entry, Origin
from backendlint.project.routes.status import status_of

if TYPE_CHECKING:
    from backendlint.project.model import Project


def replaces(entry: Entry) -> bool:
    """Whether it names dependencies that stand in place of those of its routers."""
    named = entry.model.dependencies if entry.model.dependencies_replace else None
    return named is not None and any(any(arguments(call, named)) for _, call in _registering(entry))


def dependencies(project: Project, entry: Entry) -> Iterator[Ref]:
    named = entry.model.dependencies
    if named is not None:
        for fn, call in _registering(entry):
            yield from listed(project, fn, tuple(arguments(call, named)))


def status(project: Project, entry: Entry) -> tuple[int | None, bool]:
    """The status of its answers, and whether it is written there."""
    param = entry.model.status
    if param is None:
        return None, False
    for fn, call in _registering(entry):
        for key in param.keywords:
            vid = call.kwarg(key)
            if vid >= 0:
                return status_of(project, fn, vid), True
    default = param.default
    return (default if isinstance(default, int) else None), False


def response_model(entry: Entry, around: list[tuple[Decoration, DecoratorModel]]) -> Origin | None:
    """The registration's, else what a decorator of the handler puts the answer into (`@ns.marshal_with(order)`)."""
    named = [(*item, entry.model.response_model) for item in _registering(entry)]
    named += [(item.fn, item.call, model.response_model) for item, model in around if item.call is not None]
    found = (Origin(fn, vid) for fn, call, arg in named if arg is not None for vid in arguments(call, arg))
    return next(found, None)


def keyword(entry: Entry, name: str) -> object:
    return next((fn.const(vid) for fn, call in _registering(entry) if (vid := call.kwarg(name)) >= 0), ...)


def text(entry: Entry, name: str, around: list[tuple[Decoration, DecoratorModel]]) -> str:
    """The registration's, else that of a decorator which says what is answered (`@ns.doc(description=..., responses=...)`)."""
    calls = [*_registering(entry)]
    calls += [(item.fn, item.call) for item, model in around if item.call is not None and model.response_model]
    found = [fn.const(vid) for fn, call in calls if (vid := call.kwarg(name)) >= 0]
    return next((value if isinstance(value, str) else "…" for value in found), "")


def _registering(entry: Entry) -> Iterator[tuple[Fn, Call]]:
    """The calls whose keywords say more about a route: the one in the code, and the helper's that it leads to."""
    if entry.call is not None:
        yield entry.fn, entry.call
    if entry.through is not None:
        yield entry.through
