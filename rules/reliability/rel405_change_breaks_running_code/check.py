"""REL405: renames, and type changes that rewrite the table or lose values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from backendlint.api import Hit, Moment, Project, ops, sqltypes, users_of

_IN_STEPS = "add the new one, write both, backfill, switch the reads, and drop the old one in a later release."


def check(project: Project) -> Iterator[Hit]:
    """What the migrations do; of what they do again and again the newest."""
    yield from project.data.by_habit(_judged(project))


def _judged(project: Project) -> Iterator[Hit]:
    """Changes to tables that existed before the migration."""
    for moment in project.data.moments():
        operation = moment.operation
        if (
            isinstance(operation, ops.RenameTable)
            and moment.existing(operation.table)
            and not _rebuilt(moment, operation)
        ):
            related = users_of(project, operation.table)
            yield moment.hit(
                f"Renaming table `{operation.table}` to `{operation.new}` breaks every instance of the old "
                "release until the roll-out "
                "ends, and the new one if it starts first; leave a view under the old name, or go in steps: "
                + _IN_STEPS,
                related=related,
            )
        elif (
            isinstance(operation, ops.RenameColumn)
            and moment.existing(operation.table)
            and not _new(moment, operation)
            and not _dropped(moment, operation)
        ):
            related = users_of(project, operation.table, operation.column)
            yield moment.hit(
                f"Renaming column `{operation.table}.{operation.column}` to `{operation.new}` breaks every "
                "instance of the old release "
                "until the roll-out ends; " + _IN_STEPS,
                related=related,
            )
        elif isinstance(operation, ops.AlterColumn) and operation.type and not _new(moment, operation):
            yield from _type(moment, operation)


def _new(moment: Moment, operation: ops.RenameColumn | ops.AlterColumn) -> bool:
    """True for a column that this very migration made: no running code knows it."""
    return not moment.existing(operation.table) or any(
        isinstance(item, ops.AddColumn) and (item.table, item.column.name) == (operation.table, operation.column)
        for item in moment.earlier
    )


def _dropped(moment: Moment, operation: ops.RenameColumn) -> bool:
    """Whether the same migration drops it under its new name, or its whole table: that is what breaks the old release."""
    return any(
        (isinstance(item, ops.DropColumn) and (item.table, item.column) == (operation.table, operation.new))
        or (isinstance(item, ops.DropTable) and item.table == operation.table)
        for item in moment.to_come
    )


def _rebuilt(moment: Moment, operation: ops.RenameTable) -> bool:
    """SQLite's way of changing a table (the copy made here takes the old one's name), and PostgreSQL's of renaming a sequence."""
    return operation.table.lower() in moment.created or operation.table.endswith("_seq")


def _type(moment: Moment, operation: ops.AlterColumn) -> Iterator[Hit]:
    table = moment.table(operation.table)
    column = table.column(operation.column) if table is not None else None
    old, new = column.type if column is not None else "", operation.type or ""
    if not new or moment.dialect in ("sqlite", "clickhouse") or "ENUM" in (sqltypes.base(old), sqltypes.base(new)):
        return
    if old and (sqltypes.widens(old, new) or (moment.dialect == "mysql" and _same_in_mysql(old, new))):
        return
    name = f"`{operation.table}.{operation.column}`"
    change = f"from {old} to {new}" if old else f"to {new}"
    narrowed = ", which fails for values that no longer fit" if _narrows(old, new) else ""
    lock = (
        "MySQL copies the table and blocks writes meanwhile"
        if moment.dialect == "mysql"
        else "PostgreSQL rewrites the table and its indexes under an ACCESS EXCLUSIVE lock, so reads and writes wait"
    )
    only_checked = bool(old) and sqltypes.family(old) == sqltypes.family(new) == "text"
    if only_checked and moment.dialect == "postgres":
        lock = "PostgreSQL checks every row under an ACCESS EXCLUSIVE lock, so reads and writes wait"
    hit = moment.lock(f"Changing the type of {name} {change}{narrowed}: {lock}; " + _IN_STEPS)
    yield hit if old else replace(hit, confidence="medium")


def _same_in_mysql(old: str, new: str) -> bool:
    """VARCHAR grows in place as long as its length byte does not: below 256, or from 256 on."""
    before, after = sqltypes.length(old), sqltypes.length(new)
    if before is None or after is None or sqltypes.base(old) != "VARCHAR" or sqltypes.base(new) != "VARCHAR":
        return old == new
    return before <= after and (before > 63 or after <= 63)


def _narrows(old: str, new: str) -> bool:
    before, after = sqltypes.length(old), sqltypes.length(new)
    if sqltypes.family(old) == sqltypes.family(new) == "text":
        return after is not None and (before is None or after < before)
    sizes = {"SMALLINT": 2, "INTEGER": 4, "BIGINT": 8}
    return sizes.get(new, 9) < sizes.get(old, 0)
