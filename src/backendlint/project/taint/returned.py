"""What the tests on the way to a `return` say of what is returned there, whatever they call it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.facts.model import Return, Vid
from backendlint.project.entities import Fn
from backendlint.project.taint import labels as lb
from backendlint.project.taint.labels import Labels

if TYPE_CHECKING:
    from backendlint.project.taint.guards import Guards

_OF_URLS = frozenset({"redirect", "ssrf", lb.LOCAL, lb.ONE_SLASH})
"""What the beginning of a text decides for all of it."""


class Returned:
    """Answers `less(fn, item, found)`."""

    def __init__(self, guards: Guards) -> None:
        self.guards = guards
        self._known: dict[tuple[str, Return], frozenset[str]] = {}

    def less(self, fn: Fn, item: Return, found: Labels) -> Labels:
        """Labels of what is returned, less what was tested: `if urlsplit(text).netloc not in HOSTS: return None`."""
        if not found or item.value < 0 or not any(block.kind == "if" for block in fn.facts.blocks):
            return found
        key = (fn.fqn, item)
        if key not in self._known:
            self._known[key] = frozenset()
            self._known[key] = self._cleared(fn, item)
        return lb.clear(found, self._known[key])

    def _cleared(self, fn: Fn, item: Return) -> frozenset[str]:
        first = _first(fn, item.value)
        kinds = self.guards.around(fn, first, item.block, item.span.line)
        return kinds if first == item.value else kinds & _OF_URLS


def _first(fn: Fn, vid: Vid) -> Vid:
    """The part with which a text begins, or the value itself."""
    value = fn.facts.values[vid]
    moving = value[0] == "fmt" and bool(value[2]) and fn.const(value[2][0]) is ...
    return int(value[2][0]) if moving else vid
