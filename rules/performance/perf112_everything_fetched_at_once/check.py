"""PERF112: a job that holds a whole table in memory, and redis searched by KEYS."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backendlint.api import Fn, Hit, Project, Vid, accumulates, for_tests, only_by_hand, only_from_main, unbounded

RECURRING = re.compile(
    r"export|report|dump|sync|clean_?up|purge|expire|nightly|daily|hourly|weekly|cron|backup|index|send|notify|remind|digest",
    re.IGNORECASE,
)
BATCH = frozenset({"task", "command"})


def check(project: Project) -> Iterator[Hit]:
    """Queries of jobs, commands and scripts; `KEYS` wherever it is."""
    yield from _keys(project)
    for fn in project.reviewed():
        if (
            project.queries.reason(fn) is None
            or for_tests(project, fn)
            or project.reach(fn.fqn)
            or not _batch(project, fn)
        ):
            continue
        for item in unbounded(project, fn):
            if item.keyed or item.small:
                continue
            many = (
                not item.filtered
                and _recurs(project, fn)
                and not _one_column(fn, item.query.vid)
                and (item.grows or hangs_on_growing(project, item.entity))
            )
            narrowed = "every matching row" if item.filtered else "every row"
            yield Hit(
                f"`{fn.name}()` fetches {narrowed} of `{item.entity}` at once: the job's memory grows with the table until it is killed; "
                "stream the rows or work in chunks.",
                fn.location(item.query.span),
                function=fn.fqn,
                profile=None if many else "strict",
            )


def hangs_on_growing(project: Project, entity: str) -> bool:
    """Whether each row must belong to a row of a table that keeps growing: a `meter` has its `customer`."""
    tables = project.data.schema.tables.values()
    own = [table for table in tables if entity in (table.owner.rpartition(".")[2], table.name)]
    return any(
        not table.columns[name].nullable and _grows(project, key.target)
        for table in own
        for key in table.foreign_keys
        for name in key.columns
        if name in table.columns
    )


def _grows(project: Project, name: str) -> bool:
    table = project.data.schema.tables.get(name)
    return accumulates(name) or (table is not None and accumulates(table.owner.rpartition(".")[2]))


def _one_column(fn: Fn, vid: Vid) -> bool:
    """`Order.objects.values_list("pk", flat=True)`: a number or a key of each row takes little."""
    value = fn.unguarded(vid)
    while value[0] == "call":
        call = fn.calls[value[1]]
        if fn.callee_name(call) == "values_list" and len(call.args) == 1:
            return fn.const(call.kwarg("flat")) is True
        func = fn.unguarded(call.func)
        value = fn.unguarded(func[1]) if func[0] == "attr" else ("",)
    return False


def _recurs(project: Project, fn: Fn) -> bool:
    """Jobs, and of what is started by hand that which by its name is run again and again while the table grows."""
    by_hand = project.layer(fn) == "command" or only_by_hand(project, fn)
    return not by_hand or RECURRING.search(f"{fn.name} {fn.path.rpartition('/')[2]}") is not None


def _batch(project: Project, fn: Fn) -> bool:
    if project.layer(fn) in BATCH or only_from_main(project, fn):
        return True
    callers = [edge for edge in project.graph.callers(fn) if edge.kind in ("call", "task", "thread")]
    return bool(callers) and all(edge.kind == "task" or project.layer(edge.caller) in BATCH for edge in callers)


def _keys(project: Project) -> Iterator[Hit]:
    """The first `KEYS` of each function."""
    told: set[str] = set()
    for fn, call, model in project.effects.sites:
        asks = model.name.endswith(".keys") and "redis" in model.name and "Redis" in model.name
        if asks and fn.fqn not in told and not for_tests(project, fn):
            told.add(fn.fqn)
            yield Hit(
                f"`KEYS` in `{fn.name}()` walks through all keys of the server and blocks it for everybody meanwhile; use `scan_iter()`.",
                fn.location(call.span),
                function=fn.fqn,
                profile="strict" if project.layer(fn) == "migration" else None,
            )
