"""PERF104: LIKE '%x' and its ORM spellings, on columns without an index that serves them."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import replace

from sqlglot import exp

from backendlint.api import (
    ColumnUse,
    Fn,
    Hit,
    Project,
    Span,
    SqlStatement,
    Step,
    Table,
    fills_database,
    for_tests,
    here_and_in,
    name_of,
    only_by_hand,
    sql,
    sqltypes,
    told_once,
)

_DJANGO = frozenset({"contains", "icontains", "endswith", "iendswith"})
_SQLALCHEMY = frozenset({"contains", "icontains", "endswith", "iendswith"})


EACH_ROW = frozenset({"exists", "any", "has"})
SIMILAR = frozenset({"%", "%>", "<%", "%>>", "<<%"})
"""PostgreSQL's operators that compare trigrams."""
PUT_IN = re.compile(r"^%(\(\w+\))?s")
"""What the driver, or `%`, puts a value in place of: no wildcard."""
BEGINS = "begins with a wildcard"
QUERIES = (".Query", ".Select", ".QuerySet")


def check(project: Project) -> Iterator[Hit]:
    """SQL texts, then ORM queries; a search that the project makes everywhere is told once."""
    for statement in project.data.reviewed:
        if "LIKE" in statement.text.upper() and not statement.in_migration and statement.tree is not None:
            yield from _statement(project, statement)
    narrowed = sql.Narrowed(project)
    groups: dict[Hashable, list[ColumnUse]] = {}
    for use in project.data.uses:
        if use not in narrowed and _unanchored(project, use) and not _excluded(use) and not _of_groups(use):
            groups.setdefault((use.fn.fqn, use.table.name, _query(use)), []).append(use)
    narrowing = {fqn for fqn, _ in narrowed.tables}
    styled: list[Hit] = []
    for uses in _searches(groups.values()):
        fn = uses[0].fn
        aside = (
            _seldom(project, fn, uses[0].table)
            or _of_each_row(uses[0])
            or fills_database(project, fn)
            or for_tests(project, fn)
            or _scoped(project, fn, narrowing)
            or all(map(_by_similarity, uses))
        )
        if aside:
            yield from (replace(hit, profile="strict") for hit in _told(uses))
        else:
            styled.extend(_told(uses))
    yield from told_once(styled, _everywhere, severity=None)


def _everywhere(hit: Hit, places: str) -> str:
    return here_and_in(hit, places, after=BEGINS)


def _by_similarity(use: ColumnUse) -> bool:
    """`Order.note.op("%>")(term)` on another way through the function, `TrigramSimilarity("note", term)`: where the database has
    trigrams, it is asked by them."""
    fn = use.fn
    if any(
        fn.callee_name(call).startswith("Trigram") and fn.const(call.args[0]) == use.column.name
        for call in fn.calls
        if call.args
    ):
        return True
    return any(
        any(fn.const(vid) in SIMILAR for vid in call.args[:1])
        and name_of(fn.file, fn.facts, call.func).endswith(f".{use.column.name}.op")
        for call in fn.calls
    )


def _of_groups(use: ColumnUse) -> bool:
    """`.having(func.string_agg(Order.note, ",").contains(term))`: what is put together of many rows has no index."""
    return any(use.fn.callee_name(call) == "having" and call.span.holds(use.span) for call in use.fn.calls)


def _searches(queries: Iterable[list[ColumnUse]]) -> Iterable[list[ColumnUse]]:
    """The queries, in one those in which a function looks for the same value in other columns of the table
    (`wanted = [Team.name.ilike(term), Team.slug.ilike(term)]`): that is one search."""
    found: dict[Hashable, list[ColumnUse]] = {}
    for uses in queries:
        use = uses[0]
        vid = use.fn.untested(use.value) if use.value >= 0 else -1
        columns = {item.column.name for item in uses}
        key: Hashable = (use.fn.fqn, use.table.name, vid) if vid >= 0 else use.location
        if columns.isdisjoint(item.column.name for item in found.get(key, ())):
            found.setdefault(key, []).extend(uses)
        else:
            found[use.location] = uses
    return found.values()


def _statement(project: Project, statement: SqlStatement) -> Iterator[Hit]:
    assert statement.tree is not None
    for scope in sql.scopes(statement.tree, statement.schema):
        found = list(sql.conditions(scope))
        if sql.narrowed(found):
            continue
        for node in sql.own_nodes(scope.node):
            if isinstance(node, exp.Like | exp.ILike) and not _negated(node) and _searches_by(node):
                hit = _like(project, statement, scope, node)
                if hit is not None:
                    yield hit
                    break


def _searches_by(node: exp.Expression) -> bool:
    """Whether it decides which rows are found; not `SELECT CASE WHEN note LIKE '%late%' THEN 1 END`, nor what it is sorted by."""
    above = node.find_ancestor(exp.Case, exp.Filter, exp.Where, exp.Join, exp.Select, exp.Update, exp.Delete)
    return isinstance(above, exp.Where | exp.Join)


def _negated(node: exp.Expression) -> bool:
    return bool(node.args.get("negate")) or isinstance(node.parent, exp.Not)


def _like(project: Project, statement: SqlStatement, scope: sql.Scope, node: exp.Expression) -> Hit | None:
    column = node.this.find(exp.Column)
    if column is None or not _leads_with_wildcard(project, statement, node.expression):
        return None
    meaning = scope.resolve(column)
    sources = [meaning.source] if meaning.source is not None else list(scope.sources.values())
    if sources and all(map(sql.is_system, sources)):
        return None
    table = meaning.source.table if meaning.source is not None else None
    if table is not None and (sql.trigram(table, column.name) or table.kind == "virtual"):
        return None
    where = f"`{table.name}.{column.name}`" if table is not None else f"`{column.sql()}`"
    hit = statement.hit(
        f"The pattern for {where}{sql.within(statement)} begins with a wildcard, so no ordinary index "
        "helps and every row is read; add a trigram "
        "or full-text index, or anchor the pattern at its start.",
        node,
    )
    return replace(hit, profile="strict") if _seldom(project, statement.function, table) else hit


def _seldom(project: Project, fn: Fn | None, table: Table | None) -> bool:
    """What runs by hand or for administrators alone, and tables that stay small, or that nobody but they fill."""
    if only_by_hand(project, fn) or (fn is not None and project.endpoints.only_for_admins(fn.fqn)):
        return True
    return table is not None and not project.writes.makers.fills_up(table)


def _leads_with_wildcard(project: Project, statement: SqlStatement, value: exp.Expression, more: bool = False) -> bool:
    """`more`: something follows the value, so that a lone wildcard counts."""
    while isinstance(value, exp.Paren | exp.Cast | exp.Escape):
        value = value.this
    if isinstance(value, exp.DPipe):
        left = value.this
        return isinstance(left, exp.Expression) and _leads_with_wildcard(project, statement, left, more=True)
    if isinstance(value, exp.Concat):
        return bool(value.expressions) and _leads_with_wildcard(project, statement, value.expressions[0], more=True)
    if isinstance(value, exp.Literal):
        text = PUT_IN.sub("?", value.this, count=1)
        return value.is_string and text.startswith(("%", "_")) and (more or text.strip("%_") != "")
    if isinstance(value, exp.Placeholder) and statement.function is not None:
        return sql.text_of(project, statement.function, statement.parameter(value)).startswith("%")
    return False


def _scoped(project: Project, fn: Fn, narrowing: set[str]) -> bool:
    """Whether the query begins in another function of the project that narrows it by an index: `self.readable(user).where(...)`."""
    for edge in project.graph.callees(fn):
        if edge.kind != "call" or edge.call is None or edge.callee is fn:
            continue
        gives = any(ref.name.endswith(QUERIES) for ref in project.refs(fn, edge.call.value))
        within = (edge.callee, *(inner.callee for inner in project.graph.callees(edge.callee)))
        if gives and any(item.fqn in narrowing for item in within):
            return True
    return False


def _excluded(use: ColumnUse) -> bool:
    """`~Model.name.ilike(...)`, `not_(Model.name.ilike(...))`, `exclude(name__icontains=...)`: what must not be found is found by
    no index."""
    fn = use.fn
    if any(call.span == use.query and fn.callee_name(call) == "exclude" for call in fn.calls):
        return True
    if any(fn.callee_name(call) == "not_" and call.span.holds(use.span) for call in fn.calls):
        return True
    return any(fn.facts.values[vid][1] == "~" and fn.facts.span_of(vid).holds(use.span) for vid in fn.made_by("unary"))


def _of_each_row(use: ColumnUse) -> bool:
    """Whether the search is in a subquery on what belongs to each row: `exists(...)`, `Model.parts.any(...)`."""
    around = (call for call in use.fn.calls if call.span.holds(use.span) and call.span != use.span)
    return use.framework == "sqlalchemy" and any(use.fn.callee_name(call) in EACH_ROW for call in around)


def _unanchored(project: Project, use: ColumnUse) -> bool:
    if sqltypes.family(use.column.type) != "text" or sql.trigram(use.table, use.column.name):
        return False
    if use.framework == "django":
        return use.how in _DJANGO
    if use.partial:
        return False  # what others add to it may find the rows
    if use.how in {"like", "ilike"}:
        return sql.text_of(project, use.fn, use.value).startswith("%")
    return use.how in _SQLALCHEMY


def _query(use: ColumnUse) -> Span:
    """The span of the outermost call around a use: that is the query."""
    span = use.span
    around: list[Span] = [call.span for call in use.fn.calls if call.span.holds(span)]
    return min(around, key=lambda item: (item[:2], [-part for part in item[2:]]), default=span)


def _told(uses: list[ColumnUse]) -> Iterator[Hit]:
    """One finding a query: several columns searched by it are one problem."""
    first = uses[0]
    columns = list(dict.fromkeys(use.column.name for use in uses))
    others = tuple(Step(use.location, f"`{use.column.name}` too") for use in uses[1:6])
    shown = f"`{first.table.name}.{columns[0]}`" + (f" (and {', '.join(columns[1:4])})" if columns[1:] else "")
    yield _hit(first, shown, others)


def _hit(use: ColumnUse, shown: str, others: tuple[Step, ...]) -> Hit:
    return Hit(
        f"`{use.how}` on {shown} in `{use.fn.name}()` searches for a pattern that {BEGINS}, so no "
        "ordinary index helps and every row is read; add a trigram or full-text index, or search for the start alone.",
        use.location,
        others,
        function=use.fn.fqn,
    )
