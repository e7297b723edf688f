"""REL407: backfills in the same transaction as schema changes of tables in use."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backendlint.api import Fn, Hit, Moment, Project, Step, Vid, operands, ops

_BOOKS = re.compile(r"^(django_(content_type|migrations|site)|auth_(permission|group)|alembic_version)$", re.IGNORECASE)
_WHERE = re.compile(r"\bWHERE\b", re.IGNORECASE)
_ALTERNATIVE = re.compile(r"\bOR\b", re.IGNORECASE)
_EMPTY = re.compile(r"(?:\w+\.)?[\"`]?(\w+)[\"`]?\s*(?:\bIS\s+NULL|=\s*'')", re.IGNORECASE)
_WRITES = frozenset(
    "save create update delete bulk_create bulk_update get_or_create update_or_create add set remove clear".split()
)
_MAKES = frozenset({"create", "get_or_create", "update_or_create", "add"})
_AT_ONCE = re.compile(r"\s*SET\s+CONSTRAINTS\s+ALL\s+IMMEDIATE\b", re.IGNORECASE)
"""What leaves no trigger pending: https://www.postgresql.org/docs/17/sql-set-constraints.html"""
_LOCKING = (
    ops.AddColumn,
    ops.DropColumn,
    ops.AlterColumn,
    ops.RenameColumn,
    ops.RenameTable,
    ops.AddConstraint,
    ops.DropTable,
    ops.CreateIndex,
)


def check(project: Project) -> Iterator[Hit]:
    """What the migrations do; of what they do again and again the newest."""
    yield from project.data.by_habit(_judged(project))


def _judged(project: Project) -> Iterator[Hit]:
    """The first data change of each migration that also alters a table which existed before."""
    told: set[str] = set()
    schema: dict[str, Moment] = {}
    data: dict[str, list[Moment]] = {}
    pending: dict[str, Hit] = {}
    at_once: set[str] = set()
    for moment in project.data.moments():
        key = moment.migration.id
        if key in told or not moment.migration.transactional or moment.dialect == "sqlite":
            continue
        if moment.operation.outside_transaction:
            continue
        if isinstance(moment.operation, ops.Other) and _AT_ONCE.match(moment.operation.text):
            at_once.add(key)
        if _changes_data(moment) and not _few_rows(project, moment):
            data.setdefault(key, []).append(moment)
            if key in schema:
                told.add(key)
                yield _after(moment, *_described(schema[key]))
            else:
                pending[key] = _before(moment)
        elif _locks(moment) and not _dropped_aside(moment, next(iter(data.get(key, ())), None)):
            schema.setdefault(key, moment)
            changed = any(_may_change(project, item, moment) for item in data.get(key, ()))
            if changed and key not in at_once and moment.migration.kind == "django" and moment.dialect == "postgres":
                told.add(key)
                yield pending[key]


def _changes_data(moment: Moment) -> bool:
    operation = moment.operation
    if isinstance(operation, ops.DataChange):
        return (
            operation.kind in {"UPDATE", "DELETE", "MERGE"}
            and moment.existing(operation.table)
            and not moment.is_small(operation.table)
            and not _small(operation)
            and not _fills_nothing(moment, operation)
        )
    return isinstance(operation, ops.RunCode) and operation.changes_data and moment.migration.kind == "django"


def _may_change(project: Project, change: Moment, altered: Moment) -> bool:
    """Whether the data change may be one of the table that is altered behind it: no row of another holds that up."""
    table = str(getattr(altered.operation, "table", "")).lower().replace("_", "")
    if not isinstance(change.operation, ops.RunCode):
        return True
    named = _run(project, change)
    if any(project.targets(fn, call) for fn in named for call in fn.calls):
        return True  # its helpers may
    written = [model for fn in named for model in _written(fn)]
    return not written or any(model.lower() in table for model in written)


def _run(project: Project, change: Moment) -> list[Fn]:
    """The migration's own function that RunPython calls."""
    file = project.files.get(change.migration.path)
    name = getattr(change.operation, "name", "")
    return [fn for fn in (project.functions_of(file) if file is not None else ()) if fn.name == name]


def _few_rows(project: Project, change: Moment) -> bool:
    """Whether the function only makes rows that it names one by one: no backfill, and done in no time."""
    named = _run(project, change) if isinstance(change.operation, ops.RunCode) else []
    writes = [(fn, call) for fn in named for call in fn.calls if fn.callee_name(call) in _WRITES]
    return (
        bool(writes)
        and all(
            fn.callee_name(call) in _MAKES and fn.inside(call.block, "for", "while", "comp") is None
            for fn, call in writes
        )
        and not any(
            project.targets(fn, call) or fn.callee_name(call).startswith("execute") for fn in named for call in fn.calls
        )
    )


def _written(fn: Fn) -> list[str]:
    """The models of which a migration's function writes rows; "" where that cannot be told."""
    models = {call.value: call.args[-1] for call in fn.calls if call.args and fn.callee_name(call) == "get_model"}
    found: list[str] = []
    for call in fn.calls:
        if fn.callee_name(call) in _WRITES and fn.value(call.func)[0] == "attr":
            origins = models.keys() & _behind(fn, call.func)
            found += [str(fn.const(models[vid])) for vid in origins] or [""]
    return found


def _behind(fn: Fn, start: Vid) -> set[Vid]:
    """What a row comes from: `order` of `for order in Order.objects.filter(...)`, not what is passed or put into it on the way."""
    found, todo = set[Vid](), [start]
    while todo:
        vid = todo.pop()
        if vid not in found:
            found.add(vid)
            value = fn.facts.values[vid]
            whole = value[1:2] if value[0] in ("setattr", "store", "mut") else operands(value)
            todo += [fn.calls[value[1]].func] if value[0] == "call" else whole
    return found


def _small(operation: ops.DataChange) -> bool:
    """`INSERT ... VALUES`, changes of one row by its key and of frameworks' own small tables are no backfill."""
    text = operation.text.upper()
    return " WHERE ID = " in text or "LIMIT 1" in text or _BOOKS.search(operation.table) is not None


def _fills_nothing(moment: Moment, operation: ops.DataChange) -> bool:
    """`UPDATE t SET c = 0 WHERE c IS NULL` behind the ADD COLUMN of this migration that gave each row a default."""
    parts = _ALTERNATIVE.split(_WHERE.split(operation.text, maxsplit=1)[-1].strip(" \n;()"))
    matches = [_EMPTY.fullmatch(part.strip()) for part in parts]
    names = {match[1].lower() for match in matches if match is not None}
    return None not in matches and any(
        isinstance(item, ops.AddColumn)
        and item.table == operation.table
        and names == {item.column.name.lower()}
        and item.column.default is not None
        for item in moment.earlier
    )


def _locks(moment: Moment) -> bool:
    operation = moment.operation
    return isinstance(operation, _LOCKING) and moment.existing(operation.table)


def _dropped_aside(moment: Moment, data: Moment | None) -> bool:
    """A table that goes: nobody waits for its lock, and only changes of its own rows can hold up the drop."""
    if not isinstance(moment.operation, ops.DropTable) or moment.dialect == "mysql":
        return False
    change = data.operation if data is not None else None
    if moment.migration.kind == "django" and moment.table(moment.operation.table) is None:
        return True  # no model's: a view, whose rows no code changes
    return change is None or (isinstance(change, ops.DataChange) and change.table != moment.operation.table)


def _described(moment: Moment) -> tuple[str, Moment]:
    operation = moment.operation
    table = getattr(operation, "table", "")
    column = getattr(operation, "column", None)
    name = getattr(column, "name", column) if column is not None else ""
    kind = {"AddColumn": "adding", "DropColumn": "dropping", "AlterColumn": "altering", "RenameColumn": "renaming"}.get(
        type(operation).__name__
    )
    return (f"{kind} `{table}.{name}`" if kind and name else f"changing `{table}`"), moment


def _after(moment: Moment, described: str, schema: Moment) -> Hit:
    place = schema.location
    related = (Step(place, "the schema change whose lock is held"),) if place is not None else ()
    if moment.dialect == "mysql":
        return moment.hit(
            f"{_what(moment)} runs in the migration that began with {described}, which MySQL commits at once: where the data "
            "change fails, the migration is half done and can neither run again nor be taken back; put it in one of its own, in batches.",
            related=related,
        )
    return moment.hit(
        f"{_what(moment)} runs in the transaction that began with {described}: its ACCESS EXCLUSIVE lock "
        "is held until all rows are "
        "changed, and requests wait; put the data change in a later migration, in batches.",
        related=related,
    )


def _before(moment: Moment) -> Hit:
    return moment.lock(
        f"{_what(moment)} runs in one transaction with schema changes: PostgreSQL refuses to alter a table "
        "with pending trigger events, "
        "and the locks last until the commit; put the data change in a migration of its own."
    )


def _what(moment: Moment) -> str:
    operation = moment.operation
    if isinstance(operation, ops.DataChange):
        return f"The {operation.kind} of `{operation.table}`"
    return f"`RunPython({getattr(operation, 'name', '')})`"
