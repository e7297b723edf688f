"""Places in a file's own text."""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache
from itertools import accumulate

from backendlint.findings.model import Location


def place_in(path: str, text: str, start: int, end: int) -> Location:
    """The place of a range of the file's text (offsets) as lines and columns from 1."""
    starts = _starts(text)
    return Location(path, *_place(starts, start), *_place(starts, end))


@lru_cache(maxsize=4)
def _starts(text: str) -> list[int]:
    """Where the lines of a text begin; one text is most often asked for many places in a row."""
    return [0, *accumulate(len(line) + 1 for line in text.split("\n"))]


def _place(starts: list[int], offset: int) -> tuple[int, int]:
    line = bisect_right(starts, offset)
    return line, offset - starts[line - 1] + 1
