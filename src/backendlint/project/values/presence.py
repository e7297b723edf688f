"""Whether a value that nobody knows is something, and not None."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.facts.model import Vid
from backendlint.project.entities import Fn
from backendlint.project.graph.certain import Present

if TYPE_CHECKING:
    from backendlint.project.model import Project


def of_query(project: Project, fn: Fn, vid: Vid) -> Present | None:
    """A query that is put together, or kept as `self.queryset`, is something, whatever it finds."""
    value = fn.unguarded(vid)
    call = fn.facts.calls[value[1]] if value[0] == "call" else None
    if call is not None and any(model.orm is not None and model.orm.lazy for model in project.models(fn, call)):
        return Present.EMPTY
    refs = project.refs(fn, vid) if value[0] in ("call", "attr") else []
    models = [project.libraries.cls(ref.name) if ref.kind == "libinst" else None for ref in refs]
    asked = all(model is not None and "db-read" in model.iter_effect for model in models)
    return Present.EMPTY if models and asked else None
