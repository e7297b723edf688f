"""Values that a column can never hold, in comparisons and assignments."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sqlglot import exp

from backendlint.api import Hit, SqlStatement, sql, sqltypes

_NUMBERS = frozenset({"integer", "decimal", "float"})
_UUID = re.compile(r"^\{?[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}\}?$", re.IGNORECASE)
_BOOLS = frozenset("t f true false yes no on off 1 0 y n".split())
_FILLED = re.compile(r"%(?:\(\w+\))?s")
"""A placeholder that the driver fills in, wherever it stands: `'%s'` is the text '5' for a 5, which the column takes."""


def compared(statement: SqlStatement, scope: sql.Scope) -> Iterator[Hit]:
    """Comparisons that are never true, or that PostgreSQL has no operator for."""
    for condition in sql.conditions(scope):
        column = condition.schema_column
        if column is None or condition.wrapper is not None or condition.kind not in {"eq", "in"}:
            continue
        values = condition.value if isinstance(condition.value, list) else [condition.value]
        for value in values:
            reason = _never(statement, column.type, column.choices, value)
            if reason:
                yield statement.hit(
                    f"`{condition.column.sql() if condition.column else column.name}` is "
                    f"{column.type}{sql.within(statement)}, {reason}; compare with a value of that type.",
                    condition.node,
                )
                break


def assigned(statement: SqlStatement, scope: sql.Scope) -> Iterator[Hit]:
    """Texts that a column is set to and cannot hold; SQLite takes anything."""
    source = next(iter(scope.sources.values()), None)
    table = source.table if source is not None else None
    if table is None or statement.dialect not in {"postgres", "mysql"}:
        return
    for name, value in _pairs(scope.node):
        column = table.column(name)
        if column is None or not isinstance(value, exp.Literal) or not value.is_string:
            continue
        if _never(statement, column.type, column.choices, value):
            known = f" of {', '.join(column.choices[:5])}" if column.choices else ""
            yield statement.hit(
                f"`{column.name}` is {sqltypes.base(column.type)}{known}{sql.within(statement)}, so the database refuses "
                f"{str(value.this)[:30]!r} for it; give a value of that type.",
                value,
            )


def _pairs(node: exp.Expression) -> Iterator[tuple[str, exp.Expression]]:
    """Columns with what they are set to."""
    if isinstance(node, exp.Update):
        for item in node.expressions:
            if isinstance(item, exp.EQ) and isinstance(item.this, exp.Column):
                yield item.this.name, item.expression
    if isinstance(node, exp.Insert) and isinstance(node.this, exp.Schema) and isinstance(node.expression, exp.Values):
        for row in node.expression.expressions:
            if isinstance(row, exp.Tuple):
                yield from zip((item.name for item in node.this.expressions), row.expressions, strict=False)


def _never(statement: SqlStatement, kind: str, choices: tuple[str, ...], value: object) -> str:
    text = str(value.this) if isinstance(value, exp.Literal) else ""
    if not isinstance(value, exp.Literal) or statement.is_hole(text) or _FILLED.search(text):
        return ""  # `'{order_id}'`: who knows
    family = sqltypes.family(kind)
    if not value.is_string:
        if (
            statement.dialect == "postgres"
            and family in {"text", "bool", "uuid", "timestamp", "date"}
            and kind != "ENUM"
        ):
            return f"and PostgreSQL has no operator to compare it with the number {text}"
        return ""
    if (
        family in _NUMBERS
        and not re.match(r"^\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?\s*$", text, re.IGNORECASE)
        and text.lower() not in {"nan", "infinity", "-infinity"}
    ):
        return f"which can never equal the text {text[:30]!r}"
    if family == "uuid" and not _UUID.match(text):
        return f"which can never equal {text[:40]!r}"
    listed = choices if statement.dialect != "mysql" else tuple(choice.lower() for choice in choices)
    if (
        choices
        and sqltypes.base(kind) == "ENUM"
        and (text.lower() if statement.dialect == "mysql" else text) not in listed
    ):
        return f"whose values are {', '.join(choices[:5])}, so it never equals {text[:30]!r}"
    if family == "bool" and text.lower() not in _BOOLS:
        return f"which can never equal {text[:30]!r}"
    return ""
