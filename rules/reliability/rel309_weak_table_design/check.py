"""REL309: numbered columns, lists of ids in a text, references without a foreign key."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backendlint.api import Column, Hit, Location, Project, Schema, Table, sqltypes

_NUMBERED = re.compile(r"^([a-z][a-z_]*?)_?([1-9])(_[a-z]+)?$", re.IGNORECASE)
_NOT_REPEATED = frozenset(
    "address address_line line street addr md sha ipv utf iso h level tier part token param arg lat lon x y".split()
)
_LIST = re.compile(r"(?:^|_)(?:ids|csv|id_list)$", re.IGNORECASE)
FEWEST = 3
"""Numbered columns that make a repeated group; two may be a pair with a meaning."""


def check(project: Project) -> Iterator[Hit]:
    """All tables that models or DDL define."""
    schema = project.data.schema
    for table in schema.tables.values():
        if (
            table.kind == "table"
            and table.location is not None
            and table.location.path not in project.data.migration_paths
        ):
            yield from _repeated(table)
            for column in table.columns.values():
                yield from _listed(table, column)
                yield from _unreferenced(schema, table, column)


def _repeated(table: Table) -> Iterator[Hit]:
    groups: dict[tuple[str, str], list[Column]] = {}
    for column in table.columns.values():
        match = _NUMBERED.match(column.name)
        if match and match.group(1).lower() not in _NOT_REPEATED:
            groups.setdefault((match.group(1), match.group(3) or ""), []).append(column)
    for columns in groups.values():
        if len(columns) < FEWEST or len({sqltypes.base(column.type) for column in columns}) > 1:
            continue
        names = ", ".join(f"`{column.name}`" for column in columns[:4])
        yield Hit(
            f"`{table.name}` repeats {names}: one more needs a migration, and a query must look into each; "
            "put them into rows of a table of their own "
            f"that refers to `{table.name}`.",
            _place(table, columns[0]),
        )


def _listed(table: Table, column: Column) -> Iterator[Hit]:
    if _LIST.search(column.name) and sqltypes.family(column.type) == "text":
        yield Hit(
            f"`{table.name}.{column.name}` keeps a list in a text: the database cannot check that what it "
            "names exists, nor find a row by it; use a table "
            "that links the two (or an array column).",
            _place(table, column),
        )


def _unreferenced(schema: Schema, table: Table, column: Column) -> Iterator[Hit]:
    stem = column.name.lower().removesuffix("_id")
    if stem == column.name.lower() or not stem or column.primary_key or table.source in {"django", "django-migrations"}:
        return
    if any(column.name in key.columns for key in table.foreign_keys):
        return
    if any(name.lower() in {f"{stem}_type", f"{stem}_kind", f"{stem}_model"} for name in table.columns):
        return
    targets = [
        target
        for name in (stem, f"{stem}s", f"{stem}es", f"{stem.removesuffix('y')}ies", f"{stem}_table")
        if (target := schema.find(name)) is not None and target.kind == "table"
    ]
    if len({id(target) for target in targets}) != 1 or len(targets[0].primary_key) != 1:
        return
    target = targets[0]
    key = target.columns.get(target.primary_key[0])
    if key is None or sqltypes.family(key.type) != sqltypes.family(column.type) or target.source != table.source:
        return
    yield Hit(
        f"`{table.name}.{column.name}` refers to `{target.name}` without a foreign key: rows can name one "
        "that was deleted or never existed; add "
        f"`REFERENCES {target.name} ({key.name})`, with an index.",
        _place(table, column),
    )


def _place(table: Table, column: Column) -> Location:
    place = column.location or table.location
    assert place is not None
    return place
