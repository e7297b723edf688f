"""What `+`, `%` and the like make of two values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.facts.model import Value, Vid
from backendlint.project.entities import Fn
from backendlint.project.taint import labels as lb
from backendlint.project.taint.containers import at
from backendlint.project.taint.labels import NONE, Labels, Path

if TYPE_CHECKING:
    from backendlint.project.taint.reads import Reader

_CONCATENATING = frozenset({"+", "%", "|", "/", "*"})


class Operators:
    """Reads ("binop", op, l, r) values."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    def read(self, fn: Fn, vid: Vid, value: Value, path: Path) -> Labels:
        """Labels of the result at `path`."""
        if known := at(fn, vid, path):
            return lb.merge(self.reader.read(fn, item, path[1:]) for item in known)
        filled = self.reader.templates.percent(fn, value) if value[1] == "%" and not path else None
        if filled is not None:
            return filled
        if value[1] not in _CONCATENATING or (value[1] in "+/" and _counts(fn, value[2:4])):
            return NONE
        left, right = self.reader.read(fn, value[2], path), self.reader.read(fn, value[3], path)
        if right and value[1] == "+" and not path:
            right = self.reader.urls.appended(fn, value[2], right)
        return lb.merge((left, right))


def _counts(fn: Fn, vids: tuple[Vid, ...]) -> bool:
    """Whether one of them is a number, and so the others of a sum or quotient too."""
    todo, seen = list(vids), set(vids)
    while todo:
        value = fn.unguarded(todo.pop())
        if value[0] == "const" and isinstance(value[1], int | float) and not isinstance(value[1], bool):
            return True
        fresh = [item for item in value[1] if item not in seen] if value[0] == "phi" else []
        seen.update(fresh)
        todo += fresh
    return False
