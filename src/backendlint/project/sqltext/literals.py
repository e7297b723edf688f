"""String literals, character by character: what each character of the value is, and where it stands in the source.

Reads what lies between two places: adjacent literals (implicit concatenation), with any prefix, escapes, line
continuations, parentheses and comments between. Independent of the interpreter's own tokenizer and its version.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from backendlint.facts.model import Span
from backendlint.findings.model import Location

_OPEN = re.compile(r"([rRbBuUfFtT]{0,2})(\"\"\"|'''|\"|')")
_ESCAPE = re.compile(
    r"\\(?:\n|[\\'\"abfnrtv]|[0-7]{1,3}|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|N\{[^}]+\})", re.DOTALL
)
_PLAIN = re.compile(r"[^\\'\"{}\n]+")
"""What stands for itself in every literal, and stays on its line."""
_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", "'": "'", '"': '"'}


class Char(NamedTuple):
    """One character of the value (or "" for a replacement field of an f-string) and its place: line 1-based, column 0-based."""

    text: str
    line: int
    column: int


def characters(source: str, span: Span) -> list[Char]:
    """All characters of the string literals in the span, in order."""
    lines = source.split("\n")
    first = span.line - 1
    if first >= len(lines):
        return []
    region = lines[first : span.end_line]
    if len(region) == span.end_line - first:
        region[-1] = region[-1][: span.end_column]
    region[0] = region[0][span.column :]
    text = "\n".join(region)
    return _Reader(text, span.line, span.column).read()


class _Reader:
    def __init__(self, text: str, line: int, column: int) -> None:
        self.text = text
        self.found: list[Char] = []
        self._line = line
        self._base = -column
        """Offset in `text` at which the current line would begin."""

    def read(self) -> list[Char]:
        at = 0
        while at < len(self.text):
            match = _OPEN.match(self.text, at)
            if match is not None:
                at = self._literal(match)
            elif self.text[at] == "#":
                at = self._to_line_end(at)
            else:
                at = self._advance(at, at + 1)
        return self.found

    def _advance(self, start: int, end: int) -> int:
        for index in range(start, min(end, len(self.text))):
            if self.text[index] == "\n":
                self._line += 1
                self._base = index + 1
        return end

    def _to_line_end(self, at: int) -> int:
        end = self.text.find("\n", at)
        return len(self.text) if end < 0 else end

    def _literal(self, match: re.Match[str]) -> int:
        prefix, quote = match.group(1).lower(), match.group(2)
        raw, formatted = "r" in prefix, "f" in prefix or "t" in prefix
        at = match.end()
        while at < len(self.text):
            if self.text.startswith(quote, at):
                return at + len(quote)
            plain = _PLAIN.match(self.text, at)
            if plain is not None:
                self.found += [
                    Char(char, self._line, column) for column, char in enumerate(plain.group(), at - self._base)
                ]
                at = plain.end()
                continue
            char = self.text[at]
            if char == "\\" and not (raw and not self.text[at + 1 : at + 2]):
                at = self._escape(at, raw)
            elif formatted and char in "{}":
                at = self._brace(at, char)
            else:
                self._put(char, at)
                at = self._advance(at, at + 1)
        return at

    def _put(self, text: str, at: int) -> None:
        self.found.append(Char(text, self._line, at - self._base))

    def _escape(self, at: int, raw: bool) -> int:
        if raw:
            self._put("\\", at)
            self._put(self.text[at + 1 : at + 2], at + 1)
            return self._advance(at, at + 2)
        match = _ESCAPE.match(self.text, at)
        if match is None:
            self._put("\\", at)
            return at + 1
        self._put_decoded(match.group()[1:], at)
        return self._advance(at, match.end())

    def _put_decoded(self, body: str, at: int) -> None:
        if body == "\n":
            return
        if body in _SIMPLE:
            self._put(_SIMPLE[body], at)
        elif body[0] in "xuU":
            self._put(_char(int(body[1:], 16)), at)
        elif body[0] == "N":
            import unicodedata

            try:
                self._put(unicodedata.lookup(body[2:-1]), at)
            except KeyError:
                self._put("?", at)
        else:
            self._put(_char(int(body, 8)), at)

    def _brace(self, at: int, char: str) -> int:
        if self.text[at + 1 : at + 2] == char:
            self._put(char, at)
            return at + 2
        if char == "}":
            return at + 1
        self._put("", at)
        return self._advance(at, _field_end(self.text, at + 1))


def _char(number: int) -> str:
    return chr(number) if number < 0x110000 else "?"


def _field_end(text: str, at: int) -> int:
    """Behind the `}` that closes the replacement field whose inside begins at `at`."""
    depth = 1
    while at < len(text) and depth:
        match = _OPEN.match(text, at) if text[at] in "\"'" else None
        if match is not None:
            end = text.find(match.group(2), match.end())
            at = len(text) if end < 0 else end + len(match.group(2))
            continue
        depth += (text[at] in "{[(") - (text[at] in "}])")
        at += 1
    return at


def where_in(source: str, path: str, span: Span, text: str) -> Callable[[int, int], Location]:
    """From offsets in `text`, the value of the literals in the span, to places; the whole span where they cannot be found."""
    found = characters(source, span)
    base = "".join(char.text or "\0" for char in found).find(text)
    whole = Location(path, span.line, span.column + 1, span.end_line, span.end_column + 1)

    def where(start: int, end: int) -> Location:
        first, last = base + start, base + max(start, end - 1)
        if base < 0 or last >= len(found):
            return whole
        begin, close = found[first], found[last]
        return Location(path, begin.line, begin.column + 1, close.line, close.column + 2)

    return where
