"""Functions of the project that refuse hosts: by their address (`ipaddress.ip_address(...).is_private` and its like), or by a
list of names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.facts.model import Vid
from backendlint.project.entities import Fn

if TYPE_CHECKING:
    from backendlint.project.model import Project

_TESTS = frozenset({"is_private", "is_global", "is_loopback", "is_link_local", "is_reserved", "is_multicast"})
_PARTS = frozenset({"hostname", "netloc", "host"})
_PARSERS = frozenset({"urlparse", "urlsplit"})
_DEPTH = 3


class Addresses:
    """Answers whether a function looks at the address behind a host name, or raises for one that it does not know."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._known: dict[tuple[str, int], bool] = {}

    def tested(self, fn: Fn, depth: int = _DEPTH) -> bool:
        """True where the function, or one that it calls, tests what kind of address a host has, or whether it may be asked."""
        key = fn.fqn, depth
        known = self._known.get(key)
        if known is None:
            self._known[key] = False
            known = any(value[0] == "attr" and value[2] in _TESTS for value in fn.facts.values) or self._listed(fn)
            if not known and depth:
                targets = (item for call in fn.facts.calls for item in self.project.targets(fn, call))
                known = any(self.tested(item, depth - 1) for item in targets)
            self._known[key] = known
        return known

    def _listed(self, fn: Fn) -> bool:
        """`if urlparse(url).hostname not in settings.hosts: raise ...`"""
        tests = (fn.unguarded(item.value) for item in fn.facts.blocks if item.kind == "if" and item.value >= 0)
        compared = {
            operand
            for value in tests
            if value[0] == "compare" and value[1][0] in ("==", "!=", "in", "not in")
            for operand in value[2]
        }
        return bool(fn.facts.raises) and any(self._is_host(fn, vid) for vid in compared)

    @staticmethod
    def _is_host(fn: Fn, vid: Vid) -> bool:
        value = fn.unguarded(vid)
        if value[0] == "bool":
            value = fn.unguarded(value[2][0])  # `parsed.hostname or ""`
        parsed = fn.unguarded(value[1]) if value[0] == "attr" and value[2] in _PARTS else ("const",)
        return parsed[0] == "call" and fn.callee_name(fn.facts.calls[parsed[1]]) in _PARSERS
