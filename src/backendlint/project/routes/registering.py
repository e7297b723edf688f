"""Calls that make applications and register with them, the project's own heirs of the libraries' classes included."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from backendlint.facts.model import Call
from backendlint.project.entities import Fn
from backendlint.project.libraries.model import CallModel

if TYPE_CHECKING:
    from backendlint.project.model import Project

SAYING = ("app", "route", "mount", "middleware", "handler")
"""What a model says of calls that make applications or register with them."""
Registering = tuple[Fn, Call, CallModel]


def registering(project: Project) -> list[Registering]:
    """All of them, by place."""
    graph = project.graph
    found = [item for item in graph.modelled if any(getattr(item[2], said) is not None for said in SAYING)]
    heirs = [
        (fn, call, model)
        for name, models in _inherited(project)
        for fn, call in graph.calls_of(name)
        if not project.models(fn, call)
        for model in models
    ]
    return graph.in_order([*found, *heirs]) if heirs else found


def _inherited(project: Project) -> Iterator[tuple[str, list[CallModel]]]:
    """The project's classes that inherit from a library's application, and its methods that register in a library's place."""
    for cls in project.classes.values():
        models = [project.libraries.call(base) for base in project.hierarchy.library_bases(cls)]
        made = next((model for model in models if model is not None and model.app is not None), None)
        if made is not None:
            yield cls.fqn, [made]
        for method in cls.methods.values() if models else ():
            registers = list(overridden(project, method))
            if registers:
                yield method.fqn, registers


def models_of(project: Project, fn: Fn, call: Call) -> list[CallModel]:
    """Models of one call: the library's, or what heirs of its classes inherit."""
    found = project.models(fn, call)
    if found:
        return found
    models = []
    for ref in project.callees(fn, call):
        if ref.kind == "class":
            bases = project.hierarchy.library_bases(project.classes[ref.name])
            made = (project.libraries.call(base) for base in bases)
            models += [model for model in made if model is not None and model.app is not None][:1]
        elif ref.kind == "func":
            models.extend(overridden(project, project.functions[ref.name]))
    return models


def overridden(project: Project, fn: Fn) -> Iterator[CallModel]:
    """What a method does that the project's own router puts in the place of the library's registering one."""
    for base in project.hierarchy.library_bases(fn.cls) if fn.cls is not None else ():
        model = project.libraries.call(f"{base}.{fn.name}")
        if model is not None and (model.route is not None or model.mount is not None):
            yield model
            return
