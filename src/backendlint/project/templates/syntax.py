"""Expressions in templates: which dotted names they read, by a reader of our own for the dialects' common ground."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

EACH = "*"
"""Stands in a path for "each element of"."""

_TOKEN = re.compile(r"\{#.*?#\}|\{\{(?P<text>.*?)\}\}|\{%[-+]?(?P<tag>.*?)[-+]?%\}", re.DOTALL)
_STRING = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'")
_PATH = re.compile(r"(?<![\w.])[A-Za-z_]\w*(?:\s*\.\s*\w+|\(\s*\))*")
_FILTER = re.compile(r"\|\s*\w+(?:\s*:\s*[\w.\"']+)?")
_LEADS = re.compile(r"[A-Za-z_]\w*(?:\.\w+|\(\s*\))*(?=\s*(?:$|\||\bif\b|\brecursive\b|\bas\b))")
_CALL = re.compile(r"(?<![\w.])([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)?)\s*\(")
_WORDS = frozenset("and or not in is if else elif true false none True False None as by with only from import".split())
_SAME_ELEMENTS = frozenset(
    "sort dictsort dictsortreversed reverse list slice unique selectattr rejectattr select reject safe default d".split()
)
"""Filters whose result has the same elements."""


class Access(NamedTuple):
    """`root.a.b`, where `root` is a variable of the context."""

    root: str
    path: tuple[str, ...]

    def under(self, outer: Access) -> Access:
        """The same where `root` stands for `outer`."""
        return Access(outer.root, (*outer.path, *self.path))


class Token(NamedTuple):
    """`{{ text }}`, or `{% tag rest %}`."""

    tag: str
    """The tag's first word; "" for an expression."""
    rest: str
    offset: int


def tokens(source: str) -> Iterator[Token]:
    """The template's tags and expressions, in order."""
    for match in _TOKEN.finditer(source):
        if match["tag"] is not None:
            word, _, rest = match["tag"].strip().partition(" ")
            yield Token(word, rest.strip(), match.start())
        elif match["text"] is not None:
            yield Token("", match["text"].strip("-+ \t\r\n"), match.start())


def accesses(expression: str) -> Iterator[Access]:
    """All dotted names in an expression, calls without arguments included."""
    text = _FILTER.sub(" ", _STRING.sub('""', expression))
    for match in _PATH.finditer(text):
        following = text[match.end() :].lstrip()
        named = following.startswith("=") and not following.startswith("==")
        found = access(match[0])
        if found is not None and not named:
            yield found


def access(text: str) -> Access | None:
    """A dotted name alone, or None."""
    root, *path = re.sub(r"\(\s*\)|\s", "", text).split(".")
    if not re.fullmatch(r"[A-Za-z_]\w*", root) or root in _WORDS:
        return None
    return Access(root, tuple(path))


def source_of(expression: str) -> Access | None:
    """The dotted name whose elements (or value) an expression gives, through filters that keep them; else None."""
    match = _LEADS.match(expression.strip())
    if match is None:
        return None
    rest = _STRING.sub('""', expression.strip()[match.end() :])
    names = re.findall(r"\|\s*(\w+)", rest.partition(" if ")[0])
    return access(match[0]) if _SAME_ELEMENTS.issuperset(names) else None


def calls(expression: str) -> Iterator[tuple[str, list[str]]]:
    """Calls with arguments: the called name, and the arguments' texts."""
    for match in _CALL.finditer(expression):
        arguments = split(expression[match.end() :])
        if arguments:
            yield match[1], arguments


def split(text: str) -> list[str]:
    """The parts between commas up to the bracket that closes the list."""
    parts, depth, start, position = [], 0, 0, 0
    while position < len(text):
        char = text[position]
        quoted = _STRING.match(text, position) if char in "\"'" else None
        if quoted is not None:
            position = quoted.end()
            continue
        if char in "([{":
            depth += 1
        elif char in ")]}" and depth == 0:
            break
        elif char in ")]}":
            depth -= 1
        elif char == "," and depth == 0:
            parts.append(text[start:position].strip())
            start = position + 1
        position += 1
    return [part for part in (*parts, text[start:position].strip()) if part]
