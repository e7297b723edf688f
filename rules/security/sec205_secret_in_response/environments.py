"""Responses that hold a whole environment."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Fn, Hit, Location, Project, Vid, held_whole

from .models import by_schema

NEAR = 2


def environments(project: Project) -> Iterator[Hit]:
    """Responses that hold all variables of the environment, or all settings."""
    seen = set()
    sinks = project.taint.sinks("response")
    places = ((site.fn, site.vid, site.fn.location(site.call.span)) for site in sinks)
    for fn, vid, location in (item for place in places for item in _handed_on(project, *place, NEAR)):
        whole = held_whole(project, fn, vid) if location not in seen else ""
        if whole and not by_schema(project, project.route_functions.get(fn.fqn, ())):
            seen.add(location)
            yield Hit(
                f"{whole} is in what `{fn.name}()` answers, so every client gets it; answer with the values that are needed.",
                location,
                function=fn.fqn,
            )


def _handed_on(project: Project, fn: Fn, vid: Vid, place: Location, depth: int) -> Iterator[tuple[Fn, Vid, Location]]:
    """What is answered, with its place; of a helper that answers with what it is given what its callers pass."""
    yield fn, vid, place
    for caller, call, passed in project.taint.passed_for(fn, vid) if depth else ():
        yield from _handed_on(project, caller, passed, caller.location(call.span), depth - 1)
