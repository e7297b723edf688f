"""All migrations of a project, replayed: each operation with the schema that it meets."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from backendlint.findings.model import Hit, Location, Profile, Step
from backendlint.project.schema import operations as ops
from backendlint.project.schema.apply import apply, apply_all, bring
from backendlint.project.schema.ddl import read_script
from backendlint.project.schema.model import DEFAULT_NAMESPACES, Index, Schema, Table, key_of
from backendlint.project.schema.revisions import dialect_at
from backendlint.project.sqltext.assemble import HOLE
from backendlint.project.sqltext.places import place_in

_MIGRATION_FOLDER = re.compile(
    r"(?:^|/)(?:migrations?|migrate|versions|changelog|deltas?|patches|schema_updates|alembic)(?:/|$)", re.IGNORECASE
)
_INITIAL = re.compile(
    r"(?:^|/)(?:init(?:ial)?|initdb(?:\.d)?|docker-entrypoint-initdb\.d|baseline|bootstrap)(?:/|$)", re.IGNORECASE
)
"""Folders of files that set up an empty database, one after the other."""
_ARCHIVE = re.compile(
    r"(?:^|/)(?:(?:archived?|old|legacy|obsolete|backup)[_.-]?migrations?|(?:migrations?[_.-])?(?:archived?|old|legacy|obsolete|backup|bak))"
    r"(?:/|$)",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"^(?:V\d[\d._]*__|U?\d{2,}[-_.])", re.IGNORECASE)
_BACKWARD = re.compile(
    r"(?:[._-](?:down|rollback|undo|revert)\.sql$)|(?:^|/)(?:(?:down|rollback|undo)|reverts?/|U\d[\d._]*__)",
    re.IGNORECASE,
)
_SETTINGS = re.compile(
    r"(?:^|[_.])(?:server|site|system|global|instance|installation)_?(?:settings?|config(?:uration)?|options|preferences)$",
    re.IGNORECASE,
)
"""Tables of what is set for the whole installation."""
_REFRESHED = re.compile(r"REFRESH\s+MATERIALIZED\s+VIEW\s+(?!CONCURRENTLY\b)([\w.]+)", re.IGNORECASE)
_MERGE_TREE = re.compile(r"\bENGINE\s*=\s*\w*MergeTree\b", re.IGNORECASE)
_CASCADE = re.compile(r"\bCASCADE\b", re.IGNORECASE)
RECENT = 10
"""Migrations further back in their chain are history: they have run, and what they did is told in the strict profile only.
So are those that by their dates are long released."""
YOUNG = 2
"""What so many migrations before have made is likely to come with them, and has few rows; what the first of a chain has made
may be old."""
MAX_SQL = 2_000_000
"""Longer .sql files are data, not schema."""


@dataclass(slots=True)
class Moment:
    """One operation about to run. `before` is the schema at that time: look at it now, it changes with the next moment."""

    migration: ops.Migration
    operation: ops.Operation
    before: Schema
    created: set[str]
    """Tables (lower case) that this migration has made or emptied so far: nobody uses them yet."""
    age: int
    """How many migrations of its chain came after it."""
    within: ops.RunSQL | None = None
    earlier: list[ops.Operation] = field(default_factory=list)
    """What this migration did before it."""
    single: Collection[str] = ()
    """Tables that are known to have one row."""
    young: Collection[str] = ()
    """Tables (lower case) that the migrations right before this one have made."""

    @property
    def location(self) -> Location | None:
        """Where the operation stands; the call of several lines in which it is the only statement, as SQL is told elsewhere."""
        place, call = self.operation.location, self.within.location if self.within else None
        if place is None or call is None or self.within is None:
            return place or call or self.migration.location
        below = call.has_line_of(place) and call.line != place.line
        return call if below and len(self.within.operations) == 1 else place

    @property
    def profile(self) -> Profile | None:
        """The profile in which its findings belong: the rule's own, or strict for what is history."""
        return "strict" if self.age >= RECENT else None

    @property
    def dialect(self) -> str:
        """The dialect in which it runs, PostgreSQL where nothing tells."""
        return self.operation.dialect or self.migration.dialect or "postgres"

    @property
    def to_come(self) -> list[ops.Operation]:
        """The operation, and what the migration does after it."""
        return [item for item in self.migration.whole if not item.state_only][len(self.earlier) :]

    def hit(self, message: str, *, related: tuple[Step, ...] = (), at: Location | None = None, **more: Any) -> Hit:
        """A hit at the operation."""
        place = at or self.location or Location(self.migration.path, 1, 1, 1, 1)
        if self.profile is not None:
            more["profile"] = self.profile
        return Hit(HOLE.sub("...", message), place, related, **more)

    def lock(self, message: str, **more: Any) -> Hit:
        """A hit about a lock of one kind of server, and its remedy: advice where the migration must run on others too, and
        where the table has few rows, as a new one has."""
        table = str(getattr(self.operation, "table", ""))
        if self.migration.portable or table.lower() in self.young or self.is_small(table):
            more["profile"] = "strict"
        return self.hit(message, **more)

    def is_small(self, table: str) -> bool:
        """True for a table with a single row, and with none because the migration has deleted all."""
        emptied = any(
            isinstance(item, ops.DataChange) and item.everything and item.table.lower() == table.lower()
            for item in self.earlier
        )
        return emptied or table in self.single or _SETTINGS.search(table) is not None

    def existing(self, name: str) -> bool:
        """True for a table that existed before this migration (also when its making was not seen); a name that is not known
        may be one that this migration has made. An empty database has none."""
        empty = self.migration.initial and self.migration.kind == "sql"
        namespace, _, rest = name.lower().rpartition(".")
        return not empty and self.created.isdisjoint(
            {name.lower(), *([rest] if namespace in DEFAULT_NAMESPACES else ())}
        )

    def table(self, name: str) -> Table | None:
        """The table as it is at this moment."""
        return self.before.find(name)


def moments(
    migrations: Sequence[ops.Migration], released: Collection[str] = (), single: Collection[str] = ()
) -> Iterator[Moment]:
    """Every operation of every migration in order, what RunSQL holds included; `released` ones are history by their dates,
    `single` tables have one row."""
    schemas: dict[str, Schema] = {}
    ages = ages_of(migrations, released)
    first: set[str] = set()
    """Tables of initial migrations: the other initial migrations follow at once."""
    made: dict[str, list[set[str]]] = {}
    """What the migrations of each chain have made, but the initial ones."""
    for migration in migrations:
        chain = made.setdefault(chain_with(migration), [])
        young = set[str]().union(*chain[-YOUNG:])
        schema = schemas.setdefault(migration.kind, Schema())
        created: set[str] = set(first) if migration.initial else set()
        earlier: list[ops.Operation] = []
        for operation, within in flat(migration.operations):
            if operation.state_only:
                continue
            yield Moment(migration, operation, schema, created, ages[migration.path], within, earlier, single, young)
            if isinstance(operation, ops.CreateTable):
                created |= {
                    operation.table.name.lower(),
                    key_of(operation.table.name, operation.table.namespace).lower(),
                }
            if isinstance(operation, ops.RenameTable) and operation.table.lower() in created:
                created.add(operation.new.lower())
            if isinstance(operation, ops.Other) and operation.kind == ops.UNNAMED_TABLE:
                created.add("")
            created |= {name.lower() for name in _emptied(operation, schema)}
            apply(schema, operation)
            earlier.append(operation)
        chain.append(set() if migration.initial or not chain else _made_in(earlier))
        if migration.initial:
            first |= created


def _made_in(operations: Sequence[ops.Operation]) -> set[str]:
    """The tables (lower case) that a migration has made."""
    return {item.table.name.lower() for item in operations if isinstance(item, ops.CreateTable)} - {""}


def _emptied(operation: ops.Operation, schema: Schema) -> Collection[str]:
    """What an operation empties, or fills anew, under a lock that nobody can read past (PostgreSQL's TRUNCATE, REFRESH)."""
    if isinstance(operation, ops.Truncate):
        return _referring(schema, operation.tables) if _CASCADE.search(operation.text) else operation.tables
    if isinstance(operation, ops.Other) and operation.kind == "REFRESH":
        name = _REFRESHED.match(operation.text)
        return (name[1],) if name is not None else ()
    return ()


def _referring(schema: Schema, names: Sequence[str]) -> set[str]:
    """The tables, and those whose foreign keys lead to them, which `TRUNCATE ... CASCADE` empties too."""
    found, todo = set[str](), [name.lower() for name in names]
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += [
                table.name.lower()
                for table in schema.tables.values()
                if any(key.enforced and key.target.lower() == name for key in table.foreign_keys)
            ]
    return found


def flat(operations: Sequence[ops.Operation]) -> Iterator[tuple[ops.Operation, ops.RunSQL | None]]:
    """Operations with those inside RunSQL in its place; a RunSQL itself comes first, without its contents."""
    for operation in operations:
        if isinstance(operation, ops.RunSQL):
            yield ops.RunSQL(
                sql=operation.sql, reversible=operation.reversible, known=operation.known, location=operation.location,
                state_only=operation.state_only, guarded=operation.guarded, text=operation.text, refused=operation.refused,
            ), None  # fmt: skip
            inherited = {"outside_transaction": operation.outside_transaction, "dialect": operation.dialect}
            for inner in operation.operations:
                yield (replace(inner, **inherited) if any(inherited.values()) else inner), operation  # type: ignore[arg-type]
        else:
            yield operation, None


def ages_of(migrations: Sequence[ops.Migration], released: Collection[str]) -> dict[str, int]:
    """How many migrations came after each (by its path) in its chain; more for those that are history by their folder or their dates."""
    chains: dict[str, list[str]] = {}
    for migration in migrations:
        chains.setdefault(chain_with(migration), []).append(migration.path)
    ages = {path: len(chain) - 1 - position for chain in chains.values() for position, path in enumerate(chain)}
    past = {migration.path for migration in migrations if is_archived(migration.path)}.union(released)
    return {path: age + RECENT if path in past else age for path, age in ages.items()}


def chain_with(migration: ops.Migration) -> str:
    """The chain in which a migration runs: an app's, a folder's, that of the revisions of one database."""
    return chain_of(migration.path) if migration.kind != "alembic" else f"alembic {migration.chain}"


def chain_of(path: str) -> str:
    """The folder whose migrations run one after the other: the migrations folder itself, else the file's own."""
    match = _MIGRATION_FOLDER.search(path.rpartition("/")[0] + "/")
    return path[: match.end()] if match is not None else path.rpartition("/")[0]


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def is_archived(path: str) -> bool:
    """True below a folder in which projects keep migrations that they no longer run."""
    return _ARCHIVE.search(_folder(path)) is not None


def _order(path: str) -> tuple[object, ...]:
    """Files of a chain as they run: those that set up the database (by their names: what lies in folders below belongs to
    the same step), what is kept of the past, the others."""
    folder, _, name = path.rpartition("/")
    rank = 0 if _INITIAL.search(folder) else 1 if is_archived(path) else 2
    return natural(chain_of(path)), rank, natural(name) if rank == 0 else [], natural(path)


def is_migration_path(path: str) -> bool:
    """True for files in a migrations folder, whatever they hold, and for the one file in which all are (`migrations.sql`)."""
    folder, _, name = path.rpartition("/")
    return _MIGRATION_FOLDER.search(f"{folder}/") is not None or name in {"migrations.sql", "migration.sql"}


def played(migrations: Sequence[ops.Migration], *around: Schema) -> Schema:
    """The schema after all of them; tables that they change and do not make are those of the schema `around`, which a file
    beside them describes."""
    schema = Schema()
    for migration in migrations:
        for operation in migration.operations:
            bring(schema, operation, *around)
            apply(schema, operation)
    return schema


def read_sql_files(
    texts: Sequence[tuple[str, str]], dialect: str, numbered: bool = True
) -> tuple[list[ops.Migration], Schema]:
    """(migrations, schema) from (path, text) of .sql files: `numbered` ones, those in a migrations folder, or just DDL."""
    found: list[ops.Migration] = []
    scripts: dict[str, list[Sequence[ops.Operation]]] = {}
    initial = {chain_of(path) for path, _ in texts if _INITIAL.search(_folder(path))}
    for path, text in sorted(texts, key=lambda item: _order(item[0])):
        if len(text) > MAX_SQL or _BACKWARD.search(path) or "{{" in text:
            continue
        if is_archived(path) and chain_of(path) in initial:
            continue  # what the archive did is part of what sets up the database
        spoken = "clickhouse" if _MERGE_TREE.search(text) else dialect_at(path, dialect)
        script = read_script(_forward(text), spoken, partial(place_in, path, text))
        name = path.rpartition("/")[2]
        if _MIGRATION_FOLDER.search(path.rpartition("/")[0]) or (numbered and _NUMBERED.match(name)):
            chain = chain_of(path)
            previous = next((item for item in reversed(found) if chain_of(item.path) == chain), None)
            found.append(
                ops.Migration(path, path, "sql", (previous.id,) if previous else (), operations=list(script.operations),
                              reverse_kind="missing", initial=_INITIAL.search(_folder(path)) is not None,
                              dialect=spoken, location=Location(path, 1, 1, 1, 1))
            )  # fmt: skip
        elif not all(isinstance(item, ops.DataChange | ops.Other) for item in script.operations):
            scripts.setdefault(_folder(path), []).append(
                script.operations
            )  # what code sends says nothing of the schema
    schema = Schema()
    for folder in scripts.values():
        for operations in sorted(folder, key=_makes_none):
            apply_all(schema, operations)
    return found, schema


def _makes_none(operations: Sequence[ops.Operation]) -> bool:
    """Whether a script only adds to tables that another file of its folder makes: `create_indexes.sql`, `create_tables.sql`."""
    return not any(isinstance(item, ops.CreateTable) for item in operations)


def _forward(text: str) -> str:
    """A migration that holds both ways (dbmate, goose, sql-migrate) without its way back, offsets kept."""
    match = re.search(
        r"^--\s*(?:migrate:down|\+goose\s+down|\+migrate\s+down|@undo|@down).*$", text, re.IGNORECASE | re.MULTILINE
    )
    if match is None:
        return text
    return text[: match.start()] + re.sub(r"[^\n]", " ", text[match.start() :])


def natural(path: str) -> list[tuple[int, str]]:
    """A key that sorts 2 before 10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path) if part]


def index_foreign_keys(schema: Schema) -> None:
    """InnoDB makes an index for each foreign key that has none."""
    for table in schema.tables.values():
        for key in table.foreign_keys:
            size = len(key.columns)
            if key.enforced and not any(index.columns[:size] == key.columns for index in table.searchable()):
                table.indexes.append(Index(key.name, key.columns, location=key.location))


def add_indexes(schema: Schema, migrations: Sequence[ops.Migration], made: Schema) -> None:
    """Indexes that migrations put on tables which they have not made themselves, but models (`create_all`) have."""
    for migration in migrations:
        for operation, _ in flat(migration.operations):
            if not isinstance(operation, ops.CreateIndex | ops.DropIndex) or not operation.table:
                continue
            table = schema.find(operation.table) if made.find(operation.table) is None else None
            if table is None:
                continue
            again = isinstance(operation, ops.CreateIndex) and any(
                index.columns == operation.index.columns for index in table.searchable()
            )
            if not again:
                apply(schema, operation)


def merged(first: Schema, second: Schema) -> Schema:
    """Both schemas' tables; where both have one, the first's with what only the second knows of columns, defaults, indexes and keys."""
    whole = first.copy()
    for key, table in second.tables.items():
        known = whole.find(key)
        if known is None:
            whole.tables[key] = table.copy()
            continue
        for name, column in table.columns.items():
            own = known.column(name)
            if own is None:
                known.columns[name] = column
            elif own.default is None and column.default is not None:
                known.columns[own.name] = replace(own, default=column.default)
        seen = {(index.columns, index.where) for index in known.searchable()}
        known.indexes.extend(index for index in table.indexes if (index.columns, index.where) not in seen)
        known.uniques.extend(unique for unique in table.uniques if (unique.columns, unique.where) not in seen)
        known.complete = known.complete and table.complete
        known.primary_key = known.primary_key or table.primary_key
    whole.complete = first.complete and second.complete
    return whole
