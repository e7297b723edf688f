"""What library decorators say of the function below them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.project.entities import Fn
from backendlint.project.libraries_model import DecoratorModel

if TYPE_CHECKING:
    from backendlint.project.model import Project


def decorator_models(project: Project, fn: Fn) -> list[DecoratorModel]:
    """Library models of what decorates a function, the outermost first."""
    models = (project.libraries.decorator(ref.name) for ref in fn.decorators if ref.kind == "lib")
    return [model for model in models if model is not None]


def is_job(project: Project, fn: Fn) -> bool:
    """Whether a decorator makes the function a job of a queue."""
    return any(model.task is not None for model in decorator_models(project, fn))


def filled_by(project: Project, fn: Fn) -> int:
    """How many leading parameters the decorators fill themselves: a task that is bound gets itself."""
    home = fn.parent or fn
    for vid in fn.facts.decorators:
        value = home.facts.values[vid]
        call = home.facts.calls[value[1]] if value[0] == "call" else None
        for ref in project.refs(home, call.func) if call is not None and call.kwargs else ():
            model = project.libraries.decorator(ref.name) if ref.kind == "lib" else None
            binds = model.task.binds if model is not None and model.task is not None else ""
            if call is not None and binds and home.const(call.kwarg(binds)) is True:
                return 1
    return 0
