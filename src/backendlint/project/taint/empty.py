"""Where a test leaves nothing of a value: below `if not token:` there is none."""

from __future__ import annotations

from backendlint.facts.model import Vid
from backendlint.project.entities import Fn
from backendlint.project.loops.loops import plain

_DEPTH = 6


def is_empty(fn: Fn, subject: Vid, test: Vid, truth: bool | None, depth: int = _DEPTH) -> bool:
    """Whether `subject` is None or empty where the value `test` is truthy (`truth`) or falsy."""
    if truth is None or depth == 0:
        return False
    if not truth and plain(fn, test) == plain(fn, subject):
        return True
    value = fn.facts.values[test]
    if value[0] == "not":
        return is_empty(fn, subject, value[1], not truth, depth - 1)
    if value[0] == "bool":
        parts = [is_empty(fn, subject, item, truth, depth - 1) for item in value[2]]
        return any(parts) if (value[1] == "and") == truth else all(parts)
    if value[0] == "compare" and value[1] in (("is",), ("is not",)) and fn.const(value[2][1]) is None:
        return is_empty(fn, subject, value[2][0], truth == (value[1] == ("is not",)), depth - 1)
    return False
