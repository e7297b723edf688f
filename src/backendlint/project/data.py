"""What is known of the project's database: SQL texts, schemas and migrations. Computed when first asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING

from backendlint.facts.model import FileFacts
from backendlint.findings.model import Hit, Location
from backendlint.project.schema.alembic import is_revision, read_alembic
from backendlint.project.schema.apply import apply, bring
from backendlint.project.schema.ddl import read_script
from backendlint.project.schema.django_migrations import History, read_django_migrations
from backendlint.project.schema.django_models import read_django_models
from backendlint.project.schema.django_state import State
from backendlint.project.schema.habits import Age, by_habit
from backendlint.project.schema.history import (
    Moment,
    add_indexes,
    ages_of,
    chain_of,
    index_foreign_keys,
    merged,
    moments,
    played,
    read_sql_files,
)
from backendlint.project.schema.links import ModuleLinks
from backendlint.project.schema.metadata import base_of, migrated_bases
from backendlint.project.schema.model import Schema, Table
from backendlint.project.schema.operations import CreateTable, DropTable, Migration, Operation, RenameTable
from backendlint.project.schema.peewee_models import read_peewee
from backendlint.project.schema.printed import is_printed
from backendlint.project.schema.released import dates_of, long_released
from backendlint.project.schema.sqlalchemy_models import read_sqlalchemy
from backendlint.project.sqltext.dialects import file_dialect, project_dialect, several_servers
from backendlint.project.sqltext.find import SqlText, sql_texts
from backendlint.project.sqltext.orm import Use, uses
from backendlint.project.sqltext.statements import Statement, statements

if TYPE_CHECKING:
    from backendlint.project.entities import Fn
    from backendlint.project.model import Project

_SEPARATOR = re.compile(r"[/\\]")
_DEFINES = frozenset({"CREATE", "ALTER", "DROP"})


class Data:
    """The database side of a project; owned by the Project."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._files = list(project.files.values())
        self.links = ModuleLinks(project.modules, project.sources)

    @cached_property
    def dialect(self) -> str:
        """sqlglot's name of the project's dialect, or ""."""
        return project_dialect(self._project)

    @cached_property
    def dialects(self) -> frozenset[str]:
        """The dialects of all drivers that modules import."""
        return frozenset(map(file_dialect, self._files)) - {""}

    @cached_property
    def texts(self) -> list[SqlText]:
        """All SQL texts."""
        return sql_texts(self._project, self._project.sql_files)

    @cached_property
    def statements(self) -> list[Statement]:
        """The statements of all texts; each is parsed when its tree is first asked for."""
        return list(statements(self._project))

    @cached_property
    def reviewed(self) -> list[Statement]:
        """Those at which a finding may count: the others need not be parsed."""
        focus = self._project.focus
        return self.statements if focus is None else list(statements(self._project, focus))

    def is_doubtful(self, table: str, column: str) -> bool:
        """True for a column that DDL does not define, but several functions name, or where DDL is missing: rather the
        reading is at fault than all of them."""
        known = self.schema.find(table)
        if known is not None and known.source == "ddl" and not self.schema.complete:
            return True
        return len(self._strangers.get((table, column.lower()), ())) > 1

    @cached_property
    def _strangers(self) -> dict[tuple[str, str], set[str]]:
        """Columns that their tables lack, with the functions whose SQL names them; for tables that only DDL defines."""
        from backendlint.project.sqltext.strangers import strangers

        return strangers(self.statements, self.schema)

    def is_lone_stranger(self, name: str) -> bool:
        """True for a table that nothing defines and one statement names, where the project's SQL names almost none else such:
        with more of them, rather the reading is at fault."""
        from backendlint.project.sqltext.strangers import FEW, is_foreign

        known, unknown = self._tables_named
        users = unknown.get(name.lower(), set())
        enough = len(known) >= FEW and len(unknown) * FEW <= len(known)
        return enough and len(users) == 1 and not is_foreign(name, self)

    def is_made(self, name: str) -> bool:
        """True for a table that executed SQL names and some text makes, be it for a while (`CREATE TABLE rest AS SELECT ...`)."""
        known, unknown = self._tables_named
        return name.lower() not in known and name.lower() not in unknown

    @cached_property
    def _tables_named(self) -> tuple[set[str], dict[str, set[Location]]]:
        """Tables that executed SQL names: those that are known, and the others with the statements that name them."""
        from backendlint.project.sqltext.strangers import tables_named

        return tables_named(self.statements, self.schema)

    @cached_property
    def dropped(self) -> dict[str, Location]:
        """Tables (small letters) that migrations drop or rename, and that nothing else defines, with the place."""
        found: dict[str, Location] = {}
        for moment in self.moments():
            if isinstance(moment.operation, DropTable | RenameTable) and moment.location is not None:
                found[moment.operation.table.lower()] = moment.location
        return {name: place for name, place in found.items() if self.schema.find(name) is None}

    @cached_property
    def uses(self) -> list[Use]:
        """Columns in queries that ORMs make."""
        return list(uses(self._project))

    def statements_in(self, fn: Fn) -> Sequence[Statement]:
        """The statements that a function has executed."""
        return self._statements_by_function.get(fn, ())

    @cached_property
    def _statements_by_function(self) -> dict[Fn, list[Statement]]:
        found: dict[Fn, list[Statement]] = {}
        for statement in self.statements:
            if statement.source.fn is not None:
                found.setdefault(statement.source.fn, []).append(statement)
        return found

    def uses_in(self, fn: Fn) -> Sequence[Use]:
        """Columns in the ORM's queries of a function."""
        return self._uses_by_function.get(fn, ())

    @cached_property
    def _uses_by_function(self) -> dict[Fn, list[Use]]:
        found: dict[Fn, list[Use]] = {}
        for use in self.uses:
            found.setdefault(use.fn, []).append(use)
        return found

    @cached_property
    def migration_paths(self) -> frozenset[str]:
        """Paths of all migrations, also of those that are squashed or in archives, which nothing runs any more."""
        scripts = (file.path for file in self._files if is_revision(file))
        return self.django_history.paths.union((migration.path for migration in self.migrations), scripts)

    @cached_property
    def _migrated_bases(self) -> frozenset[str]:
        return migrated_bases(self._project)

    def beside_migrations(self, owner: str) -> bool:
        """Whether a class is a model, or the base of some, that Alembic's env.py makes no revisions for: of another database."""
        cls = self._project.classes.get(owner)
        base = base_of(self._project, cls) if cls is not None and self._migrated_bases else ""
        return bool(base) and base not in self._migrated_bases

    @cached_property
    def sent_by_migrations(self) -> frozenset[str]:
        """The .sql files that migrations name: they run once, on the schema of that migration's time."""
        functions = self._project.all_functions() if self._project.sql_files else ()
        texts = _texts(fn for fn in functions if fn.path in self.migration_paths)
        named = {text.rpartition("/")[2] for text in texts if text.endswith(".sql")}
        return frozenset(path for path in self._project.sql_files if path.rpartition("/")[2] in named)

    @cached_property
    def named_in_code(self) -> frozenset[str]:
        """What the texts in the code end with, if they are paths: names of files and folders."""
        return frozenset(_last_part(text) for text in _texts(self._project.all_functions()))

    @cached_property
    def sqlalchemy(self) -> Schema:
        """The tables that SQLAlchemy's models and `Table`s make; what a migration defines for its own use is none of them."""
        return read_sqlalchemy(self._defining, self.links)

    @cached_property
    def _defining(self) -> list[FileFacts]:
        revisions = {file.path for file in self._files if is_revision(file)}
        folders = tuple({folder for path in revisions if (folder := chain_of(path)).endswith("/")})
        return [file for file in self._files if file.path not in revisions and not file.path.startswith(folders)]

    @cached_property
    def attribute_mapped(self) -> Schema:
        """The tables whose columns queries name as attributes of the class (`Order.number == 5`): SQLAlchemy's and peewee's."""
        return merged(self.sqlalchemy, read_peewee(self._defining, self.links))

    @cached_property
    def _django(self) -> tuple[State, Schema]:
        return read_django_models(self._files, self.links)

    @property
    def django(self) -> Schema:
        """The tables that Django's models make."""
        return self._django[1]

    @property
    def django_state(self) -> State:
        """Django's models."""
        return self._django[0]

    @cached_property
    def models(self) -> Schema:
        """The tables of all models."""
        return merged(self.attribute_mapped, self.django)

    @cached_property
    def by_class(self) -> dict[str, Table]:
        """The models' tables by the full names of their classes."""
        return {table.owner: table for table in self.models.tables.values() if table.owner}

    @cached_property
    def _revisions(self) -> list[Migration]:
        return read_alembic(self._files, self.links, self.dialect)

    @cached_property
    def alembic(self) -> list[Migration]:
        """Alembic's revisions in order; of copies for several databases the first."""
        return [migration for migration in self._revisions if not migration.copy]

    @cached_property
    def django_history(self) -> History:
        """Django's migrations in order."""
        history = read_django_migrations(self._files, self.links, self.dialect)
        portable = bool(history.migrations) and several_servers(self._project)
        for migration in history.migrations:
            migration.portable = portable
        return history

    @cached_property
    def _sql(self) -> tuple[list[Migration], Schema]:
        texts = [(path, self._project.sources(path)) for path in self._project.sql_files]
        own = {migration.path for migration in self.django_history.migrations}
        numbered = not self.alembic and not own  # beside those, they are steps of some task
        return read_sql_files([item for item in texts if not is_printed(*item, own)], self.dialect, numbered)

    @property
    def sql_migrations(self) -> list[Migration]:
        """Migrations that are .sql files, by folder in natural order."""
        return self._sql[0]

    @property
    def migrations(self) -> list[Migration]:
        """All migrations."""
        return [*self.alembic, *self.django_history.migrations, *self.sql_migrations]

    def moments(self) -> Iterator[Moment]:
        """Every operation of every migration, with the schema that it meets."""
        return moments(self.migrations, self._long_released, self._single)

    def by_habit(self, hits: Iterable[Hit]) -> Iterator[Hit]:
        """Of what many migrations do, the newest one's hit; of many alike in one migration the first."""
        return by_habit(hits, lambda: self._made)

    @cached_property
    def _made(self) -> dict[str, Age]:
        return {path: (self._dates.get(path, date.min), -age) for path, age in ages_of(self.migrations, ()).items()}

    @cached_property
    def _dates(self) -> dict[str, date]:
        return dates_of(self.migrations, self._project.sources)

    @cached_property
    def _single(self) -> frozenset[str]:
        """Tables of one row: their models have a base that is called so (`SingletonModel`, of a library or one's own)."""
        return frozenset(table.name for table in self.models.tables.values() if self._is_singleton(table))

    def _is_singleton(self, table: Table) -> bool:
        cls, hierarchy = self._project.classes.get(table.owner), self._project.hierarchy
        if cls is None:
            return False
        bases = (*hierarchy.library_bases(cls), *(item.name for item in hierarchy.mro(cls)[1:]))
        return any("singleton" in base.rpartition(".")[2].lower() for base in bases)

    @cached_property
    def _long_released(self) -> frozenset[str]:
        return long_released(self.migrations, self._dates)

    @cached_property
    def alembic_schema(self) -> Schema:
        """The tables that Alembic's revisions make."""
        return played(self._revisions)

    @cached_property
    def django_migrated(self) -> Schema:
        """The tables as the state after Django's last migrations describes them."""
        schema = Schema()
        history = self.django_history
        for model in history.state.models.values():
            for table in history.state.tables_of(model):
                table.complete = table.complete and model.app not in history.unread
                schema.add(table)
        schema.complete = not history.unread
        return schema

    def app_of(self, table: Table) -> str:
        """The Django app of a model's table, lower case; "" for what is no model's."""
        owner = table.owner
        while owner:
            if owner in self.django_state.classes:
                return self.django_state.classes[owner].partition(".")[0]
            owner = owner.rpartition(".")[0]
        return ""

    @cached_property
    def migrated(self) -> Schema:
        """The tables that the migrations make."""
        first = merged(self.alembic_schema, played(self.django_history.migrations))
        return merged(first, played(self.sql_migrations, self._sql[1]))

    @cached_property
    def defined(self) -> Schema:
        """The tables that DDL makes (.sql files and CREATE statements in code, outside of migrations), or code alters."""
        schema = self._sql[1].copy()
        inside = self.migration_paths
        for text in self.texts:
            if text.role == "file" or text.path in inside or not _DEFINES & set(text.text[:400].upper().split()):
                continue
            for operation in read_script(text.text, text.dialect, text.location).operations:
                if not _of_another(schema, operation, text.path):
                    bring(schema, operation, self.models, self.migrated)
                    apply(schema, operation)
        for name in [name for name, table in schema.tables.items() if "hole_" in name or table.kind == "temporary"]:
            del schema.tables[name]
        return schema

    @cached_property
    def schema(self) -> Schema:
        """The tables as far as anything tells: models, migrations, DDL."""
        whole = merged(merged(self.models, self.migrated), self.defined)
        add_indexes(whole, self.alembic, self.alembic_schema)
        whole.dialect = self.dialect
        if self.dialect == "mysql":
            index_foreign_keys(whole)
        return whole


def _of_another(schema: Schema, operation: Operation, path: str) -> bool:
    """Whether code drops or makes anew a table that another file defines: of a database of its own, for all that is known, so
    that a query may mean either."""
    made = operation.table if isinstance(operation, CreateTable) else None
    name = made.name if made is not None else operation.table if isinstance(operation, DropTable) else ""
    known = schema.find(name) if name else None
    if known is None or known.location is None or known.location.path == path:
        return False
    known.complete = known.complete and made is not None and known.columns.keys() >= made.columns.keys()
    return True


def _texts(functions: Iterable[Fn]) -> Iterator[str]:
    """The texts that stand in functions."""
    for fn in functions:
        yield from (text for vid in fn.made_by("const") if isinstance(text := fn.value(vid)[1], str))


def _last_part(path: str) -> str:
    """`full.sql` of `queries/full.sql`, `queries` of `sql/queries/`."""
    *above, last = _SEPARATOR.split(path)
    return last or (above[-1] if above else "")
