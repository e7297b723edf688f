"""Chains of calls that their own arguments leave open: `lookup(None)` comes to nothing behind `if not who: return None`."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence

from backendlint.facts.model import Call
from backendlint.project.entities import Fn
from backendlint.project.graph.calls import Edge
from backendlint.project.graph.certain import Given, barred, given

MAX_STATES = 500
Place = tuple[str, int]
"""A call of a function: its name, and what the call gives."""


def is_open(chain: Sequence[Edge], fn: Fn, call: Call, passed: dict[str, Given | None]) -> bool:
    """Whether the calls, with what they pass, may come to that last one. `passed` keeps what each function is known to be given,
    None where no call gets there: for chains that lead to no function by two ways."""
    known: Given = {}
    for edge in chain:
        if edge.callee.fqn not in passed:
            closed = barred(edge.caller, edge.block, edge.span, known)
            passed[edge.callee.fqn] = None if closed else given(edge, known)
        there = passed[edge.callee.fqn]
        if there is None:
            return False
        known = there
    return not barred(fn, call.block, call.span, known)


def other_ways(
    start: Fn, wanted: dict[Place, Call], edges: Callable[[Fn], Iterable[Edge]]
) -> dict[Place, tuple[Edge, ...]]:
    """For each place the shortest chain that is open, if any is."""
    found: dict[Place, tuple[Edge, ...]] = {}
    queue: deque[tuple[Fn, Given, tuple[Edge, ...]]] = deque([(start, {}, ())])
    seen: set[tuple[str, frozenset[tuple[int, object]]]] = set()
    while queue and len(seen) < MAX_STATES and len(found) < len(wanted):
        fn, known, chain = queue.popleft()
        state = (fn.fqn, frozenset(known.items()))
        if state in seen:
            continue
        seen.add(state)
        for place, call in wanted.items():
            if place[0] == fn.fqn and place not in found and not barred(fn, call.block, call.span, known):
                found[place] = chain
        for edge in edges(fn):
            if not barred(fn, edge.block, edge.span, known):
                queue.append((edge.callee, given(edge, known), (*chain, edge)))
    return found
