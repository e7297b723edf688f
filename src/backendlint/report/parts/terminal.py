"""A terminal's colours and columns."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Protocol

_CODES = {
    "bold": "1",
    "dim": "2",
    "underline": "4",
    "error": "1;31",
    "warning": "1;33",
    "note": "1;36",
    "span": "31",
    "place": "36",
    "help": "32",
}
TAB = "    "


class Stream(Protocol):
    """What is asked of an output stream."""

    def isatty(self) -> bool:
        """Whether it is a terminal."""


def wants_color(stream: Stream, environ: Mapping[str, str]) -> bool:
    """Colours on a terminal that has them; NO_COLOR switches them off, FORCE_COLOR on (NO_COLOR wins)."""
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return stream.isatty() and environ.get("TERM") != "dumb"


class Style:
    """Puts colour codes around text, or nothing."""

    def __init__(self, color: bool) -> None:
        self._color = color

    def __call__(self, style: str, text: str) -> str:
        """The text in one of the styles of this module."""
        return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if self._color and text else text


def columns(text: str) -> int:
    """How many columns a terminal needs for the text."""
    if text.isascii():
        return len(text)
    return sum(_width(char) for char in text)


def _width(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def wrapped(text: str, width: int, indent: str) -> str:
    """The text in lines of at most `width` columns, each with the indent; long words stay whole."""
    lines, line, used = [], "", 0
    room = max(20, width - len(indent))
    for word in text.split():
        size = columns(word)
        if line and used + 1 + size > room:
            lines.append(indent + line)
            line, used = word, size
        else:
            line, used = (f"{line} {word}", used + 1 + size) if line else (word, size)
    return "\n".join([*lines, indent + line])
