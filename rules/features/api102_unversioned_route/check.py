from __future__ import annotations

import re
from collections.abc import Iterator

from backendlint.api import UNKNOWN, Hit, Location, Project, Route, is_api, segments

VERSION = re.compile(r"v\d+([._]\d+)*|\d{4}-\d{2}-\d{2}")
FREE = re.compile(
    r"health\w*|live(ness|z)?|ready|readiness|ping|status|metrics|docs?|redoc|openapi|swagger|schema|static|assets|media|favicon|"
    r"robots|\.well-known|oauth\d?|sso|saml|callback|webhooks?|hooks?|admin|login|logout|auth|accounts?|version|graphql|ws|internal|debug|"
    r"sitemap|manifest|heartbeat|up|__\w+__|index",
    re.IGNORECASE,
)


def check(project: Project) -> Iterator[Hit]:
    groups: dict[Location | None, list[Route]] = {}
    for route in project.routes:
        if route.kind == "http" and UNKNOWN not in route.path:
            groups.setdefault(route.inner, []).append(route)
    for routes in groups.values():
        yield from exceptions(project, routes)


def exceptions(project: Project, routes: list[Route]) -> Iterator[Hit]:
    """Unversioned routes of one application, where the others have versions."""
    versioned = [route for route in routes if is_versioned(route)]
    bare = [route for route in routes if not is_versioned(route) and not free(route)]
    bare = [route for route in bare if is_api(project, route)]
    if len(versioned) < 2 or len(bare) >= len(versioned):
        return
    example = versioned[0]
    seen: set[Location] = set()
    for route in bare:
        if route.location in seen:
            continue
        seen.add(route.location)
        yield Hit(
            f"{route.label} has no version, while {len(versioned)} other routes have one (such as {example.path}): it cannot "
            "change without breaking clients. Mount it below the version.",
            route.location,
            function=route.function,
        )


def is_versioned(route: Route) -> bool:
    return any(VERSION.fullmatch(part) for part in segments(route.path))


def free(route: Route) -> bool:
    """Operational and browser-facing paths that stay where they are."""
    parts = [part for part in segments(route.path) if "{" not in part]
    return (
        not parts
        or any(FREE.fullmatch(part) or FREE.fullmatch(re.split(r"[-_.]", part)[0]) for part in parts)
        or not route.in_schema
    )
