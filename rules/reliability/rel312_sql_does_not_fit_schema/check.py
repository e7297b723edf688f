"""REL312: statements that do not parse, name what the schema lacks, or pass the wrong number of values."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from sqlglot import exp

from backendlint.api import Hit, SqlStatement, Step, Table, runs_by_hand, sql

from .files import run_by_hand
from .values import assigned, compared

_PARSED = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "WITH"})
_DECLARES = re.compile(r"^DECLARE +@?\w+ +\w", re.IGNORECASE | re.MULTILINE)
_SPREAD = re.compile(r"\bVALUES\s+(?:%s|%\(\w+\)s|\?|\$\d|:\w)", re.IGNORECASE)
"""`VALUES %s`, where the driver's helper puts in all rows."""
_VALUES = re.compile(r"\b(?:FROM|JOIN|INTO|UPDATE)\s+(?:public\.)?values\b(?!\s*\()", re.IGNORECASE)
_CALLED = re.compile(r"\b(\w+)\(")
_DEFINED = re.compile(r"\bCREATE\s+(?:OR\s+REPLACE\s+)?(?:AGGREGATE|FUNCTION)\s+(\w+)\s*\(", re.IGNORECASE)
_CATALOG = re.compile(r"\b(information_schema|to_regclass|sqlite_master|pg_tables|pg_class)\b", re.IGNORECASE)
_NO_COLUMNS = frozenset(
    "DEFAULT CURRENT_DATE CURRENT_TIMESTAMP CURRENT_USER SESSION_USER USER LOCALTIME SYSDATE TRUE FALSE VALUE "
    "NEXTVAL CURRVAL ROWNUM LEVEL".split()
)
"""What databases give of themselves; Oracle a sequence's next number too (`tickets.NEXTVAL`)."""
_FILLED_IN = re.compile(r"(?<![\w\s)])\s*&&?[A-Za-z_]\w*|\$\{\w+\}")
"""`IN (&numbers)`, `${schema}.orders`: what the client that runs a file puts in first."""
MANY = 2
"""A project that speaks to more kinds of databases than that has texts whose kind cannot be told."""
ALIKE = 0.8
"""How like a known table's name an unknown one must be to be its misspelling."""


def check(statement: SqlStatement) -> Iterator[Hit]:
    """All checks that the statement admits; a .sql file among the scripts is run by somebody who sees it fail."""
    hits = list(_checked(statement))
    aside = bool(hits) and (run_by_hand(statement) or _by_program(statement) or _of_several(statement))
    yield from (replace(hit, profile="strict") if aside else hit for hit in hits)


def _by_program(statement: SqlStatement) -> bool:
    fn = statement.function
    return fn is not None and runs_by_hand(statement.project, fn)


def _of_several(statement: SqlStatement) -> bool:
    """Whether the tables that it names are known by schema files alone that lie in several folders: one may be another database's.
    What code sends by its name (`-- name:`) is of none of them."""
    if statement.tree is None or statement.parsed.foreign:
        return False  # what does not parse fits no database
    data = statement.project.data
    tables = [table for table in data.schema.tables.values() if table.source == "ddl" and table.location is not None]
    folders = {
        table.location.path.rpartition("/")[0]
        for table in tables
        if table.location is not None and table.location.path not in data.migration_paths
    }
    named = {word.lower() for word in statement.words()}
    return len(folders) > 1 and any(table.name.lower() in named for table in tables)


def _checked(statement: SqlStatement) -> Iterator[Hit]:
    if statement.verb() not in _PARSED or (statement.source.role == "file" and not statement.dialect):
        return
    tree = statement.tree
    if tree is None or statement.parsed.foreign:
        yield from _syntax(statement)
        return
    if statement.in_migration or not statement.executed or _of_script(statement):
        return
    yield from _parameters(statement)
    yield from _trailing_comma(statement)
    yield from _twice(statement, tree)
    known = bool(statement.schema.tables)
    for scope in sql.scopes(tree, statement.schema) if known else ():
        yield from _tables(statement, scope)
        if isinstance(scope.node, exp.Insert):
            yield from _insert(statement, scope)
        else:
            yield from _columns(statement, scope)
            yield from compared(statement, scope)
        yield from assigned(statement, scope)


def _of_script(statement: SqlStatement) -> bool:
    """Of a file with variables of its own, for which its names may stand: a warehouse's script, not the application's SQL."""
    return statement.source.role == "file" and _DECLARES.search(statement.source.text) is not None


def _syntax(statement: SqlStatement) -> Iterator[Hit]:
    parsed = statement.parsed
    if (
        not statement.certain
        or statement.holes
        or not parsed.error
        or not (parsed.tree is None or parsed.foreign)
        or "too long" in parsed.error
    ):
        return
    if len(statement.project.data.dialects) > MANY:
        return
    if any(mark in statement.text for mark in ("{{", "{%", "<<", "#{")):
        return
    if statement.source.role == "file" and _FILLED_IN.search(statement.text):
        return
    if _own_functions(statement) or _table_of_values(statement) or statement.words()[-1] == "VALUES":
        return  # the last: ClickHouse's drivers send the rows apart
    at = max(0, parsed.offset)
    token = next((item for item in statement.tokens if item.end - statement.offset > at), statement.tokens[-1])
    if _is_type(statement, token.start):
        return  # `::cube`: extensions bring types that sqlglot takes for words of the language
    near = f" near `{token.raw[:30]}`"
    spot = (token.start - statement.offset, token.end - statement.offset)
    yield statement.hit(
        f"This {statement.verb()}{sql.within(statement)} is no valid SQL{near}: it fails each time it runs; correct it there.",
        at=spot,
        confidence="medium",
    )


def _is_type(statement: SqlStatement, start: int) -> bool:
    """Whether the name of a type must stand there."""
    return any(second.start == start and first.raw == "::" for first, second in pairwise(statement.tokens))


def _table_of_values(statement: SqlStatement) -> bool:
    """Whether it reads a table of the project that is called `values`: PostgreSQL takes that word as a name, sqlglot does not."""
    return _VALUES.search(statement.text) is not None and statement.table("values") is not None


def _own_functions(statement: SqlStatement) -> bool:
    """Whether it calls what the project's own SQL defines: `sum(amount, currency)` is no mistake then."""
    called = set(_CALLED.findall(statement.text.lower()))
    return any(
        text.role == "file" and not called.isdisjoint(_DEFINED.findall(text.text.lower()))
        for text in statement.project.data.texts
    )


def _trailing_comma(statement: SqlStatement) -> Iterator[Hit]:
    """`SELECT a, FROM t`, which sqlglot forgives and databases do not."""
    if statement.holes or not statement.certain or statement.dialect not in {"postgres", "mysql", "sqlite"}:
        return
    for comma, token in pairwise(statement.tokens):
        if comma.raw == "," and (token.word("FROM", "WHERE") or token.raw == ")"):
            yield statement.hit(
                f"The comma before `{token.raw}`{sql.within(statement)} is a syntax error: the statement fails each time it runs; "
                "delete the comma.",
                at=(comma.start - statement.offset, comma.end - statement.offset),
            )


def _tables(statement: SqlStatement, scope: sql.Scope) -> Iterator[Hit]:
    schema = statement.schema
    if not schema.complete:
        return
    for source in scope.sources.values():
        if (
            source.kind != "table"
            or source.table is not None
            or sql.is_system(source)
            or statement.is_hole(source.name)
        ):
            continue
        if getattr(source.node, "db", "") or source.alias == "excluded":
            continue
        near = difflib.get_close_matches(
            source.name.lower(), [table.name.lower() for table in schema.tables.values()], 1, ALIKE
        )
        dropped = statement.project.data.dropped.get(source.name.lower())
        if dropped is not None and _asks_for_tables(statement):
            continue
        if dropped is not None:
            yield statement.hit(
                f"There is no table `{source.name}` any more: a migration drops it, so this statement"
                f"{sql.within(statement)} fails once that has run; remove the query, or keep the table until nothing reads it.",
                source.node,
                related=(Step(dropped, "dropped here"),),
            )
        elif near and not statement.project.data.is_made(source.name):
            yield statement.hit(
                f"There is no table `{source.name}`: neither models nor migrations nor DDL define it, so "
                f"this statement{sql.within(statement)} fails; "
                f"did you mean `{near[0]}`?",
                source.node,
                confidence="medium",
            )
        elif statement.certain and statement.project.data.is_lone_stranger(source.name):
            yield statement.hit(
                f"There is no table `{source.name}`: neither models nor migrations nor DDL define it, so "
                f"this statement{sql.within(statement)} fails; add the migration that makes it, or correct the name.",
                source.node,
                confidence="medium",
            )


def _asks_for_tables(statement: SqlStatement) -> bool:
    """Whether the file asks the database which tables there are: it knows that what it reads may be gone."""
    path = statement.source.path
    texts = statement.project.data.texts
    return any(text.path == path and _CATALOG.search(text.text) for text in texts) or any(
        fn.path == path
        for fn, _ in statement.project.graph.calls_written("has_table", "table_names", "get_table_names")
    )


def _record(statement: SqlStatement, node: exp.Column) -> bool:
    """Whether the script's procedures make a record of that name: `FOR item IN (SELECT ...) LOOP`, `item stock%ROWTYPE`."""
    name = re.escape(node.table)
    made = rf"\bFOR\s+{name}\s+IN\b|\b{name}\s+(?:[\w.]+%ROWTYPE|RECORD)\b"
    return statement.source.role == "file" and re.search(made, statement.source.text, re.IGNORECASE) is not None


def _columns(statement: SqlStatement, scope: sql.Scope) -> Iterator[Hit]:
    told: set[tuple[str, str]] = set()
    for node in sql.own_nodes(scope.node):
        if not isinstance(node, exp.Column) or isinstance(node.this, exp.Star) or _exempt(statement, scope, node):
            continue
        found = scope.resolve(node)
        if found.status == "no-column" and found.source is not None:
            table = found.source.table
            key = (found.source.alias, node.name.lower())
            if key not in told and (table is None or not statement.project.data.is_doubtful(table.name, node.name)):
                told.add(key)
                yield _no_column(statement, node, found.source)
        elif (
            found.status == "no-source" and not statement.partial and not scope.opaque and not _record(statement, node)
        ):
            yield statement.hit(
                f"`{node.sql(comments=False)}`{sql.within(statement)} names `{node.table}`, which is no "
                "table or alias of this query, so it fails; name the one that "
                "is meant.",
                node,
            )
        elif found.status == "ambiguous" and not statement.partial:
            yield statement.hit(
                f"`{node.name}`{sql.within(statement)} is a column of several tables of this query: the "
                "database refuses it as ambiguous; write it with "
                "its table's name or alias.",
                node,
            )


def _exempt(statement: SqlStatement, scope: sql.Scope, node: exp.Column) -> bool:
    identifier = node.this
    if isinstance(identifier, exp.Identifier) and identifier.quoted and statement.dialect in {"mysql", "sqlite", ""}:
        return True
    if node.table.lower() in {"new", "old", "excluded", "inserted", "deleted"}:
        return True
    if not node.table and node.name.lower() in scope.aliases:
        return statement.dialect in {"sqlite", ""} or node.find_ancestor(exp.Where, exp.Select) is scope.node
    if not node.table and node.name.lower() in {source.lower() for source in scope.sources}:
        return True
    if not node.table and isinstance(node.parent, exp.Ordered):  # a hole may give a result column of that name
        named = scope.node.expressions if isinstance(scope.node, exp.Select) else []
        if node.name.lower() in scope.output or any(statement.is_hole(item.sql()) for item in named):
            return True
    part = bool(node.table) and node.name.isdigit()  # `pair.1`: of a tuple, as ClickHouse has them
    return part or node.name.upper() in _NO_COLUMNS


def _no_column(statement: SqlStatement, node: exp.Expression, source: sql.Source) -> Hit:
    name = node.name
    columns = list(source.columns or ())
    near = difflib.get_close_matches(name.lower(), [column.lower() for column in columns], 1, 0.7)
    mapped = source.table.columns.values() if source.table is not None else ()
    attribute = next((column.name for column in mapped if column.attribute == name), "")
    what = f"Table `{source.table.name}`" if source.table is not None else f"The subquery {source.shown}"
    hint = f"; did you mean `{attribute or near[0]}`?" if attribute or near else f"; it has: {', '.join(columns[:8])}."
    again = source.table is not None and _named_before(statement, source.table.name, name)
    return statement.hit(
        f"{what} has no column `{name}`, so this statement{sql.within(statement)} fails{hint}",
        node,
        profile="strict" if again else None,
    )


def _named_before(statement: SqlStatement, table: str, column: str) -> bool:
    """Whether an earlier statement of the same function names the column of that table too: it is told there."""
    fn, place = statement.function, statement.source.location(0, 1)
    words = [re.compile(rf"\b{re.escape(word)}\b", re.IGNORECASE) for word in (table, column)]
    return fn is not None and any(
        text.fn is fn and text.location(0, 1) < place and all(word.search(text.text) for word in words)
        for text in statement.project.data.texts
    )


def _insert(statement: SqlStatement, scope: sql.Scope) -> Iterator[Hit]:
    node = scope.node
    source = next(iter(scope.sources.values()), None)
    table = source.table if source is not None else None
    listed = node.this.expressions if isinstance(node.this, exp.Schema) else []
    if any(statement.is_hole(item.name) for item in listed):
        return
    if table is not None and table.complete and source is not None:
        for item in listed:
            if table.column(item.name) is None and item.name.lower() not in {"rowid", "oid"}:
                yield _no_column(statement, item, source)
    wanted = len(listed) or (
        len(table.columns) if table is not None and table.complete and table.source == "ddl" else 0
    )
    yield from _counted(statement, node, wanted, bool(listed))
    if table is not None and listed and table.complete and table.kind == "table":
        yield from _required(statement, table, {item.name.lower() for item in listed})


def _counted(statement: SqlStatement, node: exp.Expression, wanted: int, listed: bool) -> Iterator[Hit]:
    values = node.expression
    if not wanted or statement.partial or _SPREAD.search(statement.text):
        return
    rows: list[exp.Expression] = []
    if isinstance(values, exp.Values):
        rows = [_row(item) for item in values.expressions if isinstance(item, exp.Tuple)]
        counts = [
            (row, len(row.expressions))
            for row in rows
            if not any(statement.is_hole(item.name) for item in row.expressions)
        ]
    elif isinstance(values, exp.Select) and not any(
        sql.is_star(item) or statement.is_hole(item.sql()) for item in values.expressions
    ):
        counts = [(values, len(values.expressions))]
    else:
        return
    for row, count in counts:
        if count != wanted and (listed or count > wanted):
            yield statement.hit(
                f"This INSERT{sql.within(statement)} names {wanted} columns, but gives {count} values: it "
                "fails each time; give each column its value.",
                row,
            )


def _row(node: exp.Tuple) -> exp.Tuple:
    """`VALUES {rows}`, which ClickHouse's parser wraps twice."""
    while len(node.expressions) == 1 and isinstance(node.expressions[0], exp.Tuple):
        node = node.expressions[0]
    return node


def _required(statement: SqlStatement, table: Table, given: set[str]) -> Iterator[Hit]:
    columns = table.columns.values()
    missing = [
        column.name
        for column in columns
        if not column.nullable
        and column.default is None
        and not column.autoincrement
        and column.name.lower() not in given
    ]
    if not missing:
        return
    shown = ", ".join(f"`{name}`" for name in missing[:4])
    only_code = any(column.name in missing and column.client_default for column in columns)
    why = "; defaults of the model do not reach raw SQL" if only_code else ""
    joined = f"{shown}, which {'are' if len(missing) > 1 else 'is'} NOT NULL without a default in the database{why}"
    yield statement.hit(
        f"This INSERT into `{table.name}`{sql.within(statement)} leaves out {joined}, so it fails each time; give a value.",
        confidence="medium",
    )


def _twice(statement: SqlStatement, tree: exp.Expression) -> Iterator[Hit]:
    """A column that one UPDATE or INSERT sets two times (PostgreSQL: error 42701; SQLite and MySQL take one of the values)."""
    set_here: list[exp.Expression] = []
    if isinstance(tree, exp.Update):
        set_here = [item.this for item in tree.expressions if isinstance(item, exp.EQ)]
    elif isinstance(tree, exp.Insert) and isinstance(tree.this, exp.Schema):
        set_here = list(tree.this.expressions)
    seen: set[str] = set()
    for column in set_here:
        name = column.name.lower()
        if name in seen and not statement.is_hole(name):
            yield statement.hit(
                f"`{column.name}` is set twice{sql.within(statement)}: PostgreSQL refuses the statement, others keep one of the "
                "two values and drop the other; set it once.",
                column,
            )
        seen.add(name)


def _parameters(statement: SqlStatement) -> Iterator[Hit]:
    """Placeholders against the values that are passed."""
    found = sql.mismatch(statement)
    if found is not None:
        yield statement.hit(
            f"The statement{sql.within(statement)} {found.said}: the driver refuses it; pass one for each.",
            at=(found.token.start - statement.offset, found.token.end - statement.offset),
        )
