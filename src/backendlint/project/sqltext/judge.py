"""What SQL rules have in common: names, places in words, quoting."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from backendlint.project.sqltext.parameters import mismatch
from backendlint.project.sqltext.predicates import (
    TEXT_VECTOR,
    Condition,
    alternatives,
    conditions,
    cut_off,
    finds_few,
    functional,
    leads,
    narrowed,
    trigram,
)
from backendlint.project.sqltext.scopes import (
    SYSTEM_SCHEMAS,
    Found,
    Scope,
    Source,
    is_star,
    own_nodes,
    scopes,
    star_columns,
)

if TYPE_CHECKING:
    from sqlglot import exp

    from backendlint.project.entities import Fn
    from backendlint.project.model import Project
    from backendlint.project.sqltext.orm import Use
    from backendlint.project.sqltext.statements import Statement

__all__ = [
    "TEXT_VECTOR", "Condition", "Found", "Narrowed", "Scope", "Source", "alternatives", "conditions", "cut_off", "functional", "is_star",
    "is_system", "leads", "mismatch", "narrowed", "own_nodes", "quoted", "scopes", "star_columns", "table_names", "text_of", "trigram",
    "within",
]  # fmt: skip
_PLAIN = re.compile(r"^[a-z_][a-z0-9_]*$")
_RESERVED = frozenset(
    "all and any as asc both case cast check collate column constraint create default desc distinct do else end except "
    "for foreign from grant group having in initially intersect into leading limit not null offset on only or order "
    "primary references returning select session_user some table then to trailing true false union unique user using "
    "when where window with".split()
)


class Narrowed:
    """The uses of columns in whose queries an ORM already finds few rows: equality on a column that leads an index, or that
    names the one row of another table to which they belong."""

    def __init__(self, project: Project) -> None:
        found = [
            use
            for use in project.data.uses
            if use.how in {"eq", "in"} and not use.function and finds_few(use.table, use.column.name)
        ]
        self.tables = frozenset((use.fn.fqn, use.table.name) for use in found)
        """(function, table) pairs with such a condition."""
        self._queries = frozenset((use.fn.fqn, use.query[:2]) for use in found if use.query is not None)

    def __contains__(self, use: Use) -> bool:
        if (use.fn.fqn, use.table.name) in self.tables:
            return True
        return use.query is not None and any(
            self._begun(use.fn, call.value, {}) for call in use.fn.calls if call.span == use.query
        )

    def _begun(self, fn: Fn, vid: int, known: dict[int, bool]) -> bool:
        """Whether the query, or what it goes on from (`rows = rows.filter(...)`), has such a condition on every way."""
        if vid in known:
            return known[vid]
        value = fn.unguarded(vid)
        known[vid] = value[0] == "phi"  # what comes round again in a loop decides nothing
        if value[0] == "call":
            call = fn.calls[value[1]]
            known[vid] = (fn.fqn, call.span[:2]) in self._queries or self._begun(fn, call.func, known)
        elif value[0] == "phi":
            known[vid] = all(self._begun(fn, other, known) for other in value[1])
        elif value[0] == "attr":
            known[vid] = self._begun(fn, value[1], known)
        return known[vid]


def text_of(project: Project, fn: Fn, vid: int) -> str:
    """The text that a value surely begins with: its first pieces up to the first hole, of its first alternative."""
    from backendlint.project.sqltext.pieces import Builder

    if vid < 0:
        return ""
    found = ""
    for piece in Builder(project).alternatives(fn, vid)[0]:
        if piece.hole:
            break
        found += piece.text
    return found


def within(statement: Statement) -> str:
    """` in `list_orders()`` where a function holds the statement, else ""."""
    fn = statement.function
    return f" in `{fn.name}()`" if fn is not None and not fn.is_module else ""


def quoted(name: str) -> str:
    """A column name as SQL: quoted where it must be."""
    return name if _PLAIN.match(name) and name not in _RESERVED else f'"{name}"'


def is_system(source: Source) -> bool:
    """True for the database's own tables, and those in which migration tools keep their books."""
    namespace = str(getattr(source.node, "db", "")).lower()
    name = source.name.lower()
    if name in {"alembic_version", "django_migrations", "schema_migrations", "flyway_schema_history"}:
        return True
    return namespace in SYSTEM_SCHEMAS or name.startswith(("pg_", "sqlite_")) or name in SYSTEM_SCHEMAS


def table_names(tree: exp.Expression) -> list[str]:
    """Names of all tables that the statement mentions."""
    from sqlglot import exp as kinds

    return [table.name for table in tree.find_all(kinds.Table) if table.name]
