"""PERF105: conditions on lower(column), date(column), column + 1 ..., without an index on that expression."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from sqlglot import exp

from backendlint.api import (
    ColumnUse,
    Fn,
    Hit,
    Project,
    SqlStatement,
    here_and_in,
    only_by_hand,
    only_planned,
    sql,
    told_once,
)

_REMEDIES = {
    "lower": "index the expression, or store the value in one case",
    "upper": "index the expression, or store the value in one case",
    "trim": "store the value trimmed",
    "date": "compare with a range from midnight to midnight",
    "year": "compare with a range of dates",
    "month": "compare with a range of dates",
    "day": "compare with a range of dates",
    "extract": "compare with a range of dates",
    "datetrunc": "compare with a range of dates",
    "date_trunc": "compare with a range of dates",
    "timestamptrunc": "compare with a range of dates",
    "to_char": "compare with a range",
    "tochar": "compare with a range",
    "timetostr": "compare with a range of dates",
    "date_format": "compare with a range of dates",
    "strftime": "compare with a range of dates",
    "tsordstodate": "compare with a range from midnight to midnight",
    "cast": "cast the value instead of the column",
    "substring": "compare by prefix (LIKE 'x%'), or index the expression",
    "substr": "compare by prefix (LIKE 'x%'), or index the expression",
    "left": "compare by prefix (LIKE 'x%'), or index the expression",
    "coalesce": "write the null case as a condition of its own",
    "arithmetic": "move the arithmetic to the other side",
}
ALIKE = 2
"""So many queries that compute the same of one column are told one by one."""
LIKE = frozenset({"mysql", "sqlite"})
"""Where Django writes `iexact` as LIKE, and computes nothing."""
_TEXT_SEARCHES = frozenset({"like", "ilike", "contains", "icontains"})
_REFUSALS = frozenset(
    {"not_in", "notin_", "not_like", "notlike", "not_ilike", "notilike", "is_not", "isnot", "is_distinct_from"}
)
"""SQLAlchemy's methods that leave a few rows out: no index finds those that are left."""
_DAYS = frozenset({"date", "tsordstodate"})
_DJANGO = {"iexact": "upper", "date": "date", "month": "month", "day": "day"}


def check(project: Project) -> Iterator[Hit]:
    """SQL texts, then ORM queries."""
    for statement in project.data.reviewed:
        if not statement.in_migration and "WHERE" in statement.text.upper() and statement.tree is not None:
            yield from _statement(statement)
    narrowed = sql.Narrowed(project)
    years = {(use.fn.fqn, use.query, use.column.name) for use in project.data.uses if use.how == "year"}
    equal: defaultdict[tuple[object, ...], set[str]] = defaultdict(set)
    for use in project.data.uses:
        if use.how == "eq" and not use.function:
            equal[use.fn.fqn, use.query, use.table.name].add(use.column.name.lower())
    told: set[tuple[str, str, str, str]] = set()
    together: dict[tuple[str, str], list[Hit]] = {}
    columns: dict[tuple[str, ...], list[Hit]] = {}
    for use in project.data.uses:
        function = use.function or _DJANGO.get(use.how, "") if use.framework == "django" else _orm_function(use)
        if use.framework == "django" and use.how == "iexact" and project.data.dialect in LIKE:
            continue
        if function not in _REMEDIES or use.how in {"order", "shown"}:
            continue
        others = equal[use.fn.fqn, use.query, use.table.name]
        if use in narrowed and (function == "cast" or not sql.cut_off(use.table, use.column.name, others)):
            continue
        if (use.fn.fqn, use.query, use.column.name) in years:
            continue  # Django asks for a year by a range, and the month then of those rows
        key = (use.fn.fqn, use.table.name, use.column.name, function)
        if key not in told and sql.functional(use.table, use.column.name, function) is None:
            told.add(key)
            if _seldom(project, use.fn) or not project.writes.makers.fills_up(use.table):
                yield replace(_use(use, function), profile="strict")
            else:
                together.setdefault((use.fn.fqn, function), []).append(_use(use, function))
    for (_, function), found in together.items():
        first, *more = told_once(found, _other_columns, few=1, severity=None)
        columns.setdefault((function, first.message.split("`")[3]), []).append(first)
        yield from more
    for hits in columns.values():
        yield from told_once(hits, partial(here_and_in, before=" computes"), ALIKE, severity=None)


def _seldom(project: Project, fn: Fn | None) -> bool:
    """What runs by hand, now and then by a timer, or for administrators alone."""
    if only_by_hand(project, fn):
        return True
    return fn is not None and (project.endpoints.only_for_admins(fn.fqn) or only_planned(project, fn))


def _other_columns(hit: Hit, others: str) -> str:
    """What a function compares so is told at the first column."""
    return f"{hit.message[:-1]}. So it is in {others} of the function."


def _orm_function(use: ColumnUse) -> str:
    """The function around a column; a cast for LIKE searches in what is no text, which has no better spelling."""
    return "" if use.how in _TEXT_SEARCHES | _REFUSALS else use.function.lower()


def _statement(statement: SqlStatement) -> Iterator[Hit]:
    assert statement.tree is not None
    for scope in sql.scopes(statement.tree, statement.schema):
        found = list(sql.conditions(scope))
        told: set[str] = set()
        for condition in found:
            if (
                condition.wrapper is None
                or condition.column is None
                or condition.kind not in {"eq", "range", "in", "like"}
            ):
                continue
            if statement.is_hole(condition.column.name) or _anywhere(condition):
                continue
            function = _function(condition.wrapper)
            if function not in _REMEDIES or (condition.source is not None and sql.is_system(condition.source)):
                continue
            if sql.narrowed(found, condition) and (function == "cast" or not _cut_off(found, condition)):
                continue
            table = condition.table
            if condition.source is not None and condition.source.kind in {"cte", "derived", "function"}:
                continue
            if table is not None and sql.functional(table, condition.column.name, function) is not None:
                continue
            small = table is not None and not statement.project.writes.makers.fills_up(table)
            shown = condition.wrapper.sql().lower()
            if condition.kind == "range" and shown in told:
                continue  # the other bound
            told.add(shown)
            hit = _condition(statement, condition, function)
            aside = small or _seldom(statement.project, statement.function)
            yield replace(hit, profile="strict") if aside else hit


def _cut_off(found: list[sql.Condition], condition: sql.Condition) -> bool:
    """Whether the function keeps an index that the other conditions begin from being used to its end."""
    if condition.table is None or condition.column is None:
        return False
    mine = (item for item in found if item.kind == "eq" and item.wrapper is None and item.table is condition.table)
    equal = {item.column.name.lower() for item in mine if item.column is not None}
    return sql.cut_off(condition.table, condition.column.name, equal)


def _anywhere(condition: sql.Condition) -> bool:
    """A search for what may stand anywhere in the text: no index on the expression would serve it either."""
    value = condition.value
    return condition.kind == "like" and isinstance(value, exp.Literal) and str(value.this).startswith(("%", "_"))


def _function(node: exp.Expression) -> str:
    if isinstance(node, exp.Cast):
        return "date" if node.to.is_type("date") else "cast"
    if isinstance(node, exp.Add | exp.Sub | exp.Mul | exp.Div):
        return "arithmetic"
    if isinstance(node, exp.Anonymous):
        return str(node.this).lower()
    if not isinstance(node, exp.Func):
        return ""
    name = node.sql_name().lower()
    return name if name in _REMEDIES else type(node).__name__.lower()


def _condition(statement: SqlStatement, condition: sql.Condition, function: str) -> Hit:
    assert condition.column is not None
    assert condition.wrapper is not None
    shown = condition.wrapper.sql(dialect=statement.dialect or None)
    shown = shown if len(shown) < 60 else shown[:57] + "..."
    name = (
        f"`{condition.table.name}.{condition.column.name}`"
        if condition.table is not None
        else f"`{condition.column.sql()}`"
    )
    index = sql.leads(condition.table, condition.column.name) if condition.table is not None else None
    lost = "keeps its index from being used" if index is not None else "cannot be served by an index on the column"
    remedy = (
        "compare the column itself with the bounds"
        if condition.kind == "range" and function in _DAYS
        else _REMEDIES[function]
    )
    return statement.hit(
        f"`{shown}`{sql.within(statement)} is computed for every row: the function around {name} {lost}; {remedy}.",
        condition.node,
    )


def _use(use: ColumnUse, function: str) -> Hit:
    name = f"`{use.table.name}.{use.column.name}`"
    what = f"`func.{use.function}()` on {name}"
    if use.framework == "django":
        what = f"The annotation of {name}" if use.function else f"The lookup `{use.how}` on {name}"
    return Hit(
        f"{what} in `{use.fn.name}()` computes {function.upper()} of every row, which an index on the "
        f"column cannot serve; {_REMEDIES[function]}.",
        use.location,
        function=use.fn.fqn,
    )
