"""REL406: foreign keys, checks and NOT NULL that scan a table in use under a lock."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backendlint.api import Hit, Moment, Project, ops

_SAFE = {
    "alembic": "pass `postgresql_not_valid=True`, and run `ALTER TABLE ... VALIDATE CONSTRAINT` in a later revision",
    "django": "use `AddConstraintNotValid` (for a foreign key: RunSQL with NOT VALID), and validate in a later migration",
    "sql": "add it NOT VALID, and run `ALTER TABLE ... VALIDATE CONSTRAINT` in a later transaction",
}


def check(project: Project) -> Iterator[Hit]:
    """What the migrations do; of what they do again and again the newest."""
    yield from project.data.by_habit(_judged(project))


def _judged(project: Project) -> Iterator[Hit]:
    """Constraints on tables that existed before the migration; one that it adds in a branch for each database once."""
    told: set[tuple[str, str, tuple[str, ...]]] = set()
    for moment in project.data.moments():
        operation = moment.operation
        if moment.dialect not in {"postgres", "mysql"}:
            continue
        if isinstance(operation, ops.AddConstraint) and operation.validated and moment.existing(operation.table):
            key = (moment.migration.path, operation.table, _references(operation))
            hits = list(_constraint(moment, operation)) if key not in told else []
            told |= {key} if hits and key[2] else set()
            yield from hits
        elif (
            isinstance(operation, ops.AlterColumn) and operation.nullable is False and moment.existing(operation.table)
        ):
            yield from _not_null(moment, operation)
        elif isinstance(operation, ops.Other) and operation.kind == "ALTER DOMAIN" and _checks_domain(operation.text):
            yield moment.hit(
                "Adding a constraint to a domain checks every column of that type in every table under a "
                "lock: writes wait; add it NOT "
                "VALID, and validate it in a later transaction."
            )
        elif isinstance(operation, ops.ValidateConstraint) and _same_transaction(moment, operation):
            yield moment.hit(
                f"`{operation.name}` is validated in the transaction that added it: the lock of ADD "
                "CONSTRAINT is held during the scan "
                f"of `{operation.table}`, so NOT VALID gains nothing; validate in a migration of its own."
            )


def _references(operation: ops.AddConstraint) -> tuple[str, ...]:
    """What a foreign key joins, whatever its name is in this database."""
    constraint = operation.constraint
    return (*constraint.columns, constraint.target) if isinstance(constraint, ops.ForeignKey) else ()


def _checks_domain(text: str) -> bool:
    upper = " ".join(text.upper().split())
    return " ADD " in upper and "CHECK" in upper and "NOT VALID" not in upper


def _constraint(moment: Moment, operation: ops.AddConstraint) -> Iterator[Hit]:
    constraint = operation.constraint
    if isinstance(constraint, ops.ForeignKey):
        if not constraint.enforced or _just_added(moment, operation.table, constraint.columns):
            return
        what = f"The foreign key from `{operation.table}` ({', '.join(constraint.columns)}) to `{constraint.target}`"
        lock = "holds SHARE ROW EXCLUSIVE locks on both tables while every row is checked: writes to either wait"
    elif isinstance(constraint, ops.Check):
        if re.search(r"\bIS NOT NULL\b", constraint.text, re.IGNORECASE) and moment.dialect == "mysql":
            return
        named = f"`{constraint.name}` " if constraint.name else ""
        what = f"The check {named}on `{operation.table}`"
        lock = "holds an ACCESS EXCLUSIVE lock while every row is checked: reads and writes wait"
    else:
        return
    if moment.dialect == "mysql":
        yield moment.lock(
            f"{what} makes MySQL copy the table and block writes meanwhile; add it in a quiet hour or with an online tool."
        )
        return
    yield moment.lock(f"{what} {lock}; {_SAFE[moment.migration.kind]}.")


def _just_added(moment: Moment, table: str, columns: tuple[str, ...]) -> bool:
    """True for columns of this migration that are null everywhere: there is nothing to look up."""
    added = {
        item.column.name
        for item in moment.earlier
        if isinstance(item, ops.AddColumn)
        and item.table == table
        and item.column.nullable
        and item.column.default is None
    }
    return bool(columns) and set(columns) <= added


def _not_null(moment: Moment, operation: ops.AlterColumn) -> Iterator[Hit]:
    table = moment.table(operation.table)
    column = table.column(operation.column) if table is not None else None
    if (column is not None and not column.nullable) or _restated(moment, operation):
        return
    checked = table is not None and any(
        re.search(rf"\b{re.escape(operation.column)}\b\"?\s+IS\s+NOT\s+NULL", item.text, re.IGNORECASE)
        for item in table.checks
    )
    if checked and moment.dialect == "postgres":
        return
    name = f"`{operation.table}.{operation.column}`"
    if moment.dialect == "mysql":
        yield moment.lock(_in_mysql(moment, operation, name))
        return
    if operation.fills:
        yield moment.lock(
            f"SET NOT NULL on {name} comes after one UPDATE that fills its null rows with the default, and scans the table under an "
            "ACCESS EXCLUSIVE lock: reads and writes wait for both; fill the rows in batches in an earlier migration, and add "
            f"`CHECK ({operation.column} IS NOT NULL) NOT VALID`, validated in a later transaction, before SET NOT NULL."
        )
        return
    yield moment.lock(
        f"SET NOT NULL on {name} scans the table under an ACCESS EXCLUSIVE lock, so reads and writes wait"
        f"{'' if _filled(moment, operation) else ', and fails if a row is null'}; "
        f"first add `CHECK ({operation.column} IS NOT NULL) NOT VALID`, validate it in a later transaction, then set NOT NULL, "
        "which PostgreSQL 12 takes from the check."
    )


def _restated(moment: Moment, operation: ops.AlterColumn) -> bool:
    """Whether the way back says NOT NULL too (of the column that this one renames): so it was before, and is said again."""
    names = {operation.column} | {
        item.new
        for item in moment.to_come
        if isinstance(item, ops.RenameColumn) and (item.table, item.column) == (operation.table, operation.column)
    }
    back = [item for item in moment.migration.reverse or () if isinstance(item, ops.AlterColumn)]
    return any(item.nullable is False and item.table == operation.table and item.column in names for item in back)


def _in_mysql(moment: Moment, operation: ops.AlterColumn, name: str) -> str:
    tool = "`ALGORITHM=INPLACE, LOCK=NONE` or an online tool"
    if _filled(moment, operation):
        return f"Making {name} NOT NULL rebuilds the table in MySQL; change it with {tool}."
    if operation.fills:
        return (
            f"Making {name} NOT NULL first fills its null rows with the default in one UPDATE, then rebuilds the table in MySQL; "
            f"fill the rows in batches in an earlier migration, and change it with {tool}."
        )
    return (
        f"Making {name} NOT NULL rebuilds the table in MySQL and fails on rows that are null; backfill in batches first, and "
        f"change it with {tool}."
    )


def _filled(moment: Moment, operation: ops.AlterColumn) -> bool:
    """Whether this migration changes rows before, by code or by an UPDATE of the table."""
    return any(
        (isinstance(item, ops.RunCode) and item.changes_data)
        or (isinstance(item, ops.DataChange) and item.kind == "UPDATE" and item.table == operation.table)
        for item in moment.earlier
    )


def _same_transaction(moment: Moment, operation: ops.ValidateConstraint) -> bool:
    if not moment.migration.transactional or moment.operation.outside_transaction or moment.migration.kind == "sql":
        return False
    return any(
        isinstance(item, ops.AddConstraint) and item.constraint.name == operation.name and not item.outside_transaction
        for item in moment.earlier
    )
