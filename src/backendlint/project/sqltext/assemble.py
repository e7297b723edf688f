"""From pieces to one SQL text: holes become placeholders that parse, and every character keeps its place."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field

from backendlint.facts.model import Span
from backendlint.findings.model import Location
from backendlint.project.entities import Fn
from backendlint.project.sqltext.literals import Char, characters
from backendlint.project.sqltext.pieces import Piece, Pieces
from backendlint.project.values.sqllex import Token, tokens

HOLE = re.compile(r"hole_\d+_|^\$[A-Za-z_]")
"""Names that stand for what is not known, and those that web.py fills in (`$name`); no rule may judge what contains one."""
_EXPECTS = frozenset(
    "SELECT DISTINCT FROM JOIN WHERE AND OR NOT ON BY HAVING LIMIT OFFSET IN LIKE ILIKE BETWEEN SET VALUES INTO UPDATE TABLE "
    "AS CASE WHEN THEN ELSE EXISTS UNION ALL INTERVAL USING RETURNING INDEX COLUMN ADD DROP TO ANY SOME TRUNCATE VIEW "
    "REFERENCES CONSTRAINT ONLY OVER FILTER CAST SCHEMA DATABASE ROLE USER CALL EXEC EXPLAIN ANALYZE WITH RECURSIVE KEY TOP "
    "FETCH FIRST ESCAPE COLLATE EXCEPT INTERSECT PARTITION GRANT REVOKE EXTENSION SEQUENCE TYPE FUNCTION DEFAULT CHECK IS "
    "SIMILAR REGEXP RLIKE SHOW PRAGMA USE CONCURRENTLY ATTACH DETACH VACUUM REINDEX REFRESH EXECUTE "
    "KILL QUERY CONNECTION DATABASES TABLES EXTENDED WAREHOUSE".split()
)
"""Words after which an operand stands: a hole there is a name or value, elsewhere a fragment that may be left out."""


@dataclass(frozen=True, slots=True)
class Hole:
    """What is not known: `kind` name (a name or value), text (inside a literal), fragment (left out: clauses, operators)."""

    start: int
    end: int
    kind: str
    fn: Fn
    vid: int


@dataclass(slots=True)
class Assembled:
    """A text with its holes; `piece_at` tells which piece a character belongs to."""

    text: str
    holes: list[Hole]
    pieces: Pieces
    starts: list[int]
    """Where each piece begins in `text`."""

    @property
    def fragments(self) -> bool:
        """True when something unknown was left out, so that clauses may be missing here that the real text has."""
        return any(hole.kind == "fragment" for hole in self.holes)


def assemble(pieces: Pieces) -> Assembled:
    """The text that the pieces make."""
    text = ""
    holes: list[Hole] = []
    starts: list[int] = []
    for piece in pieces:
        starts.append(len(text))
        if not piece.hole:
            text += piece.text
            continue
        kind, shown = _placeholder(text, len(holes))
        holes.append(Hole(len(text), len(text) + len(shown), kind, piece.fn, piece.vid))
        text += shown
    return Assembled(text, holes, pieces, starts)


def _placeholder(before: str, number: int) -> tuple[str, str]:
    name = f"hole_{number}_"
    if _in_string(before):
        return "text", name
    last = before[-1:]
    if last and (last.isalnum() or last in '_."`[$@:'):
        return "name", name
    items = list(tokens(before[-400:]))
    if not items:
        return "fragment", " "
    token = items[-1]
    if _in_case(items):
        return "fragment", f"WHEN NULL THEN {name}"
    if token.word("VALUES"):
        return "name", f"({name})"
    if token.word("SET"):
        return "name", f"{name} = 0"
    if token.kind == "word":
        return ("name", name) if token.text in _EXPECTS else ("fragment", " ")
    if token.kind == "punct":
        return ("fragment", " ") if token.raw in {")", "]", "*", ";"} else ("name", name)
    return "fragment", " "


def _in_case(items: list[Token]) -> bool:
    """True behind `CASE` and behind its operand, where branches stand."""
    if items[-1].kind in {"word", "name"}:
        items = items[:-1] if not items[-1].word("CASE") else items
    while len(items) > 1 and items[-1].raw == ".":
        items = items[:-2]
    return bool(items) and items[-1].word("CASE")


def _in_string(before: str) -> bool:
    """True inside an open quoted text."""
    inside = False
    for char in before:
        if char == "'":
            inside = not inside
    return inside


@dataclass(slots=True)
class SourceMap:
    """From offsets in an assembled text to places in files. `sources` reads a file's text; literals are decoded once."""

    assembled: Assembled
    sources: Callable[[str], str]
    _decoded: dict[tuple[str, Span], list[Char]] = field(default_factory=dict)
    _offsets: dict[int, int] = field(default_factory=dict)

    def location(self, start: int, end: int) -> Location:
        """The place of the characters from `start` to before `end`; on the line of `start` where they lie in several literals."""
        first = self._place(start)
        last = self._place(max(start, end - 1))
        if last.path != first.path or (last.line, last.column) < (first.line, first.column):
            return first
        return Location(first.path, first.line, first.column, last.end_line, last.end_column)

    def _place(self, offset: int) -> Location:
        pieces = self.assembled.pieces
        index = min(max(0, bisect_right(self.assembled.starts, offset) - 1), len(pieces) - 1)
        piece = pieces[index]
        whole = piece.fn.place(piece.vid)
        if piece.hole:
            return whole
        chars = self._chars(piece)
        at = self._align(index, piece, chars)
        position = at + offset - self.assembled.starts[index]
        if at < 0 or position >= len(chars):
            return whole
        char = chars[position]
        return Location(whole.path, char.line, char.column + 1, char.line, char.column + 2)

    def _chars(self, piece: Piece) -> list[Char]:
        span = piece.fn.facts.span_of(piece.vid)
        key = (piece.fn.path, span)
        known = self._decoded.get(key)
        if known is None:
            try:
                known = characters(self.sources(piece.fn.path), span)
            except OSError:
                known = []
            self._decoded[key] = known
        return known

    def _align(self, index: int, piece: Piece, chars: list[Char]) -> int:
        """Where the piece's text begins among the literal's characters: behind the earlier pieces of the same literal; -1 nowhere."""
        known = self._offsets.get(index)
        if known is not None:
            return known
        start = 0
        span = piece.fn.facts.span_of(piece.vid)
        for before in range(index - 1, -1, -1):
            other = self.assembled.pieces[before]
            if (
                other.hole
                or other.fn is not piece.fn
                or other.fn.facts.span_of(other.vid) != span
                or other.part >= piece.part
            ):
                continue
            found = self._align(before, other, chars)
            start = found + len(other.text) if found >= 0 else 0
            break
        joined = "".join(char.text or "\0" for char in chars)
        self._offsets[index] = joined.find(piece.text, start)
        return self._offsets[index]
