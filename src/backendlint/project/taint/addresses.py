"""Functions of the project that refuse hosts by their address: `ipaddress.ip_address(...).is_private` and its like."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.project.entities import Fn

if TYPE_CHECKING:
    from backendlint.project.model import Project

_TESTS = frozenset({"is_private", "is_global", "is_loopback", "is_link_local", "is_reserved", "is_multicast"})
_DEPTH = 3


class Addresses:
    """Answers whether a function looks at the address behind a host name."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._known: dict[str, bool] = {}

    def tested(self, fn: Fn, depth: int = _DEPTH) -> bool:
        """True where the function, or one that it calls, tests what kind of address a host has."""
        known = self._known.get(fn.fqn)
        if known is None:
            self._known[fn.fqn] = False
            known = any(value[0] == "attr" and value[2] in _TESTS for value in fn.facts.values)
            if not known and depth:
                targets = (item for call in fn.facts.calls for item in self.project.targets(fn, call))
                known = any(self.tested(item, depth - 1) for item in targets)
            self._known[fn.fqn] = known
        return known
