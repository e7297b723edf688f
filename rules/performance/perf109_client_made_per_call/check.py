"""PERF109: connections, clients and engines that every request makes anew."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backendlint.api import Hit, MadePerCall, Profile, Project, aliases

LOSES = {
    "db-connection": "each costs a handshake and a server process, and nothing limits their number",
    "db-engine": "each brings a pool of its own, which is never reused",
    "db-pool": "a pool that lives for one call pools nothing",
    "http-session": "no connection is kept alive, so each call pays for TCP and TLS again",
    "redis-client": "each brings a pool of its own, which is never reused",
    "grpc-channel": "each opens and closes an HTTP/2 connection",
    "queue-connection": "each costs several round trips to the broker",
}
NAMED = re.compile(r"key|token|secret|auth|user|password|server|host|url", re.IGNORECASE)
CHEAPER = frozenset({"executor", "ssh"})


def check(project: Project) -> Iterator[Hit]:
    """One hit a constructor call."""
    for made in project.per_call.all():
        yield _hit(project, made)


def _hit(project: Project, made: MadePerCall) -> Hit:
    site = made.site
    route = project.in_request.route(site.fn)
    when = "in each round of a loop" if made.loop or route is None else f"with each request (`{route.label}`)"
    loses = LOSES.get(made.cls.resource, "making it costs more than using it")
    return Hit(
        message=f"`{site.model.name}` is made {when} in `{site.fn.name}()`: {loses}.",
        location=site.fn.location(site.call.span),
        flow=project.in_request.way(site.fn),
        function=site.fn.fqn,
        profile=_profile(project, made),
    )


def _profile(project: Project, made: MadePerCall) -> Profile | None:
    """Advice for what scripts and jobs do, for pools of threads, and for a session that serves several calls at least."""
    if made.cls.resource in CHEAPER or made.site.fn not in project.in_request or _reused(made):
        return "strict"
    return "strict" if _for_this_call(made) else None


def _for_this_call(made: MadePerCall) -> bool:
    """A client for whom the caller names: credentials or a host that are parameters, or a transport for hosts of all kinds."""
    if made.cls.resource.startswith(("db-", "redis-", "queue-")):
        return False
    fn, call = made.site.fn, made.site.call
    passed = [vid for key, vid in call.kwargs if NAMED.search(key)]
    values = [fn.value(vid) for vid in (*call.args, *passed)]
    params = [fn.facts.params[value[1]] for value in values if value[0] == "param"]
    return any(param.default < 0 for param in params) or any(key == "transport" for key, _ in call.kwargs)


def _reused(made: MadePerCall) -> bool:
    fn, call = made.site.fn, made.site.call
    if made.cls.resource != "http-session":
        return False
    held = aliases(fn.facts, call.value)
    uses = [item for item in fn.calls if fn.value(item.func)[0] == "attr" and fn.value(item.func)[1] in held]
    return any(fn.inside(item.block, "for", "while", "comp") for item in uses)
