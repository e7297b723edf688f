"""REL404: indexes on tables in use, built under a lock; and CONCURRENTLY where it cannot work."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from backendlint.api import Hit, Moment, Project, ops

_SAFE = {
    "alembic": "pass `postgresql_concurrently=True` inside `with op.get_context().autocommit_block():`",
    "django": "use `AddIndexConcurrently` in a migration with `atomic = False`",
    "sql": "write `CREATE INDEX CONCURRENTLY` in a file that runs outside of a transaction",
}
_WRITTEN = {
    "alembic": "write `CREATE INDEX CONCURRENTLY` inside `with op.get_context().autocommit_block():`",
    "django": "write `CREATE INDEX CONCURRENTLY` in a migration with `atomic = False`",
    "sql": _SAFE["sql"],
}
"""The same for SQL text that a migration runs."""
_PARTIAL = (
    "build it with `RunSQL` and CREATE UNIQUE INDEX CONCURRENTLY in a migration with `atomic = False`, and tell Django "
    "with `state_operations`"
)
"""For Django's constraint with a condition or an expression, which is an index that `AddIndexConcurrently` cannot build."""
_UNIQUE = {
    "alembic": "build a unique index with `postgresql_concurrently=True`, then `ADD CONSTRAINT ... UNIQUE USING INDEX`",
    "django": "build the unique index with `RunSQL` and CONCURRENTLY in a migration with `atomic = False`, "
    "then add the constraint USING INDEX",
    "sql": "write `CREATE UNIQUE INDEX CONCURRENTLY`, then `ADD CONSTRAINT ... UNIQUE USING INDEX`",
}


def check(project: Project) -> Iterator[Hit]:
    """Indexes and unique constraints on tables that existed before the migration; of what many do the newest."""
    yield from project.data.by_habit(hit for moment in project.data.moments() for hit in _judged(moment))


def _judged(moment: Moment) -> Iterator[Hit]:
    operation = moment.operation
    if isinstance(operation, ops.CreateIndex) and moment.existing(operation.table):
        yield from _index(moment, operation)
    elif isinstance(operation, ops.AddConstraint | ops.AddColumn) and moment.existing(operation.table):
        yield from _unique(moment, operation)
    else:
        yield from _others(moment, operation)


def _others(moment: Moment, operation: ops.Operation) -> Iterator[Hit]:
    """Indexes that go, primary keys that come, and what rebuilds a table or its indexes."""
    if moment.dialect != "postgres":
        return
    if isinstance(operation, ops.DropIndex) and not operation.concurrently and operation.name:
        table = operation.table or _table_of(moment, operation.name)
        if table and moment.existing(table):
            hit = moment.hit(
                f"Dropping index `{operation.name}` takes an ACCESS EXCLUSIVE lock on `{table}`: it waits for the longest "
                "running query, and every query after it waits too; use DROP INDEX CONCURRENTLY.",
                severity="note",
            )
            yield hit if moment.profile else replace(hit, profile="strict")
    if isinstance(operation, ops.AddPrimaryKey) and not operation.using_index and moment.existing(operation.table):
        yield moment.hit(
            f"The primary key of {_named(operation.table)} ({', '.join(operation.columns)}) builds its index under an ACCESS EXCLUSIVE "
            "lock: reads and writes of the table wait until it is built; build a unique index CONCURRENTLY, then "
            "`ADD CONSTRAINT ... PRIMARY KEY USING INDEX`."
        )
    if isinstance(operation, ops.Other):
        yield from _rebuilt(moment, operation)


def _rebuilt(moment: Moment, operation: ops.Other) -> Iterator[Hit]:
    words = operation.text.upper().split()
    if operation.kind == "REINDEX" and "CONCURRENTLY" not in words:
        yield moment.hit(
            "REINDEX blocks writes to the table, and queries that would use the index, until it is rebuilt; use REINDEX "
            "CONCURRENTLY (PostgreSQL 12) outside of a transaction."
        )
    elif (operation.kind == "VACUUM" and "FULL" in " ".join(words[:4])) or (
        operation.kind == "CLUSTER" and len(words) > 1
    ):
        yield moment.hit(
            f"{'VACUUM FULL' if operation.kind == 'VACUUM' else 'CLUSTER'} writes the whole table anew under an ACCESS EXCLUSIVE "
            "lock: reads and writes wait until it is done; use pg_repack, or a quiet hour and a maintenance job, not a migration."
        )
    elif "DETACH" in words and "PARTITION" in words and not {"CONCURRENTLY", "FINALIZE"} & set(words):
        hit = moment.hit(
            "Detaching a partition takes an ACCESS EXCLUSIVE lock on the whole table: it waits for the longest running query, and "
            "every query after it waits too; use DETACH PARTITION ... CONCURRENTLY (PostgreSQL 14) outside of a transaction.",
            severity="note",
        )
        yield hit if moment.profile else replace(hit, profile="strict")


def _table_of(moment: Moment, index: str) -> str:
    """The table of an index that is known by name alone."""
    return next(
        (table.name for table in moment.before.tables.values() if any(item.name == index for item in table.indexes)), ""
    )


def _unique(moment: Moment, operation: ops.AddConstraint | ops.AddColumn) -> Iterator[Hit]:
    """Unique constraints, on their own or with a new column."""
    if moment.dialect != "postgres":
        return
    if isinstance(operation, ops.AddColumn):
        found = next((part for part in operation.constraints if isinstance(part, ops.Unique)), None)
    else:
        found = operation.constraint if isinstance(operation.constraint, ops.Unique) else None
        found = None if operation.using_index else found
    if found is None:
        return
    columns = ", ".join(found.columns)
    yield moment.lock(
        f"The unique constraint on {_named(operation.table)} ({columns}) builds its index under an ACCESS EXCLUSIVE lock: "
        f"reads and writes of the table wait until it is built; {_UNIQUE[moment.migration.kind]}."
    )


def _named(table: str) -> str:
    return f"`{table}`" if table else "a table that is named at run time"


def _index(moment: Moment, operation: ops.CreateIndex) -> Iterator[Hit]:
    name = f"`{operation.index.name}` " if operation.index.name else ""
    what = f"index {name}on {_named(operation.table)} ({', '.join(operation.index.columns)})"
    if moment.dialect == "postgres":
        if operation.concurrently:
            if moment.migration.transactional and not _outside(moment):
                yield moment.hit(
                    f"The {what} is built CONCURRENTLY inside the migration's transaction, which PostgreSQL refuses; "
                    f"{_outside_words(moment)}.",
                    severity="error",
                )
            return
        yield moment.lock(
            f"Building the {what} takes a SHARE lock: every INSERT, UPDATE and DELETE on the table waits until it is built; "
            f"{_remedy(moment, operation)}."
        )
    elif moment.dialect == "mysql" and _blocks_in_mysql(operation):
        yield moment.lock(
            f"Building the {what} blocks writes to the table in MySQL: a "
            f"{operation.index.method or operation.algorithm or operation.lock} "
            "index has no online build that permits them; use pt-online-schema-change or gh-ost, or a quiet hour."
        )


def _remedy(moment: Moment, operation: ops.CreateIndex) -> str:
    kind = moment.migration.kind
    if moment.within is not None:
        return _WRITTEN[kind]
    return _PARTIAL if kind == "django" and operation.index.unique else _SAFE[kind]


def _blocks_in_mysql(operation: ops.CreateIndex) -> bool:
    return (
        operation.index.method in {"fulltext", "spatial"}
        or operation.algorithm == "COPY"
        or operation.lock in {"SHARED", "EXCLUSIVE"}
    )


def _outside(moment: Moment) -> bool:
    """True where this very operation is known to run outside of the transaction."""
    return moment.operation.outside_transaction or (moment.migration.kind == "sql" and not _begun(moment))


def _begun(moment: Moment) -> bool:
    """True between BEGIN and COMMIT of a SQL file."""
    words = [item.kind for item in moment.earlier if isinstance(item, ops.Other)]
    last = next((word for word in reversed(words) if word in {"BEGIN", "START", "COMMIT", "END", "ROLLBACK"}), "")
    return last in {"BEGIN", "START"}


def _outside_words(moment: Moment) -> str:
    if moment.migration.kind == "django":
        return "set `atomic = False` on the migration"
    if moment.migration.kind == "sql":
        return "put it into a file that runs outside of a transaction"
    return "put it inside `with op.get_context().autocommit_block():`"
