"""REL114: mail, processes, sleep and item-by-item external calls while a client waits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from backendlint.api import (
    Hit,
    LongWork,
    Project,
    Route,
    duration,
    for_admins,
    for_tests,
    here_and_in,
    identifier_words,
    told_once,
)

NEAR = 2
"""Calls from the endpoint down to a pause: further down it is a matter of what happens on the way."""
FAR = 3
"""Calls from the endpoint down to what is called for each item."""
LOOPS = 2
"""So many of an endpoint are told one by one."""
TRIES = frozenset(["test", "check", "try", "verify", "diagnostics"])


def check(project: Project) -> Iterator[Hit]:
    """One hit a call, with the way from an endpoint; of many loops on the way from one endpoint, and of those of one function
    that call the same, the first tells."""
    loops: dict[str, list[Hit]] = {}
    called: set[tuple[str, str]] = set()
    for work in project.long_works.all():
        route = project.in_request.route(work.fn)
        if route is None:
            continue
        hit = Hit(
            message=f"`{route.label}` {_does(work)}: the client waits{_held(project, work)}.",
            location=work.fn.location(work.call.span),
            flow=project.in_request.way(work.fn),
            function=work.fn.fqn,
            profile="strict" if _is_advice(project, work, route) else None,
        )
        if work.kind == "loop" and hit.profile is None:
            same = (work.fn.fqn, work.name)
            if same in called:
                yield replace(hit, profile="strict")
                continue
            called.add(same)
            loops.setdefault(route.label, []).append(hit)
        else:
            yield hit
    for hits in loops.values():
        yield from told_once(hits, partial(here_and_in, before=": the client waits"), LOOPS, severity=None)


def _is_advice(project: Project, work: LongWork, route: Route) -> bool:
    """What an endpoint is there to try, what holds nobody but the one client, or one who runs the service, and what may happen
    far below."""
    if _tries(route) or route.kind != "http" or for_tests(project, work.fn):
        return True
    if work.kind == "subprocess" and work.call.awaited and for_admins(route):
        return True
    way = len(project.in_request.way(work.fn))
    if work.kind == "sleep":
        return work.call.awaited or way > NEAR
    return work.kind == "loop" and way + work.below > FAR


def _held(project: Project, work: LongWork) -> str:
    """What is awaited leaves the worker free for others."""
    free = work.call.awaited or project.in_request.in_thread(work.fn)
    return "" if free else ", and the worker is held meanwhile"


def _tries(route: Route) -> bool:
    """An endpoint that is there to try something (the mail settings), and to say what came of it."""
    handler = route.handler
    words = identifier_words(f"{route.path} {handler.facts.qualname if handler is not None else ''}")
    return not TRIES.isdisjoint(words)


def _does(work: LongWork) -> str:
    place = f"in `{work.fn.name}()`"
    if work.kind == "mail":
        return f"sends mail (`{work.name}`) {place}"
    if work.kind == "subprocess":
        return f"runs a command (`{work.name}`) {place}"
    if work.kind == "sleep":
        rounds = f" in {work.rounds} rounds" if work.rounds > 1 else ""
        return f"sleeps {duration(work.seconds)}{rounds} {place}"
    return f"calls {work.name} for each item of a collection, one after the other, {place}"
