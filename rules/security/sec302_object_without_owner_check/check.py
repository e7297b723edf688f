"""SEC302: an object is fetched by the id in the path, and nothing asks whose it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from backendlint.api import SAFE, Call, Fn, Hit, Project, Route, Step, told_once

from .callers import compares_caller, uses_caller
from .evidence import checked
from .guards import example_of, guarded_models
from .lookups import fetch, is_scoped
from .parents import unscoped
from .roles import by_role_alone, roles
from .siblings import parameter, sibling, usual
from .views import of_caller, of_one

USER = re.compile(r"(user|member|author)(_?(id|pk|uuid|uid|email|name))?", re.IGNORECASE)


def check(project: Project) -> Iterator[Hit]:
    yield from unscoped(project)
    if not any(map(partial(_is_open, project), project.routes)):
        return  # what others do is of no interest
    fetching: list[tuple[Route, Call]] = []
    for route in project.routes:
        if route.handler is not None and route.kind == "http":
            call = fetch(project, route)
            if call is not None:
                fetching.append((route, call))
    careful = [route for route, _ in fetching if checked(project, route, certain=True)]
    bare = {route for route, _ in fetching if route not in careful and not checked(project, route)}
    owned = [route for route in careful if checked(project, route, certain=True, owner=True)]
    bare |= {route for route, _ in fetching if by_role_alone(project, route, owned)}
    reading = [route for route in owned if SAFE.issuperset(route.methods)]
    comparing = [route for route in owned if compares_caller(route, route.handler)]
    views = list(of_caller(project)) if bare else []
    guarded = guarded_models(project) if bare else {}
    seen = set()
    found: dict[str, list[Hit]] = {}
    for route, call in fetching:
        assert route.handler is not None
        if route not in bare or not project.access.authentication(route) or project.access.exempt(route):
            continue
        named = bool(USER.fullmatch(parameter(route)))  # `/users/{user_id}`: to look it up says nothing of the caller
        if SAFE.issuperset(route.methods):  # what only its owner may change others may see
            example = None if named else sibling(route, reading)
        elif named:
            example = sibling(route, comparing)
        else:
            example = sibling(route, owned) or sibling(route, careful)
        if example is None and not named:
            example = next((view for view in views if of_one(view, route)), None)
        if example is None and not named and not SAFE.issuperset(route.methods):
            example = example_of(project, route, call, guarded)
        place = route.handler.location(call.span)
        if example is None or place in seen or not usual(route, fetching, careful, bare):
            continue
        seen.add(place)
        by_owner = example in owned or example in views
        missing = "that it belongs to the caller" if by_owner else "what the caller may do"
        cure = "Add the owner to the condition, or compare it." if by_owner else "Ask for the same permission."
        advice = uses_caller(project, route, route.handler) or (not by_owner and is_scoped(route, call))
        hit = Hit(
            f"{route.label} fetches an object by the id in the path and never checks {missing}, as "
            f"{example.label} does: whoever may call it reaches the objects of others. {cure}",
            place,
            related=(
                Step(route.place, "the route that fetches it"),
                Step(example.place, f"{example.label} checks {'the owner' if by_owner else 'a permission'}"),
            ),
            function=route.function,
            profile="strict" if advice else "default",
        )
        shared = project.targets(route.handler, call)
        key = shared[0].fqn if shared and not advice and _changes(project, shared[0]) else ""
        found.setdefault(key, []).append(hit)
    yield from found.pop("", ())
    for hits in found.values():  # one function that does it all for several routes
        yield from told_once(hits, _elsewhere, 1, severity=None)


def _is_open(project: Project, route: Route) -> bool:
    """A route of a reviewed file that fetches an object and checks nothing, or a role at most."""
    if route.handler is None or route.kind != "http":
        return False
    near = project.counts(route.place) or project.counts(route.handler)
    return near and fetch(project, route) is not None and (bool(roles(route.handler)) or not checked(project, route))


def _elsewhere(hit: Hit, places: str) -> str:
    return f"{hit.message} So do the routes in {places}, which call the same function."


def _changes(project: Project, fn: Fn) -> bool:
    """Whether a function does not only read the object."""
    return project.effects.has(fn, "db-write", "commit")
