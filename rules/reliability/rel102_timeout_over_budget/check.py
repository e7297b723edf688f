"""REL102: calls on a request path that may wait longer than the whole request is allowed to take."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from backendlint.api import Hit, Made, Profile, Project, Site, Value, Wait, called, duration, here_and_in, told_once

PROXIES = 60.0
"""Seconds after which proxies and load balancers give up, if nobody tells them otherwise."""


def check(project: Project) -> Iterator[Hit]:
    """One hit a call, or the client's constructor where that sets the timeout for all calls; a default that is left everywhere
    is told once."""
    left: dict[str, list[Hit]] = {}
    for hit, library in _hits(project):
        if library and hit.profile is None:
            left.setdefault(library, []).append(hit)
        else:
            yield hit
    for library, hits in left.items():
        yield from told_once(hits, partial(_everywhere, library), severity=None)


def _everywhere(library: str, hit: Hit, others: str) -> str:
    return here_and_in(hit, f"{others} with {library}", before=", over")


def _hits(project: Project) -> Iterator[tuple[Hit, str]]:
    """Each hit, and the library whose default it is; "" where the code says how long."""
    budget = project.waits.budget("api_ms")
    clients: set[int] = set()
    for site in project.effects.sites:
        if site.fn not in project.in_request or not project.waits.counts(site.model):
            continue
        wait = project.timeouts.of(site.fn, site.call, site.model)
        yield from ((hit, "") for hit in _by_callers(project, site, budget, wait))
        if wait is None or wait.kind != "seconds" or wait.seconds <= budget:
            continue
        if wait.at is not None:
            if id(wait.at.call) in clients:
                continue
            clients.add(id(wait.at.call))
        yield _hit(project, site, wait), site.model.name.partition(".")[0] if wait.default else ""


def _by_callers(project: Project, site: Site, budget: float, own: Wait | None) -> Iterator[Hit]:
    """What callers pass to a helper for its timeout, unless that is what the helper waits for anyway."""
    timeout = site.model.timeout
    for made, seconds in project.timeouts.passed.by_callers(site.fn, site.call, timeout) if timeout is not None else ():
        known = own is not None and own.kind == "seconds" and own.seconds == seconds
        if seconds <= budget or known or made.fn not in project.in_request:
            continue
        route = project.in_request.route(made.fn)
        label = route.label if route is not None else made.fn.name
        yield Hit(
            message=f"`{made.fn.name}()` has `{called(project, site)}` in `{site.fn.name}()` wait up to {duration(seconds)}, "
            f"over {project.waits.stated('api_ms')} for all of `{label}`.",
            location=made.fn.location(made.call.span),
            related=(site.fn.step(site.call.span, "the call"),),
            flow=project.in_request.way(made.fn),
            function=made.fn.fqn,
        )


def _hit(project: Project, site: Site, wait: Wait) -> Hit:
    route = project.in_request.route(site.fn)
    label = route.label if route is not None else site.fn.name
    sets = "waits up to" if not wait.default else "waits by the library's default up to"
    here = site.fn.location(site.call.span)
    at = wait.at.fn.location(wait.at.call.span) if wait.at is not None and not wait.default else here
    related = () if at == here else (site.fn.step(site.call.span, "the call"),)
    return Hit(
        message=f"`{called(project, site)}` in `{site.fn.name}()` {sets} {duration(wait.seconds)}, "
        f"over {project.waits.stated('api_ms')} for all of `{label}`.",
        location=at,
        related=related,
        flow=project.in_request.way(site.fn),
        function=site.fn.fqn,
        profile=_profile(project, site, wait),
    )


def _profile(project: Project, site: Site, wait: Wait) -> Profile | None:
    """A default that somebody may have changed elsewhere, what hands on an answer as it comes (its wait is for the next part), and
    a limit that the code sets where the project has no budget, while whoever stands in front still waits, that it sets
    apart from the one for connecting, or for one case alone."""
    fn, call = site.fn, site.call
    streams = fn.const(call.kwarg("stream")) is True or fn.callee_name(call) == "stream"
    on_purpose = streams and fn.facts.is_generator and not wait.default
    set_freely = project.waits.assumed("api_ms") and not wait.default
    chosen = set_freely and (_longest(site, wait) <= PROXIES or _apart(project, site, wait) or _in_one_case(site))
    return "strict" if on_purpose or chosen or (wait.default and not project.waits.plain_client(site.model)) else None


def _longest(site: Site, wait: Wait) -> float:
    """The longer part of `timeout=(31, 31)`, which is no choice of a minute and two seconds."""
    parts = [site.fn.const(part) for value in _given(site) if value[0] == "tuple" for part in value[1]]
    known = [part for part in parts if isinstance(part, int | float)]
    return max(known) if known and len(known) == len(parts) else wait.seconds


def _in_one_case(site: Site) -> bool:
    """`timeout = 10`, `if kind == "book": timeout = 120`: whoever makes an exception of one case means it, and few ask for that."""
    limits = {site.fn.const(part) for value in _given(site) if value[0] == "phi" for part in value[1]}
    return len({limit for limit in limits if isinstance(limit, int | float)}) > 1


def _given(site: Site) -> list[Value]:
    """What the call itself passes as its timeout."""
    keywords = site.model.timeout.keywords if site.model.timeout is not None else ()
    return [site.fn.unguarded(vid) for key, vid in site.call.kwargs if key in keywords]


def _apart(project: Project, site: Site, wait: Wait) -> bool:
    """`Timeout(600, connect=5)`: whoever tells the two apart means what the answer may take."""
    setting = wait.at or Made(site.fn, site.call)
    made = [item for _, vid in setting.call.kwargs for item in project.allocations.of(setting.fn, vid)]
    timeouts = [
        (item.call, model.timeout.partial)
        for item in (setting, *made)
        for model in project.models(item.fn, item.call)
        if model.timeout is not None
    ]
    return any(call.kwarg(key) >= 0 for call, parts in timeouts for key in parts)
