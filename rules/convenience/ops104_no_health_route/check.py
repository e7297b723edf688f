from __future__ import annotations

import re
from collections.abc import Iterator

from backendlint.api import UNKNOWN, Fn, Hit, Location, Project, Route, Site, answers, served_applications, told_once

HEALTH = re.compile(
    r"(^|[/_.-])(_*health(z|y|_?checks?|-checks?)?|live(ness|z)?|alive|ready(z)?|readiness|ping|pong|heartbeat|up|status|"
    r"monitor(ing)?|_ah|lbheartbeat|watchman|selftest)([/_.-]|$)|^/?check$",
    re.IGNORECASE,
)
VAGUE = frozenset({"up", "ready", "live", "status", "monitor", "monitoring", "watchman"})
"""Words that alone, or beside what is meant by the service itself, name a probe: `/server-status`, not `/feedback-status`."""
SELF = frozenset(
    "api app application backend cache celery check checks cluster database db get http is k8s lb redis server service site system "
    "web worker".split()
)
PATHS = ("path", "rule", "route")
"""What routes are called by keyword."""
RUNS = ("status", "ok", "health", "alive")
SCRIPT = re.compile(r"(^|[/_-])health_?checks?\.py$")


def check(project: Project) -> Iterator[Hit]:
    if any(site.model.health or asks(site) for site in project.effects.sites):
        return
    healthy = [route for route in project.routes if is_probe(route) or says_it_runs(project, route)]
    if any("health" in item.target for file in project.files.values() for item in file.imports):
        return
    unknown = set(unknown_parts(project))
    if any(map(is_path, project.literals.spelled)) and any(
        answers_probes(project, fn) or names_path_of_probe(fn) for fn in project.all_functions()
    ):
        return
    applications = [item for item in served_applications(project) if item.library not in unknown]
    if healthy and len(applications) == 1:
        return
    hits = (
        Hit(
            f"`{application.name}` serves {application.routes} routes and none for health checks: a process that hangs keeps its "
            "traffic. Add a route such as `/health`.",
            application.location,
        )
        for application in applications
        if not watched(project, application.location, application.library, healthy)
    )
    yield from told_once(hits, _each, 1, None)


def _each(hit: Hit, places: str) -> str:
    return f"{hit.message} So it is with {places.replace('place', 'application')} of the project."


def asks(site: Site) -> bool:
    """A script that a container's health check runs: it asks some route of the application."""
    return "http" in site.model.effect and SCRIPT.search(site.fn.path) is not None


def is_probe(route: Route) -> bool:
    """A path of its own, not the state of some item."""
    if "{" in route.path.replace(UNKNOWN, ""):
        return False
    named = names_probe(route.path.rstrip("/")) or names_probe(route.name)
    return named or any(model.health for model in route.decorators)


def says_it_runs(project: Project, route: Route) -> bool:
    """`/` that answers `{"status": "ok"}`, whoever asks."""
    fn = route.handler
    if fn is None or route.path.strip("/"):
        return False
    found = [answer for answer in answers(project, fn) if not answer.failed]
    body = fn.value(found[0].body) if len(found) == 1 and found[0].body >= 0 else ("",)
    if body[0] != "dict" or len(body[1]) != 1:
        return False
    ((key, item),) = body[1]
    return fn.const(key) in RUNS and fn.const(item) is not ...


def names_probe(text: str) -> bool:
    """Whether a path, or the name of a handler, is that of a probe."""
    for part in re.split("[/.]", text.lower()):
        words = set(re.split("[_-]+", part)) - {""}
        vague = words & VAGUE
        if (HEALTH.search(part) and not vague and part != "check") or (vague and words <= VAGUE | SELF):
            return True
        if vague and HEALTH.search("-".join(sorted(words - vague))):
            return True
    return bool(HEALTH.fullmatch(text))


def watched(project: Project, location: Location, library: str, healthy: list[Route]) -> bool:
    """Whether the application made there has one of the probes, as far as it is known which has which."""
    own = {route.framework for route in project.routes if route.app and route.app.location == location}
    return any(
        any(app.location == location for app in (probe.app, *probe.also))
        if own and probe.app is not None
        else probe.framework in (own or {library})
        for probe in healthy
    )


def answers_probes(project: Project, fn: Fn) -> bool:
    """Whether it compares with such a path, as a middleware does that answers before any route: `request.path == "/healthz"`."""
    compared = {side for vid in fn.made_by("compare") for side in fn.value(vid)[2]}
    listed = {item for vid in compared if fn.value(vid)[0] in ("tuple", "list", "set") for item in fn.value(vid)[1]}
    named = (vid for vid in compared | listed if fn.value(vid)[0] in ("const", "name"))
    texts = (text for vid in named for text in project.constants(fn, vid) or () if isinstance(text, str))
    return any(map(is_path, texts))


def names_path_of_probe(fn: Fn) -> bool:
    """Whether it makes something at such a path: a service of a library that nobody has described, `Service(path="/__heartbeat__")`."""
    given = (fn.const(call.kwarg(key)) for call in fn.calls for key in PATHS)
    return any(isinstance(path, str) and is_path(path) for path in given)


def is_path(text: str) -> bool:
    """Whether it is the path of a probe."""
    return text.startswith("/") and HEALTH.search(text.rstrip("/")) is not None


def unknown_parts(project: Project) -> Iterator[str]:
    """Libraries some of whose routes come out of a call or a table (`include(config.urls[0])`), or which a function registers
    under paths that are not known (`add_route(cls.name, cls.path)`)."""
    helped = (route for route in project.routes if not route.entry.fn.is_module)
    yield from (route.framework for route in helped if route.own_path.strip("/") == UNKNOWN)
    for fn, call in project.graph.calls_written("include"):
        given = fn.unguarded(call.args[0]) if call.args else ("",)
        if given[0] in ("item", "call", "param"):
            yield from (model.library for model in project.models(fn, call) if model.mount is not None)
