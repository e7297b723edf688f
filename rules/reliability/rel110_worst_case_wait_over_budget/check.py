"""REL110: endpoints that can wait longer than the budget allows, and jobs longer than theirs, written out step by step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from backendlint.api import (
    Fn,
    Hit,
    Location,
    Part,
    Project,
    Route,
    Step,
    Sum,
    duration,
    here_and_in,
    is_job,
    terms,
    told_once,
)

SHOWN = 4
FEW = 2
LEAST = 1
"""Seconds of a wait that makes a difference."""


class Slow(NamedTuple):
    """An endpoint that can wait too long."""

    route: Route
    handler: Fn
    total: Sum


def check(project: Project) -> Iterator[Hit]:
    """One hit an endpoint's handler (several routes of one handler count once), and one a job; endpoints that wait at the same
    places, that the same place alone makes too slow, or only what all of them do first, such as connecting, are one: the
    longest. What all do first is told by that one, and makes no other too slow."""
    handled: dict[str, Route] = {}
    for route in project.routes:
        if route.handler is not None and route.kind != "websocket":
            handled.setdefault(route.handler.fqn, route)
    slow = list(_slow(project, (route for route in handled.values() if project.counts(route.place))))
    if slow and project.focus is not None:  # which of those that wait alike is told depends on all
        slow = list(_slow(project, handled.values()))
    budget = project.waits.budget("api_ms")
    first = _first({_shared(item.total, budget) for item in slow} - {frozenset()})
    alike: dict[frozenset[Location], list[Slow]] = {}
    waits: dict[frozenset[Location], frozenset[Location]] = {}
    for item in slow:
        places = frozenset(part.location for part in item.total.parts)
        same = waits.setdefault(places, _what(item.total, first, budget))
        alike.setdefault(same, []).append(item)
    far: list[Hit] = []
    for same, group in alike.items():
        hit = _longest(project, group, first - same)
        if _far_over(group, budget):
            far.append(hit)
        else:
            yield hit
    yield from told_once(far, _everywhere, few=FEW, severity=None)
    for fn in project.reviewed():
        if fn.fqn not in handled and is_job(project, fn):
            total, limit = project.waits.of(fn), project.waits.budget("job_ms")
            if total.seconds > limit:
                certain = _adds_up(total.parts, limit)
                yield _hit(project, f"Job `{fn.name}()`", fn, total, "job_ms", fn.header, certain)


def _far_over(group: list[Slow], budget: float) -> bool:
    """Whether a single wait is over the budget by itself: where the timeout is set so for all calls, one endpoint tells it."""
    return any(part.seconds > budget for item in group for part in item.total.parts if not part.soft)


def _everywhere(hit: Hit, places: str) -> str:
    return here_and_in(hit, f"{places} with such timeouts", before=", over")


def _first(shared: set[frozenset[Location]]) -> frozenset[Location]:
    """What makes endpoints too slow that do little else: of what more is waited for once, that is the part which others share."""
    least = (one for one in shared if not any(other < one for other in shared))
    return frozenset[Location]().union(*least)


def _what(total: Sum, first: frozenset[Location], budget: float) -> frozenset[Location]:
    """The places that make an endpoint too slow: those that come first for many, if it is within the budget without them."""
    own = _own(total, first)
    if sum(part.total for part in own) <= budget:
        return frozenset(part.location for part in total.parts if part not in own)
    most = [part for part in own if not part.soft and part.total > budget] or own
    return frozenset(part.location for part in most)


def _slow(project: Project, routes: Iterable[Route]) -> Iterator[Slow]:
    """Those over the budget."""
    for route in routes:
        total = project.waits.route(route)
        if route.handler is not None and total.seconds > project.waits.budget("api_ms"):
            yield Slow(route, route.handler, total)


def _longest(project: Project, group: list[Slow], told: frozenset[Location]) -> Hit:
    """Of endpoints that wait alike the one that waits longest."""
    budget = project.waits.budget("api_ms")
    rated = [(_adds_up(_own(item.total, told), budget), item.total.seconds, item) for item in group]
    certain, seconds, (route, handler, total) = max(rated, key=lambda item: item[:2])
    others = len(group) - 1
    count = f" and {others} other endpoint{'s' if others > 1 else ''}" if others else ""
    short = any(item.total.seconds < seconds for item in group)
    return _hit(project, f"`{route.label}`{count}", handler, total, "api_ms", route.place, certain, short)


def _hit(
    project: Project, name: str, fn: Fn, total: Sum, key: str, place: Location, certain: bool, others_less: bool = False
) -> Hit:
    parts = sorted(total.parts, key=lambda part: -part.total)
    return Hit(
        message=f"{name} can wait {'up to ' if others_less else ''}{duration(total.seconds)} for others {_more(total)}, "
        f"over {project.waits.stated(key)}: {_written(parts)}.",
        location=place,
        related=tuple(_step(part) for part in parts[:10]),
        flow=tuple(_step(part) for part in total.parts),
        function=fn.fqn,
        profile=None if certain and not _leisure(project, key) else "strict",
        fingerprint_key=f"{fn.fqn}: worst-case wait",
    )


def _leisure(project: Project, key: str) -> bool:
    """Nobody waits for a job: how long one may take is for the project to say."""
    return key == "job_ms" and project.waits.assumed(key)


def _shared(total: Sum, budget: float) -> frozenset[Location]:
    """The places at which a request waits once, if it is within the budget without them."""
    once = [part for part in total.parts if part.once]
    rest = total.seconds - sum(part.total for part in once)
    return frozenset(part.location for part in once) if rest <= budget else frozenset()


def _more(total: Sum) -> str:
    """How the sum ends: calls without a timeout, or with one that is not known, and further rounds come on top."""
    if total.endless:
        return f"and more (`{total.endless[0].model.name}` has no timeout)"
    return "and more" if total.open else "at worst"


def _own(total: Sum, told: frozenset[Location]) -> list[Part]:
    """Without what is waited for once a request at a place that is told."""
    return [part for part in total.parts if not (part.once and part.location in told)]


def _adds_up(parts: Iterable[Part], budget: float) -> bool:
    """Whether waits that somebody chose add up; a single one that is too long by itself is for REL102 to report."""
    firm = [part for part in parts if not part.soft and part.total >= LEAST]
    if len(firm) == 1 and firm[0].times == 1:
        return False
    return sum(part.likely for part in firm) > budget


def _written(parts: list[Part]) -> str:
    """The sum with its longest terms spelled out."""
    written = terms(parts)
    texts = [text for text, _ in written[:SHOWN]]
    rest = written[SHOWN:]
    if rest:
        texts.append(f"{len(rest)} more {duration(sum(seconds for _, seconds in rest))}")
    return " + ".join(texts)


def _step(part: Part) -> Step:
    times = f" x {part.times:g} = {duration(part.total)}" if part.times != 1 else ""
    return Step(part.location, f"{part.label}: {duration(part.seconds)}{times}")
