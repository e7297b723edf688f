"""The database schema as text, JSON, SQL or a Mermaid entity-relationship diagram."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from backendlint.project.schema.model import Column, ForeignKey, Index, Schema, Table, key_of


def render(schema: Schema, fmt: str) -> str:
    """The schema in one of FORMATS, without a newline at the end."""
    return FORMATS[fmt](schema)


def _text(schema: Schema) -> str:
    blocks = [_table_text(table) for table in _sorted(schema)]
    counts = f"{len(schema.tables)} tables" if len(schema.tables) != 1 else "1 table"
    return "\n\n".join([*blocks, counts])


def _sorted(schema: Schema) -> list[Table]:
    return sorted(schema.tables.values(), key=lambda table: (table.namespace, table.name))


def _table_text(table: Table) -> str:
    notes = [table.source] if table.source else []
    notes += [table.kind] if table.kind != "table" else []
    notes += [] if table.complete else ["may have more columns"]
    notes += [] if table.managed else ["not managed by migrations"]
    place = f"{table.location.path}:{table.location.line}" if table.location else ""
    lines = [f"{key_of(table.name, table.namespace)}  ({', '.join([*notes, place] if place else notes)})"]
    width = max((len(name) for name in table.columns), default=0)
    kinds = max((len(column.type or "?") for column in table.columns.values()), default=0)
    lines += [
        f"  {column.name.ljust(width)}  {(column.type or '?').ljust(kinds)}  {_column_notes(table, column)}".rstrip()
        for column in table.columns.values()
    ]
    lines += [f"  unique ({', '.join(unique.columns)}){_where(unique.where)}" for unique in table.uniques]
    lines += [f"  {'unique ' if index.unique else ''}index {_index_text(index)}" for index in table.indexes]
    lines += [f"  check {check.name or ''} ({check.text})".replace("  (", " (") for check in table.checks]
    return "\n".join(lines)


def _column_notes(table: Table, column: Column) -> str:
    notes = []
    if column.name in table.primary_key:
        notes.append("primary key")
    elif not column.nullable:
        notes.append("not null")
    if column.default is not None:
        notes.append(f"default {column.default}")
    notes += [
        f"-> {key.target or '?'}" + (f" on delete {key.on_delete.lower()}" if key.on_delete else "")
        for key in table.foreign_keys
        if column.name in key.columns
    ]
    return ", ".join(notes)


def _index_text(index: Index) -> str:
    method = f" using {index.method}" if index.method else ""
    name = f"{index.name} " if index.name else ""
    return f"{name}({', '.join(index.columns)}){method}{_where(index.where)}"


def _where(text: str) -> str:
    return f" where {text}" if text else ""


def _json(schema: Schema) -> str:
    import json

    rows = [_table_json(table) for table in _sorted(schema)]
    return json.dumps({"complete": schema.complete, "dialect": schema.dialect, "tables": rows}, indent=2)


def _table_json(table: Table) -> dict[str, Any]:
    row = asdict(table)
    row["columns"] = [asdict(column) for column in table.columns.values()]
    for index, shown in zip(table.indexes, row["indexes"], strict=True):
        shown["expressions"] = sorted(index.expressions)
    return row


def _sql(schema: Schema) -> str:
    blocks = [_table_sql(table) for table in _in_order(schema)]
    for table in _sorted(schema):
        blocks += [_index_sql(table, number, index) for number, index in enumerate(table.indexes)]
    return "\n\n".join(blocks)


def _in_order(schema: Schema) -> list[Table]:
    """Targets of foreign keys before the tables that refer to them, as far as there are no cycles."""
    done: dict[str, Table] = {}

    def visit(table: Table, path: frozenset[str]) -> None:
        key = key_of(table.name, table.namespace)
        if key in done or key in path:
            return
        for foreign in table.foreign_keys:
            target = schema.find(foreign.target)
            if target is not None:
                visit(target, path | {key})
        done[key] = table

    for table in _sorted(schema):
        if table.kind == "table":
            visit(table, frozenset())
    return list(done.values())


def _table_sql(table: Table) -> str:
    lines = [_column_sql(column) for column in table.columns.values()]
    if table.primary_key:
        lines.append(f"PRIMARY KEY ({_names(table.primary_key)})")
    lines += [f"{_named(unique.name)}UNIQUE ({_names(unique.columns)})" for unique in table.uniques if not unique.where]
    lines += [_foreign_sql(key) for key in table.foreign_keys if key.enforced and key.target]
    lines += [f"{_named(check.name)}CHECK ({check.text})" for check in table.checks if check.text not in {"", "?"}]
    body = ",\n".join(f"    {line}" for line in lines)
    return f"CREATE TABLE {_quoted(key_of(table.name, table.namespace))} (\n{body}\n);"


def _column_sql(column: Column) -> str:
    kind = column.type if column.type not in {"", "ENUM", "[]"} else "TEXT"
    parts = [_quoted(column.name), kind]
    generated = (column.default or "").startswith("GENERATED (")
    if generated:
        parts.append(f"GENERATED ALWAYS AS {(column.default or '').removeprefix('GENERATED ')} STORED")
    elif column.default not in {None, "?"}:
        parts.append(f"DEFAULT {column.default}")
    if column.autoincrement and column.default is None:
        parts.append("GENERATED BY DEFAULT AS IDENTITY")
    if not column.nullable:
        parts.append("NOT NULL")
    return " ".join(parts)


def _foreign_sql(key: ForeignKey) -> str:
    target = f" ({_names(key.target_columns)})" if key.target_columns else ""
    delete = f" ON DELETE {key.on_delete}" if key.on_delete else ""
    return f"{_named(key.name)}FOREIGN KEY ({_names(key.columns)}) REFERENCES {_quoted(key.target)}{target}{delete}"


def _index_sql(table: Table, number: int, index: Index) -> str:
    name = index.name or f"ix_{table.name}_{number}"
    members = ", ".join(
        column if position in index.expressions else _quoted(column) for position, column in enumerate(index.columns)
    )
    method = f" USING {index.method}" if index.method else ""
    where = f" WHERE {index.where}" if index.where not in {"", "?"} else ""
    kind = "UNIQUE INDEX" if index.unique else "INDEX"
    return (
        f"CREATE {kind} {_quoted(name)} ON {_quoted(key_of(table.name, table.namespace))}{method} ({members}){where};"
    )


def _named(name: str) -> str:
    return f"CONSTRAINT {_quoted(name)} " if name else ""


def _names(columns: tuple[str, ...]) -> str:
    return ", ".join(_quoted(column) for column in columns)


def _quoted(name: str) -> str:
    return ".".join(part if re.match(r"^[a-z_][a-z0-9_]*$", part) else f'"{part}"' for part in name.split("."))


def _mermaid(schema: Schema) -> str:
    lines = ["erDiagram"]
    for table in _sorted(schema):
        lines.append(f"    {_entity(table.name)} {{")
        for column in table.columns.values():
            kind = re.sub(r"\W+", "_", column.type.lower()).strip("_") or "unknown"
            marks = _marks(table, column)
            lines.append(f"        {kind} {_word(column.name)}{marks}")
        lines.append("    }")
    for table in _sorted(schema):
        for key in table.foreign_keys:
            target = schema.find(key.target)
            if target is not None:
                lines.append(
                    f"    {_entity(table.name)} {_relation(table, key)} {_entity(target.name)} : {_word(key.columns[0])}"
                )
    return "\n".join(lines)


def _marks(table: Table, column: Column) -> str:
    marks = ["PK"] if column.name in table.primary_key else []
    marks += ["FK"] if any(column.name in key.columns for key in table.foreign_keys) else []
    marks += ["UK"] if any(unique.columns == (column.name,) for unique in table.uniques) else []
    return " " + ", ".join(marks) if marks else ""


def _relation(table: Table, key: ForeignKey) -> str:
    """Many to one, or one to one where the key is unique; optional where it may be null."""
    single = table.primary_key == key.columns or any(unique.columns == key.columns for unique in table.uniques)
    optional = any(column is None or column.nullable for column in map(table.columns.get, key.columns))
    return ("|o" if single else "}o") + "--" + ("o|" if optional else "||")


def _entity(name: str) -> str:
    return name if re.match(r"^\w+$", name) else f'"{name}"'


def _word(name: str) -> str:
    return re.sub(r"\W", "_", name)


FORMATS: dict[str, Callable[[Schema], str]] = {"text": _text, "json": _json, "sql": _sql, "mermaid": _mermaid}
