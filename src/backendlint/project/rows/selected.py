"""The column that a SQLAlchemy select gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.facts.model import Vid
from backendlint.project.entities import Fn
from backendlint.project.schema.model import Column, Table
from backendlint.project.sqltext.ormtables import Tables

if TYPE_CHECKING:
    from backendlint.project.model import Project

MAX_DEPTH = 12


def selected(project: Project, fn: Fn, vid: Vid) -> tuple[Table, Column] | None:
    """The one column of `select(Model.column).where(...)`, also through a subquery or a CTE of it, and whose it is."""
    return _column(Tables(project), fn, vid, MAX_DEPTH)


def _column(tables: Tables, fn: Fn, vid: Vid, depth: int) -> tuple[Table, Column] | None:
    found = tables.mapped(fn, vid)
    if found is not None or depth == 0:
        return found
    value = fn.unguarded(vid)
    if value[0] == "attr" and fn.facts.values[value[1]][::2] == ("attr", "c"):  # `subquery.c.column`
        inner = _column(tables, fn, fn.facts.values[value[1]][1], depth - 1)
        return inner if inner is not None and value[2] in (inner[1].attribute, inner[1].name) else None
    if value[0] != "call":
        return None
    call = fn.facts.calls[value[1]]
    func = fn.facts.values[call.func]
    if func[0] == "attr" and func[2] != "query":
        outer = func[2] == "outerjoin" or call.kwarg("isouter") >= 0 or call.kwarg("full") >= 0
        return None if outer else _column(tables, fn, func[1], depth - 1)
    return _column(tables, fn, call.args[0], depth - 1) if len(call.args) == 1 else None
