"""PERF114: ORDER BY random() in SQL, Django's order_by("?"), SQLAlchemy's order_by(func.random())."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sqlglot import exp

from backendlint.api import Call, Fn, Hit, Profile, Project, SqlStatement, for_tests, only_by_hand, sql

_FUNCTIONS = frozenset({"random", "rand", "newid", "gen_random_uuid", "dbms_random.value", "uuid"})
_FILTERS = frozenset({"filter", "filter_by", "where"})
_TAIL = "gives every row of the table a random number and sorts them all to take a few; pick random keys in code, or use TABLESAMPLE."


def check(project: Project) -> Iterator[Hit]:
    """SQL texts, then ORM queries."""
    for statement in project.data.statements:
        upper = statement.text.upper()
        if "ORDER" in upper and ("RAND" in upper or "NEWID" in upper) and not statement.in_migration:
            yield from _statement(statement)
    for fn, call in project.graph.calls_written("order_by"):
        if _filtered(fn, call):
            continue
        profile: Profile | None = "strict" if only_by_hand(project, fn) or for_tests(project, fn) else None
        yield from (replace(hit, profile=profile) for hit in _ordered(fn, call))


def _statement(statement: SqlStatement) -> Iterator[Hit]:
    if statement.tree is None:
        return
    for scope in sql.scopes(statement.tree, statement.schema):
        order = scope.node.args.get("order")
        if order is None or sql.narrowed(list(sql.conditions(scope))):
            continue
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
                    f"`ORDER BY {key.sql(dialect=statement.dialect or None)}`{sql.within(statement)} {_TAIL}", key
                )


def _filtered(fn: Fn, call: Call) -> bool:
    """Whether a condition stands before it in the chain: how many rows are left is not known."""
    func = fn.value(call.func)
    while func[0] == "attr":
        before = fn.unguarded(func[1])
        if before[0] != "call":
            return False
        inner = fn.calls[before[1]]
        if fn.callee_name(inner) in _FILTERS and inner.passed:
            return True
        func = fn.value(inner.func)
    return False


def _ordered(fn: Fn, call: Call) -> Iterator[Hit]:
    for vid in call.args:
        shown = '"?"' if fn.const(vid) == "?" else _random(fn, vid)
        if shown:
            yield Hit(f"`order_by({shown})` in `{fn.name}()` {_TAIL}", fn.place(vid), function=fn.fqn)


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
