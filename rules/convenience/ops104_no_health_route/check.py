from __future__ import annotations

import re
from collections.abc import Iterator

from backendlint.api import Fn, Hit, Project, served_applications

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
    if any(answers_probes(project, fn) for fn in project.all_functions()):
        return
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


def answers_probes(project: Project, fn: Fn) -> bool:
    """Whether it compares with such a path, as a middleware does that answers before any route: `request.path == "/healthz"`."""
    compared = {side for vid in fn.made_by("compare") for side in fn.value(vid)[2]}
    listed = {item for vid in compared if fn.value(vid)[0] in ("tuple", "list", "set") for item in fn.value(vid)[1]}
    named = (vid for vid in compared | listed if fn.value(vid)[0] in ("const", "name"))
    texts = (text for vid in named for text in project.constants(fn, vid) or () if isinstance(text, str))
    return any(text.startswith("/") and HEALTH.search(text.rstrip("/")) for text in texts)


def unknown_parts(project: Project) -> Iterator[str]:
    """Libraries some of whose routes come out of a call or a table (`include(config.urls[0])`)."""
    for fn, call in project.graph.calls_written("include"):
        given = fn.unguarded(call.args[0]) if call.args else ("",)
        if given[0] in ("item", "call", "param"):
            yield from (model.library for model in project.models(fn, call) if model.mount is not None)
