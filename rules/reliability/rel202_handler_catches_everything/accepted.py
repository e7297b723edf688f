"""Markers by which others' checks for this very flaw are silenced, and reasons."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile

_NAMES = r"bare-except|broad-except|broad-exception-caught|W0702|W0703|W0718"
_BEHIND = re.compile(rf"#.*(noqa:?[^#]*\b(E722|BLE001|B036)\b|noqa\s*(#|$)|pylint: *disable=[^#]*\b({_NAMES})\b)")
_ABOVE = re.compile(rf"#.*pylint: *disable(?P<one>-next)?=[^#]*\b({_NAMES})\b")

_EVERYTHING = "BaseException"


def is_accepted(lines: Sequence[str], line: int) -> bool:
    """`# noqa: E722` behind an `except`, which ends on `line`, a marker of pylint's on a line of its own right below, or one above it
    that holds until the block ends in which it stands (`disable-next`: for the next line); or a comment right below that says
    why it is `BaseException`."""
    *above, own = lines[:line]
    if _BEHIND.search(own):
        return True
    below = lines[line] if line < len(lines) else ""
    if _is_comment(below) and _ABOVE.search(below):
        return True
    if any(_EVERYTHING in text for text in takewhile(_is_comment, lines[line:])):
        return True
    open_at, near = _depth(own), True
    for text in reversed(above):
        found = _ABOVE.search(text) if _is_comment(text) else None
        if found is not None and (near if found["one"] else _depth(text) <= open_at):
            return True
        if text.strip() and not _is_comment(text):
            open_at, near = min(open_at, _depth(text)), False
    return False


def _is_comment(text: str) -> bool:
    return text.lstrip().startswith("#")


def _depth(text: str) -> int:
    return len(text) - len(text.lstrip())
