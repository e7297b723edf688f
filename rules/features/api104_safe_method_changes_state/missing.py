"""What is made or filled in because it was missing: whoever asks next finds it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backendlint.api import Call, Fn, Vid, ingredients

WANTED = re.compile(
    r"(should|must|needs?)_(be_)?(re)?(new|create|make|build|generate|calculate|compute)(_|$)", re.IGNORECASE
)
"""Functions that say whether what is asked for has to be made first."""
TIME = re.compile(r"(_at|_on|_date|_time|_timestamp)$")
"""Fields that say that and when something was done: filling one does it."""


def makes_missing(fn: Fn, call: Call | None) -> bool:
    """`limit = find(...)`, and below `if limit is None:` then `limit = create(...)`: who asks next finds it. So it is below
    `if should_create(...)`."""
    if call is None:
        return False
    tests = [test for test, outcome in fn.tests_of(call.block) if outcome]
    made = [fn.calls[fn.value(vid)[1]] for vid in ingredients(fn.facts, tests) if fn.value(vid)[0] == "call"]
    if any(WANTED.match(fn.callee_name(item)) for item in made):
        return True
    empty = {vid for test, outcome in fn.tests_of(call.block) for vid in absent(fn, test, outcome)}
    asked = {item.name for item in fn.facts.bindings if item.value in empty}
    return any(item.name in asked and fn.unguarded(item.value) == fn.value(call.value) for item in fn.facts.bindings)


def absent(fn: Fn, test: Vid, outcome: bool) -> Iterator[Vid]:
    """The values one of which a test that came out so says not to be there."""
    value = fn.value(test)
    if value[0] == "not":
        yield from absent(fn, value[1], not outcome)
    elif value[0] == "bool":
        for part in value[2]:
            yield from absent(fn, part, outcome)
    elif value[0] == "compare":
        if len(value[2]) == 2 and fn.const(value[2][1]) is None and outcome is (value[1][0] in ("is", "==")):
            yield value[2][0]
    elif not outcome:
        yield test


def fills_field(steps: list[tuple[Fn, Call | None]]) -> bool:
    """`if not file.checksum:` around what works out `file.checksum`, here or in what is called, and stores nothing else. What
    is set to a constant or to a time is done thereby (`order.shipped = True`)."""
    for number, (fn, call) in enumerate(steps):
        tests = fn.tests_of(call.block) if call is not None else ()
        empty = {fn.unguarded(vid) for test, outcome in tests for vid in absent(fn, test, outcome)}
        names = {str(value[2]) for value in empty if value[0] == "attr" and not TIME.search(str(value[2]))}
        if names and stored(steps[number:]) <= names:
            return True
    return False


def stored(steps: list[tuple[Fn, Call | None]]) -> set[str]:
    """The fields that the last function on the way that stores any stores, there where the call is, each with what is worked out."""
    for fn, call in reversed(steps):
        around = {number for number, _ in fn.blocks_of(call.block)} if call is not None else set[int]()
        found = [
            item for item in fn.facts.stores if item.name and item.block in around and fn.value(item.base)[0] != "name"
        ]
        if found:
            return {"" if fn.value(item.value)[0] == "const" else item.name for item in found}
    return {""}
