"""Patterns that take exponential time for some texts: a repetition in a repetition that can share its characters."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from functools import lru_cache
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

_REPEATS = ("MAX_REPEAT", "MIN_REPEAT")
_MANY = 16
"""Repetitions up to fewer times than this end soon enough."""
_ALPHABET = [chr(code) for code in range(32, 127)] + ["\n", "\t", "\u00e9"]

Chars = frozenset[str]


@lru_cache(maxsize=4096)
def slow_part(pattern: str) -> str:
    """The pattern's repetition that can match in exponentially many ways, shortened; "" where there is none."""
    if len(pattern) > 4000 or not re.search(r"[*+}][^|]*\)[^)]*?[*+{]|\|[^)]*\)[*+{]", pattern):
        return ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = parser.parse(pattern)
    except (re.error, RecursionError, OverflowError):
        return ""
    items = list(tree)
    if any(_slow(items, number) for number in range(len(items))):
        return pattern if len(pattern) <= 60 else pattern[:57] + "..."
    return ""


def _slow(items: list[Any], number: int) -> bool:
    """Whether item `number` of a sequence is (or holds) such a repetition, and what follows can fail."""
    op, value = items[number]
    name = str(op)
    if name in _REPEATS:
        _, most, body = value
        body = list(body)
        if most >= _MANY and _ambiguous(body) and _can_fail(items[number + 1 :]):
            return True
        return any(_slow(body, i) for i in range(len(body)))
    return any(
        _slow(list(inner), i) if items[number + 1 :] == [] else _slow([*inner, *items[number + 1 :]], i)
        for inner in _children(name, value)
        for i in range(len(list(inner)))
    )


def _children(name: str, value: Any) -> Iterator[Any]:
    if name == "SUBPATTERN":
        yield value[3]
    elif name == "BRANCH":
        yield from value[1]
    elif name in ("ASSERT", "ASSERT_NOT"):
        yield value[1]


def _can_fail(rest: list[Any]) -> bool:
    """Whether something after it may refuse what it has matched, which makes the engine try the other ways."""
    return any(not _nullable([item]) or str(item[0]) in ("AT", "ASSERT", "ASSERT_NOT") for item in rest)


def _ambiguous(body: list[Any]) -> bool:
    """Whether repeating the body can split one text in many ways."""
    while len(body) == 1 and str(body[0][0]) == "SUBPATTERN":
        body = list(body[0][1][3])
    if len(body) == 1 and str(body[0][0]) == "BRANCH":
        branches = [list(item) for item in body[0][1][1]]
        if any(_ambiguous(item) for item in branches):
            return True
        return _overlapping(branches)
    for number, (op, value) in enumerate(body):
        if str(op) not in _REPEATS or value[1] < _MANY:
            continue
        others = [*body[:number], *body[number + 1 :]]
        if all(_nullable([item]) for item in others):
            return True
        inner = _characters(list(value[2]))
        if inner and all(_single(item) and _characters([item]) & inner for item in others if not _nullable([item])):
            return True
    return False


def _overlapping(branches: list[list[Any]]) -> bool:
    """Alternatives of one character each that share one: `(a|a)*`, `(\\w|\\d)*`."""
    sets = [_characters(branch) for branch in branches if len(branch) == 1 and _single(branch[0])]
    return any(left & right for i, left in enumerate(sets) for right in sets[i + 1 :])


def _single(item: Any) -> bool:
    name = str(item[0])
    if name == "SUBPATTERN":
        inner = list(item[1][3])
        return len(inner) == 1 and _single(inner[0])
    return name in ("LITERAL", "NOT_LITERAL", "IN", "ANY") or (name in _REPEATS and item[1][0] >= 1)


def _nullable(items: list[Any]) -> bool:
    for op, value in items:
        name = str(op)
        if name in _REPEATS:
            if value[0] > 0 and not _nullable(list(value[2])):
                return False
        elif name == "SUBPATTERN":
            if not _nullable(list(value[3])):
                return False
        elif name == "BRANCH":
            if not any(_nullable(list(item)) for item in value[1]):
                return False
        elif name not in ("AT", "ASSERT", "ASSERT_NOT"):
            return False
    return True


def _characters(items: list[Any]) -> Chars:
    """The characters that a one-character expression (or a repetition of one) may match; empty where it is longer."""
    if len(items) != 1:
        return frozenset()
    op, value = items[0]
    name = str(op)
    if name in _REPEATS:
        return _characters(list(value[2]))
    if name == "SUBPATTERN":
        return _characters(list(value[3]))
    if name == "LITERAL":
        return frozenset({chr(value)})
    if name == "ANY":
        return frozenset(_ALPHABET) - {"\n"}
    if name == "NOT_LITERAL":
        return frozenset(_ALPHABET) - {chr(value)}
    if name == "IN":
        return _class(value)
    return frozenset()


_CATEGORIES = {
    "CATEGORY_DIGIT": str.isdigit,
    "CATEGORY_SPACE": str.isspace,
    "CATEGORY_WORD": lambda char: char.isalnum() or char == "_",
    "CATEGORY_NOT_DIGIT": lambda char: not char.isdigit(),
    "CATEGORY_NOT_SPACE": lambda char: not char.isspace(),
    "CATEGORY_NOT_WORD": lambda char: not (char.isalnum() or char == "_"),
}


def _class(parts: Any) -> Chars:
    found: set[str] = set()
    negated = False
    for op, value in parts:
        name = str(op)
        if name == "NEGATE":
            negated = True
        elif name == "LITERAL":
            found.add(chr(value))
        elif name == "RANGE":
            found.update(char for char in _ALPHABET if value[0] <= ord(char) <= value[1])
        elif name == "CATEGORY":
            found.update(filter(_CATEGORIES.get(str(value), str.isalpha), _ALPHABET))
    return frozenset(_ALPHABET) - found if negated else frozenset(found)
