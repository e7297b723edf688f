"""From SQL text to operations, for PostgreSQL, MySQL and SQLite, without a database or a parser of its own for each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from backendlint.findings.model import Location
from backendlint.project.schema import operations as ops
from backendlint.project.schema.ddl_alter import read_alter_table, read_index
from backendlint.project.schema.ddl_table import Reader, Where, read_table, split_commas, split_name
from backendlint.project.schema.model import Column, Table
from backendlint.project.values.sqllex import Token, blank_psql, statements

_HEADS = ("ALTER", "CREATE", "DROP")
_OPENERS = ("BEGIN", "THEN", "ELSE", "LOOP")
"""What stands before the first statement of a part of a block."""
_DATA = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE", "COPY"})


@dataclass(slots=True)
class Script:
    """What a SQL text does; `unread` holds the statements that may change the schema in ways not understood."""

    operations: list[ops.Operation] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


def read_script(text: str, dialect: str = "", where: Where | None = None) -> Script:
    """All statements of `text` in order."""
    script = Script()
    text = blank_psql(text)
    for items in statements(text, dialect):
        reader = Reader(items, text, where or _nowhere)
        inside = [found for inner in _block(reader, dialect) for found in read_statement(inner)]
        found = inside or list(read_statement(reader))
        script.operations.extend(found)
        if not found:
            script.unread.append(reader.source(items))
    return script


def _block(reader: Reader, dialect: str) -> Iterator[Reader]:
    """The statements about tables in a `DO $$ ... $$` block, each from where it begins: whatever conditions it stands under,
    they ask whether it is done already."""
    body = next((token for token in reader.items[1:4] if token.raw.startswith("$")), None)
    if body is None or not reader.items[0].word("DO"):
        return
    shift = body.start + body.raw.index("$", 1) + 1

    def where(start: int, end: int) -> Location | None:
        return reader.where(start + shift, end + shift)

    for items in statements(body.text, dialect):
        heads = [n for n, token in enumerate(items) if token.word(*_HEADS) and (not n or items[n - 1].word(*_OPENERS))]
        if heads:
            yield Reader(items[heads[-1] :], body.text, where)


def _nowhere(_start: int, _end: int) -> Location | None:
    return None


def read_statement(reader: Reader) -> Iterator[ops.Operation]:
    """The operations of one statement; nothing when it was not understood."""
    first = reader.peek()
    location, text = reader.location(reader.items), reader.source(reader.items)
    if reader.take("CREATE"):
        yield from _create(reader, location, text)
    elif reader.take("ALTER"):
        yield from _alter(reader, location, text)
    elif reader.take("DROP"):
        yield from _drop(reader, location, text)
    elif reader.take("TRUNCATE"):
        reader.take("TABLE")
        reader.take("ONLY")
        names = tuple(reader.sub(part).name() for part in split_commas(reader.items[reader.at :]))
        yield ops.Truncate(tables=names, location=location, text=text)
    elif reader.take("RENAME", "TABLE"):
        for part in split_commas(reader.items[reader.at :]):
            inner = reader.sub(part)
            table = inner.name()
            inner.take("TO")
            yield ops.RenameTable(table=table, new=inner.name(), location=location, text=text)
    elif first.kind == "word" and first.text in _DATA | {"WITH"}:
        yield from _data(reader, location, text)
    elif first.kind == "word":
        yield ops.Other(kind=first.text, location=location, text=text)


def _create(reader: Reader, location: Location | None, text: str) -> Iterator[ops.Operation]:
    if reader.take("OR"):
        reader.next()
    temporary = bool(reader.take_any("TEMP", "TEMPORARY"))
    reader.take_any("UNLOGGED", "GLOBAL", "LOCAL")
    unique = reader.take("UNIQUE")
    method = reader.take_any("FULLTEXT", "SPATIAL").lower()
    if reader.take("INDEX"):
        yield from read_index(reader, unique, method)
    elif reader.take("TABLE"):
        yield from _create_table(reader, location, text, temporary)
    elif reader.take("VIRTUAL", "TABLE"):
        reader.take("IF", "NOT", "EXISTS")
        table = Table(split_name(reader.name())[1], kind="virtual", source="ddl", complete=False, location=location)
        yield ops.CreateTable(table=table, location=location, text=text)
    elif _skip_to_view(reader):
        yield from _create_view(reader, location, text)
    else:
        yield ops.Other(kind=f"CREATE {reader.peek().text}", location=location, text=text)


def _skip_to_view(reader: Reader) -> bool:
    for ahead in range(12):
        if reader.peek(ahead).word("VIEW"):
            reader.at += ahead + 1
            return True
        if reader.peek(ahead).word("AS", "ON", "FUNCTION", "PROCEDURE", "TRIGGER"):
            return False
    return False


def _create_table(reader: Reader, location: Location | None, text: str, temporary: bool) -> Iterator[ops.Operation]:
    exists = reader.take("IF", "NOT", "EXISTS")
    name = reader.name()
    body = reader.group() if reader.peek().raw == "(" else []
    if body and body[0].word("SELECT", "WITH"):
        body = []
    table = read_table(name, body, reader, location)
    rest = [token.text for token in reader.items[reader.at :] if token.kind == "word"]
    if not body or "INHERITS" in rest or "SELECT" in rest:
        table.complete = False
    if temporary:
        table.kind = "temporary"
    elif any(token.endswith("MERGETREE") for token in rest):
        table.kind = "columnar"
    yield ops.CreateTable(table=table, if_not_exists=exists, location=location, text=text)


def _create_view(reader: Reader, location: Location | None, text: str) -> Iterator[ops.Operation]:
    reader.take("IF", "NOT", "EXISTS")
    namespace, name = split_name(reader.name())
    columns = [part[0].identifier for part in split_commas(reader.group())] if reader.peek().raw == "(" else []
    named = columns or _projected(reader)
    table = Table(
        name,
        {column: Column(column) for column in named},
        namespace=namespace,
        kind="view",
        source="ddl",
        complete=bool(named),
        location=location,
    )
    yield ops.CreateTable(table=table, location=location, text=text)


def _projected(reader: Reader) -> list[str]:
    """The names that a view's plain SELECT gives its columns; empty when one is not plain."""
    while not reader.done and not reader.peek().word("SELECT"):
        if reader.peek().word("WITH"):
            return []
        reader.next()
    reader.take("SELECT")
    reader.take_any("DISTINCT", "ALL")
    items: list[Token] = []
    depth = 0
    for token in reader.items[reader.at :]:
        depth += (token.raw == "(") - (token.raw == ")")
        if not depth and token.word("FROM"):
            break
        items.append(token)
    names: list[str] = []
    for part in split_commas(items):
        last = part[-1]
        if last.kind not in {"word", "name"} or (len(part) > 1 and part[-2].raw in {"::", "*", "/", "+", "-"}):
            return []
        names.append(last.identifier)
    return names


def _alter(reader: Reader, location: Location | None, text: str) -> Iterator[ops.Operation]:
    if reader.take("TABLE"):
        if reader.take("ALL"):
            yield ops.Other(kind="ALTER TABLE ALL", location=location, text=text)
            return
        yield from read_alter_table(reader)
    elif reader.take("INDEX"):
        reader.take("IF", "EXISTS")
        name = reader.name()
        if reader.take("RENAME", "TO"):
            yield ops.RenameIndex(name=name, new=reader.name(), location=location, text=text)
        else:
            yield ops.Other(kind="ALTER INDEX", location=location, text=text)
    else:
        yield ops.Other(kind=f"ALTER {reader.peek().text}", location=location, text=text)


def _drop(reader: Reader, location: Location | None, text: str) -> Iterator[ops.Operation]:
    reader.take("MATERIALIZED")
    kind = reader.take_any("TABLE", "VIEW", "INDEX")
    if not kind:
        yield ops.Other(kind=f"DROP {reader.peek().text}", location=location, text=text)
        return
    concurrently = reader.take("CONCURRENTLY")
    reader.take("IF", "EXISTS")
    for part in split_commas(reader.items[reader.at :]):
        inner = reader.sub(part)
        name = inner.name()
        if kind == "INDEX":
            table = inner.name() if inner.take("ON") else ""
            yield ops.DropIndex(name=name, table=table, concurrently=concurrently, location=location, text=text)
        else:
            yield ops.DropTable(table=name, kind=kind.lower(), location=location, text=text)


def _data(reader: Reader, location: Location | None, text: str) -> Iterator[ops.Operation]:
    depth = 0
    verb = ""
    where = False
    table = ""
    while not reader.done:
        token = reader.next()
        depth += (token.raw == "(") - (token.raw == ")")
        if depth:
            continue
        if not verb and token.kind == "word" and token.text in _DATA:
            verb = token.text
            reader.take_any("INTO", "FROM", "ONLY", "LOW_PRIORITY", "IGNORE")
            table = reader.name()
        elif token.word("WHERE"):
            where = True
    if verb:
        yield ops.DataChange(kind=verb, table=table, where=where, location=location, text=text)
    else:
        yield ops.Other(kind="SELECT", location=location, text=text)
