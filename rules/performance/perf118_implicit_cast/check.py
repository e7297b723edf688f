"""PERF118: text columns compared with numbers, and joins of columns of different kinds."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from backendlint.api import Hit, SqlStatement, sql, sqltypes

_NUMBERS = frozenset({"integer", "decimal", "float"})


def check(statement: SqlStatement) -> Iterator[Hit]:
    """Where the database converts each row's value. PostgreSQL refuses such comparisons instead: there REL312 tells."""
    if statement.dialect == "postgres" or statement.tree is None:
        return
    for scope in sql.scopes(statement.tree, statement.schema):
        for condition in sql.conditions(scope):
            hit = _join(statement, condition) if condition.kind == "join" else _value(statement, condition)
            if hit is not None:
                yield hit


def _value(statement: SqlStatement, condition: sql.Condition) -> Hit | None:
    column = condition.schema_column
    if column is None or condition.wrapper is not None or condition.kind not in {"eq", "in", "range"}:
        return None
    if not _is_text(column.type) or not _numeric(statement, condition):
        return None
    assert condition.source is not None
    indexed = condition.table is not None and sql.leads(condition.table, column.name) is not None
    cost = "its index cannot be used" if indexed else "every row is converted"
    return statement.hit(
        f"`{condition.source.name}.{column.name}` is {column.type}, but is compared with a "
        f"number{sql.within(statement)}: the column is cast row by "
        f"row, so {cost}; compare with a text.",
        condition.node,
    )


def _is_text(type_text: str) -> bool:
    """ENUM and SET are kept as numbers, and compared as such with one."""
    return sqltypes.family(type_text) == "text" and sqltypes.base(type_text) not in ("ENUM", "SET")


def _numeric(statement: SqlStatement, condition: sql.Condition) -> bool:
    values = condition.value if isinstance(condition.value, list) else [condition.value]
    return bool(values) and all(
        (isinstance(value, exp.Literal) and not value.is_string) or isinstance(statement.bound(value), int | float)
        for value in values
    )


def _join(statement: SqlStatement, condition: sql.Condition) -> Hit | None:
    if condition.found is None or condition.other is None or condition.column is None:
        return None
    left, right = condition.found.column, condition.other.column
    if left is None or right is None:
        return None
    if not all(_is_text(item.type) or sqltypes.family(item.type) != "text" for item in (left, right)):
        return None
    kinds = {sqltypes.family(left.type), sqltypes.family(right.type)}
    if len(kinds) != 2 or "text" not in kinds or not kinds & (_NUMBERS | {"uuid"}):
        return None
    return statement.hit(
        f"`{condition.column.sql()}` is {left.type}, `{condition.value.sql()}` is {right.type}: joining "
        f"them{sql.within(statement)} casts one of the "
        "columns row by row, so its index cannot be used; give both columns the same type.",
        condition.node,
    )
