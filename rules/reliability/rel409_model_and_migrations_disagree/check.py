"""REL409: what models say and migrations do not make, and the other way round."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Column, Hit, Index, Location, Project, Schema, Step, Table, ops, sqltypes


def check(project: Project) -> Iterator[Hit]:
    """Each framework's models against its own migrations, as far as both were read completely."""
    data = project.data
    if data.alembic:
        yield from _compare(data.sqlalchemy.tables, data.alembic_schema, "Alembic", _all_read(data.alembic))
    if data.django_history.migrations:
        apps = {migration.id.partition(".")[0].lower() for migration in data.django_history.migrations}
        models = {
            name: table for name, table in data.django.tables.items() if table.managed and data.app_of(table) in apps
        }
        yield from _compare(models, data.django_migrated, "Django", True)


def _all_read(migrations: list[ops.Migration]) -> bool:
    """True where all SQL that the migrations run is known, so that no index can come from elsewhere."""
    return not any(
        isinstance(operation, ops.RunSQL) and not operation.known
        for migration in migrations
        for operation in migration.operations
    )


def _compare(models: dict[str, Table], migrated: Schema, framework: str, all_read: bool) -> Iterator[Hit]:
    known = sum(migrated.find(name) is not None for name in models)
    if not models or known * 2 < len(models):
        return
    for name, table in models.items():
        made = migrated.find(name)
        if made is None:
            if migrated.complete and table.location is not None and table.owner:
                yield Hit(
                    f"The model of `{name}` has no migration that creates its table: after a deployment "
                    "its queries fail; generate one"
                    f" with {_command(framework)}.",
                    table.location,
                )
            continue
        if made.complete and table.complete and made.kind == table.kind:
            yield from _columns(table, made, framework)
            if all_read:
                yield from _indexes(table, made, framework)


def _command(framework: str) -> str:
    return "`alembic revision --autogenerate`" if framework == "Alembic" else "`manage.py makemigrations`"


def _columns(table: Table, made: Table, framework: str) -> Iterator[Hit]:
    for column in table.columns.values():
        other = made.column(column.name)
        name = f"`{table.name}.{column.name}`"
        if other is None:
            yield from _hit(
                column.location or table.location,
                f"{name} is in the model, but no migration adds it: each query of the model fails after a "
                "deployment; generate the "
                f"migration with {_command(framework)}.",
                made.location,
            )
            continue
        difference = _difference(column, other)
        if difference:
            yield from _hit(
                column.location or table.location,
                f"{name} {difference}: code and database disagree about what it can hold; generate the migration with "
                f"{_command(framework)}, or correct the model.",
                other.location or made.location,
            )
    for column in made.columns.values():
        if (
            table.column(column.name) is None
            and not column.nullable
            and column.default is None
            and not column.autoincrement
        ):
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


def _is_made(wanted: Index, made: Table) -> bool:
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


def _hit(place: Location | None, message: str, other: Location | None) -> Iterator[Hit]:
    if place is not None:
        yield Hit(message, place, (Step(other, "as the migrations make it"),) if other is not None else ())


def _difference(model: Column, made: Column) -> str:
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
