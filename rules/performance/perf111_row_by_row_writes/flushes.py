"""Rows that are flushed one by one, although nothing asks for their keys."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Call, Edge, Fn, Hit, Project, bind, certain, given, ingredients, only_by_hand, unchanged

from .afterwards import asked_after, is_result_used
from .loops import loop_around

ASKED = frozenset({"db", "db-read", "db-write", "flush", "commit"})


def flushed(project: Project, fn: Fn) -> Iterator[Hit]:
    """`session.flush()` for each added row, although nothing asks for the new key, nor for that of another one in the loop."""
    sites = project.effects.direct(fn)
    added = [site.call for site in sites if site.model.orm is not None and site.model.orm.op == "add"]
    loops: dict[int, list[Call]] = {}
    for site in sites if added else ():
        loop = loop_around(project, fn, site.call.block) if site.model.transaction == "flush" else -1
        if loop >= 0 and not _now_and_then(fn, site.call, loop):
            loops.setdefault(loop, []).append(site.call)
    for loop, flushes in loops.items():
        rows = [call.args[0] for call in added if call.args and fn.blocks_of(call.block)[0][0] >= loop]
        asked = any(asked_after(fn, vid, call) for call in flushes for vid in rows)
        if rows and not asked and not _reads_too(project, fn, loop):
            yield from (flush_hit(project, fn, call, loop) for call in flushes)


def _reads_too(project: Project, fn: Fn, loop: int) -> bool:
    """Whether each round asks the database for something too, before which the session flushes by itself."""
    asking = [query.block for query in project.queries.sent(fn) if query.kind == "read"]
    asking += [
        edge.call.block
        for edge in project.graph.callees(fn)
        if edge.call is not None and edge.kind == "call" and project.queries.reason(edge.callee) is not None
    ]
    return any(number == loop for block in asking for number, _ in fn.blocks_of(block))


def _now_and_then(fn: Fn, call: Call, loop: int) -> bool:
    """`if number % 500 == 0: session.flush()`"""
    for number, block in fn.blocks_of(call.block):
        if number == loop:
            break
        tested = ingredients(fn.facts, (block.value,)) if block.kind == "if" and block.value >= 0 else ()
        if any(fn.value(vid)[:2] == ("binop", "%") for vid in tested):
            return True
    return False


def flush_hit(project: Project, fn: Fn, call: Call, loop: int) -> Hit:
    line = fn.facts.blocks[loop].span.line
    return Hit(
        f"`{fn.name}()` flushes after each row of the loop in line {line}: an INSERT and a round trip each, which one flush "
        "after the loop would send together.",
        fn.location(call.span),
        function=fn.fqn,
        profile="strict" if only_by_hand(project, fn) else None,
    )


def flushed_below(project: Project, edge: Edge) -> bool:
    """`repository.add(Line(...))` of a function that adds and flushes what it is given and does nothing else with the database,
    where the caller asks for nothing of the row afterwards; not one that flushes when it is told to (`flush=False`)."""
    fn, callee, call = edge.caller, edge.callee, edge.call
    if call is None or "flush" not in project.effects.of(callee) or is_result_used(fn, call):
        return False
    sites = [site for site in project.effects.direct(callee) if not ASKED.isdisjoint(site.model.effect)]
    added = [site.call for site in sites if site.model.orm is not None and site.model.orm.op == "add"]
    known = given(edge)
    flushes = any(site.model.transaction == "flush" and certain(callee, site.call, known) for site in sites)
    plain = len(sites) == len(added) + 1 == 2 and flushes
    if (
        not plain
        or not added[0].args
        or any(e.kind == "call" and _asks(project, e) for e in project.graph.callees(callee))
    ):
        return False
    row = unchanged(callee, added[0].args[0])
    given_rows = bind(fn, call, callee).get(row[1], []) if row[0] == "param" else []
    return len(given_rows) == 1 and not given_rows[0][1] and not asked_after(fn, given_rows[0][0], call)


def _asks(project: Project, edge: Edge) -> bool:
    return not ASKED.isdisjoint(project.effects.of(edge.callee))
