"""SQL that goes through the project's own helpers: `self._run("SELECT ...", (1,))`, where `_run` hands both to a driver."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Call, Vid
from backendlint.findings.model import Location
from backendlint.project.entities import Fn
from backendlint.project.graph.calls import Edge

if TYPE_CHECKING:
    from backendlint.project.model import Project


class Taker(NamedTuple):
    """A call that executes SQL, as far as it concerns texts: `params` is -1 where no bound parameters are passed."""

    fn: Fn
    call: Call
    sql: Vid
    params: Vid
    dialect: str
    role: str
    certain: bool
    paramstyle: str
    bare: bool = False
    """Certainly no bound parameters are passed."""
    sink: Location | None = None
    """Where a helper executes it; None for a call that does so itself."""
    spread: tuple[Vid, ...] = ()
    """The bound parameters, where a helper collects them (`def rows(self, query, *params)`)."""


def forwarded(project: Project, takers: Sequence[Taker]) -> Iterator[Taker]:
    """The calls of helpers that hand a parameter on to one of the takers unchanged, whatever the number of helpers between."""
    todo = sorted(takers, key=lambda taker: taker.certain)  # from the end: drivers before what only has the name of one
    seen: set[tuple[str, int]] = set()
    while todo:
        taker = todo.pop()
        index = project.taint.forwarded(taker.fn, taker.sql)
        if index < 0 or (taker.fn.fqn, index) in seen:
            continue
        seen.add((taker.fn.fqn, index))
        params = project.taint.forwarded(taker.fn, taker.params) if taker.params >= 0 else -1
        for edge in project.graph.callers(taker.fn):
            found = _passed(edge, taker, index, params)
            if found is not None:
                yield found
                todo.append(found)


def _passed(edge: Edge, taker: Taker, index: int, params: int) -> Taker | None:
    """The caller's call as a taker of what it passes."""
    if edge.call is None or edge.kind not in {"call", "thread", "spawn"}:
        return None
    bound = edge.bound()
    whole = [vid for vid, part in bound.get(index, ()) if not part]
    if len(whole) != 1:
        return None
    values = [vid for vid, part in bound.get(params, ()) if not part] if params >= 0 else []
    spread: tuple[Vid, ...] = ()
    if params >= 0 and taker.fn.facts.params[params].kind == "args":
        spread, values = _collected(edge.caller, edge.call, values)
    sink = taker.sink or taker.fn.location(taker.call.span)
    return taker._replace(
        fn=edge.caller,
        call=edge.call,
        sql=whole[0],
        params=values[0] if len(values) == 1 else -1,
        bare=False,
        sink=sink,
        spread=spread,
    )


def _collected(fn: Fn, call: Call, passed: list[Vid]) -> tuple[tuple[Vid, ...], list[Vid]]:
    """What `*params` of a helper gets: the values one by one, or the caller's own `*params`, handed on whole."""
    stars = [value[1] for vid in call.args if (value := fn.facts.values[vid])[0] == "star"]
    return ((), stars) if stars and not passed else (tuple(passed) if not stars else (), [])
