"""The conditions of a query, one by one: which column is compared, how, and with what around it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from backendlint.project.schema.model import Column, Index, Table
from backendlint.project.sqltext.scopes import Found, Scope, Source
from backendlint.project.taint.naming import snake

TEXT_VECTOR = "TSVECTOR"
_TOKEN = re.compile(r"(^|_)(uuid|guid|token|nonce)$")
"""Columns that have another value in each row."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition that must hold. `kind`: eq, range, in, like, null, join (two columns), other."""

    node: exp.Expression
    kind: str
    column: exp.Column | None = None
    found: Found | None = None
    value: Any = None
    """The other side's node."""
    wrapper: exp.Expression | None = None
    """The function, cast or arithmetic around the column."""
    other: Found | None = None
    """For joins: what the other column means."""
    correlated: bool = False
    """For joins: the other column is of a query around this one, so that it is one value here."""

    @property
    def source(self) -> Source | None:
        return self.found.source if self.found is not None else None

    @property
    def table(self) -> Table | None:
        return self.found.source.table if self.found is not None and self.found.source is not None else None

    @property
    def schema_column(self) -> Column | None:
        return self.found.column if self.found is not None else None


def conditions(scope: Scope) -> Iterator[Condition]:
    """The conditions of WHERE and of joins that all rows of the result meet."""
    where = scope.node.args.get("where")
    if where is not None:
        yield from _all(where.this, scope)
    for join in scope.node.args.get("joins") or []:
        if join.args.get("on") is not None:
            yield from _all(join.args["on"], scope)


def alternatives(scope: Scope) -> Iterator[list[list[Condition]]]:
    """The `(... OR ...)` of WHERE that all rows meet: the conditions of each branch."""
    where = scope.node.args.get("where")
    todo = [where.this] if where is not None else []
    while todo:
        node = _bare(todo.pop())
        if isinstance(node, exp.And):
            todo += [node.left, node.right]
        elif isinstance(node, exp.Or):
            yield [list(_all(branch, scope)) for branch in node.flatten()]


def _all(node: Any, scope: Scope) -> Iterator[Condition]:
    while isinstance(node, exp.Paren):
        node = node.this
    if isinstance(node, exp.And):
        yield from _all(node.left, scope)
        yield from _all(node.right, scope)
        return
    yield _one(node, scope)


def _one(node: exp.Expression, scope: Scope) -> Condition:
    if node.args.get("negate"):
        return Condition(node, "other")
    if isinstance(node, exp.EQ | exp.NullSafeEQ | exp.GT | exp.GTE | exp.LT | exp.LTE):
        return _comparison(node, scope)
    if isinstance(node, exp.Between):
        return _made(node, "range", node.this, node.args.get("low"), scope)
    if isinstance(node, exp.In):
        return _made(node, "in", node.this, node.args.get("query") or node.expressions, scope)
    if isinstance(node, exp.Like | exp.ILike):
        return _made(node, "like", node.this, node.expression, scope)
    if isinstance(node, exp.Is):
        return _made(node, "null", node.this, node.expression, scope)
    return Condition(node, "other")


def _comparison(node: Any, scope: Scope) -> Condition:
    left, right = _bare(node.left), _bare(node.right)
    kind = "eq" if isinstance(node, exp.EQ | exp.NullSafeEQ) else "range"
    if isinstance(left, exp.Column) and isinstance(right, exp.Column):
        if _of_outer_query(left, scope):
            left, right = right, left
        return Condition(
            node, "join" if kind == "eq" else "other", left, scope.resolve(left), right, other=scope.resolve(right),
            correlated=_of_outer_query(right, scope),
        )  # fmt: skip
    if _column_in(right) is not None and _column_in(left) is None:
        left, right = right, left
    return _made(node, kind, left, right, scope)


def _of_outer_query(column: exp.Column, scope: Scope) -> bool:
    return bool(column.table) and column.table.lower() not in scope.sources and not scope.opaque


def _made(node: exp.Expression, kind: str, side: Any, value: Any, scope: Scope) -> Condition:
    side = _bare(side)
    if isinstance(side, exp.Column):
        return Condition(node, kind, side, scope.resolve(side), value)
    column = _column_in(side)
    if column is None or (isinstance(value, exp.Expression) and _column_in(value) is not None):
        return Condition(node, "other")
    return Condition(node, kind, column, scope.resolve(column), value, wrapper=side)


def _bare(node: Any) -> Any:
    while isinstance(node, exp.Paren | exp.Collate):
        node = node.this
    return node


def _column_in(node: Any) -> exp.Column | None:
    """The only column inside an expression without subqueries."""
    if not isinstance(node, exp.Expression) or node.find(exp.Select) is not None:
        return None
    columns = list(node.find_all(exp.Column))
    return columns[0] if len(columns) == 1 else None


def leads(table: Table, column: str) -> Index | None:
    """A key of the table that begins with the column; an inverted one serves nothing but the search in a text vector."""
    folded = column.lower()
    known = table.column(column)
    inverted = known is not None and known.type == TEXT_VECTOR
    return next(
        (
            key
            for key in table.searchable()
            if key.columns and 0 not in key.expressions and key.columns[0].lower() == folded
            if inverted or key.method != "gin"
        ),
        None,
    )


def finds_few(table: Table, column: str) -> bool:
    """Whether equality on the column leaves few rows: a key begins with it, or ought to, as it names the one row of another
    table to which they belong, or this one by a token (which index is missing, PERF107 tells)."""
    folded = (column.lower(),)
    named = _TOKEN.search(column.lower()) is not None
    return (
        named
        or leads(table, column) is not None
        or any(tuple(map(str.lower, key.columns)) == folded for key in table.foreign_keys)
    )


def cut_off(table: Table, column: str, equal: set[str]) -> bool:
    """Whether a key has the column right behind ones that are compared for equality, so that it would find just the rows; where
    these name the row of another table to which they belong, only one that finds a single row."""
    folded = column.lower()
    owners = {name.lower() for key in table.foreign_keys for name in key.columns}
    owned = not owners.isdisjoint(equal)
    named = (key for key in table.searchable() if not key.expressions and (key.unique or not owned))
    keys = (tuple(map(str.lower, key.columns)) for key in named)
    return any(folded in key[1:] and equal.issuperset(key[: key.index(folded)]) for key in keys)


def functional(table: Table, column: str, function: str = "") -> Index | None:
    """An index whose expression holds the column (and the function's name)."""
    for index in table.indexes:
        for position, text in enumerate(index.columns):
            folded = text.lower().replace('"', "")
            if position in index.expressions and column.lower() in folded and function.lower() in folded:
                return index
    return None


def trigram(table: Table, column: str) -> Index | None:
    """A trigram, full-text or other index that serves LIKE with a leading wildcard."""
    for index in table.indexes:
        holds = any(column.lower() in text.lower() for text in index.columns)
        if holds and (
            index.method in {"gin", "gist", "fulltext", "bloom", "gintrgm", "opclass"}
            or any("trgm" in name for name in index.opclasses)
        ):
            return index
    return None


def narrowed(found: list[Condition], but: Condition | None = None) -> bool:
    """True when another condition already finds few rows by an index: equality on a column that leads one, or both bounds of
    it; on a view's column it may be one, whose tables are not known here."""
    bounded: set[tuple[str, str]] = set()
    for condition in found:
        column = condition.column
        if condition is but or condition.wrapper is not None or column is None or not _leading(condition):
            continue
        if condition.kind in {"eq", "in"} or condition.correlated:
            return True
        if condition.kind == "range":
            bound = (column.sql().lower(), "low" if isinstance(condition.node, exp.GT | exp.GTE) else "high")
            bounded.add(bound)
            if isinstance(condition.node, exp.Between) or {(bound[0], "low"), (bound[0], "high")} <= bounded:
                return True
    return False


_KEY = re.compile(r"(^|_)(id|pk|uuid|guid|token|key|num|no|nr|number|identifier)$")
"""Columns of tables whose definition is not known that may well lead an index: an item's own name or number."""


def _leading(condition: Condition) -> bool:
    """Whether the column leads an index, or may well."""
    assert condition.column is not None
    name = condition.column.name
    if condition.table is None:
        return _KEY.search(snake(name)) is not None
    return condition.table.kind == "view" or finds_few(condition.table, name.lower())
