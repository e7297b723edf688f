"""What library decorators say of the function below them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from backendlint.facts.model import Call
from backendlint.project.entities import Fn, Ref
from backendlint.project.libraries_model import DecoratorModel

if TYPE_CHECKING:
    from backendlint.project.model import Project


def decorator_models(project: Project, fn: Fn) -> list[DecoratorModel]:
    """Library models of what decorates a function, the outermost first."""
    models = (project.libraries.decorator(ref.name) for ref in fn.decorators if ref.kind == "lib")
    return [model for model in models if model is not None]


def add_applied(project: Project) -> None:
    """Give functions also what the project's own decorators apply to them: `return queue.task()(inner)` makes jobs."""
    known: dict[str, tuple[Ref, ...]] = {}
    for fn in project.all_functions():
        for ref in fn.decorators:
            if ref.kind == "func":
                if ref.name not in known:
                    known[ref.name] = tuple(_gives(project, project.functions[ref.name], 2))
                fn.decorators += known[ref.name]


def _gives(project: Project, decorator: Fn, depth: int) -> Iterator[Ref]:
    """What the functions that a decorator (or a function which makes one) returns are decorated with."""
    for item in decorator.facts.returns:
        vid = item.value
        if vid < 0 or item.is_yield:
            continue
        value = decorator.unguarded(vid)
        if value[0] == "call":
            yield from _at_call(project, decorator, decorator.facts.calls[value[1]])
        for ref in project.refs(decorator, vid) if value[0] == "def" else ():
            inner = project.functions.get(ref.name) if ref.kind == "func" else None
            if inner is not None and depth:
                yield from (ref for ref in inner.decorators if _makes_job(project, ref))
                yield from _gives(project, inner, depth - 1)


def _at_call(project: Project, decorator: Fn, call: Call) -> Iterator[Ref]:
    """`task(inner)` or `task(retries=3)(inner)`, of the decorated function or of one that is made for it."""
    passed = decorator.unguarded(call.args[0]) if call.args else ("unknown",)
    if passed[0] not in ("param", "def"):
        return
    made = decorator.unguarded(call.func)
    options = decorator.facts.calls[made[1]] if made[0] == "call" else call
    yield from (ref for ref in project.callees(decorator, options) if _makes_job(project, ref))


def _makes_job(project: Project, ref: Ref) -> bool:
    model = project.libraries.decorator(ref.name) if ref.kind == "lib" else None
    return model is not None and model.task is not None


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
