"""The rows that a view's class names for all of its methods: its `queryset`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Fn
from backendlint.project.linking.binding import receiver

if TYPE_CHECKING:
    from backendlint.project.model import Project


def named_rows(project: Project, fn: Fn, base: Vid, entered: Iterable[tuple[Fn, Call]]) -> list[tuple[Fn, Vid]]:
    """What the class of an object names; in a mixin, the class of the object that it was asked by, of the calls that led there."""
    for caller, call in ((fn, None), *entered):
        base = base if call is None else receiver(caller, call)
        refs = project.refs(caller, base) if base >= 0 else ()
        classes = [project.classes.get(ref.name) for ref in refs if ref.kind in ("super", "inst")]
        stated = [project.hierarchy.attribute(cls, "queryset") for cls in classes if cls is not None]
        found = [item for item in stated if item is not None]
        itself = base >= 0 and (caller.unguarded(base) == ("param", 0) or any(ref.kind == "super" for ref in refs))
        if found or not itself:
            return found
    return []
