"""What the tests on the way to a `return` say of what is returned there, whatever they call it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.facts.model import Return, Vid
from backendlint.project.entities import Fn
from backendlint.project.taint import labels as lb
from backendlint.project.taint.labels import Labels, Path

if TYPE_CHECKING:
    from backendlint.project.taint.guards import Guards

_OF_URLS = frozenset({"redirect", "ssrf", lb.LOCAL, lb.ONE_SLASH})
"""What the beginning of a text decides for all of it."""


class Returned:
    """Answers `less(fn, item, found, path)`."""

    def __init__(self, guards: Guards) -> None:
        self.guards = guards
        self._known: dict[tuple[str, Return, Vid], frozenset[str]] = {}

    def less(self, fn: Fn, item: Return, found: Labels, path: Path) -> Labels:
        """Labels of what is returned, less what was tested: `if urlsplit(text).netloc not in HOSTS: return None`."""
        vid = _part(fn, item.value, path) if found else -1
        if vid < 0 or not any(block.kind == "if" for block in fn.facts.blocks):
            return found
        key = (fn.fqn, item, vid)
        if key not in self._known:
            self._known[key] = frozenset()
            self._known[key] = self._cleared(fn, item, vid)
        return lb.clear(found, self._known[key])

    def _cleared(self, fn: Fn, item: Return, vid: Vid) -> frozenset[str]:
        first, only = _first(fn, vid), self.guards.project.taint.subject(fn, vid)
        kinds = self.guards.around(fn, first, item.block, item.span.line)
        kinds = kinds if first == vid else kinds & _OF_URLS
        return kinds | self.guards.around(fn, only, item.block, item.span.line) if only not in (-1, vid) else kinds


def _part(fn: Fn, vid: Vid, path: Path) -> Vid:
    """The value itself, or the element of a tuple that the path means; -1 where it goes on inside."""
    if not path or vid < 0:
        return vid
    value = fn.facts.values[vid]
    numbers = [number for number, _ in enumerate(value[1]) if path == (lb.item(number),)] if value[0] == "tuple" else []
    return int(value[1][numbers[0]]) if numbers else -1


def _first(fn: Fn, vid: Vid) -> Vid:
    """The part with which a text begins, or the value itself."""
    value = fn.facts.values[vid]
    moving = value[0] == "fmt" and bool(value[2]) and fn.const(value[2][0]) is ...
    return int(value[2][0]) if moving else vid
