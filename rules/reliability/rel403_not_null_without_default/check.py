"""REL403: columns that existing rows, or the old release's inserts, have no value for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from backendlint.api import Hit, Moment, Project, ops

_VOLATILE = re.compile(
    r"\b(?:random|gen_random_uuid|uuid_generate_v\w+|clock_timestamp|timeofday|nextval|newid)\b", re.IGNORECASE
)


def check(project: Project) -> Iterator[Hit]:
    """Columns added to tables that may have rows."""
    for moment in project.data.moments():
        operation = moment.operation
        if not isinstance(operation, ops.AddColumn) or not moment.existing(operation.table):
            continue
        if moment.dialect == "clickhouse":
            continue  # each of its types has a value of its own for the rows that are there
        column = operation.column
        name = f"`{operation.table}.{column.name}`"
        if column.default is not None and moment.dialect == "postgres" and _VOLATILE.search(column.default):
            yield moment.hit(
                f"Adding {name} with the volatile default `{column.default}` rewrites the whole table under an ACCESS EXCLUSIVE "
                "lock: reads and writes wait; add it without default, backfill in batches, then set the default.",
                severity="warning",
            )
        if column.autoincrement and moment.dialect == "postgres" and moment.migration.kind != "django":
            yield moment.hit(
                f"Adding {name}, which counts up by itself, rewrites the whole table under an ACCESS "
                "EXCLUSIVE lock to number its rows: "
                "reads and writes wait; add a plain column, backfill in batches, then attach a sequence.",
                severity="warning",
            )
        if column.nullable or column.default is not None or column.autoincrement or column.primary_key:
            continue
        hit = _missing(moment, operation, name)
        if hit is not None:
            yield hit


def _missing(moment: Moment, operation: ops.AddColumn, name: str) -> Hit | None:
    if moment.migration.kind == "django" and operation.column.client_default:
        hit = moment.hit(
            f"{name} is added NOT NULL with a default that only the new code knows: Django drops the "
            "database's default at once, so "
            "inserts of the old release fail until the roll-out ends; give it a `db_default`, or add it with `null=True` first.",
            severity="warning",
        )
        return hit if moment.profile else replace(hit, profile="strict")
    if moment.dialect == "mysql":
        return moment.hit(
            f"{name} is added NOT NULL without a default: MySQL fills the existing rows with an implicit "
            "value such as 0 or '' that "
            "nobody chose, and inserts of the old release fail; add it nullable or with a default, then backfill.",
            severity="warning",
        )
    return moment.hit(
        f"{name} is added NOT NULL without a default: the migration fails as soon as the table has a row, and inserts of the old "
        "release fail afterwards; add it nullable or with a server default, backfill, then set NOT NULL."
    )
