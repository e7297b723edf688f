"""Places in a file's own text."""

from __future__ import annotations

from backendlint.findings.model import Location


def place_in(path: str, text: str, start: int, end: int) -> Location:
    """The place of a range of the file's text (offsets) as lines and columns from 1."""
    line = text.count("\n", 0, start) + 1
    column = start - (text.rfind("\n", 0, start) + 1) + 1
    last = text.count("\n", 0, end) + 1
    last_column = end - (text.rfind("\n", 0, end) + 1) + 1
    return Location(path, line, column, last, last_column)
