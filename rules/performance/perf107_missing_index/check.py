"""PERF107: conditions and joins that no index of the schema serves, told once a table and columns."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from sqlglot import exp

from backendlint.api import (
    SLIPS,
    Column,
    ColumnUse,
    Hit,
    Location,
    Project,
    Schema,
    SqlStatement,
    Step,
    Table,
    Vid,
    block_at,
    few,
    for_tests,
    ingredients,
    sql,
    sqltypes,
    told_once,
)

from .statements import apart, statement_of

_OFF_PATH = frozenset({"command", "migration", "test"})
_BROAD = re.compile(
    r"(?:^|_)(?:status|state|type|kind|visibility|role|level|category|gender|priority|enabled|active|deleted|archived|version)$",
    re.IGNORECASE,
)
"""Columns that by their names have few different values."""
_LEADS = frozenset({"join", "outerjoin", "join_from", "select_from", "contains_eager", "on_conflict_do_update"})
_PATTERNS = (exp.Like, exp.ILike, exp.RegexpLike, exp.RegexpILike)
_HOLDERS = (exp.Select, exp.Update, exp.Delete)
SHOWN = 3


@dataclass(slots=True)
class Need:
    """An index that queries want: the columns with equality first, then those with a range."""

    table: Table
    columns: tuple[str, ...]
    kind: str
    optional: bool = False
    """Each of the conditions holds only where somebody asks for it, as in a form with which one searches; or an index serves but one
    of several ranges."""
    written: bool = False
    """The rows are looked up by names that the code or its settings write down: a table of such has few."""
    places: list[tuple[Location, str | None, bool]] = field(default_factory=list)
    """Where, in which function, and whether that alone would be advice."""


def check(project: Project) -> Iterator[Hit]:
    """Collect the needs of all queries, then report each once, at its first place."""
    needs: dict[tuple[str, tuple[str, ...], str], Need] = {}
    for need, place, function in [*_statements(project), *_uses(project)]:
        known = needs.setdefault((need.table.name, need.columns, need.kind), need)
        known.places.append((place, function, need.optional or need.written))
        known.optional = known.optional and need.optional
        known.written = known.written and need.written
    styled: list[Hit] = []
    hits = [(need, _hit(project, need)) for need in needs.values()]
    told = [need for need, hit in hits if hit.profile is None]
    for need, hit in hits:
        if hit.profile is None and any(_serves(other, need) for other in told):
            yield replace(hit, profile="strict")
        elif hit.profile is None and any(need.columns[0] in key.columns for key in need.table.foreign_keys):
            styled.append(hit)
        else:
            yield hit
    yield from told_once(styled, _everywhere, SLIPS)


def _serves(other: Need, need: Need) -> bool:
    """Whether the index that another query wants finds few rows for this one too: on some of its columns, or on the same ones."""
    if other is need or other.table.name != need.table.name or {other.kind, need.kind} != {"filter"}:
        return False
    return set(other.columns) < set(need.columns) or (
        sorted(other.columns) == sorted(need.columns) and other.columns < need.columns
    )


def _everywhere(hit: Hit, places: str) -> str:
    return f"{hit.message[:-1]}. So it is where {places.split(maxsplit=1)[0]} other queries look for a foreign key."


def _hit(project: Project, need: Need) -> Hit:
    places = sorted(need.places, key=lambda item: (not (item[1] and project.reach(item[1])), item[2]))
    place, function, _ = places[0]
    columns = ", ".join(need.columns)
    others = tuple(Step(where, "needs it too") for where, *_ in places[1 : SHOWN + 1])
    name = function.rpartition(".")[2] if function else ""
    inside = f" in `{name}()`" if name and not name.startswith("<") else ""
    what = {"filter": "filters", "join": "joins", "order": "sorts"}[need.kind]
    served = any(function and _may_serve(project, function) for _, function, _ in need.places)
    seldom = need.optional or need.written or not project.writes.makers.fills_up(need.table)
    return Hit(
        f"The query{inside} {what} `{need.table.name}` by ({columns}), and no index of the table begins with "
        f"{'it' if len(need.columns) == 1 else 'any of these'}: every row is read; `CREATE INDEX "
        f"{_index_name(need)} ON {_table(need)} {_method(need)}({', '.join(map(sql.quoted, need.columns))})`.",
        place,
        others,
        function=function,
        profile=None if (served and not seldom) or need.kind == "join" else "strict",
        fingerprint_key=f"{need.kind} {need.table.name}({columns})",
    )


def _table(need: Need) -> str:
    return ".".join(map(sql.quoted, need.table.name.split(".")))


def _method(need: Need) -> str:
    """What PostgreSQL searches texts with."""
    column = need.table.column(need.columns[0])
    return "USING gin " if column is not None and column.type == sql.TEXT_VECTOR else ""


def _index_name(need: Need) -> str:
    """MySQL and SQLite take no index without a name; no database one that is longer than this."""
    return re.sub(r"\W+", "_", "_".join((need.table.name, *need.columns)))[:60]


def _may_serve(project: Project, function: str) -> bool:
    """Whether requests of more than administrators lead to the function, or nothing shows who calls what a repository offers."""
    fn = project.functions.get(function)
    reached = project.reach(function) > 0
    if reached or fn is None:
        clients = reached and not project.endpoints.only_for_admins(function)
        return clients and (fn is None or not for_tests(project, fn))
    return project.layer(fn) == "repository" and all(
        project.layer(edge.caller) == "service" and not project.graph.callers(edge.caller)
        for edge in project.graph.callers(fn)
    )


def _statements(project: Project) -> Iterator[tuple[Need, Location, str | None]]:
    for statement in project.data.statements:
        if statement.in_migration or statement.source.role == "file" or statement.tree is None:
            continue
        fn = statement.function
        if fn is not None and project.layer(fn) in _OFF_PATH:
            continue
        for scope in sql.scopes(statement.tree, statement.schema):
            if not isinstance(scope.node, exp.Insert):
                yield from _scope(statement, scope)


def _scope(statement: SqlStatement, scope: sql.Scope) -> Iterator[tuple[Need, Location, str | None]]:
    found = list(sql.conditions(scope))
    for source in scope.sources.values():
        table = source.table
        if table is None or source.kind != "table" or not _known(statement.schema, table):
            continue
        mine = [
            item
            for item in found
            if item.source is source and item.column is not None and item.schema_column is not None
        ]
        mine = [item for item in mine if not (item.kind == "range" and _is_cursor(table, item.schema_column))]
        if any(item.kind in {"eq", "in", "range", "join"} and item.wrapper is None and _indexed(item) for item in mine):
            continue
        if _each_served(scope, source) or _by_key(scope, source):
            continue
        if any(
            item.kind == "join" and item.other is not None and item.other.source is source and _other_indexed(item)
            for item in found
        ):
            continue
        filters = [item for item in mine if item.kind in {"eq", "in", "range"} and item.wrapper is None]
        columns = _columns([(item.schema_column, item.kind) for item in filters if item.schema_column is not None])
        if columns and not _driven(found, source):
            ranged = _periods([(item.schema_column, item.kind) for item in filters if item.schema_column is not None])
            yield Need(table, columns, "filter", ranged), _place(statement, filters[0]), statement.function_name()
    served = {_pair(item) for item in found if item.kind == "join" and (_indexed(item) or _other_indexed(item))}
    reached = {item.source.alias for item in found if item.kind in {"eq", "in"} and item.source and _indexed(item)}
    for item in found:
        if item.kind == "join" and _pair(item) not in served:
            yield from _join(statement, _led(item, reached))


def _place(statement: SqlStatement, item: sql.Condition) -> Location:
    return statement.told_at(statement.location(item.node))


def _led(item: sql.Condition, reached: set[str]) -> sql.Condition:
    """The join seen from the table that it leads to, where an index finds the rows of the other one."""
    other = item.other.source if item.other is not None else None
    if item.source is None or other is None or item.source.alias not in reached or other.alias in reached:
        return item
    return replace(item, found=item.other, other=item.found)


def _each_served(scope: sql.Scope, source: sql.Source) -> bool:
    """`(id = x OR key = x) AND ...`, with an index for either: the database unites what both find."""
    return any(
        all(
            any(
                item.kind in {"eq", "in"} and item.source is source and item.wrapper is None and _indexed(item)
                for item in branch
            )
            for branch in branches
        )
        for branches in sql.alternatives(scope)
    )


def _by_key(scope: sql.Scope, source: sql.Source) -> bool:
    """`(id = x OR id LIKE y) AND ...`, `id ~* z`: rows are looked up by their key, however spelled."""
    where, key = scope.node.args.get("where"), source.table.primary_key if source.table is not None else ()
    for column in where.find_all(exp.Column) if isinstance(where, exp.Expression) and len(key) == 1 else ():
        holder = column.parent
        plain = isinstance(holder, (exp.EQ, *_PATTERNS)) and not holder.args.get("negate")
        looked_up = plain and column.find_ancestor(exp.Not, *_HOLDERS) is scope.node
        if looked_up and column.name.lower() == key[0].lower() and scope.resolve(column).source is source:
            return True
    return False


def _pair(item: sql.Condition) -> frozenset[str]:
    """The two sources that a join condition connects."""
    other = item.other.source if item.other is not None else None
    return frozenset(source.alias for source in (item.source, other) if source is not None)


def _known(schema: Schema, table: Table) -> bool:
    """True where all columns and indexes were surely read."""
    if table.source == "ddl" and not schema.complete:
        return False
    return table.complete and table.managed and table.kind == "table"


def _driven(found: list[sql.Condition], source: sql.Source) -> bool:
    """True when another table of the query, found by an index, leads here by a join."""
    return any(
        item.kind == "join" and item.other is not None and source in (item.source, item.other.source) for item in found
    ) and any(
        item.kind in {"eq", "in"} and item.source is not source and item.table is not None and _indexed(item)
        for item in found
    )


def _join(statement: SqlStatement, item: sql.Condition) -> Iterator[tuple[Need, Location, str | None]]:
    other = item.other
    if (
        item.table is None
        or item.schema_column is None
        or other is None
        or other.source is None
        or other.column is None
    ):
        return
    schema = statement.schema
    if other.source.table is None or not _known(schema, item.table) or not _known(schema, other.source.table):
        return
    yield Need(item.table, (item.schema_column.name,), "join"), _place(statement, item), statement.function_name()


def _indexed(item: sql.Condition) -> bool:
    return item.table is not None and item.column is not None and sql.leads(item.table, item.column.name) is not None


def _other_indexed(item: sql.Condition) -> bool:
    other = item.other
    if other is None or other.source is None or other.source.table is None:
        return True
    return other.column is not None and sql.leads(other.source.table, other.column.name) is not None


def _selective(column: Column) -> bool:
    """False where a value is shared by many rows, so that an index of its own would not help."""
    if sqltypes.family(column.type) == "bool" or column.choices or column.type == "ENUM":
        return False
    return not _BROAD.search(column.name)


def _columns(used: list[tuple[Column, str]]) -> tuple[str, ...]:
    """Equality columns, then at most one range column; booleans and enumerations select too little to need one of their own."""
    worth = [(column, kind) for column, kind in used if _selective(column)]
    equal = [column.name for column, kind in worth if kind in {"eq", "in"}]
    ranged = [column.name for column, kind in worth if kind == "range"][:1]
    return tuple(dict.fromkeys([*equal, *ranged]))[:3]


def _periods(used: list[tuple[Column, str]]) -> bool:
    """`start < today AND end > today`: nearly all rows lie on the one side, and an index serves one of the two."""
    return all(kind == "range" for _, kind in used) and len({column.name for column, _ in used}) > 1


def _is_cursor(table: Table, column: Column | None) -> bool:
    """`id > :after`: where a page begins says nothing of how many rows lie behind."""
    return column is not None and table.primary_key == (column.name,)


def _finds_few(use: ColumnUse) -> bool:
    if use.how == "range" and _is_cursor(use.table, use.column):
        return False
    return use.how in {"eq", "in", "range"} and not use.function and sql.leads(use.table, use.column.name) is not None


def _joins(use: ColumnUse) -> bool:
    """True when the function joins, or writes over rows in conflict: another table, or a unique key, leads to the rows."""
    for call in use.fn.calls:
        func = use.fn.value(call.func)
        if func[0] == "attr" and func[2] in _LEADS:
            return True
    return False


def _query(use: ColumnUse) -> str:
    """What stands for the query that uses the column: in Django a chain of calls with lookups, in SQLAlchemy the statement if that is
    known, else all of the function."""
    place = use.query or statement_of(use)
    return f"{use.fn.fqn}:{place[:2]}" if place is not None else use.fn.fqn


def _narrowed(use: ColumnUse, others: list[ColumnUse]) -> bool:
    """Whether a condition that finds few rows helps the others: of the function, but for other statements; in Django of the table."""
    few_rows = [item for item in others if _finds_few(item)]
    if use.framework == "django":
        return any(item.table.name == use.table.name for item in few_rows)
    return any(not apart(use, item) for item in few_rows)


def _optional(filters: list[ColumnUse]) -> bool:
    """`if name: query = query.filter(...)`, `if since: query = query.filter(...)`: several conditions, each under a test of its own."""
    tests = {
        next((number for number, block in use.fn.blocks_of(block_at(use.fn, use.span)) if block.kind == "if"), -1)
        for use in filters
    }
    return len(tests) > 1 and -1 not in tests


def _loaded_beside(project: Project, use: ColumnUse) -> bool:
    """`Prefetch("lines", queryset=Line.objects.filter(...))`: the relation's key narrows it first of all."""
    place = use.query or use.span
    return any(
        any(span[:2] <= place[:2] and place[2:] <= span[2:] for span in map(use.fn.facts.span_of, call.passed))
        and any(model.orm is not None and model.orm.op == "prefetch" for model in project.models(use.fn, call))
        for call in use.fn.calls
    )


def _uses(project: Project) -> Iterator[tuple[Need, Location, str | None]]:
    groups: dict[tuple[str, str], list[ColumnUse]] = {}
    for use in project.data.uses:
        groups.setdefault((use.fn.fqn, use.table.name), []).append(use)
    tables: dict[str, set[str]] = {}
    by_function: dict[str, list[ColumnUse]] = {}
    for use in project.data.uses:
        by_function.setdefault(use.fn.fqn, []).append(use)
        tables.setdefault(_query(use), set()).add(use.table.name)
    for group in groups.values():
        table = group[0].table
        uses = [use for use in group if not (use.how == "range" and _is_cursor(table, use.column))]
        if not uses or (
            any(use.partial for use in uses)
            or _narrowed(uses[0], by_function[uses[0].fn.fqn])
            or any(len(tables[_query(use)]) > 1 for use in uses)
            or (uses[0].framework == "django" and _led_to(uses[0], by_function[uses[0].fn.fqn]))
            or _joins(uses[0])
        ):
            continue
        if not _known(project.data.schema, table) or project.layer(uses[0].fn) in _OFF_PATH:
            continue
        queries = [query for query in _queries(uses) if _filters(query) and not _united(query)]
        if any(use.how in {"eq", "in"} for query in queries for use in _filters(query)):
            queries = [query for query in queries if any(use.how in {"eq", "in"} for use in _filters(query))]
        for query in queries:
            yield from _need(project, table, _filters(query))


def _led_to(use: ColumnUse, others: list[ColumnUse]) -> bool:
    """`lines = lines.filter(order__state=state)` after `lines = Line.objects.filter(shop=shop)`: an index of another table finds
    the rows from which a relation leads here."""
    call = _call_of(use)
    if call < 0:
        return False
    chain = ingredients(use.fn.facts, [call])
    return any(item.table.name != use.table.name and _finds_few(item) and _call_of(item) in chain for item in others)


def _filters(uses: list[ColumnUse]) -> list[ColumnUse]:
    return [use for use in uses if use.how in {"eq", "in", "range"} and not use.function]


def _united(uses: list[ColumnUse]) -> bool:
    """`or_(Model.owner_id == owner, Model.owner_id.is_(None))`, of which an index finds each: the database unites what they find."""
    either = [use for use in uses if use.how == "or"]
    return bool(either) and all(sql.leads(use.table, use.column.name) is not None for use in either)


def _queries(uses: list[ColumnUse]) -> list[list[ColumnUse]]:
    """The uses of a function, in Django query by query: chains of calls of which none goes on from another. Where one function
    asks for values and also clears what is old, the former is what needs the index."""
    found: list[tuple[set[Vid], list[ColumnUse]]] = []
    for use in uses:
        call = next((call for call in use.fn.calls if call.span == use.query), None)
        if call is None:
            return [uses]
        vids, own = ingredients(use.fn.facts, [call.value]), [use]
        linked = [item for item in found if call.value in item[0] or any(_call_of(other) in vids for other in item[1])]
        for item in linked:
            found.remove(item)
        found.append((vids.union(*(item[0] for item in linked)), [part for item in linked for part in item[1]] + own))
    return [query for _, query in found]


def _call_of(use: ColumnUse) -> Vid:
    return next((call.value for call in use.fn.calls if call.span == use.query), -1)


def _need(project: Project, table: Table, filters: list[ColumnUse]) -> Iterator[tuple[Need, Location, str | None]]:
    columns = _columns([(use.column, use.how) for use in filters])
    first = next((use for use in filters if use.column.name in columns), None)
    if first is not None and not _loaded_beside(project, first):
        optional = _periods([(use.column, use.how) for use in filters]) or _optional(
            [use for use in filters if _selective(use.column)]
        )
        asked = [use for use in filters if use.column.name in columns]
        written = not _may_serve(project, first.fn.fqn) or all(few(project, use.fn, use.value) for use in asked)
        yield Need(table, columns, "filter", optional, written), first.location, first.fn.fqn
