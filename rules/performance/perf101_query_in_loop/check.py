"""PERF101: one statement for each item of a loop."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import replace

from backendlint.api import Hit, Location, Profile, Project, Repeated, Step, repeated, told_once

from .endings import after_failure, until_found
from .excuses import (
    computes,
    dispatched,
    for_one_key,
    goes_on,
    in_each_schema,
    locks_each,
    loops_below,
    of_code,
    sorts,
    under_own_lock,
)
from .habits import again, by_others, cause, elsewhere, habit, in_other_loops
from .occasions import is_seldom
from .relations import relations
from .serving import FAR, resolvers, responses, serializers, templates
from .wording import and_others, called, way
from .work import beside_work, clears, does, works


def check(project: Project) -> Iterator[Hit]:
    """Queries in loops, then relations read in loops, then what serializers and templates read of each object, then
    properties that ask."""
    seen: set[Location] = set()
    items = list(repeated(project))
    read = [item for item in items if item.edges and item.edges[0].call is None]
    called = [item for item in items if not (item.edges and item.edges[0].call is None)]
    told = [item for item in called if _profile(project, item) is None]
    # What the rows of these queries lack, the one query will load that takes their place.
    single = frozenset((item.fn.path, item.query.fn.location(item.query.span)) for item in told)
    serving = (*serializers(project), *responses(project), *resolvers(project), *templates(project))
    properties = _beside(_queries(project, read), read, told)
    for hit in (*_queries(project, called), *relations(project, single), *serving, *properties):
        if hit.location not in seen:
            seen.add(hit.location)
            yield hit


def _beside(hits: Iterable[Hit], read: list[Repeated], told: list[Repeated]) -> Iterator[Hit]:
    """A property that is read in a loop which is told already for what it calls is advice."""
    loops = {(item.fn.fqn, item.loop) for item in told}
    places = {item.fn.location(item.span) for item in read if (item.fn.fqn, item.loop) in loops}
    return (replace(hit, profile="strict") if hit.location in places else hit for hit in hits)


def _queries(project: Project, items: list[Repeated]) -> Iterator[Hit]:
    loops: dict[tuple[str, int], list[Repeated]] = {}
    for item in (*items, *elsewhere(project, items)):
        loops.setdefault((item.fn.fqn, item.loop.line), []).append(item)
    habits: dict[Hashable, list[Hit]] = {}
    causes: dict[Location, Hashable] = {}
    for found in loops.values():
        for hit, item in _loop(project, found):
            causes[hit.location] = cause(item)
            if hit.profile is None:
                habits.setdefault(habit(item), []).append(hit)
            else:
                yield hit
    told = [hit for hits in habits.values() for hit in again(hits)]
    told = list(told_once(told, in_other_loops, severity=None, each=lambda hit: hit.function))
    yield from told_once(told, by_others, severity=None, each=lambda hit: causes[hit.location])


def _loop(project: Project, items: list[Repeated]) -> Iterator[tuple[Hit, Repeated]]:
    """One hit for all that is asked in a loop; what is advice is told for itself."""
    told: set[str] = set()
    own: list[tuple[Hit, Repeated]] = []
    for item in items:
        key = item.query.name.rpartition(".")[0] or item.query.name
        if key in told:
            continue
        told.add(key)
        target = called(item.edges[0]) if item.edges else f"`{item.query.name}`"
        asks = f" asks the database (`{item.query.name}`)" if item.edges else " asks the database"
        hit = Hit(
            f"{target} in `{item.fn.name}()`{asks} once for each item of the loop in line {item.loop.line}; "
            "fetch what all items need in one query before the loop.",
            item.fn.location(item.span),
            related=(Step(item.query.fn.location(item.query.span), "the query"),) if item.edges else (),
            flow=way(item),
            function=item.fn.fqn,
            profile=_profile(project, item),
        )
        if hit.profile is None:
            own.append((hit, item))
        else:
            yield hit, item
    if own:
        (first, item), *others = sorted(own, key=lambda found: found[0].location.line)
        also = tuple(Step(hit.location, f"asks too (`{other.query.name}`)") for hit, other in others)
        told_of = replace(first, message=and_others(first.message, len(others)), related=(*first.related, *also))
        yield told_of, item
        yield from ((replace(hit, profile="strict"), other) for hit, other in others)


def _profile(project: Project, item: Repeated) -> Profile | None:
    op = item.query.model.orm.op if item.query.model.orm is not None else ""
    if is_seldom(project, item.fn) or not item.varies or len(item.edges) > FAR or op == "refresh":
        return "strict"
    apart = item.grouped or item.remembered or item.borrowed or dispatched(item) or locks_each(project, item)
    if apart or (item.edges and (works(project, item.edges[0].callee) or does(item.edges[0]))):
        return "strict"
    filled = any(edge.kind == "property" and project.queries.filled_in(edge.callee) for edge in item.edges)
    if (
        filled
        or clears(project, item.fn, item.loop)
        or loops_below(project, item)
        or goes_on(item)
        or under_own_lock(item)
        or computes(project, item)
        or sorts(item)
        or for_one_key(item)
        or in_each_schema(project, item)
        or of_code(item)
        or until_found(item)
        or after_failure(item)
        or beside_work(project, item)
    ):
        return "strict"
    return None
