"""Functions beside one another: methods of a class, functions of a module, and what they do about failures."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from backendlint.project.entities import Fn

if TYPE_CHECKING:
    from backendlint.project.model import Project

_USUAL = 3
"""So many methods of a class that carry a decorator make it how the class does it."""


def home(fn: Fn) -> tuple[str, str]:
    """The class of a method, the module of a function."""
    return fn.path, fn.cls.fqn if fn.cls is not None else ""


def together(one: Fn, other: Fn) -> bool:
    """Methods of a class, or functions of a module."""
    return home(one) == home(other)


def odd_one(project: Project, fn: Fn, wrapping: Collection[Fn]) -> bool:
    """The only method of its class that fails and does not carry the decorator by which its siblings wrap failures, and is no
    helper of others in its layer, which may."""
    if any(project.layer(edge.caller) == project.layer(fn) for edge in project.graph.callers(fn)):
        return False
    beside = [other for other in fn.cls.methods.values() if other is not fn] if fn.cls is not None else []
    carried = [{ref.name for ref in other.decorators if ref.kind == "func"} for other in beside if other in wrapping]
    bare = (name for other in beside if other not in wrapping for name in project.exceptions.escaping(other))
    return (
        len(carried) >= _USUAL
        and bool(set.intersection(*carried))
        and not any(project.exception_kind(name) == "infrastructure" for name in bare)
    )


def of_jobs(project: Project, fn: Fn, wrapping: Collection[Fn]) -> bool:
    """What jobs alone ask for, in a class or module that wraps nothing: they are tried again for the driver's exception."""
    callers = [edge.caller for edge in project.graph.callers(fn)]
    return (
        bool(callers)
        and all(project.layer(caller) == "task" for caller in callers)
        and not any(together(other, fn) for other in wrapping)
    )
