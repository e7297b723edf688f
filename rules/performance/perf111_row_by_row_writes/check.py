"""PERF111: one INSERT or UPDATE for each item of a loop."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Call, Edge, Fn, Hit, Profile, Project, Query, for_tests, only_by_hand, told_once

from .afterwards import given_back
from .body import composite, does_more, judged, may_fail_alone, of_errors, repairs, stays_inside
from .flushes import flush_hit, flushed, flushed_below
from .items import by_item, does_it_all, each_item, of_this_round, own_columns, same_for_all
from .loops import loop_around, may_be_many, of_one_parent
from .models import is_heard, no_plain_rows, of_object, own_save
from .writes import behind_interface, is_bulk, only_write, stores

CHECKING = frozenset({"get_or_create", "update_or_create", "merge", "bulk_create", "bulk_update"})
"""Writes that a bulk write does not replace one to one; nor does it the deletion of objects, with their signals."""
IN_PROCESS = "sqlite3"
"""It runs in the program itself: there is no way to a server and back."""
SERIALIZER = "rest_framework.serializers.BaseSerializer.save"
"""Validates and stores one object; with `many=True` it goes through them too."""


def check(project: Project) -> Iterator[Hit]:
    """Writes in the loop's body, and calls whose function writes one row."""
    told: list[Hit] = []
    for fn in filter(project.counts, project.functions_with("for", "comp")):
        if for_tests(project, fn):
            continue
        hits = list(_written_in(project, fn))
        yield from (hit for hit in hits if hit.profile is not None)
        told += told_once((hit for hit in hits if hit.profile is None), _together, few=1, severity=None)
    yield from told_once(told, _alike, severity=None, each=_habit)


def _together(hit: Hit, others: str) -> str:
    """What a function writes so in several loops is told once, with their number."""
    return f"{hit.message[:-1]}. So it is with {others.replace('more place', 'other write')} of the function."


def _habit(hit: Hit) -> tuple[str, str]:
    """The same write in one function after the other: of one file, or of the project where the model is named."""
    written = hit.message.split("`")[1]
    return ("" if written.endswith(".objects.create") else hit.location.path), written


def _alike(hit: Hit, others: str) -> str:
    return f"{hit.message[:-1]}. So it is in {others}{'' if '.objects.create`' in hit.message else ' of the file'}."


def _written_in(project: Project, fn: Fn) -> Iterator[Hit]:
    for query in project.queries.sent(fn):
        loop = loop_around(project, fn, query.block)
        if loop >= 0 and query.call is not None and stores(project, query) and not is_bulk(project, fn, query):
            yield _hit(project, fn, query.call, loop, query, None)
    yield from flushed(project, fn)
    for edge in project.graph.callees(fn):
        if edge.kind != "call" or edge.call is None:
            continue
        loop = loop_around(project, fn, edge.call.block)
        if loop >= 0 and flushed_below(project, edge) and not does_more(project, fn, loop, edge.call, edge):
            yield flush_hit(project, fn, edge.call, loop)
            continue
        written = only_write(project, edge) if loop >= 0 else None
        if written is not None and not behind_interface(project, edge):
            yield _hit(project, fn, edge.call, loop, written, edge)


def _hit(project: Project, fn: Fn, call: Call, loop: int, query: Query, edge: Edge | None) -> Hit:
    line = fn.facts.blocks[loop].span.line
    name = f"`{edge.callee.name}()`" if edge is not None else f"`{query.name}`"
    return Hit(
        f"{name} writes one row for each item of the loop in line {line} of `{fn.name}()`: a round trip each; collect the rows and write "
        "them in one statement.",
        fn.location(call.span),
        related=(query.fn.step(query.span, "writes one row"),) if edge is not None else (),
        function=fn.fqn,
        profile=_profile(project, fn, loop, call, query, edge),
    )


def _profile(project: Project, fn: Fn, loop: int, call: Call, query: Query, edge: Edge | None) -> Profile | None:
    op = query.model.orm.op if query.model.orm is not None else ""
    if op in CHECKING or "related_descriptors" in query.model.name or of_object(op, query):
        return "strict"
    if only_by_hand(project, fn) or project.layer(fn) in ("migration", "command") or query.model.library == IN_PROCESS:
        return "strict"
    if fn.cls is not None and project.hierarchy.role(fn.cls) == "admin":
        return "strict"  # what an administrator has ticked on a page
    if op == "save" and (own_save(project, query) or (edge is not None and edge.callee.name == "save")):
        return "strict"
    if query.model.name == SERIALIZER:
        return "strict"
    if (op == "create" and no_plain_rows(project, query)) or is_heard(project, query):
        return "strict"
    alike = same_for_all(fn, loop, call, op if edge is None else "")
    one_update = alike and each_item(fn, loop, call) and stays_inside(project, fn, loop)
    if own_columns(query) or by_item(fn, loop, query) or (not one_update and composite(project, fn, loop, query)):
        return "strict"
    if given_back(fn, call, edge) or (edge is not None and does_it_all(project, fn, loop, call)):
        return "strict"
    few = of_one_parent(project, fn, loop) or not may_be_many(project, fn, loop)
    if few and not alike:
        return "strict"
    if (
        repairs(fn, loop)
        or of_errors(fn, loop)
        or may_fail_alone(fn, loop, call)
        or (edge is None and judged(fn, call))
    ):
        return "strict"
    if not of_this_round(fn, loop, call, op if edge is None else ""):
        return "strict"
    return "strict" if not one_update and does_more(project, fn, loop, call, edge) else None
