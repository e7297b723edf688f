"""What migrations do, one dataclass an operation, whichever front end (Alembic, Django, SQL) said it.

`apply.py` plays them on a `Schema`; the migration rules judge them. Every operation says where it stands. `state_only` ones
change the framework's idea of the schema and not the database; `database_only` ones the other way round.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from backendlint.findings.model import Location
from backendlint.project.schema.model import Check, Column, Constraint, ForeignKey, Index, Table, Unique

__all__ = [
    "AddColumn",
    "AddConstraint",
    "AddPrimaryKey",
    "AlterColumn",
    "Check",
    "CreateIndex",
    "CreateTable",
    "DataChange",
    "DropColumn",
    "DropConstraint",
    "DropIndex",
    "DropTable",
    "ForeignKey",
    "Index",
    "Migration",
    "Operation",
    "Other",
    "RenameColumn",
    "RenameIndex",
    "RenameTable",
    "RunCode",
    "RunSQL",
    "Truncate",
    "Unique",
    "ValidateConstraint",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """Base of all operations. `guarded`: under an `if`, so it may not run; `text`: the SQL it comes from, if any.

    `outside_transaction`: in an autocommit block of a migration that otherwise runs in a transaction. `dialect`: the one database
    for which it is, where that is not the migration's.
    """

    location: Location | None = None
    state_only: bool = False
    database_only: bool = False
    guarded: bool = False
    outside_transaction: bool = False
    dialect: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateTable(Operation):
    """CREATE TABLE or VIEW."""

    table: Table
    if_not_exists: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DropTable(Operation):
    """DROP TABLE (`kind` view: DROP VIEW)."""

    table: str
    kind: str = "table"


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameTable(Operation):
    """ALTER TABLE ... RENAME TO."""

    table: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AddColumn(Operation):
    """ALTER TABLE ... ADD COLUMN. `one_off_default`: Django's `preserve_default=False`, a default for existing rows alone."""

    table: str
    column: Column
    constraints: tuple[Constraint | Index, ...] = ()
    one_off_default: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DropColumn(Operation):
    """ALTER TABLE ... DROP COLUMN."""

    table: str
    column: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameColumn(Operation):
    """ALTER TABLE ... RENAME COLUMN."""

    table: str
    column: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlterColumn(Operation):
    """A column's new type, nullability or default; None means unchanged. `drop_default` removes the default."""

    table: str
    column: str
    type: str | None = None
    nullable: bool | None = None
    default: str | None = None
    drop_default: bool = False
    using: str = ""
    fills: bool = False
    """Rows that are null get a value first, by an UPDATE (Django, where a field that may no longer be null has a default)."""
    choices: tuple[str, ...] = ()
    """The values of an enumeration, where that is the new type."""
    constraints: tuple[Constraint | Index, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AddConstraint(Operation):
    """ADD CONSTRAINT; `validated` False for NOT VALID; `using_index` names the index it takes over."""

    table: str
    constraint: Constraint
    validated: bool = True
    using_index: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddPrimaryKey(Operation):
    """ADD PRIMARY KEY."""

    table: str
    columns: tuple[str, ...]
    using_index: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidateConstraint(Operation):
    """VALIDATE CONSTRAINT."""

    table: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DropConstraint(Operation):
    """DROP CONSTRAINT; kind unique, foreign-key, check, primary-key or ""; columns where the front end names them instead."""

    table: str
    name: str
    kind: str = ""
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateIndex(Operation):
    """CREATE INDEX; `algorithm` and `lock` are MySQL's clauses, upper case."""

    table: str
    index: Index
    concurrently: bool = False
    if_not_exists: bool = False
    algorithm: str = ""
    lock: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DropIndex(Operation):
    """DROP INDEX; the table may be unknown ("")."""

    name: str
    table: str = ""
    concurrently: bool = False
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameIndex(Operation):
    """ALTER INDEX ... RENAME TO; an unnamed index is known by its columns."""

    name: str
    new: str
    table: str = ""
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Truncate(Operation):
    """TRUNCATE."""

    tables: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataChange(Operation):
    """INSERT, UPDATE, DELETE or MERGE in a migration."""

    kind: str
    table: str
    where: bool = False

    @property
    def everything(self) -> bool:
        """True where it deletes all rows."""
        return self.kind == "DELETE" and not self.where


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCode(Operation):
    """Python code that a migration runs (Django's RunPython, Alembic's bulk_insert or session use)."""

    name: str
    reversible: bool = True
    changes_data: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSQL(Operation):
    """SQL handed to the database as text; `operations` is what was understood of it, `known` False when parts were not."""

    sql: str
    operations: tuple[Operation, ...] = ()
    reversible: bool = True
    refused: bool = False
    """Its way back is None, spelled out: it was thought of."""
    known: bool = True


UNNAMED_TABLE = "CREATE TABLE"
"""An `Other` of this kind makes a table whose name is computed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Other(Operation):
    """A statement without effect on the model (SET, COMMENT, GRANT, CREATE EXTENSION, transaction control ...)."""

    kind: str


@dataclass(slots=True)
class Migration:
    """One migration with its operations in order."""

    id: str
    """Alembic's revision, Django's `app.name`, a SQL file's path."""
    path: str
    kind: str
    """alembic, django, sql."""
    depends: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()
    operations: list[Operation] = field(default_factory=list)
    reverse: list[Operation] | None = None
    """What its downgrade does; None: there is none (Django derives it from the operations)."""
    reverse_kind: str = "auto"
    """auto (derived by the framework), written, empty (`pass`), raises, missing."""
    transactional: bool = True
    initial: bool = False
    """One of those that make an app's first tables (Django's `initial = True`)."""
    after_deploy: bool = False
    """Marked to run when the old release is gone (`safe = Safe.after_deploy()` of django-safemigrate)."""
    dialect: str = ""
    hidden: bool = False
    """Objects of its own classes carry out some of its operations, which are not read."""
    portable: bool = False
    """It runs on several kinds of servers, as whoever installs the project chooses."""
    chain: str = ""
    """For Alembic's: the folder in which its history begins; a project may have several, each with a database of its own."""
    copy: bool = False
    """The same revision lies in another history too, and is told there."""
    location: Location | None = None
    reverse_location: Location | None = None

    @property
    def whole(self) -> Iterator[Operation]:
        """Its operations with those inside RunSQL behind it."""
        for operation in self.operations:
            yield operation
            if isinstance(operation, RunSQL):
                yield from operation.operations
