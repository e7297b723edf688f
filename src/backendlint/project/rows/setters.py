"""Lost updates through functions that set a column: a sum made from a row that another function read is handed to them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Fn
from backendlint.project.graph.calls import Edge
from backendlint.project.linking.binding import bind, object_root
from backendlint.project.rows.lost import VERSION, Stale, chain_of, compared, settings, sums
from backendlint.project.rows.races import FROM, asked
from backendlint.project.rows.rowlocks import FOR_UPDATE, locked, serialized
from backendlint.project.rows.transactions import before, exclusive

if TYPE_CHECKING:
    from backendlint.project.model import Project
    from backendlint.project.rows.queries import Query
    from backendlint.project.sqltext.find import SqlText

_UPDATE = re.compile(
    r"\s*UPDATE\s+[\"`]?(?:\w+[\"`]?\.[\"`]?)?(\w+)[\"`]?\s+SET\s+(.+?)\sWHERE\s(.+)", re.IGNORECASE | re.DOTALL
)
_PLACEHOLDER = re.compile(r"%s|\?|\$(\d+)|%\((\w+)\)s|(?<!:):(\w+)")
_ASSIGNED = re.compile(rf"(?:^|,)\s*[\"`]?(\w+)[\"`]?\s*=\s*(?:{_PLACEHOLDER.pattern})\s*(?=,|$)")


class Setter(NamedTuple):
    """A function that stores a parameter in a column, as it is."""

    fn: Fn
    number: int
    """Which of its parameters."""
    table: str
    """The table's name, or the model's full one."""
    column: str


def handed_updates(project: Project) -> Iterator[Stale]:
    """`row = repo.get(id)`, `repo.set_total(id, row["total"] - n)`: the callers of setters that pass such a sum."""
    for setter in (*_by_text(project), *_by_orm(project)):
        for edge in project.graph.callers(setter.fn):
            read = _read_for(project, setter, edge) if edge.kind == "call" and edge.call is not None else None
            if read is not None and edge.call is not None:
                yield Stale(edge.caller, read, edge.call, setter.table.rpartition(".")[2])


def _by_text(project: Project) -> Iterator[Setter]:
    for text in project.data.texts:
        match = _UPDATE.match(text.text) if text.fn is not None and text.call is not None and not text.holes else None
        if match is None or text.fn is None or VERSION.search(match[3]):
            continue
        for part in _ASSIGNED.finditer(match[2]):
            if not re.search(rf"\b{part[1]}\b", match[3]):  # compared with what was read, or kept above a limit
                place = match.start(2) + part.start() + part[0].index("=")
                number = _parameter(text.fn, _bound(text, place))
                if number >= 0:
                    yield Setter(text.fn, number, match[1], part[1])


def _bound(text: SqlText, place: int) -> Vid:
    """The value that is passed for the first placeholder behind a place of the text, or -1."""
    fn, call = text.fn, text.call
    found = _PLACEHOLDER.search(text.text, place)
    if fn is None or call is None or found is None:
        return -1
    if found[1]:
        number = int(found[1])
        return call.args[number] if number < len(call.args) else -1
    passed = text.params if text.params >= 0 else next(iter(call.args[1:2]), -1)
    value = fn.facts.values[passed] if passed >= 0 else ("",)
    if text.sink is not None and value[0] not in ("dict", "tuple", "list"):  # `self._run("UPDATE ...", total, key)`
        value = ("tuple", call.args[1:])
    name = found[2] or found[3]
    if name:
        pairs = value[1] if value[0] == "dict" else ()
        return next((vid for key, vid in pairs if key >= 0 and fn.const(key) == name), -1)
    position = sum(1 for _ in _PLACEHOLDER.finditer(text.text, 0, found.start()))
    return value[1][position] if value[0] in ("tuple", "list") and position < len(value[1]) else -1


def _by_orm(project: Project) -> Iterator[Setter]:
    for write in project.writes.all():
        if write.op != "update" or not write.entity or project.queries.text(write.fn, write.call):
            continue
        chain = chain_of(write.fn, write.call)
        for call in chain:
            for column, vid in settings(write.fn, call):
                number = _parameter(write.fn, vid)
                if number >= 0 and not compared(write.fn, chain, column):
                    yield Setter(write.fn, number, write.entity, column)


def _parameter(fn: Fn, vid: Vid) -> int:
    value = fn.unguarded(vid) if vid >= 0 else ("",)
    return int(value[1]) if value[0] == "param" else -1


def _read_for(project: Project, setter: Setter, edge: Edge) -> Call | None:
    """The caller's read, without a lock, of the old value that the sum which it passes was made from."""
    fn, call = edge.caller, edge.call
    assert call is not None
    for vid, part in bind(fn, call, edge.callee).get(setter.number, ()):
        for side in sums(fn, vid) if not part else ():
            read = _asked_for(project, fn, side, setter.column)
            if read is not None and _of_table(project, fn, read, setter) and not serialized(project, fn, read):
                return read if before(read.span, call.span) and not exclusive(fn, read.block, call.block) else None
    return None


def _asked_for(project: Project, fn: Fn, vid: Vid, column: str) -> Call | None:
    """The call that gave the old value: `repo.get(id)` of `repo.get(id)["total"]`, or `repo.total_of(id)`, which gives that alone."""
    value = fn.unguarded(vid)
    if value[0] == "await":
        value = fn.unguarded(value[1])
    if value[0] == "call":
        call = fn.facts.calls[value[1]]
        targets = project.targets(fn, call)
        return call if targets and all(_gives(target, column) for target in targets) else None
    name = value[2] if value[0] == "attr" else fn.const(value[2]) if value[0] == "item" else ""
    made = fn.facts.values[object_root(fn, value[1])] if name == column else ("",)
    return fn.facts.calls[made[1]] if made[0] == "call" else None


def _gives(fn: Fn, column: str) -> bool:
    """`return row["total"] if row else 0`."""
    found = [fn.unguarded(part) for vid in fn.returned for part in _ways(fn, vid)]
    return any(
        value[2] == column if value[0] == "attr" else value[0] == "item" and fn.const(value[2]) == column
        for value in found
    )


def _ways(fn: Fn, vid: Vid) -> tuple[Vid, ...]:
    value = fn.unguarded(vid)
    return tuple(value[1]) if value[0] == "phi" else tuple(value[2]) if value[0] == "bool" else (vid,)


def _asking(project: Project, fn: Fn) -> Iterator[Fn]:
    """The function, and that by which it gets its rows: `owned(key)` asks `by_id(key)` and looks at who owns what came."""
    yield fn
    yield from (edge.callee for edge in project.queries.chain(fn)[0][:1])


def _of_table(project: Project, fn: Fn, read: Call, setter: Setter) -> bool:
    """Whether the call, or the function that it calls, reads rows of the setter's table, and locks none."""
    owners = [(fn, read)] + [
        (owner, None) for target in project.targets(fn, read) for owner in _asking(project, target)
    ]
    if any("for_update" in key or "lock" in key for key, _ in read.kwargs):
        return False
    found = [
        query
        for owner, only in owners
        for query in project.queries.sent(owner)
        if query.kind == "read" and query.call is not None and (only is None or query.call is only)
    ]
    return any(_reads(project, query, setter) for query in found) and not any(_locks(project, query) for query in found)


def _reads(project: Project, query: Query, setter: Setter) -> bool:
    assert query.call is not None
    text = project.queries.text(query.fn, query.call)
    if text:
        return setter.table.lower() in {name.lower() for name in FROM.findall(text)}
    return asked(project, query.fn, query.call) == setter.table


def _locks(project: Project, query: Query) -> bool:
    assert query.call is not None
    if FOR_UPDATE.search(project.queries.text(query.fn, query.call)):
        return True
    return any(locked(origin) for origin in project.origins.of(query.fn, query.call.value))
