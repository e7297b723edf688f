"""What counters and delays are in a given round of a loop, where that is certain, and what it says of tests."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from backendlint.facts.model import Value, Vid
from backendlint.project.entities import Fn

if TYPE_CHECKING:
    from backendlint.project.model import Project

Rounds = Mapping[int, int]
"""Loop block to the round it is in, from 0."""
MAX_ROUNDS = 1000
MAX_DEPTH = 12
ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
}
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


def carried(fn: Fn, vid: Vid) -> bool:
    """Whether the value is one that a loop hands on from round to round: what it starts with, then what was made of it."""
    value = fn.facts.values[vid]
    return value[0] == "phi" and len(value[1]) == 2 and value[1][1] > vid


def exact(project: Project, fn: Fn, vid: Vid, rounds: Rounds) -> float | None:
    """The number that the value is in these rounds; None where it may be another."""
    return _Turns(project, fn).number(vid, dict(rounds), MAX_DEPTH)


def decided(project: Project, fn: Fn, test: Vid, rounds: Rounds) -> bool | None:
    """What the rounds say of a test, if they decide it."""
    return _Turns(project, fn).truth(test, dict(rounds), MAX_DEPTH)


def tested_rounds(project: Project, fn: Fn, loop: int) -> int | None:
    """How many rounds a `while` makes at most, by a test of what its rounds count."""
    turns = _Turns(project, fn)
    test = fn.facts.blocks[loop].value
    if test < 0 or not turns.counts(test):
        return None
    return next((turn for turn in range(MAX_ROUNDS) if turns.truth(test, {loop: turn}, MAX_DEPTH) is False), None)


class _Turns:
    """Works out one function's values, each once a round."""

    def __init__(self, project: Project, fn: Fn) -> None:
        self.project = project
        self.fn = fn
        self.loops: dict[Vid, int] = {}
        """By a carried value, what carries it."""
        self.known: dict[tuple[Vid, tuple[tuple[int, int], ...]], float | None] = {}

    def counts(self, test: Vid, depth: int = 4) -> bool:
        """Whether a test compares something that the loop carries with a number."""
        value = self.fn.facts.values[test]
        if depth == 0:
            return False
        if value[0] == "compare" and len(value[2]) == 2:
            return any(self._carries(vid) for vid in value[2])
        inner = value[2] if value[0] == "bool" else (value[1],) if value[0] in ("guard", "not") else ()
        return any(self.counts(vid, depth - 1) for vid in inner)

    def _carries(self, vid: Vid) -> bool:
        return carried(self.fn, self.fn.untested(vid))

    # numbers

    def number(self, vid: Vid, rounds: dict[int, int], depth: int) -> float | None:
        if vid < 0 or depth == 0:
            return None
        key = (vid, tuple(sorted(rounds.items())))
        if key not in self.known:
            self.known[key] = None  # while it is being worked out
            self.known[key] = self._number(vid, rounds, depth)
        return self.known[key]

    def _number(self, vid: Vid, rounds: dict[int, int], depth: int) -> float | None:
        value = self.fn.facts.values[vid]
        if value[0] == "guard":
            return self.number(value[1], rounds, depth - 1)
        if carried(self.fn, vid):
            return self._carried(vid, value, rounds)
        if value[0] == "phi":
            found = {self.number(item, rounds, depth - 1) for item in self._reached(value[1], rounds)}
            return found.pop() if len(found) == 1 else None
        if value[0] == "binop":
            return self._binop(value, rounds, depth)
        if value[0] == "elem":
            return self._element(value[1], rounds, depth)
        if value[0] == "unpack":
            return self._enumerated(value, rounds)
        if value[0] == "call":
            return self._converted(value, rounds, depth)
        constants = self.project.constants(self.fn, vid)
        if constants is None or len(constants) != 1 or isinstance(constants[0], bool):
            return None
        return float(constants[0]) if isinstance(constants[0], int | float) else None

    def _carried(self, vid: Vid, value: Value, rounds: dict[int, int]) -> float | None:
        """Round by round from the first that is not known yet, so that nothing is deep, or done again."""
        loop = self._loop(vid)
        if loop not in rounds:
            return None
        start, again = value[1]
        found: float | None = None
        first = rounds[loop]
        while first > 0 and (vid, tuple(sorted({**rounds, loop: first - 1}.items()))) not in self.known:
            first -= 1
        for turn in range(first, rounds[loop] + 1):
            now, before = {**rounds, loop: turn}, {**rounds, loop: turn - 1}
            found = self.number(again, before, MAX_DEPTH) if turn else self.number(start, now, MAX_DEPTH)
            self.known[vid, tuple(sorted(now.items()))] = found
        return found

    def _loop(self, vid: Vid) -> int:
        """The loop that carries a value on: the first whose own variable or test is made after it."""
        known = self.loops.get(vid)
        if known is None:
            known = self.loops[vid] = self._find_loop(vid)
        return known

    def _find_loop(self, vid: Vid) -> int:
        values, entries = self.fn.facts.values, []
        for index, block in enumerate(self.fn.facts.blocks):
            if block.kind == "while" and block.value > vid:
                entries.append((block.value, index))
            elif block.kind == "for":
                element = next((item for item in range(vid, len(values)) if values[item] == ("elem", block.value)), -1)
                if block.value < vid < element:
                    entries.append((element, index))
        return min(entries, default=(0, -1))[1]

    def _reached(self, items: tuple[Vid, ...], rounds: dict[int, int]) -> list[Vid]:
        """Of the values where branches meet, those whose branch can run."""
        homes = {binding.value: binding.block for binding in self.fn.facts.bindings}
        judged = [(item, self._taken(homes.get(item, -1), rounds)) for item in items]
        sure = [item for item, taken in judged if taken]
        return sure if len(sure) == 1 else [item for item, taken in judged if taken is not False]

    def _taken(self, block: int, rounds: dict[int, int]) -> bool | None:
        """Whether an arm of an `if` runs in these rounds; None for any other block, or where it is not decided."""
        blocks = self.fn.facts.blocks
        if block < 0 or blocks[block].kind not in ("if", "else"):
            return None
        truth = self.truth(blocks[blocks[block].group].value, rounds, MAX_DEPTH)
        return None if truth is None else truth is (blocks[block].kind == "if")

    def _binop(self, value: Value, rounds: dict[int, int], depth: int) -> float | None:
        left, right = (self.number(item, rounds, depth - 1) for item in value[2:4])
        if left is None or right is None:
            return None
        if value[1] == "**":
            return left**right if abs(right) < 64 and 0 <= left < 1000 and (left or right >= 0) else None
        apply = ARITHMETIC.get(str(value[1]))
        return None if apply is None or (right == 0 and value[1] in ("/", "//", "%")) else apply(left, right)

    def _element(self, iterable: Vid, rounds: dict[int, int], depth: int) -> float | None:
        blocks = self.fn.facts.blocks
        loop = next(
            (index for index in rounds if blocks[index].value == iterable and blocks[index].kind != "while"), -1
        )
        value = self.fn.facts.values[iterable]
        if loop < 0:
            return None
        if value[0] in ("list", "tuple"):
            written = rounds[loop] < len(value[1])
            return self.number(value[1][rounds[loop]], rounds, depth - 1) if written else None
        if value[0] != "call" or not self._is(value, "builtins.range"):
            return None
        ends = [self.number(item, rounds, depth - 1) for item in self.fn.facts.calls[value[1]].args]
        first, step = (ends[0] if len(ends) > 1 else 0.0), (ends[2] if len(ends) > 2 else 1.0)
        return None if first is None or step is None else first + step * rounds[loop]

    def _enumerated(self, value: Value, rounds: dict[int, int]) -> float | None:
        inner = self.fn.facts.values[value[1]]
        loop = next((index for index in rounds if inner == ("elem", self.fn.facts.blocks[index].value)), -1)
        if value[2] != 0 or loop < 0 or not self._is(self.fn.facts.values[inner[1]], "builtins.enumerate"):
            return None
        start = self._start(self.fn.facts.values[inner[1]])
        return None if start is None else start + rounds[loop]

    def _start(self, value: Value) -> float | None:
        call = self.fn.facts.calls[value[1]]
        given = call.args[1] if len(call.args) > 1 else call.kwarg("start")
        return 0.0 if given < 0 else self.number(given, {}, MAX_DEPTH)

    def _converted(self, value: Value, rounds: dict[int, int], depth: int) -> float | None:
        """`int(x)`, `float(x)`, `min(x, y)`, `max(x, y)`."""
        call = self.fn.facts.calls[value[1]]
        found = [self.number(item, rounds, depth - 1) for item in call.args]
        known = [item for item in found if item is not None]
        if not known or len(known) != len(found) or call.kwargs:
            return None
        names = {ref.name for ref in self.project.callees(self.fn, call)}
        if names == {"builtins.int"}:
            return float(int(known[0]))
        if names == {"builtins.float"}:
            return known[0]
        return min(known) if names == {"builtins.min"} else max(known) if names == {"builtins.max"} else None

    def _is(self, value: Value, name: str) -> bool:
        if value[0] != "call":
            return False
        return {ref.name for ref in self.project.callees(self.fn, self.fn.facts.calls[value[1]])} == {name}

    # tests

    def truth(self, test: Vid, rounds: dict[int, int], depth: int) -> bool | None:
        value = self.fn.facts.values[test]
        if depth == 0:
            return None
        if value[0] == "guard":
            return self.truth(value[1], rounds, depth - 1)
        if value[0] == "not":
            inner = self.truth(value[1], rounds, depth - 1)
            return None if inner is None else not inner
        if value[0] == "bool":
            parts = [self.truth(item, rounds, depth - 1) for item in value[2]]
            decided = value[1] == "or"
            return decided if decided in parts else None if None in parts else not decided
        if value[0] == "compare" and len(value[2]) == 2 and value[1][0] in _COMPARE:
            left, right = (self.number(item, rounds, depth - 1) for item in value[2])
            return None if left is None or right is None else _COMPARE[value[1][0]](left, right)
        found = self.number(test, rounds, depth - 1)
        return None if found is None else bool(found)
