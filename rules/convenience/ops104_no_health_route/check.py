from __future__ import annotations

import re
from collections.abc import Iterator

from backendlint.api import Hit, Project, served_applications

HEALTH = re.compile(
    r"(^|[/_.-])(_*health(z|y|_?checks?|-checks?)?|live(ness|z)?|alive|ready(z)?|readiness|ping|pong|heartbeat|up|status|"
    r"monitor(ing)?|_ah|lbheartbeat|watchman|selftest)([/_.-]|$)",
    re.IGNORECASE,
)


def check(project: Project) -> Iterator[Hit]:
    if any(site.model.health for site in project.effects.sites):
        return
    healthy = [
        route
        for route in project.routes
        if HEALTH.search(route.path.rstrip("/"))
        or HEALTH.search(route.name)
        or any(model.health for model in route.decorators)
    ]
    if healthy or any("health" in item.target for file in project.files.values() for item in file.imports):
        return
    for application in served_applications(project):
        yield Hit(
            f"`{application.name}` serves {application.routes} routes and none for health checks: a process that hangs keeps its "
            "traffic. Add a route such as `/health`.",
            application.location,
        )
