"""Generic views that narrow their rows to those of the caller."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Fn, Project, Route

from .siblings import prefix, resource


def of_caller(project: Project) -> Iterator[Route]:
    """Routes of generic views for one object, whose rows the view narrows to those of the caller."""
    for route in project.routes:
        if route.cls is not None and route.handler is None and route.path.rstrip("/").endswith("}"):
            rows = [project.method(route.cls, name) for name in ("get_queryset", "get_object")]
            if any(method is not None and _asks_for_caller(method) for method in rows):
                yield route


def _asks_for_caller(fn: Fn) -> bool:
    """`Order.objects.filter(owner=self.request.user)`"""
    users = {
        vid
        for vid in fn.made_by("attr")
        if fn.value(vid)[2] == "user" and "request" in map(str, fn.value(fn.value(vid)[1]))
    }
    return any(users.intersection(call.passed) for call in fn.calls)


def of_one(view: Route, route: Route) -> bool:
    """Whether a generic view is for the same resource."""
    handler = route.handler
    assert handler is not None and view.cls is not None
    return resource(view) == resource(route) and (view.cls.path == handler.path or prefix(view) == prefix(route))
