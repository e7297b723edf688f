"""PERF116: NOT IN (SELECT ...), and UNION of branches that literals keep apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sqlglot import exp

from backendlint.api import ColumnUse, Hit, Location, Project, SqlStatement, Table, selected, sql, unique_keys

QUERIES = ("sqlalchemy.sql.Select", "sqlalchemy.orm.Query")


def check(project: Project) -> Iterator[Hit]:
    """SQL texts, then SQLAlchemy's expressions."""
    told: set[Location] = set()
    for statement in project.data.reviewed:
        for hit in _statement(statement):
            if hit.location not in told:
                told.add(hit.location)
                yield hit
    excluding = [use for use in project.data.uses if _excludes(project, use)]
    single = {
        (use.fn.fqn, use.table.name)
        for use in (project.data.uses if excluding else ())
        if use.how == "eq" and _names_one(use.table, use.column.name)
    }
    for use in excluding:
        few = any("filter" in origin.ops for origin in project.origins.of(use.fn, use.value))
        table, column = selected(project, use.fn, use.value) or (None, None)
        filled = column is not None and not column.nullable
        many = table is not None and project.writes.makers.fills_up(table)
        one = (use.fn.fqn, use.table.name) in single
        aside = few or (filled and (one or not many))
        yield replace(_use(use, filled=filled), profile="strict" if aside else None)


def _excludes(project: Project, use: ColumnUse) -> bool:
    """`A.x.not_in(select(...))` and `~A.x.in_(select(...))`."""
    if use.framework != "sqlalchemy" or use.how not in {"in", "not_in", "notin_"} or use.value < 0:
        return False
    if not project.is_instance(use.fn, use.value, *QUERIES):
        return False
    if use.how != "in":
        return True
    values = use.fn.facts.values
    inner = {
        vid for vid, value in enumerate(values) if value[0] == "call" and use.fn.facts.calls[value[1]].span == use.span
    }
    return any(value[0] == "unary" and value[1] == "~" and value[2] in inner for value in values)


def _use(use: ColumnUse, *, filled: bool) -> Hit:
    trap = "" if filled else " and finds nothing at all as soon as one of its values is NULL"
    return Hit(
        f"`{use.column.name} NOT IN (SELECT ...)` in `{use.fn.name}()` compares every row with the whole subquery's result{trap}; write "
        "`~exists().where(...)` with the condition inside, which can use an index.",
        use.location,
        function=use.fn.fqn,
    )


def _statement(statement: SqlStatement) -> Iterator[Hit]:
    """Both kinds, anywhere in the statement."""
    upper = statement.text.upper()
    if "UNION" not in upper and not ("NOT" in upper and "SELECT" in upper[6:]):
        return
    tree = None if statement.in_migration else statement.tree
    if tree is None:
        return
    for node in tree.find_all(exp.Not):
        inner = node.this.this if isinstance(node.this, exp.Paren) else node.this
        if isinstance(inner, exp.In) and inner.args.get("query") is not None and isinstance(inner.this, exp.Column):
            yield _not_in(statement, inner)
    for union in tree.find_all(exp.Union):
        if union.args.get("distinct") and _disjoint(union.this, union.expression):
            yield _union(statement, union)


def _not_in(statement: SqlStatement, node: exp.In) -> Hit:
    query = node.args["query"]
    select = query.this if isinstance(query, exp.Subquery) else query
    trap = " and finds nothing at all as soon as one of its values is NULL"
    few = empty = whole = False
    scope = next(iter(sql.scopes(select, statement.schema)), None) if isinstance(select, exp.Select) else None
    column = select.expressions[0] if isinstance(select, exp.Select) and select.expressions else None
    if scope is not None and isinstance(column, exp.Column):
        found = scope.resolve(column)
        if found.column is not None and not found.column.nullable:
            trap = ""
        conditions = list(sql.conditions(scope))
        few = any(item.kind in {"eq", "in", "range"} for item in conditions)
        asked = {item.column.name for item in conditions if item.column is not None} | _filled(select)
        empty = found.column is not None and bool(trap) and column.name not in asked
        table = found.source.table if found.source is not None else None
        whole = not conditions and table is not None and statement.project.writes.makers.fills_up(table)
        whole = whole and not _of_one(statement, node)
    hit = statement.hit(
        f"`{_short(node.this)} NOT IN (SELECT ...)`{sql.within(statement)} compares every row with the "
        f"whole subquery's result{trap}; write "
        "NOT EXISTS with the condition inside, which can use an index.",
        node,
        at=_words(statement, node),
    )
    aside = (few and not empty) or not (trap or whole) or _of_cte(node, select) or _is_limited(select)
    return replace(hit, profile="strict" if aside else hit.profile)


def _is_limited(select: exp.Expression) -> bool:
    """`SELECT id FROM (SELECT id ... ORDER BY at DESC LIMIT 10)`: which rows stay, and there are few of them."""
    inner = select
    while isinstance(inner, exp.Select | exp.Subquery):
        if inner.args.get("limit") is not None:
            return True
        source = inner.args.get("from_") or inner.args.get("from")
        inner = inner.this if isinstance(inner, exp.Subquery) else source.this if source is not None else exp.Null()
    return False


def _of_one(statement: SqlStatement, node: exp.In) -> bool:
    """Whether the query around asks for one row: it is looked for once."""
    around = node.find_ancestor(exp.Select, exp.Update, exp.Delete)
    scopes = sql.scopes(statement.tree, statement.schema) if statement.tree is not None else ()
    return any(
        item.kind == "eq"
        and item.table is not None
        and item.column is not None
        and _names_one(item.table, item.column.name)
        for scope in scopes
        if scope.node is around
        for item in sql.conditions(scope)
    )


def _names_one(table: Table, column: str) -> bool:
    return any(tuple(map(str.lower, columns)) == (column.lower(),) for columns in unique_keys(table))


def _filled(select: exp.Expression) -> set[str]:
    """Columns of which a query says `IS NOT NULL`."""
    return {node.this.name for node in select.find_all(exp.Is)}


def _of_cte(node: exp.Expression, select: exp.Expression) -> bool:
    """`WITH pairs AS (...) ... NOT IN (SELECT later FROM pairs)`: of what the statement itself makes, whose columns are not known."""
    named = {item.alias.lower() for item in node.root().find_all(exp.CTE)}
    return any(item.name.lower() in named for item in select.find_all(exp.Table))


def _words(statement: SqlStatement, node: exp.In) -> tuple[int, int]:
    """From the compared value to `IN`."""
    start, _ = statement.range(node.this)
    end = start
    for before, token in zip(statement.tokens, statement.tokens[1:], strict=False):
        if token.start - statement.offset > start and before.word("NOT") and token.word("IN"):
            end = token.end - statement.offset
            break
    return (start, end) if end > start else statement.range(node)


def _short(node: exp.Expression) -> str:
    text = node.sql()
    return text if len(text) < 40 else text[:37] + "..."


def _union(statement: SqlStatement, union: exp.Union) -> Hit:
    _, left_end = statement.range(union.this)
    word = next(
        (token for token in statement.tokens if token.word("UNION") and token.start - statement.offset >= left_end),
        None,
    )
    at = (word.start - statement.offset, word.end - statement.offset) if word is not None else statement.range(union)
    return statement.hit(
        f"UNION{sql.within(statement)} sorts or hashes all rows to drop duplicates, but literals keep its "
        "branches apart, so there are none "
        "between them; write UNION ALL.",
        at=at,
        fix=statement.fix("Write UNION ALL", at[0], at[1], "UNION ALL") if word is not None else None,
    )


def _disjoint(left: exp.Expression, right: exp.Expression) -> bool:
    """True when a literal in the same place of both select lists differs, or both demand different values of a selected column."""
    first, second = _select(left), _select(right)
    if first is None or second is None or isinstance(left, exp.Union):
        return False
    for one, two in zip(first.expressions, second.expressions, strict=False):
        here, there = _literal(one), _literal(two)
        if here is not None and there is not None and here != there:
            return True
    return any(
        name in wanted and wanted[name] != value
        for wanted in [_demanded(second)]
        for name, value in _demanded(first).items()
        if _selected(first, name) == _selected(second, name) != -1
    )


def _select(node: exp.Expression) -> exp.Select | None:
    while isinstance(node, exp.Subquery):
        node = node.this
    return node if isinstance(node, exp.Select) else None


def _literal(node: exp.Expression) -> tuple[bool, str] | None:
    inner = node.this if isinstance(node, exp.Alias) else node
    while isinstance(inner, exp.Cast):
        inner = inner.this
    return (inner.is_string, inner.this) if isinstance(inner, exp.Literal) else None


def _demanded(select: exp.Select) -> dict[str, tuple[bool, str]]:
    """Columns that WHERE fixes to a literal."""
    where = select.args.get("where")
    found: dict[str, tuple[bool, str]] = {}
    todo = [where.this] if where is not None else []
    while todo:
        node = todo.pop()
        if isinstance(node, exp.And):
            todo += [node.left, node.right]
        elif isinstance(node, exp.EQ) and isinstance(node.left, exp.Column) and isinstance(node.right, exp.Literal):
            found[node.left.sql().lower()] = (node.right.is_string, node.right.this)
    return found


def _selected(select: exp.Select, name: str) -> int:
    return next((i for i, item in enumerate(select.expressions) if item.unalias().sql().lower() == name), -1)
