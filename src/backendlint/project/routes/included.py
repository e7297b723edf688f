"""Mounts that stand in the place of a route's handler: Django's `path("x/", include(...))`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.facts.model import Call
from backendlint.project.entities import Fn
from backendlint.project.graph.calls import arguments
from backendlint.project.libraries.model import Arg
from backendlint.project.libraries.model import Route as RouteModel

if TYPE_CHECKING:
    from backendlint.project.model import Project


def included(project: Project, fn: Fn, call: Call, route: RouteModel) -> tuple[Call, Arg] | None:
    """The call that includes something there, and which of its arguments that is."""
    for vid in arguments(call, route.handler) if route.handler else ():
        value = fn.facts.values[vid]
        if value[0] == "call":
            inner = fn.facts.calls[value[1]]
            mounts = (model.mount for model in project.models(fn, inner) if model.mount is not None)
            child = next((mount.child for mount in mounts), None) or _wrapped(project, fn, inner)
            if child is not None:
                return inner, child
    return None


def _wrapped(project: Project, fn: Fn, call: Call) -> Arg | None:
    """`include_for(staff, urls)`: a function of the project that includes what it is given."""
    for target in project.targets(fn, call):
        for inner in target.calls:
            mounts = [model.mount for model in project.models(target, inner) if model.mount is not None]
            for vid in (item for mount in mounts for item in arguments(inner, mount.child)):
                value = target.unguarded(vid)
                if value[0] == "param":
                    return Arg((value[1],), (target.facts.params[value[1]].name,))
    return None
