"""Relations that are read of each item of a loop."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import replace

from backendlint.api import (
    Hit,
    LazyRead,
    Location,
    Project,
    Relation,
    Step,
    identifier_words,
    is_django,
    stays_small,
    told_once,
)

from .endings import leaves_by, only_warned_of
from .loaders import advice
from .occasions import is_seldom
from .work import beside_work, works

FEW_RELATIONS = 2
"""So many of one query are told where each is read."""


def relations(project: Project, single: frozenset[tuple[str, Location]]) -> Iterator[Hit]:
    """What the items of loops are asked; where a file's functions ask it one after the other, or of what one query gives, it
    is told at the first."""
    found = _by_query(_in_loops(project, single))
    kinds = {
        hit.location: (hit.location.path, item.relation.owner, item.relation.name)
        for hit, item in found
        if hit.profile is None
    }
    yield from told_once((hit for hit, _ in found), _in_file, severity=None, each=lambda hit: kinds[hit.location])


def _by_query(items: Iterable[tuple[Hit, LazyRead]]) -> list[tuple[Hit, LazyRead]]:
    """Of a file's loops over what one query gives, the first: the query is what is to be mended."""
    queries: dict[Hashable, list[tuple[Hit, LazyRead]]] = {}
    for hit, item in sorted(items, key=lambda found: found[0].location):
        query = item.query.location if item.query is not None and hit.profile is None else hit.location
        asked = (hit.location.path, query, item.relation.owner, item.path, item.relation.name)
        queries.setdefault(asked, []).append((hit, item))
    found = []
    for (first, read), *others in queries.values():
        number = len(others)
        where = f"{number} more place{'s' if number > 1 else ''} of the file"
        message = f"{first.message[:-1]}. Rows of the same query are read so in {where}." if others else first.message
        found.append((replace(first, message=message), read))
        found += [(replace(hit, profile="strict"), item) for hit, item in others]
    return found


def _in_file(hit: Hit, others: str) -> str:
    return f"{hit.message[:-1]}. It is read so in {others} of the file."


def _in_loops(project: Project, single: frozenset[tuple[str, Location]]) -> Iterator[tuple[Hit, LazyRead]]:
    """One hit for what the items of a function's loops are asked, where one query is to load all of it and several lines ask."""
    loops: dict[Hashable, list[tuple[Hit, LazyRead]]] = {}
    for hit, item in _lazy(project, single):
        query = item.query and (item.fn.fqn, replace(item.query, message=""))
        loops.setdefault((query or item.fn.location(item.loop), hit.profile), []).append((hit, item))
    for found in loops.values():
        if len({hit.location.line for hit, _ in found}) == len(found) <= FEW_RELATIONS and not _nested(found):
            yield from found
            continue
        (first, read), *others = found
        also = ", ".join(f"`{item.relation.name}`" for _, item in others)
        places = tuple(Step(hit.location, f"reads `{item.relation.name}`") for hit, item in others)
        message = f"{first.message[:-1]}. So it is with {also}." if also else first.message
        yield replace(first, message=message, related=(*first.related, *places)), read


def _nested(found: list[tuple[Hit, LazyRead]]) -> bool:
    """`ship.harbour`, then `ship.harbour.country`: what loads the one names the other."""
    ways = sorted([(*item.path, item.relation.name) for _, item in found], key=len)
    return any(way[: len(ways[0])] == ways[0] for way in ways[1:])


def _lazy(project: Project, single: frozenset[tuple[str, Location]]) -> Iterator[tuple[Hit, LazyRead]]:
    for item in project.lazy_reads.found:
        name, once = item.relation.name, _kept_by_session(project, item.relation)
        asks = (
            f"`{name}` asks the database again for each different one"
            if once
            else f"`{name}` of each item asks the database again"
        )
        few = once and _few_rows(project, item.relation)
        aside = few or is_seldom(project, item.fn) or beside_work(project, item) or _until_one(item)
        aside = aside or _of_work(project, item) or only_warned_of(item)
        aside = aside or (item.query is not None and (item.fn.path, item.query.location) in single)
        hit = Hit(
            f"{asks} in the loop in line {item.loop.line} of `{item.fn.name}()`; load it together with the items "
            f"({advice(project, item)}).",
            item.fn.location(item.span),
            related=(item.query,) if item.query is not None else (),
            flow=item.steps,
            function=item.fn.fqn,
            profile="strict" if aside else None,
        )
        yield hit, item


def _of_work(project: Project, item: LazyRead) -> bool:
    """Whether it is read on the way by what deletes, sends or stores something for each item (`close_down(harbour)`)."""
    called = (edge for edge in project.graph.callees(item.fn) if edge.span == item.span and edge.call is not None)
    return bool(item.steps) and any(works(project, edge.callee) for edge in called)


def _until_one(item: LazyRead) -> bool:
    """Whether the loop tries one item after the other until what it calls on one says that it will do."""
    return any(call.span == item.span and leaves_by(item.fn, call.value, item.loop) for call in item.fn.calls)


def _kept_by_session(project: Project, relation: Relation) -> bool:
    """SQLAlchemy looks for the other end of a foreign key among what its session holds, before it asks for it."""
    if relation.many or is_django(project, relation.owner):
        return False
    return any(
        f"{relation.name}_id" in cls.facts.attributes for cls in project.hierarchy.mro(project.classes[relation.owner])
    )


def _few_rows(project: Project, relation: Relation) -> bool:
    """Roles, types, countries: as few different ones as there are."""
    target = project.classes.get(relation.target)
    return target is not None and any(stays_small(word) for word in identifier_words(target.name)[-1:])
