"""Whether Django runs each request in a transaction: `ATOMIC_REQUESTS`, in whichever way settings say it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from backendlint.facts.model import Vid
from backendlint.findings.model import Step
from backendlint.project.entities import Fn
from backendlint.project.values.stages import is_on

if TYPE_CHECKING:
    from backendlint.project.model import Project

_NAME = "ATOMIC_REQUESTS"


def atomic_requests(project: Project) -> Step | None:
    """The place that says so: an item of a dict, `DATABASES["default"]["ATOMIC_REQUESTS"] = True`, `dict(ATOMIC_REQUESTS=True)`."""
    for file in project.files.values():
        module = project.module_function(file)
        for place, value in _said(module):
            if is_on(module, value):
                return Step(module.place(place), "every request is a transaction")
    return None


def _said(module: Fn) -> Iterator[tuple[Vid, Vid]]:
    """The places that name it, with what each sets it to."""
    for vid in module.made_by("dict"):
        pairs = module.facts.values[vid][1]
        yield from ((key, item) for key, item in pairs if key >= 0 and module.const(key) == _NAME)
    for store in module.facts.stores:
        if store.key >= 0 and module.const(store.key) == _NAME:
            yield store.key, store.value
    for call in module.calls:
        yield from ((item, item) for key, item in call.kwargs if key == _NAME)
