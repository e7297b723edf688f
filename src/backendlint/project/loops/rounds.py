"""Loops whose rounds have nothing in common that one query could fetch: each asks another database, by another lookup, or
one of several backends."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from backendlint.facts.model import Vid
from backendlint.project.entities import Fn
from backendlint.project.graph.calls import Edge
from backendlint.project.graph.passing import decides
from backendlint.project.linking.binding import bind, chained_calls, receiver
from backendlint.project.loops.loops import going_through
from backendlint.project.rows.queries import Query
from backendlint.project.sqltext.assemble import HOLE

if TYPE_CHECKING:
    from backendlint.project.model import Project

MAX_CHAIN = 20
_BUILDERS = ("sqlalchemy.", "sqlmodel.", "flask_sqlalchemy.", "databases.", "peewee.")
"""Libraries that execute what is made of their own parts: what differs is mostly a value that is compared."""
STATEMENTS = (
    "sqlalchemy.sql.Executable",
    "sqlalchemy.sql.ClauseElement",
    "sqlalchemy.sql.Select",
    "sqlalchemy.sql.TextClause",
)
_COMPARED = re.compile(
    rf"(?:[=<>]|\b(?:I?LIKE|IN|BETWEEN|AND|LIMIT|OFFSET|VALUES|ANY)\b)[\s('\"%]*(?:{HOLE.pattern})", re.IGNORECASE
)
"""A value that is put into a statement's text."""
_FROM_TABLE = ("query", "select")
_CONDITION = "django.db.models.Q"
_NARROWS = ("filter", "exclude")
_WHERE = ("filter", "where", "having", "exclude")
_PARTS = ("param", "elem", "unpack", "attr", "item")
_HANDLES = frozenset({"db-engine", "db-connection", "db-session", "db-cursor"})


def apart(project: Project, query: Query, edges: Sequence[Edge], of_item: Callable[[Vid], bool]) -> bool:
    """Whether the loop's item says which database is asked (`with session_of(tenant) as session: session.scalar(...)`), by
    which lookup (`filter(**{lookup: owner})`), or brings the whole query (`part.queryset.all()`, `cursor.execute(text_for(part))`).

    `of_item` tells which values of the loop's function are made of the item.
    """
    telling = chain(
        _handles(project, query),
        _tables(query),
        _lookups(query),
        _conditions(project, query),
        _whole_conditions(query),
        _built_on(project, query),
        _holders(project, query),
        _texts(project, query, edges),
    )
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
        for vid in call.passed:  # `for shelf in shelves_of(session)`, which gives a query
            if _is_handle(project, fn, vid) and _opened(fn, vid):
                yield vid


def _tables(query: Query) -> Iterator[Vid]:
    """What names the table that is asked, where that is no constant: `session.query(model)`."""
    fn = query.fn
    for call in chained_calls(fn, query.vid, MAX_CHAIN):
        entity = call.args[0] if fn.callee_name(call) in _FROM_TABLE and len(call.args) == 1 else -1
        if entity >= 0 and fn.unguarded(entity)[0] in _PARTS:
            yield entity


def _lookups(query: Query) -> Iterator[Vid]:
    """The names of what a query compares, where they are no constants: `filter(**{f"{field}__in": values})`."""
    fn = query.fn
    for call in chained_calls(fn, query.vid, MAX_CHAIN):
        for spread in (fn.unguarded(vid) for key, vid in call.kwargs if key == "**"):
            yield from (key for key, _ in spread[1] if key >= 0) if spread[0] == "dict" else ()


def _conditions(project: Project, query: Query) -> Iterator[Vid]:
    """What a query is narrowed by, where a function of the project chooses that (`filter(condition_of(name))`): another condition
    for each, and no key by which all could be fetched."""
    fn = query.fn
    for call in chained_calls(fn, query.vid, MAX_CHAIN):
        for vid in call.args if fn.callee_name(call) in _NARROWS else ():
            value = fn.unguarded(vid)
            made = project.targets(fn, fn.calls[value[1]]) if value[0] == "call" else []
            chosen = any(_chosen(target, back) for target in made for back in target.returned)
            if chosen and any(ref.name == _CONDITION for ref in project.refs(fn, vid)):
                yield vid


def _chosen(fn: Fn, vid: Vid) -> bool:
    """Whether it is put together of several; not the one `Q(home=town)`."""
    value = fn.unguarded(vid)
    return value[0] != "call" or fn.callee_name(fn.calls[value[1]]) != _CONDITION.rpartition(".")[2]


def _whole_conditions(query: Query) -> Iterator[Vid]:
    """Conditions that are items themselves: `for condition in lanes: session.scalars(select(Ship).where(condition))`."""
    fn = query.fn
    sent = query.call.args[:1] if query.call is not None else ()
    for start in (query.vid, *sent):
        for call in chained_calls(fn, start, MAX_CHAIN):
            narrows = call.args if fn.callee_name(call) in _WHERE else ()
            yield from (vid for vid in narrows if fn.unguarded(vid)[0] in ("elem", "unpack"))


def _built_on(project: Project, query: Query) -> Iterator[Vid]:
    """What a function of the project makes a statement of that is one already: `session.scalars(latest_of(statement))`."""
    fn, call = query.fn, query.call
    made = fn.unguarded(call.args[0]) if call is not None and call.args else ("",)
    inner = fn.calls[made[1]] if made[0] == "call" else None
    for target in project.targets(fn, inner) if inner is not None else ():
        bound = bind(fn, inner, target) if inner is not None else {}
        for index in {root for back in target.returned for root in _roots(target, back)}:
            yield from (vid for vid, part in bound.get(index, ()) if not part)


def _roots(fn: Fn, vid: Vid, depth: int = MAX_CHAIN) -> Iterator[int]:
    """The parameters with which a chain of calls begins."""
    value = fn.unguarded(vid)
    if value[0] == "phi" and depth:
        yield from (root for part in value[1] if part != vid for root in _roots(fn, part, depth // 2))
    elif value[0] == "call" and depth:
        base = receiver(fn, fn.calls[value[1]])
        yield from _roots(fn, base, depth - 1) if base >= 0 else ()
    elif value[0] == "param" and depth < MAX_CHAIN:
        yield value[1]


def _holders(project: Project, query: Query) -> Iterator[Vid]:
    """The object that holds a query of its own: no row, of which it would be a relation."""
    fn, start = query.fn, query.vid
    for call in chained_calls(fn, query.vid, MAX_CHAIN):
        start = receiver(fn, call)
    value = fn.unguarded(start) if start >= 0 else ("",)
    if value[0] != "attr" or value[2] in project.associations.names or not going_through(project, fn, start):
        return
    owners = [project.classes[ref.name] for ref in project.refs(fn, value[1]) if ref.kind == "inst"]
    if owners and all(project.hierarchy.role(cls) == "" for cls in owners):
        yield value[1]


def _texts(project: Project, query: Query, edges: Sequence[Edge]) -> Iterator[Vid]:
    """What a driver executes, where no more is known of it than that code has put it together, or code has put in more than
    values that are compared: columns, conditions."""
    call, fn = query.call, query.fn
    if call is None or query.model.sql is None or not call.args or query.model.name.startswith(_BUILDERS):
        return
    text = project.queries.text_of(edges, query)
    unknown = not text and not project.queries.statement_kind(fn, call)
    if HOLE.search(_COMPARED.sub("", text)) or (unknown and not project.is_instance(fn, call.args[0], *STATEMENTS)):
        yield call.args[0]


def _is_handle(project: Project, fn: Fn, vid: Vid) -> bool:
    named = (ref.name for ref in project.refs(fn, vid) if ref.kind == "libinst")
    return any(cls.resource in _HANDLES for name in named for cls in project.libraries.lineage(name))


def _opened(fn: Fn, vid: Vid) -> bool:
    """A parameter, or what a call gives; not the session that an object holds, or has come by."""
    value = fn.unguarded(vid)
    while value[0] in ("enter", "await"):
        value = fn.unguarded(value[1])
    return bool(value[0] in ("call", "param", "item", "elem", "unpack"))
