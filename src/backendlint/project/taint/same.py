"""Whether two values are the same expression, written twice."""

from __future__ import annotations

from backendlint.facts.model import Value, Vid
from backendlint.project.entities import Fn


def stripped(fn: Fn, vid: Vid) -> Vid:
    """The value itself, of what a test, an `await` or a text of nothing else makes of it."""
    value = fn.facts.values[vid]
    while value[0] in ("guard", "await") or (value[0] == "fmt" and len(value[2]) == 1):
        vid = value[2][0] if value[0] == "fmt" else value[1]
        value = fn.facts.values[vid]
    return vid


def asked_by_bool(fn: Fn, value: Value) -> Vid:
    """`x` of `bool(x)`, which is as true as that; else -1."""
    call = fn.facts.calls[value[1]] if value[0] == "call" else None
    plain = call is not None and fn.value(call.func) == ("name", "builtins.bool") and len(call.args) == 1
    return call.args[0] if call is not None and plain else -1


def ordered_among_numbers(fn: Fn, op: str, sides: tuple[Vid, ...]) -> list[Vid]:
    """`days` of `days <= 0`: the comparison came out at all, and no text is ordered among numbers."""
    others = [vid for vid in sides if type(fn.const(vid)) not in (int, float)]
    return others if op in ("<", "<=", ">", ">=") and len(others) < len(sides) else []


def same(fn: Fn, left: Vid, right: Vid, depth: int = 5) -> bool:
    """`request.args.get("next")`, `form.url.data`, `parts.path`."""
    left, right = stripped(fn, left), stripped(fn, right)
    one, other = fn.facts.values[left], fn.facts.values[right]
    if depth == 0 or one[0] != other[0]:
        return False
    if left == right or (one == other and one[0] in ("name", "param", "const", "outer")):
        return True
    if one[0] == "attr":
        return bool(one[2] == other[2]) and same(fn, one[1], other[1], depth - 1)
    if one[0] == "item":
        known = fn.const(one[2])
        return known is not ... and known == fn.const(other[2]) and same(fn, one[1], other[1], depth - 1)
    if one[0] != "call":
        return False
    first, second = fn.facts.calls[one[1]], fn.facts.calls[other[1]]
    if first.kwargs or second.kwargs or len(first.args) != len(second.args) or not first.args:
        return False
    consts = [fn.const(vid) for vid in first.args]
    return (
        ... not in consts
        and consts == [fn.const(vid) for vid in second.args]
        and same(fn, first.func, second.func, depth - 1)
    )


def beginning(fn: Fn, vid: Vid) -> Vid:
    """The text of which the value is the first character: `text[0]`, `text[:1]`; -1 of other values."""
    value = fn.facts.values[stripped(fn, vid)]
    if value[0] == "item" and fn.facts.values[value[2]][0] == "slice":
        value = fn.facts.values[value[2]]
    if value[0] == "slice":
        return int(value[1]) if fn.const(value[2]) in (None, 0) and fn.const(value[3]) == 1 else -1
    return int(value[1]) if value[0] == "item" and fn.const(value[2]) == 0 else -1


def element_of(fn: Fn, vid: Vid, part: int) -> Vid:
    """An element of a tuple that is returned; the whole where another is meant, or it is none."""
    value = fn.facts.values[vid]
    return value[1][part] if value[0] == "tuple" and 0 <= part < len(value[1]) else vid
