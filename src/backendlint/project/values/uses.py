"""Where a value of a function is used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from backendlint.facts.model import FunctionFacts, Value, Vid


def operands(value: Value) -> Iterator[Vid]:
    """The vids that a value is made of (the arguments of calls are the calls' own)."""
    op = value[0]
    if op in ("const", "param", "name", "def", "call", "exc", "unknown", "outer"):
        return
    if op in ("fmt", "bool", "compare"):
        yield from value[2]
    elif op in ("phi", "list", "tuple", "set"):
        yield from value[1]
    elif op == "dict":
        for key, item in value[1]:
            yield from (key, item) if key >= 0 else (item,)
    elif op == "binop":
        yield from value[2:4]
    elif op == "unary":
        yield value[2]
    elif op == "unpack":
        yield value[1]
    elif op == "comp":
        yield from (item for item in value[2:4] if item >= 0)
    elif op == "mut":
        yield value[1]
        yield from value[3]
    elif op == "setattr":
        yield value[1]
        yield value[3]
    else:
        yield from (item for item in value[1:] if isinstance(item, int) and not isinstance(item, bool) and item >= 0)


def ingredients(facts: FunctionFacts, start: Iterable[Vid]) -> set[Vid]:
    """The values and all that they are made of, the arguments of calls included."""
    found: set[Vid] = set()
    todo = list(start)
    while todo:
        vid = todo.pop()
        if vid < 0 or vid in found:
            continue
        found.add(vid)
        value = facts.values[vid]
        todo.extend(value[1:2] if value[0] == "guard" else operands(value))  # what was asked of it is no part of it
        if value[0] == "call":
            call = facts.calls[value[1]]
            todo += [call.func, *call.passed]
    return found


def of_caught(facts: FunctionFacts, handler: int, start: Iterable[Vid]) -> bool:
    """Whether any of the values is made of the exception that the `except` block has caught."""
    return any(facts.values[vid] == ("exc", handler) for vid in ingredients(facts, start))


_CARRIES = ("await", "guard", "enter", "mut", "setattr", "phi", "store", "star")


def aliases(facts: FunctionFacts, start: Vid) -> set[Vid]:
    """All values of the function that are the same object: awaited, entered, changed, chosen among others."""
    held = {start}
    for _ in range(2):
        for vid, value in enumerate(facts.values):
            if value[0] in _CARRIES and vid not in held:
                sources = value[1] if value[0] == "phi" else (value[1],)
                if held.intersection(sources):
                    held.add(vid)
    return held


def is_used(facts: FunctionFacts, vid: Vid) -> bool:
    """Whether anything reads the value: another value, a call, a return, a store or a statement that tests it."""
    if any(vid in operands(value) for number, value in enumerate(facts.values) if number != vid):
        return True
    for call in facts.calls:
        if vid == call.func or vid in call.args or any(item == vid for _, item in call.kwargs):
            return True
    if any(item.value == vid for item in facts.returns) or any(vid in (item.value, item.key) for item in facts.stores):
        return True
    return any(block.value == vid for block in facts.blocks)


def made_of(value: Value) -> Iterable[Vid]:
    """The same without the tests of branches: a value that was tested is made of nothing but itself."""
    return (value[1],) if value[0] == "guard" else operands(value)
