"""Loops whose rounds have nothing in common that one query could fetch: each asks another database, by another lookup, or
one of several backends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from backendlint.facts.model import Vid
from backendlint.project.binding import chained_calls, receiver
from backendlint.project.calls import Edge
from backendlint.project.entities import Fn
from backendlint.project.passing import decides
from backendlint.project.queries import Query

if TYPE_CHECKING:
    from backendlint.project.model import Project

MAX_CHAIN = 20
_HANDLES = frozenset({"db-engine", "db-connection", "db-session", "db-cursor"})


def apart(project: Project, query: Query, edges: Sequence[Edge], of_item: Callable[[Vid], bool]) -> bool:
    """Whether the loop's item says which database is asked (`with session_of(tenant) as session: session.scalar(...)`), or
    by which lookup (`filter(**{lookup: owner})`).

    `of_item` tells which values of the loop's function are made of the item.
    """
    telling = (*_handles(project, query), *_lookups(query))
    if not edges:
        return any(map(of_item, telling))
    return any(decides(edges, query._replace(vid=vid, call=None), of_item, closures=False) for vid in telling)


def behind_interface(project: Project, edge: Edge) -> bool:
    """Whether it calls an abstract method, of which another implementation asks no database: a cache in Redis or in a table."""
    cls, name = edge.callee.cls, edge.callee.name
    abstract = cls is not None and any(
        owner.methods[name].is_abstract for owner in project.hierarchy.mro(cls) if name in owner.methods
    )
    others = project.graph.implementations(edge) if abstract else []
    return any(project.queries.reason(item.callee) is None for item in others)


def _handles(project: Project, query: Query) -> Iterator[Vid]:
    """The session, connection or cursor by which a query is sent; in Django the alias that `using` is given."""
    fn = query.fn
    for call in chained_calls(fn, query.vid, MAX_CHAIN):
        if fn.callee_name(call) == "using" and call.args:
            yield call.args[0]
        base = receiver(fn, call)
        if base >= 0 and _is_handle(project, fn, base):
            if _opened(fn, base):
                yield base
            return


def _lookups(query: Query) -> Iterator[Vid]:
    """The names of what a query compares, where they are no constants: `filter(**{f"{field}__in": values})`."""
    fn = query.fn
    for call in chained_calls(fn, query.vid, MAX_CHAIN):
        for spread in (fn.unguarded(vid) for key, vid in call.kwargs if key == "**"):
            yield from (key for key, _ in spread[1] if key >= 0) if spread[0] == "dict" else ()


def _is_handle(project: Project, fn: Fn, vid: Vid) -> bool:
    named = (ref.name for ref in project.refs(fn, vid) if ref.kind == "libinst")
    return any(cls.resource in _HANDLES for name in named for cls in project.libraries.lineage(name))


def _opened(fn: Fn, vid: Vid) -> bool:
    """A parameter, or what a call gives; not the session that an object holds, or has come by."""
    value = fn.unguarded(vid)
    while value[0] in ("enter", "await"):
        value = fn.unguarded(value[1])
    return bool(value[0] in ("call", "param", "item", "elem", "unpack"))
