"""PERF113: sources that no condition connects with the others."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from backendlint.api import Hit, Location, Project, SqlStatement, sql, unconnected


def check(project: Project) -> Iterator[Hit]:
    """SQL texts, then SQLAlchemy's selects."""
    told: set[Location] = set()
    for statement in project.data.reviewed:
        for hit in _statement(statement):
            if hit.location not in told:
                told.add(hit.location)
                yield hit
    for item in unconnected(project):
        if item.implicit:
            yield Hit(
                f"`{item.right}` enters the query of `{item.left}` in `{item.fn.name}()` by a filter alone, and nothing connects "
                f"the two: it says nothing of the `{item.left}` that are found, and each comes once for every match; join them by "
                "their keys.",
                item.fn.location(item.span),
                function=item.fn.fqn,
            )
            continue
        yield Hit(
            f"No condition connects `{item.right}` with `{item.left}` in `{item.fn.name}()`: the result holds every combination of "
            "their rows; join them by their keys (`.join(...)`).",
            item.fn.location(item.span),
            function=item.fn.fqn,
        )


def _statement(statement: SqlStatement) -> Iterator[Hit]:
    """Selects, updates and deletes over several tables that fall into unconnected groups."""
    if statement.tree is None or statement.partial:
        return
    for scope in sql.scopes(statement.tree, statement.schema):
        if (
            len(scope.sources) > 1
            and not isinstance(scope.node, exp.Insert | exp.Merge)
            and not scope.opaque
            and not scope.merged
        ):
            hit = _judge(statement, scope)
            if hit is not None:
                yield hit


def _judge(statement: SqlStatement, scope: sql.Scope) -> Hit | None:
    tables = {alias: source for alias, source in scope.sources.items() if source.kind in {"table", "cte", "derived"}}
    if len(tables) != len(scope.sources) or len(tables) < 2 or any(_wanted(source.node) for source in tables.values()):
        return None
    group = {alias: alias for alias in tables}

    def root(alias: str) -> str:
        while group[alias] != alias:
            alias = group[alias]
        return alias

    for condition in _conditions(scope.node):
        linked = _aliases(statement, condition, scope)
        if linked is None:
            return None
        for alias in linked[1:]:
            group[root(alias)] = root(linked[0])
    for alike in _compared_with_one(scope):
        for alias in alike[1:]:
            group[root(alias)] = root(alike[0])
    roots = {root(alias) for alias in tables}
    several = {root(alias) for alias, source in tables.items() if not _one_row(source)}
    if len(roots) < 2 or len(several) < 2:
        return None
    first = next(iter(tables))
    lone = next(alias for alias in tables if root(alias) != root(first))
    source, other = tables[lone], tables[first]
    return statement.hit(
        f"No condition connects {source.shown} with {other.shown}{sql.within(statement)}: the "
        "result holds every combination of their "
        "rows; join them by their keys, or write CROSS JOIN if that is meant.",
        source.node,
    )


def _wanted(node: exp.Expression) -> bool:
    """True for an explicit CROSS JOIN, a lateral or natural one, and one `ON true`."""
    join = node.parent
    return isinstance(join, exp.Join) and (
        join.kind == "CROSS"
        or bool(join.args.get("method"))
        or isinstance(node, exp.Lateral)
        or (join.args.get("on") is not None and join.args["on"].unnest() == exp.true())
    )


def _conditions(node: exp.Expression) -> Iterator[exp.Expression]:
    where = node.args.get("where")
    if where is not None:
        yield from _split(where.this)
    for join in node.find_all(exp.Join):
        on = join.args.get("on")
        if on is not None and join.find_ancestor(exp.Select, exp.Update, exp.Delete) is node:
            yield from _split(on)


def _split(node: exp.Expression) -> Iterator[exp.Expression]:
    """Conditions joined by AND. An OR connects what it mentions, taken as one."""
    while isinstance(node, exp.Paren):
        node = node.this
    if isinstance(node, exp.And):
        for side in (node.this, node.expression):
            yield from _split(side)
    else:
        yield node


def _aliases(statement: SqlStatement, condition: exp.Expression, scope: sql.Scope) -> list[str] | None:
    """Aliases that a condition mentions; None when that cannot be told."""
    found: list[str] = []
    columns = list(condition.find_all(exp.Column))
    if len({column.sql() for column in columns}) < 2 and not any(statement.is_hole(column.name) for column in columns):
        return []  # `x.a = :a`, or by a slip `x.a = x.a`: it narrows, but connects nothing
    for column in columns:
        if (struct := scope.struct_of(column)) is not None:
            found.append(struct.alias.lower())
            continue
        if column.table:
            if column.table.lower() in scope.sources:
                found.append(column.table.lower())
            continue
        meaning = scope.resolve(column)
        if meaning.source is not None and meaning.status == "found":
            found.append(meaning.source.alias.lower())
        elif meaning.status in {"open", "ambiguous"}:
            return None
    return [alias for alias in dict.fromkeys(found) if alias in scope.sources]


def _compared_with_one(scope: sql.Scope) -> Iterator[list[str]]:
    """Aliases of which a column is equal to the same value: `a.shop_id = :shop AND b.shop_id = :shop` connects the two."""
    alike: dict[str, list[str]] = {}
    for condition in sql.conditions(scope):
        named = isinstance(condition.value, exp.Placeholder | exp.Parameter) and condition.value.name
        alias = condition.source.alias.lower() if condition.source is not None else ""
        if condition.kind == "eq" and condition.wrapper is None and named and alias in scope.sources:
            alike.setdefault(condition.value.sql(), []).append(alias)
    yield from alike.values()


def _one_row(source: sql.Source) -> bool:
    """Surely a single row: aggregates without GROUP BY, LIMIT 1, VALUES."""
    query = source.node.this if source.kind == "derived" else None
    if source.kind == "cte":
        return True
    if not isinstance(query, exp.Select):
        return query is not None
    if query.args.get("limit") is not None:
        return True
    return query.args.get("group") is None and all(item.find(exp.AggFunc) is not None for item in query.expressions)
