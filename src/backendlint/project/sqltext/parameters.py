"""Placeholders of a statement against the values that its call passes, as far as both are written out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Call
from backendlint.project.entities import Fn
from backendlint.project.rows.transactions import exclusive
from backendlint.project.values.sqllex import Token

if TYPE_CHECKING:
    from backendlint.project.sqltext.statements import Statement

_POSITIONAL = frozenset({"%s", "?"})


class Mismatch(NamedTuple):
    """What does not fit: `said` completes "The statement ..."; `token` is the placeholder to point at."""

    said: str
    token: Token


def mismatch(statement: Statement) -> Mismatch | None:
    """The first way in which placeholders and values differ; None where they agree or cannot be told."""
    source = statement.source
    if (
        source.fn is None
        or source.role != "execute"
        or not source.certain
        or source.holes
        or ";" in source.text.strip(" \n;")
        or _chosen_with(source.fn, source.call)
    ):
        return None
    found = [token for token in statement.placeholders if not source.text[: token.start].endswith("\\")]
    if not found:
        return None
    if all(token.raw in _POSITIONAL for token in found) and len({token.raw for token in found}) == 1:
        return _positional(statement, found)
    if source.paramstyle == "dollar" and all(token.raw.startswith("$") for token in found):
        return _numbered(statement, found)
    marks = (":",) if source.paramstyle in {"named", "qmark"} else ("%(",)
    return _named(statement, found) if all(token.raw.startswith(marks) for token in found) else None


def _chosen_with(fn: Fn, call: Call | None) -> bool:
    """`sql = A if mysql else B`, later `if mysql: execute(sql, values)`, `else: execute(sql)`: what chose the text chooses the call
    that fits it."""
    if call is None:
        return False
    texts = {vid for vid in call.passed if fn.facts.values[vid][0] == "phi"}
    return bool(texts) and any(
        not texts.isdisjoint(other.passed) and exclusive(fn, other.block, call.block) for other in fn.calls
    )


def _positional(statement: Statement, found: Sequence[Token]) -> Mismatch | None:
    if found[0].raw == "?" and statement.dialect == "postgres":
        return None
    given = 0 if statement.source.bare else _length(statement)
    if given in {-1, len(found)}:
        return None
    return Mismatch(_said(len(found), given), found[-1])


def _length(statement: Statement) -> int:
    """How many values a tuple or list that is written out has; -1 where it is not known."""
    fn, params = statement.source.fn, statement.source.params
    value = fn.value(params) if fn is not None and params >= 0 else ("unknown",)
    if fn is None or value[0] not in {"tuple", "list"} or any(fn.value(item)[0] == "star" for item in value[1]):
        return -1
    return len(value[1])


def _numbered(statement: Statement, found: Sequence[Token]) -> Mismatch | None:
    """asyncpg's `$1`: the values are the call's other positional arguments."""
    source = statement.source
    if source.call is None or source.fn is None or source.sink is not None or source.call.open_ended:
        return None
    passed = source.call.args[1:]
    if any(source.fn.value(vid)[0] == "star" for vid in source.call.args):
        return None
    wanted = max(int(token.raw[1:]) for token in found)
    if len(passed) == wanted:
        return None
    return Mismatch(_said(wanted, len(passed)), max(found, key=lambda token: int(token.raw[1:])))


def _named(statement: Statement, found: Sequence[Token]) -> Mismatch | None:
    """`:name` and `%(name)s` with a dict whose keys are all written."""
    fn, params = statement.source.fn, statement.source.params
    given: set[object] = set()
    if not statement.source.bare:
        value = fn.value(params) if fn is not None and params >= 0 else ("unknown",)
        if fn is None or value[0] != "dict" or any(key < 0 or fn.const(key) is ... for key, _ in value[1]):
            return None
        given = {fn.const(key) for key, _ in value[1]}
    for token in found:
        name = token.raw[1:] if token.raw.startswith(":") else token.raw[2:-2]
        if name not in given:
            return Mismatch(f"has the placeholder `{token.raw}`, but no value of that name is passed", token)
    return None


def _said(wanted: int, given: int) -> str:
    passed = "no values are" if given == 0 else "1 value is" if given == 1 else f"{given} values are"
    return f"has {wanted} placeholder{'s' if wanted > 1 else ''}, but {passed} passed"
