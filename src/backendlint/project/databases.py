"""Which database a query goes to: each round of a loop may open its own, one for each tenant, shard or replica."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from backendlint.facts.model import Vid
from backendlint.project.binding import receiver
from backendlint.project.calls import Edge
from backendlint.project.entities import Fn
from backendlint.project.passing import decides
from backendlint.project.queries import Query

if TYPE_CHECKING:
    from backendlint.project.model import Project

MAX_CHAIN = 20
_HANDLES = frozenset({"db-engine", "db-connection", "db-session", "db-cursor"})


def apart(project: Project, query: Query, edges: Sequence[Edge], of_item: Callable[[Vid], bool]) -> bool:
    """Whether the loop's item says which database is asked: `with session_of(tenant) as session: session.scalar(...)`.

    `of_item` tells which values of the loop's function are made of the item.
    """
    handles = list(_handles(project, query))
    if not edges:
        return any(map(of_item, handles))
    return any(decides(edges, query._replace(vid=vid, call=None), of_item, closures=False) for vid in handles)


def _handles(project: Project, query: Query) -> Iterator[Vid]:
    """The session, connection or cursor by which a query is sent; in Django the alias that `using` is given."""
    fn, vid = query.fn, query.vid
    for _ in range(MAX_CHAIN):
        value = fn.unguarded(vid)
        if value[0] != "call":
            break
        call = fn.facts.calls[value[1]]
        if fn.callee_name(call) == "using" and call.args:
            yield call.args[0]
        base = receiver(fn, call)
        if base < 0:
            return
        if _is_handle(project, fn, base):
            if _opened(fn, base):
                yield base
            return
        vid = base


def _is_handle(project: Project, fn: Fn, vid: Vid) -> bool:
    named = (ref.name for ref in project.refs(fn, vid) if ref.kind == "libinst")
    return any(cls.resource in _HANDLES for name in named for cls in project.libraries.lineage(name))


def _opened(fn: Fn, vid: Vid) -> bool:
    """A parameter, or what a call gives; not the session that an object holds, or has come by."""
    value = fn.unguarded(vid)
    while value[0] in ("enter", "await"):
        value = fn.unguarded(value[1])
    return bool(value[0] in ("call", "param", "item", "elem", "unpack"))
