"""Which fields of the body are asked for before they are used, and what answers where one is missing or wrong."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Fn, Project, Value, Vid, derived, operands, refusals

from .bodies import alike, methods

ABSENCE = ("KeyError", "LookupError", "Exception", "BaseException")


def required(fn: Fn, start: Vid) -> str:
    """A field that is subscripted (or popped) where nothing has asked for it and nobody catches its absence; "" if there is none."""
    same = alike(fn, start)
    asked = set(tested(fn, same))
    for vid in fn.made_by("item"):
        _, base, key = fn.value(vid)
        field = fn.const(key)
        if base not in same or not isinstance(field, str) or field in asked or ... in asked:
            continue
        if not any(catches(fn, block) for block in enclosing(fn, vid)):
            return field
    for call, method in methods(fn, same):
        field = fn.const(call.args[0]) if method == "pop" and len(call.args) == 1 else ...
        if isinstance(field, str) and field not in asked and not any(catches(fn, n) for n in enclosing(fn, call.value)):
            return field
    return ""


def tested(fn: Fn, same: set[Vid]) -> Iterator[object]:
    """Fields that are asked for by `in` or `.get()`, or stored first; Ellipsis where it may be any."""
    for vid in fn.made_by("compare"):
        _, operators, sides = fn.value(vid)
        if set(operators) & {"in", "not in"} and set(sides[1:]) & same:
            yield fn.const(sides[0])
        elif set(operators) - {"in", "not in", "is", "is not"} and any(named_keys(fn, side, same) for side in sides):
            yield ...
    for vid in fn.made_by("store"):
        if fn.value(vid)[1] in same:
            yield fn.const(fn.value(vid)[2])
    for call, method in methods(fn, same):
        if method in ("get", "setdefault"):
            yield fn.const(call.args[0]) if call.args else ...
        elif method == "keys":
            yield ...


def named_keys(fn: Fn, vid: Vid, same: set[Vid]) -> bool:
    """`set(data)` of `REQUIRED <= set(data)`."""
    value = fn.unguarded(vid)
    return vid in same or (value[0] == "call" and bool(same.intersection(fn.calls[value[1]].args)))


def enclosing(fn: Fn, vid: Vid) -> Iterator[int]:
    """Blocks around a value's place, innermost first."""
    span = fn.facts.span_of(vid)
    return (number for number, block in enumerate(fn.facts.blocks) if block.kind == "try" and block.span.holds(span))


def catches(fn: Fn, number: int) -> bool:
    """Whether a `try` has a handler that a missing key ends in."""
    for block in fn.facts.blocks:
        if block.kind == "except" and block.group == number:
            caught = fn.value(block.value) if block.value >= 0 else ("name", "builtins.Exception")
            names = [fn.value(item) for item in caught[1]] if caught[0] == "tuple" else [caught]
            if any(item[0] == "name" and str(item[1]).rpartition(".")[2] in ABSENCE for item in names):
                return True
    return False


def refuses(project: Project, fn: Fn, start: Vid, field: str) -> bool:
    """Hand-written checks that answer 400 or 422, here or in a helper that is given the body. Where a field is used
    without having been asked for, only those count that look at fields."""
    whole = alike(fn, start)
    parts = fields(fn, whole) if field else set()
    own = [block for status, block in refusals(project, fn) if status in (400, 422)]
    if any(not field or looks_at(fn, block, parts) for block in own) or asks_types(fn, whole):
        return True
    carried = whole if field else derived(fn, start)
    helpers = [
        edge.callee
        for edge in project.graph.callees(fn)
        if edge.kind == "call" and edge.call is not None and carried.intersection(edge.call.args)
    ]
    return any(status in (400, 422) for item in helpers for status, _ in refusals(project, item))


def asks_types(fn: Fn, whole: set[Vid]) -> bool:
    """`if not isinstance(data["names"], list): return ...`, whatever status that has."""
    parts = fields(fn, whole)
    asked = {call.value for call in fn.calls if fn.callee_name(call) == "isinstance" and parts.intersection(call.args)}
    leaving = (block for block in fn.facts.blocks if block.kind == "if" and block.exits in ("return", "raise"))
    return bool(asked) and any(tests(fn, block.value, asked) for block in leaving if block.value >= 0)


def fields(fn: Fn, same: set[Vid]) -> set[Vid]:
    """Values that are fields of the body, or what their own methods and a test make of them."""
    found = {vid for vid in fn.made_by("item") if fn.value(vid)[1] in same}
    found |= {call.value for call, _ in methods(fn, same)}
    for vid, value in enumerate(fn.facts.values):
        if made_of(fn, value, found) or (value[0] == "compare" and same.intersection(value[2])):
            found.add(vid)
    return found


def made_of(fn: Fn, value: Value, found: set[Vid]) -> bool:
    if value[0] == "compare":
        return bool(found.intersection(value[2]))
    if value[0] != "call":
        return value[0] in ("item", "attr", "elem", "guard", "not") and value[1] in found
    call = fn.calls[value[1]]
    func = fn.value(call.func)
    if func[0] == "name":
        return str(func[1]).startswith("builtins.") and bool(found.intersection(call.passed))
    return func[0] == "attr" and func[1] in found


def looks_at(fn: Fn, block: int, parts: set[Vid]) -> bool:
    """Whether a place is reached by a test of one of these values, or because reading one failed."""
    if any(tests(fn, test, parts) for test, _ in fn.tests_of(block)):
        return True
    failed = [item.group for _, item in fn.blocks_of(block) if item.kind == "except" and catches(fn, item.group)]
    tried = [fn.facts.blocks[number].span for number in failed]
    return any(span.holds(fn.facts.span_of(vid)) for span in tried for vid in parts)


def tests(fn: Fn, vid: Vid, parts: set[Vid], depth: int = 6) -> bool:
    if vid in parts or depth == 0:
        return vid in parts
    return any(tests(fn, item, parts, depth - 1) for item in operands(fn.value(vid)) if item != vid)
