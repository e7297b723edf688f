"""PERF101: one statement for each item of a loop."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import (
    Fn,
    Hit,
    LazyRead,
    LazyReads,
    Location,
    Profile,
    Project,
    Repeated,
    Serialized,
    Step,
    for_tests,
    only_by_hand,
    repeated,
    serialized,
)

ONCE = frozenset({"migration", "command"})
"""Layers whose code runs by hand."""
WORK = ("commit", "http", "mail", "queue-publish", "subprocess", "cloud", "db-write")
"""Effects that make the loop's body a unit of work of its own: its query is one step among others."""
FAR = 3
"""Calls between the loop and the query from which on the loop's author cannot be expected to know."""


def check(project: Project) -> Iterator[Hit]:
    """Queries in loops, then relations read in loops, then what serializers read of each object."""
    seen: set[Location] = set()
    for hit in (*_queries(project), *_relations(project), *_serializers(project)):
        if hit.location not in seen:
            seen.add(hit.location)
            yield hit


def _queries(project: Project) -> Iterator[Hit]:
    told: set[tuple[str, int, str]] = set()
    for item in repeated(project):
        key = (item.fn.fqn, item.loop.line, item.query.name.rpartition(".")[0] or item.query.name)
        if key in told:
            continue
        told.add(key)
        target = f"`{item.edges[0].callee.name}()`" if item.edges else f"`{item.query.name}`"
        asks = f" asks the database (`{item.query.name}`)" if item.edges else " asks the database"
        yield Hit(
            f"{target} in `{item.fn.name}()`{asks} once for each item of the loop in line {item.loop.line}; "
            "fetch what all items need in one query before the loop.",
            item.fn.location(item.span),
            related=(Step(item.query.fn.location(item.query.span), "the query"),) if item.edges else (),
            flow=_flow(item),
            function=item.fn.fqn,
            profile=_profile(project, item),
        )


def _flow(item: Repeated) -> tuple[Step, ...]:
    if not item.edges:
        return ()
    steps = [edge.caller.step(edge.span, f"calls {edge.callee.name}()") for edge in item.edges]
    return (*steps, item.query.fn.step(item.query.span, f"asks the database: {item.query.name}"))


def _profile(project: Project, item: Repeated) -> Profile | None:
    op = item.query.model.orm.op if item.query.model.orm is not None else ""
    if _by_hand(project, item.fn) or not item.varies or len(item.edges) > FAR or op == "refresh":
        return "strict"
    if item.edges and project.effects.has(item.edges[0].callee, *WORK):
        return "strict"
    return None


def _by_hand(project: Project, fn: Fn) -> bool:
    return project.layer(fn) in ONCE or only_by_hand(project, fn) or for_tests(project, fn)


def _relations(project: Project) -> Iterator[Hit]:
    for item in LazyReads(project).found:
        yield Hit(
            f"`{item.relation.name}` of each item asks the database again in the loop in line {item.loop.line} of "
            f"`{item.fn.name}()`; load it together with the items ({_advice(project, item)}).",
            item.fn.location(item.span),
            related=(item.query,) if item.query is not None else (),
            flow=item.steps,
            function=item.fn.fqn,
            profile="strict" if _by_hand(project, item.fn) else None,
        )


def _advice(project: Project, item: LazyRead) -> str:
    path = (*item.path, item.relation.name)
    owner = project.classes[item.relation.owner]
    if any(base.startswith("django.") for base in project.hierarchy.library_bases(owner)):
        return f"`select_related('{'__'.join(path)}')`"
    return f"`selectinload({owner.name}.{item.relation.name})`"


def _serializers(project: Project) -> Iterator[Hit]:
    for item in serialized(project):
        yield Hit(
            f"The serializer `{item.serializer.name}` asks the database for each listed object: {item.read.what}; "
            f"{_loading(item)}.",
            item.place,
            related=(Step(item.read.location, "read for each object"),),
            flow=item.read.steps,
            function=item.function,
            fingerprint_key=f"{item.serializer.fqn} {item.read.what}",
        )


def _loading(item: Serialized) -> str:
    if item.read.query is not None or not item.read.path:
        return "compute it for all objects in the list's own query (`annotate`, `prefetch_related`)"
    return f"load it with the list's query (`select_related` or `prefetch_related` of `{'__'.join(item.read.path)}`)"
