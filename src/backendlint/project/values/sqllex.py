"""A small SQL lexer: words, names, strings, numbers and punctuation with their offsets, for every dialect alike.

It never fails: what it does not know becomes a one-character token. Comments are dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_TOKEN = re.compile(
    r"""
    (?P<word>(?![eEnNbBxX]')[^\W\d]\w*\$?)
  | (?P<space>\s+|--[^\n]*|/\*(?:.|\n)*?\*/|\#(?=[\s!])[^\n]*)
  | (?P<dollar>\$(?P<tag>[A-Za-z_]*)\$(?:.|\n)*?\$(?P=tag)\$)
  | (?P<estring>[eE]'(?:[^'\\]|\\(?:.|\n)|'')*')
  | (?P<string>[nNbBxX]?'(?:[^']|'')*')
  | (?P<name>"(?:[^"]|"")*"|`(?:[^`]|``)*`)
  | (?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
  | (?P<param>%\([^)]*\)s|%s|\$\d+|\?|:[A-Za-z_]\w*(?<!:)|@[A-Za-z_]\w*)
  | (?P<unended>[^\W\d]\w*\$?)
  | (?P<punct>::|\|\||<<=|>>=|<>|!=|<=|>=|:=|->>|->|\#>>|\#>|@>|<@|~\*|!~\*|!~|.)
    """,
    re.VERBOSE,
)
_BACKSLASHED = re.compile(r"'(?:[^'\\]|\\(?:.|\n)|'')*'")
_BRACKETED = re.compile(r"\[[A-Za-z_][^\]\n]*\]")


class Token(NamedTuple):
    """`text` is upper case for words, unquoted for names and strings; `start`/`end` are offsets, the end exclusive."""

    kind: str
    """word, name (quoted), string, number, param, punct."""
    text: str
    start: int
    end: int
    raw: str

    def word(self, *words: str) -> bool:
        """True for one of these key words."""
        return self.kind == "word" and self.text in words

    @property
    def identifier(self) -> str:
        """The name as the database folds it: quoted ones exactly, others as written."""
        return self.text if self.kind == "name" else self.raw


def tokens(text: str, dialect: str = "") -> Iterator[Token]:
    """All tokens of `text` but space and comments."""
    position, size = 0, len(text)
    mysql = dialect in {"mysql", "mariadb"}
    brackets = dialect in {"sqlite", "tsql"}
    next_token = _TOKEN.match
    while position < size:
        match = next_token(text, position)
        if match is None:
            return
        kind = match.lastgroup or "punct"
        if kind == "space":
            position = match.end()
            continue
        if kind == "string" and mysql and "\\" in match.group():
            match = _BACKSLASHED.match(text, position) or match
        raw = match.group()
        if brackets and raw == "[":
            match = _BRACKETED.match(text, position) or match
            raw = match.group()
            kind = "name" if len(raw) > 1 else kind
        start, position = position, match.end()
        if kind == "param" and raw.startswith(":") and start and text[start - 1] == ":":
            yield Token("word", raw[1:].upper(), start + 1, position, raw[1:])
        else:
            yield _token(kind, raw, start, position, mysql)


def writes_with(text: str) -> bool:
    """Whether a statement that begins with WITH, or one of its parts, writes: `WITH old AS (DELETE ...) SELECT ...`."""
    found = tokens(text)
    first = next(found, None)
    if first is None or not first.word("WITH"):
        return False
    before = first.text
    for token in found:
        if token.word("INSERT", "UPDATE", "DELETE", "MERGE") and before in ("(", ")"):
            return True
        before = token.text
    return False


def _token(kind: str, raw: str, start: int, end: int, mysql: bool) -> Token:
    if kind in {"word", "unended"}:
        return Token("word", raw.upper(), start, end, raw)
    if kind == "name":
        quote = raw[0]
        content = raw[1:-1] if quote == "[" else raw[1:-1].replace(quote * 2, quote)
        return Token("string" if mysql and quote == '"' else "name", content, start, end, raw)
    if kind in {"string", "estring"}:
        content = raw[raw.index("'") + 1 : -1].replace("''", "'")
        return Token("string", content, start, end, raw)
    if kind in {"dollar", "tag"}:
        inner = raw[raw.index("$", 1) + 1 :]
        return Token("string", inner[: inner.rindex("$", 0, -1)], start, end, raw)
    return Token(kind, raw, start, end, raw)


def statements(text: str, dialect: str = "") -> Iterator[list[Token]]:
    """The tokens of each statement, split at semicolons outside of parentheses and BEGIN ... END bodies of routines."""
    current: list[Token] = []
    depth = 0
    body = 0
    creates = False
    for token in tokens(text, dialect):
        raw = token.raw
        if raw == "(":
            depth += 1
        elif raw == ")":
            depth = max(0, depth - 1)
        elif raw == ";" and not depth and not body:
            if current:
                yield current
            current = []
            continue
        if not current:
            creates = token.word("CREATE")
        elif creates:
            body = _body(current, token, body)
        current.append(token)
    if current:
        yield current


def _body(current: list[Token], token: Token, body: int) -> int:
    """How many BEGIN/CASE bodies are open, inside CREATE TRIGGER/FUNCTION/PROCEDURE only."""
    if not any(item.word("TRIGGER", "FUNCTION", "PROCEDURE") for item in current[1:6]):
        return 0
    if token.word("BEGIN", "CASE"):
        return body + 1
    if token.word("END"):
        return max(0, body - 1)
    return body


_SENT = re.compile(r"\\(?:g|gx|gset|gexec|gdesc|crosstabview|watch)(?:[ \t][^'\n]*)?$", re.MULTILINE)
"""psql's commands that send the statement before them, at a line's end."""


def blank_psql(text: str) -> str:
    """`text` with psql's backslash commands and COPY data made blank, offsets kept (dumps are full of them); commands that
    send a statement (`\\gexec`) are its end."""
    if "\\" not in text:
        return text
    lines: list[str] = []
    in_data = False
    for line in text.splitlines(keepends=True):
        if in_data:
            in_data = line.rstrip() != "\\."
            lines.append(_blank(line))
        elif line.startswith("\\"):
            lines.append(_blank(line))
        else:
            in_data = bool(re.match(r"COPY\b.*\bFROM stdin;\s*$", line, re.IGNORECASE))
            lines.append(_SENT.sub(lambda found: ";" + _blank(found[0][1:]), line))
    return "".join(lines)


def _blank(line: str) -> str:
    return "".join(char if char in "\r\n" else " " for char in line)
