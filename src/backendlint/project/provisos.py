"""What must hold of a function's parameters for a place in it to be reached, and what a call says about that."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Span, Vid
from backendlint.project.binding import bind
from backendlint.project.calls import Edge
from backendlint.project.entities import Fn

if TYPE_CHECKING:
    from backendlint.project.model import Project

Key = tuple[object, ...]
"""A value that is the same wherever it is named: a constant, or a member of a class."""
MAX_DEPTH = 4
_PLAIN = (bool, int, str, type(None))


class Proviso(NamedTuple):
    """Parameter `param` is true (or equal to `key`), if `holds`; is not, otherwise."""

    param: int
    holds: bool
    key: Key | None = None


_NONE: frozenset[Proviso] = frozenset()


class Provisos:
    """Answers `of(fn, block, span)`, and `passed(edge, provisos)` for calls."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._exits: dict[str, list[tuple[int, Span, frozenset[Proviso]]]] = {}

    def of(self, fn: Fn, block: int, span: Span) -> frozenset[Proviso]:
        """By the branches around a place, and by those before it that leave the function."""
        if not fn.facts.params or len(fn.facts.blocks) == 1:
            return _NONE
        found: frozenset[Proviso] = _NONE
        for test, outcome in fn.tests_of(block):
            found |= self._test(fn, test, outcome)
        left = self._left(fn)
        if left:
            above = {number for number, _ in fn.blocks_of(block)}
            found = found.union(
                *(said for parent, exit_span, said in left if parent in above and exit_span[2:] <= span[:2])
            )
        return found

    def _left(self, fn: Fn) -> list[tuple[int, Span, frozenset[Proviso]]]:
        """`if not strict: return`: what follows is reached with `strict` alone."""
        known = self._exits.get(fn.fqn)
        if known is None:
            known = self._exits[fn.fqn] = [
                (item.parent, item.span, said)
                for item in fn.facts.blocks
                if item.kind == "if"
                and item.exits in ("return", "raise")
                and (said := self._test(fn, item.value, False))
            ]
        return known

    def _test(self, fn: Fn, vid: Vid, truth: bool, depth: int = MAX_DEPTH) -> frozenset[Proviso]:
        """What a test says about parameters if it comes out so."""
        value = fn.facts.values[vid] if vid >= 0 else ("",)
        if depth == 0:
            return _NONE
        if value[0] == "guard":
            return self._test(fn, value[1], truth, depth)
        if value[0] == "not":
            return self._test(fn, value[1], not truth, depth - 1)
        if value[0] == "param":
            return frozenset({Proviso(value[1], truth)})
        if value[0] == "bool" and (value[1] == "and") is truth:
            return _NONE.union(*(self._test(fn, item, truth, depth - 1) for item in value[2]))
        if value[0] == "compare" and len(value[2]) == 2 and value[1][0] in ("is", "is not", "==", "!="):
            return self._compared(fn, value[2], truth is (value[1][0] in ("is", "==")))
        return _NONE

    def _compared(self, fn: Fn, sides: tuple[Vid, ...], same: bool) -> frozenset[Proviso]:
        for one, other in (sides, sides[::-1]):
            value = fn.unguarded(one)
            key = self._key(fn, other) if value[0] == "param" else None
            if key is not None:
                return frozenset({Proviso(value[1], same, key)})
        return _NONE

    def _key(self, fn: Fn, vid: Vid) -> Key | None:
        value = fn.unguarded(vid)
        if value[0] == "const":
            return ("const", type(value[1]).__name__, value[1]) if isinstance(value[1], _PLAIN) else None
        if value[0] != "name":
            return None
        target = self.project.modules.resolve(str(value[1]), fn.file.module)
        if target.kind == "class" and target.rest and target.file is not None:
            return ("member", target.file.module, target.name, target.rest)
        return None

    def passed(self, edge: Edge, provisos: frozenset[Proviso]) -> frozenset[Proviso] | None:
        """What a call asks of the caller's own parameters for them to hold; None where its arguments rule them out."""
        if not provisos or edge.call is None or edge.call.open_ended:
            return _NONE
        bound = bind(edge.caller, edge.call, edge.callee)
        found: set[Proviso] = set()
        for item in provisos:
            given = bound.get(item.param, [])
            home, vid = edge.callee.parent, edge.callee.facts.params[item.param].default
            if given:
                home, vid = (edge.caller, given[0][0]) if len(given) == 1 and not given[0][1] else (None, -1)
            if home is None or vid < 0:
                continue
            value = home.unguarded(vid)
            if given and value[0] == "param":
                found.add(item._replace(param=value[1]))
            elif self._decided(home, vid, item) is False:
                return None
        return frozenset(found)

    def _decided(self, fn: Fn, vid: Vid, item: Proviso) -> bool | None:
        """Whether a value fulfils a proviso; None where it is not known."""
        key = self._key(fn, vid)
        if key is None:
            return None
        said = key == item.key if item.key is not None else key[0] == "member" or bool(key[-1])
        return said is item.holds
