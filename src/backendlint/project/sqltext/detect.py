"""Telling SQL from prose. With a driver's word (the text is an argument of `execute`) a leading key word is enough;
without, the text must have the shape of a whole statement and nothing that prose has."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise

from backendlint.project.values.sqllex import Token, tokens

_START = re.compile(
    r"\s*(?:--[^\n]*\n\s*|/\*.*?\*/\s*|\(\s*)*"
    r"(SELECT|INSERT|UPDATE|DELETE|WITH|CREATE|ALTER|DROP|TRUNCATE|MERGE|REPLACE|GRANT|REVOKE|COMMENT|VALUES|EXPLAIN|CALL|"
    r"LOCK|SET|PRAGMA|VACUUM|ANALYZE|REINDEX|COPY|DECLARE|SHOW|BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|NOTIFY|LISTEN|REFRESH|"
    r"DO|EXEC|EXECUTE|USE|ATTACH|DETACH|RENAME|CLUSTER|DISCARD|CHECKPOINT|PREPARE|FETCH|MOVE|CLOSE|UNLISTEN|START|END|ABORT|"
    r"REASSIGN|RESET|SECURITY|TABLE|LOAD|IMPORT|OPTIMIZE|FLUSH|KILL|DESCRIBE|DESC|UNLOCK|HANDLER)\b",
    re.IGNORECASE | re.DOTALL,
)
_LIKELY = re.compile(
    r"\s*(?:--[^\n]*\n\s*|/\*.*?\*/\s*|\(\s*)*(SELECT|INSERT|UPDATE|DELETE|WITH|CREATE|ALTER|DROP|TRUNCATE|MERGE|REPLACE|GRANT)\s",
    re.IGNORECASE | re.DOTALL,
)
_PROSE = frozenset("THE YOUR YOU THIS THAT THESE THOSE PLEASE OUR".split())
_SMALL_PROSE = _PROSE | frozenset("A AN MY ITS IT WE I".split())
"""Also names that SQL uses: they count in texts in small letters alone."""


def starts_like_sql(text: str) -> bool:
    """True when the text begins with a word that begins SQL statements."""
    return _START.match(text) is not None


def may_be_sql(text: str) -> bool:
    """A quick first look at any text; false for nearly all that is not SQL."""
    return len(text) > 8 and _LIKELY.match(text) is not None


def is_statement(text: str) -> bool:
    """True for a whole statement that is SQL beyond doubt, though nothing but the text says so."""
    items = list(tokens(text[:20_000]))
    while items and items[0].raw == "(":
        items.pop(0)
    if not items or items[0].kind != "word":
        return False
    shape = _SHAPES.get(items[0].text)
    if shape is None or not shape(items) or _reads_like_prose(items):
        return False
    return items[0].raw.isupper() or (items[0].raw.islower() and _has_marks(items))


def _reads_like_prose(items: list[Token]) -> bool:
    """Articles and pronouns where names should stand, or a sentence's punctuation."""
    prose = _PROSE if items[0].raw.isupper() else _SMALL_PROSE
    for before, token in pairwise(items):
        if (
            token.kind == "word"
            and token.text in prose
            and before.kind == "word"
            and not before.word("AS", "JOIN", "UPDATE")
        ):
            following = items[items.index(token) + 1 : items.index(token) + 2]
            if (
                following
                and following[0].kind == "word"
                and not following[0].word(
                    "ON",
                    "FROM",
                    "AS",
                    "AND",
                    "OR",
                    "IS",
                    "IN",
                    "LIKE",
                    "ASC",
                    "DESC",
                    "WHERE",
                    "SET",
                    "JOIN",
                    "LEFT",
                    "INNER",
                    "ORDER",
                    "GROUP",
                    "LIMIT",
                    "CROSS",
                    "RIGHT",
                    "FULL",
                    "UNION",
                    "USING",
                )
            ):
                return True
    return items[-1].raw in {".", "!"} or _elided(items)


def _elided(items: list[Token]) -> bool:
    """A text for readers: `SELECT ... FROM orders`."""
    raws = [token.raw for token in items]
    return "…" in raws or any(raws[position : position + 3] == [".", ".", "."] for position in range(len(raws)))


def _has_marks(items: list[Token]) -> bool:
    """Something that prose in small letters would hardly have: operators, placeholders, a star, calls, clauses."""
    raws = {token.raw for token in items}
    words = {token.text for token in items if token.kind == "word"}
    return (
        bool(raws & {"=", "*", "<", ">", "<>", "!=", ">=", "<="})
        or any(token.kind == "param" for token in items)
        or (
            {"GROUP", "BY"} <= words
            or {"ORDER", "BY"} <= words
            or ("(" in raws and bool(words & {"VALUES", "COUNT", "PRIMARY"}))
        )
    )


def _words(items: list[Token]) -> list[str]:
    return [token.text if token.kind == "word" else token.raw for token in items]


def _select(items: list[Token]) -> bool:
    """SELECT <list> FROM <table> with commas, not mere words, between what is selected."""
    depth = 0
    plain = 0
    for position, token in enumerate(items[1:], 1):
        depth += (token.raw == "(") - (token.raw == ")")
        if token.word("FROM") and not depth:
            following = items[position + 1 : position + 3]
            if (
                position < 2
                or not following
                or not (following[0].kind in {"word", "name", "param"} or following[0].raw == "(")
            ):
                return False
            return (
                len(following) < 2
                or following[0].raw == "("
                or following[1].kind in {"word", "name"}
                or following[1].raw in {",", ".", "(", ")", ";"}
            )
        mere = token.kind == "word" and not token.word(
            "DISTINCT",
            "AS",
            "ALL",
            "CASE",
            "WHEN",
            "THEN",
            "ELSE",
            "END",
            "AND",
            "OR",
            "IS",
            "NOT",
            "NULL",
            "IN",
            "LIKE",
            "BETWEEN",
        )
        plain = plain + 1 if mere and not depth else 0
        if plain > 2:
            return False
    return False


def _insert(items: list[Token]) -> bool:
    words = _words(items)
    return "INTO" in words[1:4] and bool({"VALUES", "SELECT", "DEFAULT"} & set(words[3:]))


def _update(items: list[Token]) -> bool:
    words = _words(items)
    return "SET" in words[2:7] and "=" in words[words.index("SET") :]


def _delete(items: list[Token]) -> bool:
    words = _words(items)
    if words[1:2] != ["FROM"] or len(items) < 3:
        return False
    rest = words[3:]
    while rest[:1] == ["."]:
        rest = rest[2:]
    return not rest or rest[0] in {"WHERE", "USING", ";", "AS", "RETURNING"} or rest[1:2] == ["WHERE"]


def _with(items: list[Token]) -> bool:
    words = _words(items)
    return "AS" in words[1:30] and "(" in words and bool({"SELECT", "INSERT", "UPDATE", "DELETE"} & set(words))


def _create(items: list[Token]) -> bool:
    words = _words(items)
    kinds = {
        "TABLE",
        "INDEX",
        "VIEW",
        "TRIGGER",
        "FUNCTION",
        "EXTENSION",
        "SCHEMA",
        "TYPE",
        "SEQUENCE",
        "UNIQUE",
        "MATERIALIZED",
        "TEMP",
        "TEMPORARY",
        "OR",
        "VIRTUAL",
        "ROLE",
        "USER",
        "DATABASE",
    }
    return len(words) > 3 and words[1] in kinds and bool({"(", "AS", "ON", "IF"} & set(words))


def _alter(items: list[Token]) -> bool:
    words = _words(items)
    return words[1:2] == ["TABLE"] and bool(
        {"ADD", "DROP", "ALTER", "RENAME", "MODIFY", "CHANGE", "VALIDATE", "ENABLE", "DISABLE", "OWNER", "SET"}
        & set(words[3:])
    )


def _drop(items: list[Token]) -> bool:
    words = _words(items)
    kinds = {"TABLE", "INDEX", "VIEW", "SCHEMA", "DATABASE", "TRIGGER", "FUNCTION", "TYPE", "SEQUENCE"}
    return 2 < len(words) < 9 and words[1] in kinds


def _truncate(items: list[Token]) -> bool:
    words = _words(items)
    return words[1:2] == ["TABLE"] and len(words) < 12


def _grant(items: list[Token]) -> bool:
    words = _words(items)
    return "ON" in words and "TO" in words


def _merge(items: list[Token]) -> bool:
    words = _words(items)
    return "INTO" in words[1:3] and "USING" in words


_SHAPES: dict[str, Callable[[list[Token]], bool]] = {
    "SELECT": _select, "INSERT": _insert, "REPLACE": _insert, "UPDATE": _update, "DELETE": _delete, "WITH": _with,
    "CREATE": _create, "ALTER": _alter, "DROP": _drop, "TRUNCATE": _truncate, "GRANT": _grant,
    "MERGE": _merge,
}  # fmt: skip
