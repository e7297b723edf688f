"""Places in a file's own text."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate

from backendlint.findings.model import Location


class Places:
    """Places in one text that are asked for often."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self._starts = [0, *accumulate(len(line) + 1 for line in text.split("\n"))]

    def of(self, start: int, end: int) -> Location:
        """The place of a range of the text (offsets) as lines and columns from 1."""
        return Location(self.path, *self._place(start), *self._place(end))

    def _place(self, offset: int) -> tuple[int, int]:
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1


def place_in(path: str, text: str, start: int, end: int) -> Location:
    """One place in a text."""
    return Places(path, text).of(start, end)
