from __future__ import annotations

import re
from collections.abc import Iterator

from backendlint.api import Hit, Project, served_applications

HEALTH = re.compile(
    r"(^|[/_.-])(_*health(z|y|_?checks?|-checks?)?|live(ness|z)?|alive|ready(z)?|readiness|ping|pong|heartbeat|up|status|"
    r"monitor(ing)?|_ah|lbheartbeat|watchman|selftest)([/_.-]|$)|^/?check$",
    re.IGNORECASE,
)


def check(project: Project) -> Iterator[Hit]:
    if any(site.model.health for site in project.effects.sites):
        return
    healthy = {
        route.framework
        for route in project.routes
        if HEALTH.search(route.path.rstrip("/"))
        or HEALTH.search(route.name)
        or any(model.health for model in route.decorators)
    }
    if any("health" in item.target for file in project.files.values() for item in file.imports):
        return
    unknown = set(unknown_parts(project))
    applications = [item for item in served_applications(project) if item.library not in unknown]
    for application in applications:
        own = {route.framework for route in project.routes if route.app and route.app.location == application.location}
        if healthy & (own or {application.library}) or (healthy and len(applications) == 1):
            continue
        yield Hit(
            f"`{application.name}` serves {application.routes} routes and none for health checks: a process that hangs keeps its "
            "traffic. Add a route such as `/health`.",
            application.location,
        )


def unknown_parts(project: Project) -> Iterator[str]:
    """Libraries some of whose routes come out of a call or a table (`include(config.urls[0])`)."""
    for fn, call in project.graph.calls_written("include"):
        given = fn.unguarded(call.args[0]) if call.args else ("",)
        if given[0] in ("item", "call", "param"):
            yield from (model.library for model in project.models(fn, call) if model.mount is not None)
