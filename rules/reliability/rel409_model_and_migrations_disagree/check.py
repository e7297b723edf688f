"""REL409: what models say and migrations do not make, and the other way round; today's models used in migrations."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import replace

from backendlint.api import (
    Cls,
    Column,
    Fn,
    Hit,
    Location,
    Profile,
    Project,
    Schema,
    Step,
    Table,
    called_name,
    calls_at,
    ops,
    sqltypes,
    table_of,
    told_once,
)

DOUBTFUL = 3
"""Where more models than so many disagree with their migrations, rather the reading is at fault than all of them: tools that
generate migrations find that at once."""
_QUERIES = frozenset(
    "query select insert update delete get scalars exists bulk_insert_mappings bulk_update_mappings".split()
)
_MANAGERS = frozenset({"objects", "_default_manager", "_base_manager", "query", "all_objects"})
_MANAGER = re.compile(rf"\.(?:{'|'.join(sorted(_MANAGERS))})(?:\.|$)")


def check(project: Project) -> Iterator[Hit]:
    """Each framework's models against its own migrations, as far as both were read completely."""
    data = project.data
    if data.alembic and _connected(data.alembic):
        models = {
            name: table
            for name, table in data.sqlalchemy.tables.items()
            if data.alembic_schema.find(name) is not None or not data.beside_migrations(table.owner)
        }
        yield from _compare(project, models, data.alembic_schema, "Alembic", _all_read(data.alembic))
    if data.django_history.migrations:
        apps = {migration.id.partition(".")[0].lower() for migration in data.django_history.migrations}
        models = {
            name: table
            for name, table in data.django.tables.items()
            if table.managed and data.app_of(table) in apps and _loaded(project, table)
        }
        yield from _compare(project, models, data.django_migrated, "Django", True)
    yield from _todays(project)


def _connected(migrations: list[ops.Migration]) -> bool:
    """Whether every parent was read: what comes after a gap cannot be put in order; and every operation could be."""
    known = {migration.id for migration in migrations}
    return all(known.issuperset(migration.depends) and not migration.hidden for migration in migrations)


def _loaded(project: Project, table: Table) -> bool:
    """False for a model in a file of a `models` package that nothing imports: Django never hears of it."""
    path = table.location.path if table.location is not None else ""
    folder, _, name = path.removesuffix(".py").rpartition("/")
    if "models" not in folder.split("/") or name == "__init__" or name in project.imported_names:
        return True
    return any(item == name or item.endswith(f".{name}") for item in project.imported_from)


def _todays(project: Project) -> Iterator[Hit]:
    """Functions of Python migrations that work with models of the application, at their first use of one."""
    found = [
        (fn, use)
        for path in sorted({migration.path for migration in project.data.migrations} & project.files.keys())
        for fn in project.functions_of(project.files[path])
        if not fn.is_module and (use := _model_used(project, fn)) is not None
    ]
    profiles = {item.migration.path: item.profile for item in project.data.moments()} if found else {}
    for fn, (cls, vid) in found:
        late = _changed_later(project, fn, cls, fn.place(vid))
        fails = (
            "on a database that is new, or some releases behind, it runs before the later migrations that the model relies on, and "
            "fails for columns that are not there yet"
            if late
            else "as soon as a later migration changes the table, this one fails on a new database for columns that are not there yet"
        )
        yield Hit(
            f"`{fn.name}()` uses today's `{cls.name}`: {fails}; {_historical(fn, cls)}.",
            fn.place(vid),
            (Step(cls.header, "the model as it is today"),),
            function=fn.fqn,
            profile=profiles.get(fn.path) if late else "strict",
        )


def _changed_later(project: Project, fn: Fn, cls: Cls, place: Location) -> bool:
    """Whether the function's migration or one after it gives the model's table a column; True where its table is not known. Of a
    revision's own changes those count that come after the model is used."""
    table = table_of(project, cls.fqn)
    paths = [migration.path for migration in project.data.migrations]
    if table is None or fn.path not in paths:
        return True
    later = project.data.migrations[paths.index(fn.path) :]
    return any(
        _brings(operation, table.name)
        for migration in later
        for operation in migration.whole
        if migration.path != fn.path or migration.kind != "alembic" or _after(operation, place)
    )


def _brings(operation: ops.Operation, table: str) -> bool:
    """Whether it gives the table, or nobody knows which, a column or name that was not there before."""
    if isinstance(operation, ops.RunSQL):
        return not operation.known
    name = operation.new if isinstance(operation, ops.RenameTable) else getattr(operation, "table", "")
    adds = isinstance(operation, ops.AddColumn | ops.RenameColumn | ops.RenameTable)
    return adds and str(name).lower() == table.lower()


def _after(operation: ops.Operation, place: Location) -> bool:
    return operation.location is None or operation.location.line > place.line


def _model_used(project: Project, fn: Fn) -> tuple[Cls, int] | None:
    """The first model, defined outside of migrations, whose rows the function asks for or makes."""
    called = {call.func for call in fn.calls}
    passed = {
        vid
        for call in fn.calls
        if called_name(fn.file, fn.facts, call).rpartition(".")[2] in _QUERIES
        for vid in call.args
    }
    managed = {fn.value(vid)[1] for vid in fn.made_by("attr") if fn.value(vid)[2] in _MANAGERS}
    used = called | passed | managed
    for vid in fn.made_by("name"):
        name = fn.value(vid)[1]
        owner = _MANAGER.split(name)[0]
        if owner == name and vid not in used:
            continue
        for ref in project.resolver.dotted(owner, fn.file.module):
            cls = project.classes.get(ref.name) if ref.kind == "class" else None
            if (
                cls is not None
                and cls.path not in project.data.migration_paths
                and project.data.models.find_owner(cls.fqn)
            ):
                return cls, vid
    return None


def _historical(fn: Fn, cls: Cls) -> str:
    if fn.facts.params and fn.facts.params[0].name == "apps":
        return f"get it as it was then: `apps.get_model(..., {cls.name!r})`"
    return "describe in the migration the table and the columns that it needs (`sa.table(...)`), or write SQL"


def _all_read(migrations: list[ops.Migration]) -> bool:
    """True where all SQL that the migrations run is known, so that no index can come from elsewhere."""
    return not any(
        isinstance(operation, ops.RunSQL) and not operation.known
        for migration in migrations
        for operation in migration.operations
    )


def _compare(
    project: Project, models: dict[str, Table], migrated: Schema, framework: str, all_read: bool
) -> Iterator[Hit]:
    known = sum(migrated.find(name) is not None for name in models)
    if not models or known * 2 < len(models):
        return
    found: list[list[Hit]] = []
    for name, table in models.items():
        made = migrated.find(name)
        if made is not None:
            found.append(list(_differences(project, table, made, framework, all_read)))
        elif migrated.complete and table.location is not None and table.owner:
            message = (
                f"The model of `{name}` has no migration that creates its table: after a deployment its queries fail; "
                f"generate one with {_command(framework)}."
            )
            found.append([Hit(message, table.location)])
    told = sum(any(hit.profile != "strict" for hit in hits) for hits in found)
    for hit in itertools.chain.from_iterable(found):
        yield replace(hit, profile="strict") if told > DOUBTFUL else hit


def _differences(project: Project, table: Table, made: Table, framework: str, all_read: bool) -> Iterator[Hit]:
    if made.complete and table.complete and made.kind == table.kind:
        yield from _columns(project, table, made, framework)
        yield from _left_over(project, table, made)
        if all_read:
            yield from _indexes(table, made, framework)
            yield from _keys(table, made, framework)


def _command(framework: str) -> str:
    return "`alembic revision --autogenerate`" if framework == "Alembic" else "`manage.py makemigrations`"


def _columns(project: Project, table: Table, made: Table, framework: str) -> Iterator[Hit]:
    """The columns of a table that differ; of many that hold something else, the first."""
    missing, different = list[Hit](), list[Hit]()
    for column in table.columns.values():
        other = made.column(column.name)
        name = f"`{table.name}.{column.name}`"
        if other is None and (not column.type or _hidden(project, table, column)):
            continue  # a library's field of its own, which may have no column
        if other is None:
            missing += _hit(
                column.location or table.location,
                f"{name} is in the model, but no migration adds it: each query of the model fails after a "
                "deployment; generate the "
                f"migration with {_command(framework)}.",
                made.location,
            )
            continue
        # from a library, whose releases differ
        inherited = framework == "Django" and column.location in (None, table.location)
        difference = "" if inherited else _difference(column, other)
        if difference and framework == "Django" and column.nullable != other.nullable and _of_library(project, column):
            difference = ""
        if difference:
            different += _hit(
                column.location or table.location,
                f"{name} {difference}: code and database disagree about what it can hold; generate the migration with "
                f"{_command(framework)}, or correct the model.",
                other.location or made.location,
                "strict" if _harmless(column, other, framework) else None,
            )
    yield from missing
    yield from told_once(different, _together, severity=None, each=lambda _: table.name)


def _hidden(project: Project, table: Table, column: Column) -> bool:
    """Whether a base class has a property of the field's name: Django leaves the field away then."""
    cls = project.classes.get(table.owner)
    name = column.attribute or column.name
    return cls is not None and any(name in base.methods for base in project.hierarchy.mro(cls))


def _of_library(project: Project, column: Column) -> bool:
    """Whether a library's class of field says by itself if it may be null (`FallbackTextField`), as migrations tell and models need not."""
    calls = calls_at(project, column.location) if column.location is not None else ()
    made = (ref.name for fn, call in calls for ref in project.callees(fn, call))
    return any(name.rpartition(".")[2].endswith("Field") and not name.startswith("django.") for name in made)


def _together(hit: Hit, others: str) -> str:
    return f"{hit.message[:-1]}. So it is in {others} of the model."


def _left_over(project: Project, table: Table, made: Table) -> Iterator[Hit]:
    """Columns that each insert must fill, and that the model does not have: neither itself nor from a library's mixin."""
    cls = project.classes.get(table.owner)
    lineage = project.hierarchy.mro(cls) if cls is not None else ()
    if cls is not None and any(base.endswith("Mixin") for base in project.hierarchy.library_bases(cls)):
        return
    for column in made.columns.values():
        filled = column.nullable or column.default is not None or column.autoincrement
        if filled or table.column(column.name) is not None:
            continue
        if any(f"_{name}_" in f"_{column.name}_" for item in lineage for name in item.facts.attributes):
            continue  # a library's field, of which is not known whether it has a column, or several (`price_currency`, `_text_rendered`)
        yield from _hit(
            table.location,
            f"The migrations make `{table.name}.{column.name}` NOT NULL without a default, but the "
            "model has no such column: every "
            "insert through the model fails; add it to the model, or drop it in a migration.",
            column.location,
        )


def _indexes(table: Table, made: Table, framework: str) -> Iterator[Hit]:
    """Indexes and unique constraints that the model states on columns and no migration makes, under whatever name."""
    for wanted in table.searchable():
        if wanted.columns == table.primary_key or wanted.expressions or wanted.method == "exclude":
            continue
        if any(made.column(name) is None for name in wanted.columns) or _is_made(wanted, made):
            continue
        listed = ", ".join(wanted.columns)
        harm = (
            "the database accepts duplicates that the code holds for impossible"
            if wanted.unique
            else "queries that rely on it read the whole table"
        )
        yield from _hit(
            wanted.location or table.location,
            f"The model of `{table.name}` states {'that' if wanted.unique else 'an index on'} ({listed})"
            f"{' is unique' if wanted.unique else ''}, but no migration makes it: {harm}; "
            f"generate the migration with {_command(framework)}.",
            made.location,
        )


def _keys(table: Table, made: Table, framework: str) -> Iterator[Hit]:
    """Foreign keys of the model whose columns have none in the migrations."""
    known = {key.columns for key in made.foreign_keys}
    for key in table.foreign_keys:
        if not key.enforced or not key.target or key.columns in known:
            continue
        if all(made.column(name) is not None for name in key.columns):
            yield from _hit(
                key.location or table.location,
                f"The model of `{table.name}` states that ({', '.join(key.columns)}) refers to `{key.target}`, but no migration "
                "makes that foreign key: the database accepts rows that refer to nothing; generate the migration with "
                f"{_command(framework)}.",
                made.location,
            )


def _is_made(wanted: ops.Index, made: Table) -> bool:
    """True where an index of that name, or one that serves as well, is in the migrations."""
    size = len(wanted.columns)
    columns = [name.lower() for name in wanted.columns]
    for other in made.searchable():
        if wanted.name and other.name.lower() == wanted.name.lower():
            return True
        names = [name.lower() for name in other.columns]
        if other.expressions and not wanted.unique:
            return True  # an expression may well be about the column
        if wanted.unique:
            if other.unique and sorted(names) == sorted(columns):
                return True
        elif names[:size] == columns:
            return True
    return not wanted.unique and any(
        [name.lower() for name in key.columns[:size]] == columns
        for key in made.foreign_keys
        if made.source != "alembic"
    )


def _hit(place: Location | None, message: str, other: Location | None, profile: Profile | None = None) -> Iterator[Hit]:
    if place is not None:
        steps = (Step(other, "as the migrations make it"),) if other is not None else ()
        yield Hit(message, place, steps, profile=profile)


def _harmless(model: Column, made: Column, framework: str) -> bool:
    """Null or not, where no insert fails by it: SQLAlchemy takes NOT NULL from the annotation, and the database lets more in;
    or the model puts a value of its own in, or leaves the column to the database's default."""
    if model.nullable == made.nullable:
        return False
    filled = framework == "Alembic" and model.default is not None and made.default is not None
    return model.client_default or filled if model.nullable else framework == "Alembic"


def _difference(model: Column, made: Column) -> str:
    if not model.type:
        return ""  # made by a function of the project's own, which may say anything of it
    if model.nullable != made.nullable and not model.primary_key and not made.primary_key:
        return (
            "may be null in the model, but is NOT NULL in the migrations"
            if model.nullable
            else "is NOT NULL in the model, but may be null in the migrations"
        )
    left, right = sqltypes.family(model.type), sqltypes.family(made.type)
    if left and right and left != right:
        return f"is {model.type} in the model, but {made.type} in the migrations"
    before, after = sqltypes.length(model.type), sqltypes.length(made.type)
    if before is not None and after is not None and before != after:
        return f"is {model.type} in the model, but {made.type} in the migrations"
    return ""
