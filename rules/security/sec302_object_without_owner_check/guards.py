"""Models whose own methods say what a caller may do with a row, and the routes that ask them."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import SAFE, Call, Fn, Project, Route, Vid

from .evidence import CHECKS

NEAR = 1
"""Calls below the handler that are looked into."""


def guarded_models(project: Project) -> dict[str, list[Route]]:
    """Routes that change something and ask a row first (`crane.refuse_if_not_editable(request.user)`), by the row's model."""
    found: dict[str, list[Route]] = {}
    for route in project.routes:
        if route.handler is not None and not SAFE.issuperset(route.methods):
            below = (fn for fn, _ in project.graph.below(route.handler, NEAR))
            for name in {name for fn in below for call in fn.calls for name in _asked(project, fn, call)}:
                found.setdefault(name, []).append(route)
    return found


def example_of(project: Project, route: Route, call: Call, guarded: dict[str, list[Route]]) -> Route | None:
    """A route that asks a row of the model which this one fetches and changes without asking."""
    fn = route.handler
    if fn is None or not project.effects.has(fn, "db-write"):
        return None
    others = (other for name in _models(project, fn, call.value) for other in guarded.get(name, ()))
    return next((other for other in others if other is not route), None)


def _asked(project: Project, fn: Fn, call: Call) -> Iterator[str]:
    func = fn.value(call.func)
    if func[0] == "attr" and CHECKS.search(str(func[2])) and any(_is_caller(fn, vid) for vid in call.passed):
        yield from _models(project, fn, func[1])


def _is_caller(fn: Fn, vid: Vid) -> bool:
    """`request.user`, `current_user`."""
    value = fn.unguarded(vid)
    name = str(value[-1]).rpartition(".")[2] if value[0] in ("attr", "name") else ""
    return name in ("user", "current_user")


def _models(project: Project, fn: Fn, vid: Vid) -> Iterator[str]:
    for ref in project.refs(fn, vid):
        cls = project.classes.get(ref.name) if ref.kind == "inst" else None
        if cls is not None and project.hierarchy.role(cls) == "model":
            yield cls.fqn
