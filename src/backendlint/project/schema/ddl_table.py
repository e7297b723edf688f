"""Reading what stands in a CREATE TABLE: column definitions and table constraints, from tokens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from backendlint.findings.model import Location
from backendlint.project.schema.model import Check, Column, Constraint, ForeignKey, Index, Table, Unique
from backendlint.project.schema.types import normalise
from backendlint.project.values.sqllex import Token

Where = Callable[[int, int], Location | None]
"""From offsets (start, end) in the SQL text to the place in the file."""

_TYPE_ENDS = frozenset(
    "NOT NULL DEFAULT PRIMARY UNIQUE REFERENCES CHECK COLLATE CONSTRAINT GENERATED AUTO_INCREMENT AUTOINCREMENT COMMENT ON "
    "AS IDENTITY KEY USING STORAGE COMPRESSION FIRST AFTER INVISIBLE VISIBLE VIRTUAL STORED ENCODE DEFERRABLE INITIALLY".split()
)
_SERIALS = frozenset({"SERIAL", "BIGSERIAL", "SMALLSERIAL", "SERIAL4", "SERIAL8", "SERIAL2"})
_TABLE_PARTS = frozenset(
    "CONSTRAINT PRIMARY UNIQUE FOREIGN CHECK EXCLUDE KEY INDEX FULLTEXT SPATIAL LIKE PERIOD".split()
)


class Reader:
    """A position in a list of tokens."""

    def __init__(self, items: list[Token], text: str, where: Where) -> None:
        self.items = items
        self.text = text
        self.where = where
        self.at = 0

    @property
    def done(self) -> bool:
        """True behind the last token."""
        return self.at >= len(self.items)

    def peek(self, ahead: int = 0) -> Token:
        """The token `ahead`, or an empty one behind the end."""
        index = self.at + ahead
        return self.items[index] if index < len(self.items) else _END

    def next(self) -> Token:
        """The token here, and on."""
        token = self.peek()
        self.at += 1
        return token

    def take(self, *words: str) -> bool:
        """Skip these words if they stand here in this order."""
        if all(self.peek(index).word(word) for index, word in enumerate(words)):
            self.at += len(words)
            return True
        return False

    def take_any(self, *words: str) -> str:
        """Skip one of these words if it stands here; which one, or ""."""
        if self.peek().word(*words):
            return self.next().text
        return ""

    def take_punct(self, raw: str) -> bool:
        """Skip this punctuation if it stands here."""
        if self.peek().kind == "punct" and self.peek().raw == raw:
            self.at += 1
            return True
        return False

    def name(self) -> str:
        """A possibly qualified name: `ns.table`."""
        parts = [self.next().identifier]
        while self.peek().raw == "." and not self.done:
            self.at += 1
            parts.append(self.next().identifier)
        return ".".join(parts)

    def group(self) -> list[Token]:
        """The tokens inside the parentheses that open here."""
        if not self.take_punct("("):
            return []
        start, depth = self.at, 1
        while not self.done:
            token = self.next()
            if token.raw == "(":
                depth += 1
            elif token.raw == ")":
                depth -= 1
                if not depth:
                    return self.items[start : self.at - 1]
        return self.items[start:]

    def source(self, items: list[Token]) -> str:
        """The text that these tokens cover."""
        return self.text[items[0].start : items[-1].end] if items else ""

    def location(self, items: list[Token]) -> Location | None:
        """Where these tokens stand."""
        return self.where(items[0].start, items[-1].end) if items else None

    def sub(self, items: list[Token]) -> Reader:
        """A reader of some of the tokens."""
        return Reader(items, self.text, self.where)


_END = Token("end", "", 0, 0, "")


def split_commas(items: list[Token]) -> list[list[Token]]:
    """The parts between commas outside of parentheses."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in items:
        if token.raw in {"(", "["}:
            depth += 1
        elif token.raw in {")", "]"}:
            depth -= 1
        if token.raw == "," and token.kind == "punct" and not depth:
            parts.append([])
        else:
            parts[-1].append(token)
    return [part for part in parts if part]


@dataclass(slots=True)
class ColumnParts:
    """A column definition with the constraints and indexes written in it."""

    column: Column
    parts: list[Constraint | Index] = field(default_factory=list)


def split_name(name: str) -> tuple[str, str]:
    """(namespace, name) of a possibly qualified name."""
    namespace, _, rest = name.rpartition(".")
    return namespace, rest


def read_table(name: str, body: list[Token], reader: Reader, location: Location | None) -> Table:
    """The table that `CREATE TABLE name (body)` makes."""
    namespace, bare = split_name(name)
    table = Table(bare, namespace=namespace, source="ddl", location=location)
    for part in split_commas(body):
        if is_table_part(part):
            _table_part(table, reader.sub(part))
            continue
        made = read_column(reader.sub(part))
        table.columns[made.column.name] = made.column
        if made.column.primary_key:
            table.primary_key = (made.column.name,)
        for item in made.parts:
            add(table, item)
    for name_ in table.primary_key:
        column = table.column(name_)
        if column is not None:
            counts = column.autoincrement or (
                column.type == "INTEGER" and len(table.primary_key) == 1
            )  # SQLite's rowid
            table.columns[column.name] = replace(column, primary_key=True, nullable=False, autoincrement=counts)
    return table


def is_table_part(part: list[Token]) -> bool:
    """True for a table constraint or index, False for a column definition."""
    first = part[0]
    if not (first.kind == "word" and first.text in _TABLE_PARTS):
        return False
    if first.text in {"KEY", "INDEX"}:
        return _lists_columns(part)
    if first.text == "PERIOD":
        return len(part) > 1 and part[1].word("FOR")
    if first.text in {"CHECK", "LIKE", "UNIQUE"} and len(part) > 1:
        return (part[1].kind in {"word", "name"} and len(part) > 2) or part[1].raw == "("
    return True


def _lists_columns(part: list[Token]) -> bool:
    """`KEY (a)`, `KEY name (a)`, `INDEX name USING BTREE (a)`; `key TEXT`, `key VARCHAR(20)` are columns called so."""
    if len(part) > 1 and part[1].raw == "(":
        return True
    if len(part) < 4:
        return False
    return part[2].word("USING") or (part[2].raw == "(" and (part[3].kind in {"word", "name"} or part[3].raw == "("))


def add(table: Table, item: Constraint | Index) -> None:
    """Put a constraint or index into its list."""
    if isinstance(item, Index):
        table.indexes.append(item)
    elif isinstance(item, Unique):
        table.uniques.append(item)
    elif isinstance(item, ForeignKey):
        table.foreign_keys.append(item)
    else:
        table.checks.append(item)


def _table_part(table: Table, reader: Reader) -> None:
    if reader.peek().word("LIKE"):
        table.complete = False
        return
    if reader.peek().word("PRIMARY"):
        reader.take("PRIMARY", "KEY")
        reader.take_any("CLUSTERED", "NONCLUSTERED")
        table.primary_key = tuple(columns_of(reader.group()))
        return
    save = reader.at
    name = reader.name() if reader.take("CONSTRAINT") else ""
    if reader.take("PRIMARY", "KEY"):
        table.primary_key = tuple(columns_of(reader.group()))
        return
    if not name:
        reader.at = save
    item = read_constraint(reader)
    if item is not None:
        add(table, item)


def read_constraint(reader: Reader) -> Constraint | Index | None:
    """A table constraint or a MySQL index, from CONSTRAINT or its own key word on; None for what the model lacks."""
    location = reader.location(reader.items[reader.at :])
    name = reader.name() if reader.take("CONSTRAINT") else ""
    if reader.take("UNIQUE"):
        reader.take_any("KEY", "INDEX")
        if reader.take("NULLS"):
            reader.take("NOT")
            reader.take("DISTINCT")
        if reader.peek().raw != "(":
            name = name or reader.name()
        return Unique(name, tuple(columns_of(reader.group())), location=location)
    if reader.take("FOREIGN", "KEY"):
        if reader.peek().raw != "(":
            name = name or reader.name()
        return read_reference(reader, name, tuple(columns_of(reader.group())), location)
    if reader.take("CHECK"):
        return Check(name, reader.source(reader.group()), location)
    method = reader.take_any("FULLTEXT", "SPATIAL").lower()
    if reader.take_any("KEY", "INDEX") or method:
        if reader.peek().raw != "(" and not reader.peek().word("USING"):
            name = reader.name()
        if reader.take("USING"):
            method = reader.next().text.lower()
        return index_of(name, reader, location, method=method)
    return None


def read_reference(reader: Reader, name: str, columns: tuple[str, ...], location: Location | None) -> ForeignKey | None:
    """`REFERENCES table (columns) ON DELETE ...`."""
    if not reader.take("REFERENCES"):
        return None
    target = reader.name()
    targets = tuple(columns_of(reader.group()))
    on_delete = ""
    while not reader.done:
        if reader.take("ON", "DELETE"):
            on_delete = reader.next().text
            if on_delete in {"SET", "NO"}:
                on_delete = f"{on_delete} {reader.next().text}"
        elif reader.peek().word("ON", "MATCH", "DEFERRABLE", "INITIALLY"):
            reader.at += 2
        else:
            break
    return ForeignKey(name, columns, target, targets, on_delete, location=location)


def columns_of(items: list[Token]) -> list[str]:
    """The column names of a key's column list (sort orders and prefix lengths dropped)."""
    return [part[0].identifier for part in split_commas(items)]


def index_of(
    name: str, reader: Reader, location: Location | None, unique: bool = False, method: str = "", where: str = ""
) -> Index:
    """An index from the parenthesised list of columns and expressions that opens here."""
    columns: list[str] = []
    expressions: set[int] = set()
    opclasses: list[str] = []
    for position, part in enumerate(split_commas(reader.group())):
        simple = part[0].kind in {"word", "name"} and (len(part) < 2 or part[1].raw != "(" or part[2].kind == "number")
        if simple and not (len(part) > 1 and part[1].raw in {"::", "||", "->", "->>"}):
            columns.append(part[0].identifier)
            opclasses.extend(token.raw for token in part[1:] if token.raw.lower().endswith("_ops"))
        else:
            expressions.add(position)
            kept = [token for token in part if not token.word("ASC", "DESC")]
            opclasses.extend(token.raw for token in kept if token.raw.lower().endswith("_ops"))
            columns.append(reader.source([token for token in kept if not token.raw.lower().endswith("_ops")]))
    return Index(
        name, tuple(columns), unique, "" if method == "btree" else method, where, frozenset(expressions),
        opclasses=tuple(opclasses), location=location,
    )  # fmt: skip


def read_column(reader: Reader) -> ColumnParts:
    """A column definition: name, type and its constraints."""
    location = reader.location(reader.items)
    made = ColumnParts(Column(reader.next().identifier, location=location))
    type_text, serial = _type(reader)
    made.column = replace(made.column, type=type_text, autoincrement=serial, nullable=not serial)
    if type_text.startswith("ENUM("):
        words = reader.items[: reader.at]
        made.column = replace(made.column, choices=tuple(token.text for token in words if token.kind == "string"))
    name = ""
    while not reader.done:
        name = _column_option(reader, made, name)
    return made


def _type(reader: Reader) -> tuple[str, bool]:
    """(the normalised type, whether it counts up by itself)."""
    items: list[Token] = []
    while not reader.done:
        token = reader.peek()
        if token.raw == "(":
            start = reader.at
            reader.group()
            items.extend(reader.items[start : reader.at])
            continue
        if token.kind == "word" and token.text in _TYPE_ENDS and items:
            break
        if token.kind == "word" and token.text in {"CHARACTER", "CHARSET"} and items and reader.peek(1).word("SET"):
            reader.at += 3
            continue
        if token.kind == "word" and token.text in _TYPE_ENDS:
            break
        items.append(reader.next())
    text = reader.source(items)
    return normalise(text) if text else "", bool(items) and items[0].text in _SERIALS


def _column_option(reader: Reader, made: ColumnParts, name: str) -> str:
    """One option of a column; returns the constraint name that the next one bears."""
    column = made.column
    if reader.take("CONSTRAINT"):
        return reader.name()
    if reader.take("NOT", "NULL"):
        made.column = replace(column, nullable=False)
    elif reader.take("NULL"):
        pass
    elif reader.take("DEFAULT"):
        made.column = replace(column, default=_default(reader))
    elif reader.take("PRIMARY", "KEY"):
        reader.take_any("ASC", "DESC")
        sqlite_rowid = column.type == "INTEGER"
        made.column = replace(
            column, primary_key=True, nullable=False, autoincrement=column.autoincrement or sqlite_rowid
        )
    elif reader.take("UNIQUE"):
        reader.take_any("KEY")
        made.parts.append(Unique(name, (column.name,), location=column.location))
    elif reader.peek().word("REFERENCES"):
        reference = read_reference(reader, name, (column.name,), column.location)
        if reference is not None:
            made.parts.append(reference)
    elif reader.take("CHECK"):
        made.parts.append(Check(name, reader.source(reader.group()), column.location))
    elif reader.take_any("AUTO_INCREMENT", "AUTOINCREMENT", "IDENTITY"):
        made.column = replace(column, autoincrement=True)
        reader.group()
    elif reader.take("GENERATED"):
        _generated(reader, made)
    elif reader.take("COMMENT"):
        made.column = replace(column, comment=reader.next().text)
    else:
        if reader.peek().raw == "(":
            reader.group()
        else:
            reader.next()
    return ""


def _generated(reader: Reader, made: ColumnParts) -> None:
    while reader.take_any("ALWAYS", "BY", "DEFAULT", "AS"):
        pass
    if reader.take("IDENTITY"):
        made.column = replace(made.column, autoincrement=True, nullable=False)
        reader.group()
    else:
        made.column = replace(made.column, default=f"GENERATED ({reader.source(reader.group())})")
        reader.take_any("STORED", "VIRTUAL")


def _default(reader: Reader) -> str:
    """A default's text: up to the next option, parentheses kept together."""
    start = reader.at
    if reader.peek().raw in {"-", "+"}:
        reader.at += 1
    if reader.peek().raw == "(":
        reader.group()
    else:
        reader.at += 1
    while not reader.done:
        token = reader.peek()
        if token.raw == "(":
            reader.group()
        elif token.raw in {"::", ".", "||", "+", "-", "*", "/"}:
            reader.at += 2
        elif token.raw == "[":
            while not reader.done and reader.next().raw != "]":
                pass
        elif token.word("AT", "VARYING", "WITH", "WITHOUT", "TIME", "ZONE"):
            reader.at += 1
        elif token.word("ON") and reader.peek(1).word("UPDATE"):
            reader.at += 3
        else:
            break
    return reader.source(reader.items[start : reader.at])
