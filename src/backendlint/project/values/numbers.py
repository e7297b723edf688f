"""Numbers that an expression comes to: constants of other files, arithmetic, and the round of a loop."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Fn
from backendlint.project.graph.calls import arguments
from backendlint.project.linking.variables import variable
from backendlint.project.values.turns import ARITHMETIC, Rounds, carried, exact, tested_rounds

if TYPE_CHECKING:
    from backendlint.project.model import Project

LARGEST = 1e9
_CLOCKS = frozenset({"time.time", "time.monotonic", "time.perf_counter"})


def number(project: Project, fn: Fn, vid: Vid, rounds: Rounds, depth: int = 10) -> float | None:
    """The largest number that the value can be, as far as it can be told; in round `rounds[loop]` of each loop."""
    if vid < 0 or depth == 0:
        return None
    if rounds and (certain := exact(project, fn, vid, rounds)) is not None:
        return certain
    known = project.constants(fn, vid)
    if known is not None:
        numbers = [float(item) for item in known if isinstance(item, int | float) and not isinstance(item, bool)]
        return max(numbers) if numbers else None
    value = fn.facts.values[vid]
    if carried(fn, vid):  # in which round is not known: what it is in the first
        return number(project, fn, value[1][0], rounds, depth - 1)
    if value[0] in ("guard", "await"):
        return number(project, fn, value[1], rounds, depth - 1)
    if value[0] == "binop":
        return _binop(project, fn, value, rounds, depth)
    if value[0] in ("phi", "bool"):
        found = [number(project, fn, item, rounds, depth - 1) for item in (value[1] if value[0] == "phi" else value[2])]
        return max((item for item in found if item is not None), default=None)
    if value[0] == "elem":
        return _element(project, fn, value[1], rounds)
    if value[0] == "call":
        return _call(project, fn, fn.facts.calls[value[1]], rounds, depth)
    return None


def usual(project: Project, fn: Fn, vid: Vid) -> float | None:
    """The number, or what a parameter is where callers leave it out, also one of the function around."""
    value = fn.unguarded(vid)
    if value[0] == "outer":
        outer = fn.outer(value)
        return usual(project, outer, value[1]) if outer is not None else None
    default = fn.facts.params[value[1]].default if value[0] == "param" else -1
    home = fn.parent
    return number(project, home, default, {}) if default >= 0 and home is not None else number(project, fn, vid, {})


def _binop(project: Project, fn: Fn, value: tuple[object, ...], rounds: Rounds, depth: int) -> float | None:
    left = number(project, fn, int(str(value[2])), rounds, depth - 1)
    right = number(project, fn, int(str(value[3])), rounds, depth - 1)
    if left is None or right is None:
        return None
    if value[1] == "**":
        return min(left**right, LARGEST) if abs(right) < 64 and 0 <= left < 1000 else None
    apply = ARITHMETIC.get(str(value[1]))
    return None if apply is None or (right == 0 and "/" in str(value[1])) else apply(left, right)


def _element(project: Project, fn: Fn, iterable: Vid, rounds: Rounds) -> float | None:
    """Of `(FIRST_DELAY, 2, 5)`, the delay of this round."""
    loop = next((index for index in rounds if fn.facts.blocks[index].value == iterable), -1)
    value = fn.facts.values[iterable]
    if loop < 0 or value[0] not in ("list", "tuple") or rounds[loop] >= len(value[1]):
        return None
    return number(project, fn, value[1][rounds[loop]], {})


def _call(project: Project, fn: Fn, call: Call, rounds: Rounds, depth: int) -> float | None:
    names = {ref.name for ref in project.callees(fn, call)}
    found = [number(project, fn, item, rounds, depth - 1) for item in call.args]
    known = [item for item in found if item is not None]
    if "builtins.min" in names:
        return min(known, default=None)
    if names & {"builtins.max", "builtins.float", "builtins.int", "builtins.abs", "random.uniform", "random.randint"}:
        return max(known, default=None) if len(known) == len(found) else None
    return 1.0 if "random.random" in names else None


def by_default(project: Project, fn: Fn, vid: Vid, depth: int = 6) -> float | None:
    """What a number is that the environment may set: the default in `int(os.environ.get("TIMEOUT", "5"))`."""
    value = fn.facts.values[vid]
    if depth == 0 or value[0] not in ("guard", "name", "call"):
        return None
    if value[0] == "guard":
        return by_default(project, fn, value[1], depth - 1)
    if value[0] == "name":
        found = variable(project, fn, value[1])
        return by_default(project, *found, depth - 1) if found is not None else None
    call = fn.facts.calls[value[1]]
    if {ref.name for ref in project.callees(fn, call)} & {"builtins.int", "builtins.float"} and call.args:
        return by_default(project, fn, call.args[0], depth - 1)
    for model in project.models(fn, call):
        given = arguments(call, model.env.default) if model.env is not None and model.env.default is not None else []
        known = project.constants(fn, given[0]) if given else None
        if known and re.fullmatch(r"\d+(\.\d+)?", str(known[0])):
            return float(str(known[0]))
    return None


def rounds_of(project: Project, fn: Fn, loop: int, passed: Mapping[int, object] | None = None) -> int | None:
    """How many rounds a loop makes, where it is written out: `range(3)`, `(1, 2, 4)`, `while tries < 3` with a counter;
    `passed` is what a call passes for parameters, by index."""
    block = fn.facts.blocks[loop]
    if block.kind == "while":
        return tested_rounds(project, fn, loop)
    if block.kind not in ("for", "comp") or block.value < 0:
        return None
    value = fn.facts.values[block.value]
    if value[0] in ("list", "tuple", "set"):
        return None if any(fn.facts.values[item][0] == "star" for item in value[1]) else len(value[1])
    if value[0] != "call":
        return None
    call = fn.facts.calls[value[1]]
    if "builtins.range" not in {ref.name for ref in project.callees(fn, call)}:
        return None
    ends = [_passed(fn, item, passed or {}) or number(project, fn, item, {}) for item in call.args]
    if not ends or any(item is None for item in ends):
        return None
    bounds = [int(item) for item in ends if item is not None]
    step = bounds[2] if len(bounds) > 2 else 1
    return len(range(bounds[0], bounds[1], step) if len(bounds) > 1 else range(bounds[0])) if step else None


def _passed(fn: Fn, vid: Vid, passed: Mapping[int, object]) -> float | None:
    """Of `attempts` or `attempts + 1`, where a call decides the parameter."""
    value = fn.unguarded(vid)
    if value[0] == "param":
        known = passed.get(value[1])
        return float(known) if isinstance(known, int | float) and not isinstance(known, bool) else None
    if value[:2] != ("binop", "+"):
        return None
    base, added = _passed(fn, value[2], passed), fn.const(value[3])
    return base + added if base is not None and isinstance(added, int) else None


def until(project: Project, fn: Fn, loop: int) -> float | None:
    """For how many seconds a loop goes on: `end = monotonic() + 20`, `while monotonic() < end:`."""
    block = fn.facts.blocks[loop]
    test = fn.unguarded(block.value) if block.kind == "while" and block.value >= 0 else ("",)
    if test[0] != "compare" or test[1] not in (("<",), ("<=",)) or not _is_clock(project, fn, test[2][0]):
        return None
    end = fn.unguarded(test[2][1])
    parts = end[2:4] if end[:2] == ("binop", "+") else ()
    spans = [usual(project, fn, part) for part in parts if not _is_clock(project, fn, part)]
    return spans[0] if len(spans) == 1 else None


def _is_clock(project: Project, fn: Fn, vid: Vid) -> bool:
    value = fn.unguarded(vid)
    names = {ref.name for ref in project.callees(fn, fn.calls[value[1]])} if value[0] == "call" else set()
    return not names.isdisjoint(_CLOCKS)
