"""PERF102: `*` in a select list whose rows leave the database."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from sqlglot import exp

from backendlint.api import (
    Call,
    Fix,
    Fn,
    Hit,
    Project,
    SqlStatement,
    Vid,
    for_tests,
    in_main_block,
    ingredients,
    is_used,
    object_root,
    only_by_hand,
    receiver,
    sql,
    told_once,
)

READS = "reads every column"
SHOWN = 8
"""Column names that a message lists."""
MOVES = re.compile(r"(^|_)(migrat(e[sd]?|ion|ing)|back_?up|dump)(_|$)", re.IGNORECASE)
"""Functions that take over whole rows, whatever is in them."""
FEW_STARS = 2
"""So many are told one by one."""
KEY_AND_VALUE = 2
"""A table with so few columns has none to leave out."""


def check(project: Project) -> Iterator[Hit]:
    """Stars of selects; where the project writes them everywhere the first, as that is its style."""
    found = {hit.location: hit for statement in project.data.reviewed for hit in _stars(statement)}
    if project.focus is not None and any(not hit.profile and project.counts(hit.location) for hit in found.values()):
        found = {hit.location: hit for statement in project.data.statements for hit in _stars(statement)}
    yield from (hit for hit in found.values() if hit.profile)
    yield from told_once((hit for hit in found.values() if not hit.profile), _everywhere, few=FEW_STARS)


def _everywhere(hit: Hit, places: str) -> str:
    return hit.message.replace(f"{READS},", f"{READS}, here and in {places},", 1)


def _stars(statement: SqlStatement) -> Iterator[Hit]:
    """All but those that count, test for existence, copy a table, or read what a subquery names anyway."""
    if (
        "*" not in statement.text
        or statement.in_migration
        or statement.tree is None
        or isinstance(statement.tree, exp.Create)
    ):
        return
    for scope in sql.scopes(statement.tree, statement.schema):
        select = scope.node
        if not isinstance(select, exp.Select) or _harmless(select):
            continue
        for item in select.expressions:
            hit = _judge(statement, scope, item) if sql.is_star(item) else None
            if hit is not None:
                aside = hit.profile is None and (_aside(statement) or _fills(statement))
                yield replace(hit, profile="strict") if aside else hit


def _aside(statement: SqlStatement) -> bool:
    """What people run by hand, what moves a table elsewhere, what serves tests, and what is sent to see whether it is allowed."""
    fn, project = statement.function, statement.project
    if fn is None and project.layers.of_path(statement.path) == "command":
        return True
    if only_by_hand(project, fn) or (fn is not None and (for_tests(project, fn) or MOVES.search(fn.name))):
        return True
    if fn is None or not fn.is_module:
        return fn is not None and _only_tries(statement, fn)
    line = statement.location().line
    return any(call.span.line <= line <= call.span.end_line and in_main_block(fn, call) for call in fn.calls)


def _only_tries(statement: SqlStatement, fn: Fn) -> bool:
    """`run(connection, "SELECT * FROM probes")`: a function of the project gives rows that nobody takes."""
    call = statement.source.call
    return call is not None and bool(statement.project.targets(fn, call)) and not is_used(fn.facts, call.value)


def _judge(statement: SqlStatement, scope: sql.Scope, item: exp.Expression) -> Hit | None:
    meant = _sources(scope, item)
    if len(meant) == 1 and _of_entity(statement):
        return None
    if not meant or any(source.kind != "table" for source in meant):
        return None
    names = ", ".join(f"`{source.name}`" for source in meant[:3])
    columns = sql.star_columns(item, scope)
    star = item.sql(comments=False)
    message = f"`SELECT {star}` on {names}{sql.within(statement)} {READS}, those added later too; "
    if columns is None:
        return statement.hit(message + "name the columns that are used.", item)
    shown = ", ".join(name for _, name in columns[:SHOWN]) + (", ..." if len(columns) > SHOWN else "")
    message += f"name those that are used, of: {shown}."
    hit = statement.hit(message, item, fix=_fix(statement, scope, item, columns))
    return replace(hit, profile="strict") if len(columns) <= KEY_AND_VALUE else hit


def _of_entity(statement: SqlStatement) -> bool:
    """`select(Order).from_statement(text(...))`, `Order.objects.raw(...)`: objects are made of the rows, and an attribute
    whose column is left out is fetched for each of them."""
    fn, text, project = statement.source.fn, statement.source.call, statement.project
    if fn is None or text is None:
        return False
    for call in fn.calls:
        made = call is text or text.value in {vid for vid in call.args if vid >= 0}
        if made and any(model.orm is not None and model.orm.op == "raw" for model in project.models(fn, call)):
            return True
    return False


def _fills(statement: SqlStatement) -> bool:
    """`Rating.model_validate(row)`, `Rating(**row)`: each of the columns has its field."""
    fn, sent, project = statement.source.fn, statement.source.call, statement.project
    if fn is None or sent is None:
        return False
    for call in fn.calls:
        spread = tuple(vid for key, vid in call.kwargs if key == "**")
        if spread and any(ref.kind == "class" for ref in project.callees(fn, call)):
            rows = spread
        elif any(model.schema in ("validate", "serialize") for model in project.models(fn, call)):
            rows = call.args[:1]
        else:
            continue
        if _come_of(fn, sent, rows):
            return True
    return False


def _come_of(fn: Fn, sent: Call, rows: tuple[Vid, ...]) -> bool:
    """Whether the rows are made of what the call gives, or of what its cursor gives afterwards."""
    found = ingredients(fn.facts, rows)
    cursor = receiver(fn, sent)
    fetched = (fn.calls[fn.facts.values[vid][1]] for vid in found if fn.facts.values[vid][0] == "call")
    given = (receiver(fn, call) for call in fetched) if cursor >= 0 else ()
    return sent.value in found or any(vid >= 0 and object_root(fn, vid) == object_root(fn, cursor) for vid in given)


def _sources(scope: sql.Scope, item: exp.Expression) -> list[sql.Source]:
    """What the star stands for; nothing when a CTE or subquery names its columns, or for the database's own tables."""
    qualifier = item.table.lower() if isinstance(item, exp.Column) else ""
    meant = [source for alias, source in scope.sources.items() if not qualifier or alias == qualifier]
    named = [source for source in meant if source.kind == "table"]
    if any(sql.is_system(source) for source in meant) or scope.opaque:
        return []
    return named or meant


def _harmless(select: exp.Select) -> bool:
    parent = select.parent
    if isinstance(parent, exp.Exists):
        return True
    limit = select.args.get("limit")
    if isinstance(limit, exp.Limit) and isinstance(limit.expression, exp.Literal):
        asked = limit.expression.this == "1" and not any(select.args.get(key) for key in ("where", "order", "joins"))
        if asked or limit.expression.this == "0":
            return True  # whether there is any row at all, or which columns
    return _only_counted(select) or _narrowed(select)


def _only_counted(select: exp.Select) -> bool:
    """`SELECT count(*) FROM (SELECT * ...)`."""
    above = select.find_ancestor(exp.Select)
    if above is None or not isinstance(select.parent, exp.Subquery):
        return False
    return bool(above.expressions) and all(item.find(exp.Count) is not None for item in above.expressions)


def _narrowed(select: exp.Select) -> bool:
    """A derived table or CTE from which the outer query takes named columns alone: the database drops the rest."""
    holder = select.parent
    if isinstance(holder, exp.Subquery) and isinstance(holder.parent, exp.From | exp.Join | exp.Lateral):
        above = holder.find_ancestor(exp.Select)
        return above is not None and not any(sql.is_star(item) for item in above.expressions)
    return isinstance(holder, exp.CTE)


def _fix(statement: SqlStatement, scope: sql.Scope, item: exp.Expression, columns: list[tuple[str, str]]) -> Fix | None:
    start, end = statement.range(item)
    several = len(scope.sources) > 1 or isinstance(item, exp.Column)
    names = [f"{alias}.{sql.quoted(name)}" if several else sql.quoted(name) for alias, name in columns]
    return statement.fix("Write the columns out", start, end, ", ".join(names))
