"""PERF109: connections, clients and engines that every request makes anew."""

from __future__ import annotations

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
    return None


def _reused(made: MadePerCall) -> bool:
    fn, call = made.site.fn, made.site.call
    if made.cls.resource != "http-session":
        return False
    held = aliases(fn.facts, call.value)
    uses = [item for item in fn.calls if fn.value(item.func)[0] == "attr" and fn.value(item.func)[1] in held]
    return any(fn.inside(item.block, "for", "while", "comp") for item in uses)
