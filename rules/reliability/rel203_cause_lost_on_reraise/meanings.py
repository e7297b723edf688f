"""What a caught base class stands for, where what is tried raises one sort of it alone."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import ErrorClass, Fn, Project, calls_in

_ASKS = frozenset({"cpu", "log"})
"""Effects behind which no failure of the machine stands."""


def meant(project: Project, fn: Fn, handler: int, error: ErrorClass) -> Iterator[ErrorClass]:
    """`except OSError` around `Image.open(photo)`: that it is no picture. What asks anybody must say which errors it raises."""
    if error.kind != "infrastructure":
        yield error
        return
    told = {
        name
        for call in calls_in(fn.facts, fn.facts.blocks[handler].group)
        for model in project.models(fn, call)
        for name in (model.raises or ((error.name,) if set(model.effect) - _ASKS else ()))
        if project.hierarchy.subclass_of(name, error.name)
    }
    for name in sorted(told) or [error.name]:
        yield ErrorClass(name, project.exception_kind(name)) if name != error.name else error
