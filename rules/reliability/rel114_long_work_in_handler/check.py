"""REL114: mail, processes, sleep and item-by-item external calls while a client waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from backendlint.api import (
    Call,
    Fn,
    Hit,
    LongWork,
    Project,
    Route,
    below,
    duration,
    for_admins,
    for_tests,
    here_and_in,
    identifier_words,
    of_caught,
    told_once,
)

NEAR = 2
"""Calls from the endpoint down to a pause: further down it is a matter of what happens on the way."""
FEW_MAILS = 2
"""So many mails are told one by one: of more it is how the project sends them."""
FAR = 3
"""Calls from the endpoint down to what is called for each item."""
SET_UP = frozenset(
    "setting provider link backend plugin integration config language locale region storage handler".split()
)
"""Words of what somebody has set up, a few of each."""
TRIES = frozenset(["test", "check", "try", "verify", "diagnostics"])


def check(project: Project) -> Iterator[Hit]:
    """One hit a call, with the way from an endpoint. Of what one endpoint does, but for mail, the nearest to it tells, and of
    mails of one function, or in many places, the first."""
    works: dict[str, list[Hit]] = {}
    mails: dict[str, Hit] = {}
    for work in project.long_works.all():
        route = project.in_request.route(work.fn)
        if route is None:
            continue
        hit = _hit(project, work, route)
        if hit.profile is not None:
            yield hit
        elif not _mails(project, work):
            works.setdefault(route.label, []).append(hit)
        elif mails.setdefault(work.fn.fqn, hit) is not hit:
            yield replace(hit, profile="strict")
    told = partial(here_and_in, before=": the client waits")
    yield from told_once(mails.values(), told, FEW_MAILS, severity=None)
    for hits in works.values():
        yield from _nearest(hits, told)


def _hit(project: Project, work: LongWork, route: Route) -> Hit:
    way = project.in_request.way(work.fn)
    whole = work.kind == "rows" and bool(way)  # what belongs into a job is all that the handler calls
    return Hit(
        message=f"`{route.label}` {_does(work)}: the client waits{_held(project, work)}.",
        location=way[0].location if whole else work.fn.location(work.call.span),
        flow=way,
        function=work.fn.fqn,
        profile="strict" if _is_advice(project, work, route) else None,
    )


def _mails(project: Project, work: LongWork) -> bool:
    """Mail, also for each item."""
    return work.kind == "mail" or any("mail" in model.effect for model in project.models(work.fn, work.call))


def _nearest(hits: list[Hit], told: Callable[[Hit, str], str]) -> Iterator[Hit]:
    """The hit to which the fewest calls lead, for all others of the endpoint: the remedy is one."""
    first = min(hits, key=lambda hit: (len(hit.flow), hit.location))
    others = len(hits) - 1
    places = f"{others} more place{'s' if others > 1 else ''}"
    yield replace(first, message=told(first, places)) if others else first
    yield from (replace(hit, profile="strict") for hit in hits if hit is not first)


def _is_advice(project: Project, work: LongWork, route: Route) -> bool:
    """What an endpoint is there to try or only does in development, a mail whose sender is told what came of it, what the process
    keeps for a while, what holds nobody but the one client, or one who runs the service, and what may happen far below."""
    if _tries(route) or route.kind != "http" or for_tests(project, work.fn):
        return True
    if project.literals.for_trial(work.fn, work.call.value):
        return True
    if (work.kind == "mail" and _tells(work.fn, work.call)) or project.in_request.seldom(work.fn):
        return True
    if work.kind == "subprocess" and work.call.awaited and (work.limited or for_admins(route)):
        return True
    way = len(project.in_request.way(work.fn))
    if work.kind == "sleep":
        return work.call.awaited or way > NEAR
    return work.kind == "loop" and (way + work.below > FAR or _of_few(work))


def _of_few(work: LongWork) -> bool:
    """`for provider in providers:`: as many as somebody has set up, by their name."""
    loop = work.fn.inside(work.call.block, "for", "comp")
    items = (item.name for item in work.fn.facts.bindings if loop is not None and item.span.line == loop.span.line)
    return any(not SET_UP.isdisjoint(map(str.lower, identifier_words(name))) for name in items)


def _held(project: Project, work: LongWork) -> str:
    """What is awaited leaves the worker free for others."""
    free = work.call.awaited or project.in_request.in_thread(work.fn)
    return "" if free else ", and the worker is held meanwhile"


def _tries(route: Route) -> bool:
    """An endpoint that is there to try something (the mail settings), and to say what came of it."""
    handler = route.handler
    words = identifier_words(f"{route.path} {handler.facts.qualname if handler is not None else ''}")
    return not TRIES.isdisjoint(words)


def _tells(fn: Fn, call: Call) -> bool:
    """`try: mail.send()`, `except SMTPException as error: return str(error)`: whoever sends it is to know what came of it."""
    for number in fn.handlers_of(call.block):
        inside = below(fn.facts, number)
        given = [item.value for item in fn.facts.returns if item.block in inside]
        if of_caught(fn.facts, number, given):
            return True
    return False


def _does(work: LongWork) -> str:
    place = f"in `{work.fn.name}()`"
    if work.kind == "mail":
        return f"sends mail (`{work.name}`) {place}"
    if work.kind == "subprocess":
        return f"runs a command (`{work.name}`) {place}"
    if work.kind == "sleep":
        rounds = f" in {work.rounds} rounds" if work.rounds > 1 else ""
        return f"sleeps {duration(work.seconds)}{rounds} {place}"
    if work.kind == "rows":
        return f"asks the database (`{work.name}()`) for each row of a file, however long that is, {place}"
    return f"calls {work.name} for each item of a collection, one after the other, {place}"
