"""PERF111: one INSERT or UPDATE for each item of a loop."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import (
    Call,
    Edge,
    Fn,
    Hit,
    Profile,
    Project,
    Query,
    always,
    for_tests,
    grows,
    is_used,
    loops_around,
    only_by_hand,
    stops_early,
)

CHECKING = frozenset({"get_or_create", "update_or_create", "delete", "merge", "bulk_create", "bulk_update"})
"""Writes that a bulk write does not replace one to one."""
OUTSIDE = ("http", "mail", "queue-publish", "subprocess", "cloud", "sleep")


def check(project: Project) -> Iterator[Hit]:
    """Writes in the loop's body, and calls whose function writes one row."""
    for fn in project.all_functions():
        if not any(block.kind in ("for", "comp") for block in fn.facts.blocks) or for_tests(project, fn):
            continue
        for query in project.queries.direct(fn):
            loop = _loop(project, fn, query.block)
            if query.kind == "write" and loop >= 0 and query.call is not None and not _bulk(query):
                yield _hit(project, fn, query.call, loop, query, None)
        for edge in project.graph.callees(fn):
            if edge.kind != "call" or edge.call is None:
                continue
            loop = _loop(project, fn, edge.call.block)
            written = _written(project, edge) if loop >= 0 else None
            if written is not None:
                yield _hit(project, fn, edge.call, loop, written, edge)


def _loop(project: Project, fn: Fn, block: int) -> int:
    for number, _ in loops_around(fn, block):
        if stops_early(fn, block, number) or not grows(project, fn, number):
            return -1
        return number
    return -1


def _bulk(query: Query) -> bool:
    return query.model.orm is not None and query.model.orm.bulk and query.model.orm.op not in ("update", "delete")


def _written(project: Project, edge: Edge) -> Query | None:
    """The one write of a callee that does little else."""
    found = [item for item in project.queries.direct(edge.callee) if item.kind == "write"]
    reads = project.queries.reason(edge.callee)
    sure = len(found) == 1 and reads is None and not _bulk(found[0]) and always(edge.callee, found[0].block)
    return found[0] if sure else None


def _hit(project: Project, fn: Fn, call: Call, loop: int, query: Query, edge: Edge | None) -> Hit:
    line = fn.facts.blocks[loop].span.line
    name = f"`{edge.callee.name}()`" if edge is not None else f"`{query.name}`"
    return Hit(
        f"{name} writes one row for each item of the loop in line {line} of `{fn.name}()`: a round trip each; collect the rows and write "
        "them in one statement.",
        fn.location(call.span),
        related=(query.fn.step(query.span, "writes one row"),) if edge is not None else (),
        function=fn.fqn,
        profile=_profile(project, fn, loop, query),
    )


def _profile(project: Project, fn: Fn, loop: int, query: Query) -> Profile | None:
    op = query.model.orm.op if query.model.orm is not None else ""
    if op in CHECKING or "related_descriptors" in query.model.name:
        return "strict"
    if only_by_hand(project, fn) or project.layer(fn) in ("migration", "command"):
        return "strict"
    if op == "save" and _own_save(project, query):
        return "strict"
    if _composite(project, fn, loop, query):
        return "strict"
    inside = [other for other in fn.calls if any(number == loop for number, _ in fn.blocks_of(other.block))]
    if any(set(OUTSIDE) & project.effects.call_effects(fn, other) for other in inside):
        return "strict"
    return None


def _own_save(project: Project, query: Query) -> bool:
    """A model with a `save` of its own does more than a bulk write would."""
    assert query.call is not None
    value = query.fn.facts.values[query.call.func]
    refs = project.refs(query.fn, value[1]) if value[0] == "attr" else ()
    return any(ref.kind == "inst" and project.method(project.classes[ref.name], "save") is not None for ref in refs)


def _composite(project: Project, fn: Fn, loop: int, query: Query) -> bool:
    """Whether the row is one part of larger work: other writes in the loop, or its new key is used at once."""
    others = 0
    for item in project.queries.direct(fn):
        if (
            item.kind == "write"
            and item.call is not query.call
            and any(number == loop for number, _ in fn.blocks_of(item.block))
        ):
            others += 1
    used = query.fn is fn and query.call is not None and is_used(fn.facts, query.call.value)
    op = query.model.orm.op if query.model.orm is not None else ""
    return others > 0 or (used and op in ("create", "add"))
