"""Values that are the same wherever they are written (`args["name"]`, `args.get("name")`), also in a function that is passed them."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.facts.model import Value, Vid
from backendlint.project.entities import Fn
from backendlint.project.linking.binding import Bound

MAX_DEPTH = 5
Key = tuple[object, ...]
"""A parameter, a name, or a part of one; else the very value in its function."""


def key(fn: Fn, vid: Vid, depth: int = MAX_DEPTH) -> Key:
    """What a value is called."""
    value = fn.unguarded(vid) if vid >= 0 and depth else ("",)
    if value[0] in ("", "param", "name"):
        return value if value[0] else ()
    inner, part = _taken(fn, value, depth - 1)
    return ("part", inner, part) if inner and part else ("value", fn.untested(vid))


def _taken(fn: Fn, value: Value, depth: int) -> tuple[Key, object]:
    """From what a value is taken, and by which name, number or other value."""
    if value[0] == "attr":
        return key(fn, value[1], depth), value[2]
    if value[0] == "item":
        return key(fn, value[1], depth), _part(fn, value[2], depth)
    func = fn.func_of(value)
    args = fn.calls[value[1]].args if func[0] in ("attr", "name") else ()
    owner, _, last = str(func[1]).rpartition(".") if func[0] == "name" else ("", "", func[-1])
    if last != "get" or not args:
        return (), ()
    return ("name", owner) if owner else key(fn, func[1], depth), _part(fn, args[0], depth)


def _part(fn: Fn, vid: Vid, depth: int) -> object:
    said = fn.const(vid)
    return ("const", said) if isinstance(said, str | int) else key(fn, vid, depth)


def passed_on(of: Key, caller: Fn, bound: Bound) -> Key:
    """The same value as its caller calls it; empty where it is not known."""
    if of[0] == "param":
        given = bound.get(int(str(of[1])), [])
        return key(caller, given[0][0]) if len(given) == 1 and not given[0][1] else ()
    if of[0] != "part":
        return of if of[0] == "name" else ()
    inner, part = _key(of[1]), _key(of[2])
    base = passed_on(inner, caller, bound) if inner else ()
    by = passed_on(part, caller, bound) if part and part[0] != "const" else of[2]
    return ("part", base, by) if base and by else ()


def _key(of: object) -> Key:
    return of if isinstance(of, tuple) else ()


def told(fn: Fn, test: Vid, outcome: bool) -> Iterator[tuple[Vid, bool]]:
    """What a test says if it comes out so: values, and whether each is there (true, not None) or not."""
    value = fn.unguarded(test) if test >= 0 else ("",)
    if value[0] == "not":
        yield from told(fn, value[1], not outcome)
    elif value[0] == "bool":
        for part in value[2] if (value[1] == "and") is outcome else ():
            yield from told(fn, part, outcome)
    elif value[0] == "compare" and len(value[2]) == 2 and fn.const(value[2][1]) is None:
        yield fn.untested(value[2][0]), outcome is not (value[1][0] in ("is", "=="))
    elif test >= 0:
        yield fn.untested(test), outcome
