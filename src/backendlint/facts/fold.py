"""Constant folding: what Python would compute from literals alone, within tight bounds of size and time."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

MAX_TEXT = 100_000
MAX_INT = 1 << 128
LARGEST = 1 << 63
"""Numbers that are larger, or no numbers at all, are nothing that a program waits, repeats or counts by."""

_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
}
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "in": lambda left, right: left in right,
    "not in": lambda left, right: left not in right,
    "is": lambda left, right: left is right,
    "is not": lambda left, right: left is not right,
}
_UNARY: dict[str, Callable[[Any], Any]] = {
    "-": operator.neg,
    "+": operator.pos,
    "~": operator.invert,
    "not": operator.not_,
}
NOTHING = object()
"""Returned where no constant can be computed (None is a constant)."""


def ordinary(value: object) -> bool:
    """Whether a constant can be counted and converted without a thought; False for 10**30 and 1e999."""
    return not isinstance(value, int | float) or abs(value) < LARGEST


def binary(op: str, left: Any, right: Any) -> Any:
    """`left op right` or NOTHING; large results are not computed."""
    func = _BINARY.get(op)
    if func is None or _too_large(op, left, right):
        return NOTHING
    return _attempt(func, left, right)


def compare(op: str, left: Any, right: Any) -> Any:
    """`left op right` or NOTHING."""
    return _attempt(_COMPARE[op], left, right)


def unary(op: str, value: Any) -> Any:
    """`op value` or NOTHING."""
    return _attempt(_UNARY[op], value)


def item(value: Any, key: Any) -> Any:
    """`value[key]` for texts, or NOTHING."""
    return _attempt(operator.getitem, value, key) if isinstance(value, str | bytes) else NOTHING


def _too_large(op: str, left: Any, right: Any) -> bool:
    for value in (left, right):
        if isinstance(value, str | bytes) and (op not in "+%" or len(value) > MAX_TEXT):
            return op != "*" or not _small_repeat(left, right)
        if isinstance(value, int) and abs(value) > MAX_INT:
            return True
    return False


def _small_repeat(left: Any, right: Any) -> bool:
    text, count = (left, right) if isinstance(left, str | bytes) else (right, left)
    return isinstance(count, int) and isinstance(text, str | bytes) and len(text) * max(count, 0) < 1000


def _attempt(func: Callable[..., Any], *values: Any) -> Any:
    try:
        found = func(*values)
    except (TypeError, ValueError, ArithmeticError, LookupError):
        return NOTHING
    return found if ordinary(found) else NOTHING
