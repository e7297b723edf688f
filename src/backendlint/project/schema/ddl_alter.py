"""Reading ALTER TABLE, in the spellings of PostgreSQL, MySQL and SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from backendlint.project.schema import operations as ops
from backendlint.project.schema.ddl_table import Reader, index_of, read_column, read_constraint, split_commas
from backendlint.project.schema.model import Check, Constraint, ForeignKey, Index, Unique
from backendlint.project.schema.types import normalise
from backendlint.project.values.sqllex import Token

_CONSTRAINT_WORDS = ("CONSTRAINT", "UNIQUE", "FOREIGN", "CHECK", "PRIMARY", "EXCLUDE")
_INDEX_WORDS = ("INDEX", "KEY", "FULLTEXT", "SPATIAL")


def read_alter_table(reader: Reader) -> Iterator[ops.Operation]:
    """The operations of one ALTER TABLE, from behind these two words."""
    reader.take("IF", "EXISTS")
    reader.take("ONLY")
    table = reader.name()
    reader.take_punct("*")
    actions = split_commas(reader.items[reader.at :])
    algorithm, lock = _mysql_clauses(actions)
    for action in actions:
        for operation in _action(table, reader.sub(action)):
            place, text = reader.location(action), reader.source(reader.items)
            if isinstance(operation, ops.CreateIndex):
                yield replace(operation, algorithm=algorithm, lock=lock, location=place, text=text)
            else:
                yield replace(operation, location=place, text=text)


def _mysql_clauses(actions: list[list[Token]]) -> tuple[str, str]:
    found = {"ALGORITHM": "", "LOCK": ""}
    for action in actions:
        if action[0].text in found and len(action) > 1:
            found[action[0].text] = action[-1].text
    return found["ALGORITHM"], found["LOCK"]


def _action(table: str, reader: Reader) -> Iterator[ops.Operation]:
    if reader.take("ADD"):
        yield from _add(table, reader)
    elif reader.take("DROP"):
        yield from _drop(table, reader)
    elif reader.take("ALTER"):
        reader.take("COLUMN")
        yield from _alter_column(table, reader)
    elif reader.take("MODIFY"):
        reader.take("COLUMN")
        yield from _redefine(table, reader, rename="")
    elif reader.take("CHANGE"):
        reader.take("COLUMN")
        yield from _redefine(table, reader, rename=reader.name())
    elif reader.take("RENAME"):
        yield from _rename(table, reader)
    elif reader.take("VALIDATE", "CONSTRAINT"):
        yield ops.ValidateConstraint(table=table, name=reader.name())
    else:
        yield ops.Other(kind=f"ALTER TABLE {reader.peek().text}")


def _add(table: str, reader: Reader) -> Iterator[ops.Operation]:
    if reader.peek().word(*_CONSTRAINT_WORDS):
        yield from _add_constraint(table, reader)
        return
    if (reader.peek().word(*_INDEX_WORDS) and reader.peek(1).kind in {"word", "name"}) or reader.peek().word(
        "FULLTEXT"
    ):
        item = read_constraint(reader)
        if isinstance(item, Index):
            yield ops.CreateIndex(table=table, index=item)
        return
    reader.take("COLUMN")
    reader.take("IF", "NOT", "EXISTS")
    if reader.peek().raw == "(":
        for part in split_commas(reader.group()):
            yield _add_column(table, reader.sub(part))
        return
    yield _add_column(table, reader)


def _add_column(table: str, reader: Reader) -> ops.AddColumn:
    made = read_column(reader.sub(reader.items[reader.at :]))
    return ops.AddColumn(table=table, column=made.column, constraints=tuple(made.parts))


def _add_constraint(table: str, reader: Reader) -> Iterator[ops.Operation]:
    valid = not any(
        first.word("NOT") and second.word("VALID")
        for first, second in zip(reader.items, reader.items[1:], strict=False)
    )
    save = reader.at
    name = reader.name() if reader.take("CONSTRAINT") else ""
    if reader.take("PRIMARY", "KEY"):
        if reader.take("USING", "INDEX"):
            yield ops.AddPrimaryKey(table=table, columns=(), using_index=reader.name())
            return
        yield ops.AddPrimaryKey(table=table, columns=tuple(token.identifier for token in reader.group()[::2]))
        return
    if reader.take("UNIQUE", "USING", "INDEX"):
        yield ops.AddConstraint(table=table, constraint=Unique(name, ()), using_index=reader.name())
        return
    reader.at = save
    item = read_constraint(reader)
    if isinstance(item, (Unique, ForeignKey, Check)):
        yield ops.AddConstraint(table=table, constraint=item, validated=valid)
    else:
        yield ops.Other(kind="ALTER TABLE ADD CONSTRAINT")


def _drop(table: str, reader: Reader) -> Iterator[ops.Operation]:
    if reader.take("CONSTRAINT") or reader.peek().word("CHECK"):
        reader.take("CHECK")
        reader.take("IF", "EXISTS")
        yield ops.DropConstraint(table=table, name=reader.name())
    elif reader.take("PRIMARY", "KEY"):
        yield ops.DropConstraint(table=table, name="", kind="primary-key")
    elif reader.take("FOREIGN", "KEY"):
        yield ops.DropConstraint(table=table, name=reader.name(), kind="foreign-key")
    elif reader.take_any("INDEX", "KEY"):
        yield ops.DropIndex(name=reader.name(), table=table)
    else:
        reader.take("COLUMN")
        reader.take("IF", "EXISTS")
        yield ops.DropColumn(table=table, column=reader.name())


def _alter_column(table: str, reader: Reader) -> Iterator[ops.Operation]:
    if reader.take_any("CONSTRAINT", "INDEX", "CHECK"):
        yield ops.Other(kind="ALTER TABLE ALTER CONSTRAINT")
        return
    column = reader.name()
    if reader.take("SET", "NOT", "NULL"):
        yield ops.AlterColumn(table=table, column=column, nullable=False)
    elif reader.take("DROP", "NOT", "NULL"):
        yield ops.AlterColumn(table=table, column=column, nullable=True)
    elif reader.take("SET", "DEFAULT"):
        text = reader.source(reader.items[reader.at :])
        yield ops.AlterColumn(table=table, column=column, default=text)
    elif reader.take("DROP", "DEFAULT"):
        yield ops.AlterColumn(table=table, column=column, drop_default=True)
    elif reader.take("TYPE") or reader.take("SET", "DATA", "TYPE"):
        rest = reader.items[reader.at :]
        cut = next((i for i, token in enumerate(rest) if token.word("USING", "COLLATE")), len(rest))
        using = reader.source(rest[cut + 1 :]) if cut < len(rest) and rest[cut].word("USING") else ""
        yield ops.AlterColumn(table=table, column=column, type=normalise(reader.source(rest[:cut])), using=using)
    else:
        yield ops.Other(kind="ALTER TABLE ALTER COLUMN")


def _redefine(table: str, reader: Reader, rename: str) -> Iterator[ops.Operation]:
    """MySQL's MODIFY and CHANGE: the column's whole new definition."""
    made = read_column(reader.sub(reader.items[reader.at :]))
    column = rename or made.column.name
    yield ops.AlterColumn(
        table=table, column=column, type=made.column.type, nullable=made.column.nullable,
        default=made.column.default, drop_default=made.column.default is None, choices=made.column.choices,
        constraints=_kept(made.parts),
    )  # fmt: skip
    if rename and rename != made.column.name:
        yield ops.RenameColumn(table=table, column=rename, new=made.column.name)


def _kept(parts: list[Constraint | Index]) -> tuple[Constraint | Index, ...]:
    return tuple(parts)


def _rename(table: str, reader: Reader) -> Iterator[ops.Operation]:
    if reader.take("CONSTRAINT"):
        yield ops.Other(kind="ALTER TABLE RENAME CONSTRAINT")
        return
    if reader.take_any("INDEX", "KEY"):
        name = reader.name()
        reader.take("TO")
        yield ops.RenameIndex(name=name, new=reader.name(), table=table)
        return
    if reader.take_any("TO", "AS"):
        yield ops.RenameTable(table=table, new=reader.name())
        return
    reader.take("COLUMN")
    column = reader.name()
    if reader.take("TO"):
        yield ops.RenameColumn(table=table, column=column, new=reader.name())
    else:
        yield ops.RenameTable(table=table, new=column)


def read_index(reader: Reader, unique: bool, method: str) -> Iterator[ops.Operation]:
    """CREATE INDEX, from behind INDEX."""
    concurrently = reader.take("CONCURRENTLY")
    exists = reader.take("IF", "NOT", "EXISTS")
    name = "" if reader.peek().word("ON") else reader.name()
    if reader.take("USING"):
        method = reader.next().text.lower()
    if not reader.take("ON"):
        return
    reader.take("ONLY")
    table = reader.name()
    if reader.take("USING"):
        method = reader.next().text.lower()
    index = index_of(name, reader, reader.location(reader.items), unique, method)
    where = ""
    include: tuple[str, ...] = ()
    algorithm = lock = ""
    while not reader.done:
        if reader.take("INCLUDE"):
            include = tuple(token.identifier for token in reader.group()[::2])
        elif reader.take("WHERE"):
            where = reader.source(reader.items[reader.at :])
            break
        elif reader.peek().word("ALGORITHM", "LOCK"):
            key = reader.next().text
            reader.take_punct("=")
            value = reader.next().text
            algorithm, lock = (value, lock) if key == "ALGORITHM" else (algorithm, value)
        else:
            reader.next()
    index = replace(index, where=where, include=include)
    yield ops.CreateIndex(
        table=table, index=index, concurrently=concurrently, if_not_exists=exists, algorithm=algorithm, lock=lock,
        location=reader.location(reader.items), text=reader.source(reader.items),
    )  # fmt: skip
