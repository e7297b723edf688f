"""Rows of the database as a whole, with what a statement put into them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from backendlint.facts.model import Call
from backendlint.project.entities import Fn
from backendlint.project.linking.binding import object_root, receiver

if TYPE_CHECKING:
    from backendlint.project.model import Project

_SELECT = re.compile(r"\s*SELECT\s+(.*?)\sFROM\s+[\"`]?((?:\w+[\"`]?\.[\"`]?)?\w+)", re.IGNORECASE | re.DOTALL)
_NAME = re.compile(r"(\w+)[\"`]?\s*$")
_STORED = re.compile(
    r"(hashed_?password|password_?(hash|digest)|secret_?hash|(totp|otp|mfa|2fa)_?secret|private_?key|(^|_)password)$",
    re.IGNORECASE,
)
"""Columns that no one is meant to see."""
_COLUMNS = frozenset({"__table__", "__mapper__", "mapper"})
_FETCHES = frozenset({"fetchone", "fetchall", "fetchmany"})


def secret_row(project: Project, fn: Fn, call: Call) -> str:
    """What a call fetches, where a column of the rows is a secret; "" otherwise."""
    match = _SELECT.match(_text(project, fn, call))
    if match is None:
        return ""
    names = [found[1] for part in match[1].split(",") if (found := _NAME.search(part))]
    table = project.data.schema.find(match[2].rpartition(".")[2].strip('"`')) if "*" in match[1] else None
    names += table.columns if table is not None else ()
    secret = next((name for name in names if _STORED.search(name)), "")
    return f"The whole row of `{match[2]}`, with its `{secret}`," if secret else ""


def secret_entity(project: Project, fn: Fn, call: Call) -> str:
    """`user.to_dict()` of a model, whose method gives each column that there is, where one is a secret; "" otherwise."""
    for ref in project.callees(fn, call) if not call.passed else ():
        table = project.data.by_class.get(ref.arg.name) if ref.kind == "func" and ref.arg is not None else None
        secret = next((name for name in table.columns if _STORED.search(name)), "") if table is not None else ""
        if secret and ref.arg is not None and _gives_all(project.functions[ref.name]):
            return f"All of a `{ref.arg.name.rpartition('.')[2]}`, with its `{secret}`,"
    return ""


def _gives_all(method: Fn) -> bool:
    """`return {c.name: getattr(self, c.name) for c in self.__table__.columns}`, without a condition."""
    returned = [method.unguarded(vid) for vid in method.returned]
    if len(returned) != 1 or returned[0][:2] != ("comp", "dict"):
        return False
    if any(block.kind == "if" for block in method.facts.blocks) or any(method.made_by("compare")):
        return False
    named = {str(method.value(vid)[2]) for vid in method.made_by("attr")}
    called = {method.callee_name(call) for call in method.calls}
    return (
        not _COLUMNS.isdisjoint(named) and "getattr" in called and called <= {"getattr", "inspect", "isoformat", "str"}
    )


def _text(project: Project, fn: Fn, call: Call) -> str:
    """The statement that a call sends, or that was sent by the cursor whose rows it takes."""
    found, cursor = project.queries.text(fn, call), receiver(fn, call)
    if found or fn.callee_name(call) not in _FETCHES or cursor < 0:
        return found
    made = fn.unguarded(cursor)
    if made[0] == "call" and (found := project.queries.text(fn, fn.calls[made[1]])):
        return found  # `conn.execute(...).fetchone()`
    root = fn.value(object_root(fn, cursor))
    sent = [
        other
        for other in fn.calls
        if other.span < call.span
        and fn.callee_name(other) == "execute"
        and receiver(fn, other) >= 0
        and fn.value(object_root(fn, receiver(fn, other))) == root
    ]
    return project.queries.text(fn, sent[-1]) if sent else ""
