"""PERF114: ORDER BY random() in SQL, Django's order_by("?"), SQLAlchemy's order_by(func.random())."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sqlglot import exp

from backendlint.api import (
    Call,
    Fn,
    Hit,
    Profile,
    Project,
    SqlStatement,
    for_tests,
    ingredients,
    only_by_hand,
    receiver,
    sql,
)

_FUNCTIONS = frozenset({"random", "rand", "newid", "gen_random_uuid", "dbms_random.value", "uuid"})
_FILTERS = frozenset({"filter", "filter_by", "where"})
_ASKS = frozenset({"is_", "is_not", "isnot"})
_EVERY = "every row of the table"
_MATCHING = "every row that matches"
_TAIL = "a random number and sorts them all to take a few; pick random keys in code, or use TABLESAMPLE."


def check(project: Project) -> Iterator[Hit]:
    """SQL texts, then ORM queries."""
    for statement in project.data.reviewed:
        upper = statement.text.upper()
        if "ORDER" in upper and ("RAND" in upper or "NEWID" in upper) and not statement.in_migration:
            yield from _statement(statement)
    for fn, call in project.graph.calls_written("order_by"):
        filtered = list(_filters(fn, call))
        if any(not _constant(fn, inner) for inner in filtered) or _narrowed(fn, call) or _of_another(project, fn, call):
            continue
        profile: Profile | None = "strict" if only_by_hand(project, fn) or for_tests(project, fn) else None
        yield from (replace(hit, profile=profile) for hit in _ordered(fn, call, _MATCHING if filtered else _EVERY))


def _statement(statement: SqlStatement) -> Iterator[Hit]:
    if statement.tree is None:
        return
    for scope in sql.scopes(statement.tree, statement.schema):
        order = scope.node.args.get("order")
        found = list(sql.conditions(scope)) if order is not None else []
        if order is None or sql.narrowed(
            [item for item in found if not isinstance(item.value, exp.Literal | exp.Boolean)]
        ):
            continue
        rows = _MATCHING if found else _EVERY
        for item in order.expressions:
            key = item.this if isinstance(item, exp.Ordered) else item
            name = (
                str(key.this).lower()
                if isinstance(key, exp.Anonymous)
                else key.sql_name().lower()
                if isinstance(key, exp.Func)
                else ""
            )
            if isinstance(key, exp.Rand) or name in _FUNCTIONS:
                yield statement.hit(
                    f"`ORDER BY {key.sql(dialect=statement.dialect or None)}`{sql.within(statement)} gives {rows} {_TAIL}",
                    key,
                )


def _filters(fn: Fn, call: Call) -> Iterator[Call]:
    """The conditions before it in the chain."""
    func = fn.value(call.func)
    while func[0] == "attr":
        before = fn.unguarded(func[1])
        if before[0] != "call":
            return
        inner = fn.calls[before[1]]
        if fn.callee_name(inner) in _FILTERS and inner.passed:
            yield inner
        func = fn.value(inner.func)


def _narrowed(fn: Fn, call: Call) -> bool:
    """`self.queryset = self.queryset.filter(shop=shop)`, `rows = rows.filter(...)`, and what goes on from it."""
    base = receiver(fn, call)
    values = (fn.value(vid) for vid in ingredients(fn.facts, [base]))
    return any(_narrows(fn, fn.calls[value[1]]) for value in values if value[0] == "call")


def _of_another(project: Project, fn: Fn, call: Call) -> bool:
    """`event.talks`, also out of another function: what belongs to one row, or what conditions there leave."""
    vid = receiver(fn, call)
    return vid >= 0 and any(
        origin.path or any(_narrows(step.fn, step.call) for step in origin.steps)
        for origin in project.origins.of(fn, vid)
    )


def _narrows(fn: Fn, call: Call) -> bool:
    return fn.callee_name(call) in _FILTERS and bool(call.passed) and not _constant(fn, call)


def _constant(fn: Fn, call: Call) -> bool:
    """`filter(active=True)`, `where(Order.state == "paid")`: a part of the table that grows with it. Of other conditions it is
    not known how many rows they leave."""
    sides = [_sides(fn, vid) for vid in call.args]
    sides += [(vid,) for _, vid in call.kwargs]
    return all(any(fn.const(vid) is not ... for vid in vids) for vids in sides)


def _ordered(fn: Fn, call: Call, rows: str) -> Iterator[Hit]:
    for vid in call.args:
        shown = '"?"' if fn.const(vid) == "?" else _random(fn, vid)
        if shown:
            yield Hit(f"`order_by({shown})` in `{fn.name}()` gives {rows} {_TAIL}", fn.place(vid), function=fn.fqn)


def _sides(fn: Fn, vid: int) -> tuple[int, ...]:
    """What a condition compares, also as a method of the column: `Order.paid.is_(True)`."""
    value = fn.value(vid)
    if value[0] == "call" and fn.callee_name(fn.calls[value[1]]) in _ASKS:
        return fn.calls[value[1]].args
    return value[2] if value[0] == "compare" else (vid,)


def _random(fn: Fn, vid: int) -> str:
    """`func.random()`, where `func` is SQLAlchemy's."""
    value = fn.value(vid)
    if value[0] != "call":
        return ""
    func = fn.value(fn.calls[value[1]].func)
    dotted = str(func[1]) if func[0] == "name" else ""
    if func[0] == "attr":
        base = fn.value(func[1])
        dotted = f"{base[1]}.{func[2]}" if base[0] == "name" else ""
    owner, _, last = dotted.rpartition(".")
    return f"func.{last}()" if last in _FUNCTIONS and owner.rpartition(".")[2] == "func" else ""
