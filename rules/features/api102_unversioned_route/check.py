from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from backendlint.api import (
    UNKNOWN,
    Hit,
    Location,
    Project,
    Route,
    among_pages,
    answers,
    here_and_in,
    is_api,
    is_plain,
    is_signed,
    segments,
    subject,
    told_once,
    versions,
)

FREE = re.compile(
    r"health\w*|live(ness|z)?|ready|readyz|readiness|ping|status|metrics|monitor(ing)?|docs?|redoc|openapi|swagger|schema|static|assets|media|favicon|"
    r"robots|\.well-known|oauth\d?|sso|saml|callback|webhooks?|hooks?|admin|login|logout|auth|accounts?|version|graphql|ws|internal|debug|"
    r"sitemap|manifest|heartbeat|up|index|experiment(al|s)?|beta|alpha|previews?|unstable|private",
    re.IGNORECASE,
)
PRESCRIBED = {
    "formList",
    "formUpload",
    "submission",
    "submissionList",
    "downloadSubmission",
    "xformsManifest",
    "scim",
    "fhir",
}
"""Parts of paths that a protocol prescribes (OpenRosa, SCIM, FHIR)."""

DECIDED = re.compile(r"(^|_)(unversioned|versionless|no_?version|v\d+)(_|$)", re.IGNORECASE)
"""Names of lists and routers whose routes have none on purpose."""

STRAYS = 1
"""So many routes that are there a second time, without the `v1` of the others, are an oversight."""
OWN_VERSION = re.compile(r"[-_.]v\d+$", re.IGNORECASE)
"""`/rate-order-v2`."""


def check(project: Project) -> Iterator[Hit]:
    groups: dict[Location | None, list[Route]] = {}
    for route in project.routes:
        if route.kind == "http" and UNKNOWN not in route.path:
            groups.setdefault(route.inner, []).append(route)
    for routes in groups.values():
        yield from exceptions(project, routes)


def exceptions(project: Project, routes: list[Route]) -> Iterator[Hit]:
    """Unversioned routes of one application, where the others have versions."""
    versioned = [route for route in routes if versions(route.path)]
    bare = [route for route in routes if not versions(route.path) and not free(route)]
    also = {id(route.entry) for route in versioned}  # what is mounted again without a version is in the version too
    bare = [route for route in bare if id(route.entry) not in also and is_api(project, route)]
    there = {(route.handler.header, route.cls) for route in versioned if route.handler is not None}
    bare = [route for route in bare if route.handler is None or (route.handler.header, route.cls) not in there]
    bare = [route for route in bare if not leads_on(project, route)]
    if len(versioned) < 2 or len(bare) >= len(versioned):
        return
    homes = {route.path.partition("/" + version)[0] for route in versioned for version in versions(route.path)[:1]}
    bare = [route for route in bare if route.path.rstrip("/") not in homes]  # the list of versions itself
    kept = {subject(route.path) for route in versioned}  # without a version, these are the first version
    first = {
        (subject(route.path), methods)
        for route in versioned
        if "v1" in versions(route.path)
        for methods in route.methods
    }
    again = [
        route for route in bare if route.methods and all((subject(route.path), name) in first for name in route.methods)
    ]
    strays = again if len(again) <= STRAYS else []  # more of them are kept for old clients
    bare = [route for route in bare if subject(route.path) not in kept or route in strays]
    if bare and has_pages(project):
        bare = [route for route in bare if not for_pages(project, route, homes)]
    rooted = [route for route in versioned if route.path.strip("/").partition("/")[0] in versions(route.path)[:1]]
    anywhere = 2 * len(rooted) > len(versioned)
    modules = {route.handler.path for route in versioned if route.handler is not None}
    example = versioned[0]
    told: dict[str, list[Hit]] = defaultdict(list)
    seen: set[object] = set()
    for route in bare:
        address = (*route.methods, route.path.rstrip("/"))
        if route.location in seen or address in seen or any(map(DECIDED.search, route.held_by)):
            continue
        seen |= {route.location, address}
        hit = Hit(
            f"{route.label} has no version, while {len(versioned)} other routes have one (such as {example.path}): it cannot "
            "change without breaking clients. Mount it below the version.",
            route.location,
            function=route.function,
        )
        if not anywhere and not belongs(route, homes, modules):
            yield replace(hit, profile="strict")
        else:
            told[hit.location.path].append(hit)
    each: list[Hit] = []
    for hits in told.values():  # a module's routes are mounted together
        each += told_once(hits, partial(here_and_in, before=", while"), few=2, severity=None)
    yield from (hit for hit in each if hit.profile == "strict")
    yield from told_once((hit for hit in each if hit.profile != "strict"), like_others, severity=None)


def like_others(hit: Hit, others: str) -> str:
    """Where many modules have such routes, there is an API without versions beside the other."""
    return hit.message.replace(" has no version", f" has no version, like others in {others}", 1)


def belongs(route: Route, homes: set[str], modules: set[str]) -> bool:
    """Whether it lies where the versions lie (`/api/feeds` beside `/api/v1`), or its module has routes with a version: what
    lies elsewhere is seldom a part of that API."""
    if any(home.strip("/") and route.path.startswith(f"{home}/") for home in homes):
        return True
    return route.handler is not None and route.handler.path in modules


def free(route: Route) -> bool:
    """Operational and browser-facing paths that stay where they are, what an application keeps for itself (`/_internal`), and
    what another system notifies, with its signature."""
    parts = [part for part in segments(route.path) if "{" not in part]
    return (
        not parts
        or any(
            part.startswith("_")
            or part in PRESCRIBED
            or OWN_VERSION.search(part)
            or FREE.fullmatch(part)
            or FREE.fullmatch(re.split(r"[-_.]", part)[0])
            for part in parts
        )
        or not route.in_schema
        or route.trial
        or (route.handler is not None and is_signed(route.handler))
    )


def leads_on(project: Project, route: Route) -> bool:
    """`/t/{short}`: whoever follows it is led elsewhere, or gets a file that pages and mails have the address of."""
    found = answers(project, route.handler) if route.handler is not None else []
    good = {answer.special for answer in found if not answer.failed}
    return good == {"redirect"} or (good == {"file"} and route.path.endswith("}"))


def has_pages(project: Project) -> bool:
    """Whether anything in the project renders templates."""
    if project.template_files:
        return True
    responses = (site.model.response for site in project.effects.sites)
    return any(item is not None and item.template for item in responses)


def for_pages(project: Project, route: Route, homes: set[str]) -> bool:
    """A plain view that gives data to the site's own pages: apart from where the versions lie, or among pages."""
    if route.documented or route.handler is None or not is_plain(project, route):
        return False
    if not any(route.path.startswith(f"{home}/") for home in homes):
        return True
    return among_pages(project, route)
