"""The schema model: tables with columns, keys, indexes and checks, whoever defined them.

Types are normalised (see `types.normalise`): upper case, PostgreSQL spelling, e.g. `VARCHAR(50)`, `TIMESTAMPTZ`; "" is unknown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from backendlint.findings.model import Location


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `default` is the server's default as SQL text, or None; `client_default` tells that code supplies one."""

    name: str
    type: str = ""
    nullable: bool = True
    default: str | None = None
    client_default: bool = False
    primary_key: bool = False
    autoincrement: bool = False
    attribute: str = ""
    """The name by which code knows it (`owner` for the column `owner_id`); "" when it is the column's own name."""
    choices: tuple[str, ...] = ()
    comment: str = ""
    location: Location | None = None


@dataclass(frozen=True, slots=True)
class Index:
    """An index. `columns` holds column names, or the SQL text of an expression; `expressions` the positions that are such."""

    name: str
    columns: tuple[str, ...]
    unique: bool = False
    method: str = ""
    """btree where empty; gin, gist, hash, brin, fulltext, spatial ..."""
    where: str = ""
    expressions: frozenset[int] = frozenset()
    include: tuple[str, ...] = ()
    opclasses: tuple[str, ...] = ()
    location: Location | None = None


@dataclass(frozen=True, slots=True)
class Unique:
    """A UNIQUE constraint; `where` makes it partial."""

    name: str
    columns: tuple[str, ...]
    where: str = ""
    location: Location | None = None


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A foreign key; `target_columns` may be empty (the target's primary key). `enforced` False: no constraint in the database."""

    name: str
    columns: tuple[str, ...]
    target: str
    target_columns: tuple[str, ...] = ()
    on_delete: str = ""
    enforced: bool = True
    location: Location | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """A CHECK constraint; "" as text when it is not known."""

    name: str
    text: str
    location: Location | None = None


Constraint = Unique | ForeignKey | Check


@dataclass(slots=True)
class Table:
    """A table or view. `complete` False: it may have columns that could not be read, so their absence proves nothing."""

    name: str
    columns: dict[str, Column] = field(default_factory=dict)
    primary_key: tuple[str, ...] = ()
    indexes: list[Index] = field(default_factory=list)
    uniques: list[Unique] = field(default_factory=list)
    foreign_keys: list[ForeignKey] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    namespace: str = ""
    """The database schema that it lies in, "" for the default one."""
    kind: str = "table"
    """table, view, virtual (full-text and other module tables), or columnar (ClickHouse's, wide and without keys that hold)."""
    source: str = ""
    """sqlalchemy, peewee, django, alembic, django-migrations, ddl."""
    owner: str = ""
    """The class that maps it, as `module.Class`; "" without one."""
    complete: bool = True
    managed: bool = True
    """False where migrations leave it alone (Django's `managed = False`)."""
    location: Location | None = None

    def copy(self) -> Table:
        """An independent copy; the parts are immutable."""
        return replace(
            self,
            columns=dict(self.columns),
            indexes=list(self.indexes),
            uniques=list(self.uniques),
            foreign_keys=list(self.foreign_keys),
            checks=list(self.checks),
        )

    def column(self, name: str, quoted: bool = False) -> Column | None:
        """The column that SQL means by `name`: exact where quoted, else regardless of case."""
        found = self.columns.get(name)
        if found is not None or quoted:
            return found
        folded = name.lower()
        return next((column for key, column in self.columns.items() if key.lower() == folded), None)

    def relations(self) -> dict[str, str]:
        """The foreign keys that are set and compared by the name of the relation too: `owner` for `owner_id`."""
        keys = (key.columns[0] for key in self.foreign_keys if len(key.columns) == 1)
        found = {name.removesuffix("_id"): name for name in keys if name.endswith("_id")}
        return {name: column for name, column in found.items() if name not in self.columns}

    def searchable(self) -> Iterator[Index]:
        """Everything that the database searches like an index: primary key, unique constraints, indexes."""
        if self.primary_key:
            yield Index("", self.primary_key, unique=True, location=self.location)
        for unique in self.uniques:
            yield Index(unique.name, unique.columns, unique=True, where=unique.where, location=unique.location)
        yield from self.indexes


@dataclass(slots=True)
class Schema:
    """Tables by name (`namespace.name` outside the default namespace), in the order of their definition."""

    tables: dict[str, Table] = field(default_factory=dict)
    complete: bool = True
    """False when tables may exist that could not be read; then a missing one proves nothing."""
    dialect: str = ""

    def add(self, table: Table) -> None:
        """Put a table in, in place of an older one of that name."""
        self.tables[key_of(table.name, table.namespace)] = table

    def remove(self, name: str) -> Table | None:
        """Take a table out."""
        found = self.find(name)
        return self.tables.pop(key_of(found.name, found.namespace), None) if found else None

    def find(self, name: str, quoted: bool = False) -> Table | None:
        """The table that SQL means by `name` (`ns.name` too): exact where quoted, else regardless of case."""
        found = self.tables.get(name)
        if found is not None or quoted:
            return found
        folded = name.lower()
        for key, table in self.tables.items():
            if key.lower() == folded:
                return table
        if "." in name:
            namespace, _, rest = name.rpartition(".")
            return self.find(rest) if namespace.lower() in DEFAULT_NAMESPACES else None
        return next(self.named(name), None)

    def named(self, name: str) -> Iterator[Table]:
        """The tables of that name, in whatever namespace."""
        folded = name.lower()
        return (table for table in self.tables.values() if table.name.lower() == folded)

    def find_owner(self, dotted: str) -> Table | None:
        """The table that a class maps."""
        return next((table for table in self.tables.values() if table.owner == dotted), None)

    def copy(self) -> Schema:
        """An independent copy."""
        return Schema({key: table.copy() for key, table in self.tables.items()}, self.complete, self.dialect)


DEFAULT_NAMESPACES = frozenset({"public", "main", "dbo", ""})
"""Namespaces that an unqualified name reaches: PostgreSQL's, SQLite's and SQL Server's."""


def key_of(name: str, namespace: str = "") -> str:
    """A table's key in `Schema.tables`."""
    return name if namespace.lower() in DEFAULT_NAMESPACES else f"{namespace}.{name}"
