"""What names in a statement mean: tables, aliases, CTEs and columns, resolved against the schema."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlglot import exp

from backendlint.project.schema.model import Column, Schema, Table
from backendlint.project.sqltext.assemble import HOLE

SYSTEM_COLUMNS = frozenset(
    {"ctid", "xmin", "xmax", "cmin", "cmax", "oid", "tableoid", "rowid", "_rowid_", "rownum", "rank"}
)
SYSTEM_SCHEMAS = frozenset({"information_schema", "pg_catalog", "performance_schema", "mysql", "sys", "pg_temp"})
_UNNAMED = "#"
"""How the aliases of sources without a name begin."""
_QUERIES = (exp.Select, exp.SetOperation, exp.Update, exp.Delete, exp.Insert, exp.Merge)


@dataclass(slots=True)
class Source:
    """Something that a query reads from. `columns` None: not known. `table` is the schema's, for plain tables."""

    alias: str
    node: exp.Expression
    kind: str
    """table, cte, derived, function, hole."""
    name: str = ""
    table: Table | None = None
    columns: tuple[str, ...] | None = None

    @property
    def shown(self) -> str:
        """What messages call it."""
        name = self.name or self.alias
        return "a subquery" if name.startswith(_UNNAMED) else f"`{name}`"

    def has(self, name: str) -> bool:
        """True when it surely has the column."""
        folded = name.lower()
        return self.columns is not None and any(column.lower() == folded for column in self.columns)


class Found(NamedTuple):
    """What a column means: `status` is found, open (cannot be told), no-column, no-source, or ambiguous."""

    status: str
    source: Source | None = None
    column: Column | None = None


@dataclass(slots=True)
class Scope:
    """One SELECT, UPDATE, DELETE or INSERT with what it reads from."""

    node: exp.Expression
    sources: dict[str, Source] = field(default_factory=dict)
    parent: Scope | None = None
    aliases: frozenset[str] = frozenset()
    """Names that the select list gives, which ORDER BY and GROUP BY may use."""
    output: frozenset[str] = frozenset()
    """Names of all result columns but those behind a star: a plain name in ORDER BY means one of these first (SQL-92)."""
    merged: bool = False
    """JOIN ... USING or NATURAL JOIN: unqualified names may stand for several columns."""
    opaque: bool = False
    """Something unknown may be read from as well."""

    def resolve(self, column: exp.Column) -> Found:
        """What a column reference means here, or in an enclosing query."""
        name, qualifier = column.name, column.table
        if HOLE.search(name) or HOLE.search(qualifier) or name.lower() in SYSTEM_COLUMNS:
            return Found("open")
        if (owner := self.struct_of(column)) is not None:
            return Found("open", owner)
        if self._is_set(column):
            return _in_source(next(iter(self.sources.values())), name)
        found = self._qualified(qualifier, name) if qualifier else self._plain(name)
        if found.status == "ambiguous":
            near = [source for source in self._joined_before(column) if source.has(name)]
            return _in_source(near[0], name) if len(near) == 1 else found
        return found

    def struct_of(self, column: exp.Column) -> Source | None:
        """The source of whose column this is a field (BigQuery's `orders.payload.customer.id`)."""
        first = column.parts[0].name.lower()
        return self.sources.get(first) if len(column.parts) > 2 and column.table.lower() not in self.sources else None

    def _joined_before(self, column: exp.Column) -> list[Source]:
        """The sources that the condition of a join may name: what is joined further down is not there yet (SQL-92, 7.5)."""
        join = column.find_ancestor(exp.Join)
        sources = list(self.sources.values())
        last = join.this if join is not None and join.parent is self.node else None
        ends = (number for number, source in enumerate(sources, 1) if source.node is last)
        return sources[: next(ends, len(sources))]

    def _is_set(self, column: exp.Column) -> bool:
        """Whether UPDATE sets it: a column of the table that is updated, whatever FROM reads besides."""
        told = column.parent
        if column.table or not isinstance(self.node, exp.Update) or not isinstance(told, exp.EQ):
            return False
        joined = self.node.this is not None and self.node.this.args.get("joins")
        return told.parent is self.node and told.this is column and bool(self.sources) and not joined

    def _qualified(self, qualifier: str, name: str) -> Found:
        scope: Scope | None = self
        while scope is not None:
            source = scope.sources.get(qualifier.lower())
            if source is not None:
                return _in_source(source, name)
            if scope.opaque:
                return Found("open")
            scope = scope.parent
        return Found("no-source")

    def _plain(self, name: str) -> Found:
        having = [source for source in self.sources.values() if source.has(name)]
        if len(having) > 1 and not self.merged:
            return Found("ambiguous", having[0])
        if having:
            return _in_source(having[0], name)
        if self.opaque or any(source.columns is None for source in self.sources.values()):
            tables = [source for source in self.sources.values() if source.table is not None]
            known = [source for source in tables if source.table is not None and source.table.column(name)]
            alone = self.parent is None and len(self.sources) == 1
            meant = known if known or not alone else tables
            return Found("open", meant[0] if len(meant) == 1 and not self.opaque else None)
        if self.parent is not None:
            return self.parent._plain(name)
        only = next(iter(self.sources.values())) if len(self.sources) == 1 else None
        return Found("no-column", only) if self.sources else Found("open")


def _in_source(source: Source, name: str) -> Found:
    if source.columns is None:
        return Found("open", source)
    if source.table is not None:
        column = source.table.column(name)
        return Found("found", source, column) if column is not None else Found("no-column", source)
    return Found("found" if source.has(name) else "no-column", source)


def scopes(tree: exp.Expression, schema: Schema) -> Iterator[Scope]:
    """All scopes of a statement, outer ones before inner ones."""
    yield from _visit(tree, schema, None, {})


def _visit(node: Any, schema: Schema, parent: Scope | None, ctes: dict[str, Source]) -> Iterator[Scope]:
    ctes = dict(ctes)
    with_ = node.args.get("with_") or node.args.get("with")
    if isinstance(with_, exp.With):
        for cte in with_.expressions:
            alias = cte.alias
            if with_.args.get("recursive"):
                ctes[alias.lower()] = Source(alias, cte, "cte", alias, columns=_result(cte, schema, ctes))
            yield from _visit(cte.this, schema, None, ctes)
            ctes[alias.lower()] = Source(alias, cte, "cte", alias, columns=_result(cte, schema, ctes))
        _number(with_, ctes)
    if isinstance(node, exp.SetOperation):
        yield from _visit(node.left, schema, parent, ctes)
        yield from _visit(node.right, schema, parent, ctes)
        return
    if isinstance(node, exp.Subquery):
        yield from _visit(node.this, schema, parent, ctes)
        return
    if not isinstance(node, _QUERIES):
        for inner in _nested(node):
            yield from _visit(inner, schema, parent, ctes)
        return
    scope = _scope(node, schema, parent, ctes)
    yield scope
    for inner in _nested(node):
        if inner.find_ancestor(exp.With) is not None and _below_with(inner, node):
            continue
        derived = isinstance(inner.parent, exp.Subquery) and isinstance(inner.parent.parent, exp.From | exp.Join)
        lateral = inner.find_ancestor(exp.Lateral) is not None
        yield from _visit(inner, schema, scope.parent if derived and not lateral else scope, ctes)


def _number(with_: exp.With, ctes: dict[str, Source]) -> None:
    """`SEARCH DEPTH FIRST BY id SET position` and `CYCLE id SET looped USING path` add columns to the last query of WITH."""
    clauses = [clause for clause in (with_.args.get("search"), with_.args.get("cycle")) if clause]
    added = [item.name for clause in clauses for key in ("expression", "using") if (item := clause.args.get(key))]
    last = ctes.get(with_.expressions[-1].alias.lower()) if with_.expressions else None
    if last is not None and last.columns is not None:
        last.columns = (*last.columns, *added)


def _below_with(inner: exp.Expression, node: exp.Expression) -> bool:
    above = inner.parent
    while above is not None and above is not node:
        if isinstance(above, exp.With):
            return True
        above = above.parent
    return False


def _nested(node: exp.Expression) -> Iterator[exp.Expression]:
    """The queries directly inside, not those inside of them."""
    todo = list(node.iter_expressions())
    while todo:
        item = todo.pop(0)
        if isinstance(item, exp.Select | exp.SetOperation):
            yield item
        else:
            todo[:0] = list(item.iter_expressions())


def own_nodes(node: exp.Expression) -> Iterator[exp.Expression]:
    """The nodes of a query without those of queries inside it, nor of named joins in parentheses, whose names are their own."""
    todo = list(node.iter_expressions())
    while todo:
        item = todo.pop(0)
        if isinstance(item, exp.Select | exp.SetOperation | exp.With) or (item.alias and _is_nest(item)):
            continue
        yield item
        todo[:0] = list(item.iter_expressions())


def _scope(node: exp.Expression, schema: Schema, parent: Scope | None, ctes: dict[str, Source]) -> Scope:
    scope = Scope(node, parent=parent)
    for item in _inputs(node):
        source = _source(item, schema, ctes)
        if source is None:
            scope.opaque = True
        else:
            source.alias = source.alias or f"{_UNNAMED}{len(scope.sources)}"
            scope.sources.setdefault(source.alias.lower(), source)
    if isinstance(node, exp.Select):
        scope.aliases = frozenset(item.alias.lower() for item in node.expressions if item.alias)
        scope.output = frozenset(item.alias_or_name.lower() for item in node.expressions)
        joins = (item for item in own_nodes(node) if isinstance(item, exp.Join))
        scope.merged = any(join.args.get("using") or join.args.get("method") == "NATURAL" for join in joins)
        scope.opaque = scope.opaque or bool(node.args.get("laterals"))
    if isinstance(node, exp.Insert) and scope.sources:
        first = next(iter(scope.sources.values()))
        scope.sources.setdefault(
            "excluded", Source("excluded", first.node, first.kind, first.name, first.table, first.columns)
        )
    return scope


def _inputs(node: exp.Expression) -> Iterator[exp.Expression]:
    if isinstance(node, exp.Insert):
        yield node.this.this if isinstance(node.this, exp.Schema) else node.this
        return
    if isinstance(node, exp.Update | exp.Delete | exp.Merge):
        yield from _with_joins(node.this)
    source = node.args.get("from_") or node.args.get("from")
    if source is not None:
        yield from _with_joins(source.this)
    using = node.args.get("using")
    for item in using if isinstance(using, list) else [using] if isinstance(using, exp.Expression) else []:
        yield from _with_joins(item)
    yield from node.args.get("tables") or []
    for join in node.args.get("joins") or []:
        yield from _with_joins(join.this)


def _with_joins(item: exp.Expression | bool | None) -> Iterator[exp.Expression]:
    """A source and what is joined with it; nothing of what sqlglot puts in place of one that the text lacks."""
    if not isinstance(item, exp.Expression):
        return
    if _is_nest(item) and not item.alias:
        yield from _with_joins(item.this)
    else:
        yield item
    for join in item.args.get("joins") or []:
        yield from _with_joins(join.this)


def _is_nest(item: exp.Expression) -> bool:
    """Sources in parentheses, with or without joins: `(a JOIN b ON ...)`; not a subquery."""
    if not isinstance(item, exp.Subquery):
        return False
    inner = item.this
    joined = isinstance(inner, exp.Subquery) and bool(inner.alias or inner.args.get("joins") or _is_nest(inner))
    return isinstance(inner, exp.Table) or joined


def _nest_columns(item: exp.Expression, schema: Schema, ctes: dict[str, Source]) -> tuple[str, ...] | None:
    """The columns of all sources in the parentheses; None when they are not all known."""
    names: list[str] = []
    for inner in _with_joins(item.this):
        source = _source(inner, schema, ctes)
        if source is None or source.columns is None:
            return None
        names.extend(source.columns)
    return tuple(names)


def _source(item: exp.Expression, schema: Schema, ctes: dict[str, Source]) -> Source | None:
    if isinstance(item, exp.Paren):
        return _source(item.this, schema, ctes)
    if isinstance(item, exp.Table):
        return _table(item, schema, ctes)
    if isinstance(item, exp.Subquery):
        columns = _nest_columns(item, schema, ctes) if _is_nest(item) else _result(item, schema, ctes)
        return Source(item.alias, item, "derived", columns=columns)
    if item.alias_or_name:
        return Source(item.alias_or_name, item, "function")
    return None


def _table(item: exp.Table, schema: Schema, ctes: dict[str, Source]) -> Source | None:
    name = item.name
    alias = item.alias_or_name
    if not isinstance(item.this, exp.Identifier):
        return Source(alias, item, "function")
    if HOLE.search(name):
        return Source(alias, item, "hole", name)
    cte = ctes.get(name.lower()) if not item.db else None
    if cte is not None:
        return Source(alias, item, "cte", name, columns=_renamed(_listed(item), cte.columns))
    found = schema.find(f"{item.db}.{name}" if item.db else name)
    columns = tuple(found.columns) if found is not None and found.complete else None
    return Source(alias, item, "table", name, found, columns)


def _listed(item: exp.Expression) -> tuple[str, ...]:
    """Column names given with the alias: `AS t(a, b)`."""
    alias = item.args.get("alias")
    columns = alias.args.get("columns") if isinstance(alias, exp.TableAlias) else None
    return tuple(column.name for column in columns or ())


def _renamed(listed: tuple[str, ...], columns: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """The columns, the first of which an alias renames; the others keep their names."""
    return (*listed, *columns[len(listed) :]) if columns is not None else None


def _result(item: exp.Expression, schema: Schema, ctes: dict[str, Source]) -> tuple[str, ...] | None:
    """The columns that a CTE or subquery gives, None when they are not all known."""
    listed, query = _listed(item), item.this
    columns = _columns(query, schema, ctes)
    while isinstance(query, exp.Subquery | exp.SetOperation):
        query = query.this
    starred = not isinstance(query, exp.Select) or any(is_star(column) for column in query.expressions)
    return listed if listed and columns is None and not starred else _renamed(listed, columns)


def _columns(query: exp.Expression, schema: Schema, ctes: dict[str, Source]) -> tuple[str, ...] | None:
    """The names of a query's result columns, None when they are not all known."""
    while isinstance(query, exp.Subquery | exp.SetOperation):
        query = query.this
    if not isinstance(query, exp.Select):
        return None
    names: list[str] = []
    scope: Scope | None = None
    for item in query.expressions:
        if is_star(item):
            scope = scope or _scope(query, schema, None, ctes)
            spread = star_columns(item, scope)
            if spread is None:
                return None
            names.extend(name for _, name in spread)
        elif item.alias_or_name and not HOLE.search(item.alias_or_name):
            names.append(item.alias_or_name)
        elif isinstance(item, exp.Column | exp.Subquery) or HOLE.search(item.sql()):
            return None
        else:
            names.append(item.key)
    return tuple(names)


def is_star(item: exp.Expression) -> bool:
    """True for `*` and `t.*` in a select list."""
    return isinstance(item, exp.Star) or (isinstance(item, exp.Column) and isinstance(item.this, exp.Star))


def star_columns(item: exp.Expression, scope: Scope) -> list[tuple[str, str]] | None:
    """What a star stands for as (alias, column); None when it is not all known."""
    qualifier = item.table.lower() if isinstance(item, exp.Column) else ""
    found: list[tuple[str, str]] = []
    for alias, source in scope.sources.items():
        if qualifier and alias != qualifier:
            continue
        if source.columns is None or scope.opaque or scope.merged:
            return None
        found.extend((source.alias, name) for name in source.columns)
    return found or None
