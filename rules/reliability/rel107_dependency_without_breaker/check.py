"""REL107: external calls without a breaker or fallback, in projects that protect others with one."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Fn, Hit, Project, Site, Vid, called, only_by_hand, receiver, sink_arguments

KINDS = ("http", "grpc")
LAYERS = ("client", "service")
REQUEST = ".request."
"""In the names of what frameworks keep of the request that is served."""
PARTS = ("attr", "item", "elem", "unpack")
"""Of rows, requests and lists."""


def check(project: Project) -> Iterator[Hit]:
    """One hit a function and library, at its first call, if the project breaks the circuit elsewhere."""
    dependencies = project.dependencies
    sites = list(project.effects.with_effect(*KINDS))
    broken = next(filter(dependencies.breaks, sites), None)
    if broken is None:
        return
    seen: set[tuple[str, str]] = set()
    for site in sites:
        if _anywhere(project, site) or _inherited(project, site):
            continue
        for place in (site._replace(fn=fn, call=call) for fn, call in dependencies.unbroken(site)):
            key = (place.fn.fqn, site.model.library)
            if key in seen or not _served(project, place.fn) or dependencies.falls_back(place):
                continue
            seen.add(key)
            yield _hit(project, place, broken)


def _served(project: Project, fn: Fn) -> bool:
    """What a request waits for, or code that any may call; what a job alone does waits for nobody."""
    return fn in project.in_request or (project.layer(fn) in LAYERS and not only_by_hand(project, fn))


def _inherited(project: Project, site: Site) -> bool:
    """`super().request(...)` of a client's own class: those who call the object are told."""
    base = receiver(site.fn, site.call)
    return base >= 0 and any(ref.kind == "super" for ref in project.refs(site.fn, base))


def _anywhere(project: Project, site: Site) -> bool:
    """An address that comes from outside (`requests.post(hook.url)`): whose it is differs from call to call."""
    sinks = (sink for sink in site.model.sinks if sink.kind == "ssrf")
    given = [vid for sink in sinks for vid in sink_arguments(site.fn, site.call, sink.arg)]
    return bool(given) and _told(project, site.fn, given[0])


def _told(project: Project, fn: Fn, vid: Vid, depth: int = 3) -> bool:
    """The whole address, as callers pass it, or as a row or a request has it."""
    value = fn.unguarded(vid)
    while value[0] == "call" and (call := fn.calls[value[1]]).args and fn.value(call.func) == ("name", "builtins.str"):
        value = fn.unguarded(call.args[0])
    if value[0] == "call":  # `request.args.get("hook")`
        func = fn.unguarded(fn.calls[value[1]].func)
        return REQUEST in str(func[1]) if func[0] == "name" else func[0] == "attr" and not _own(fn, func[1])
    if value[0] == "bool":  # `asked.get("url") or row.url`
        return all(_told(project, fn, part, depth) for part in value[2])
    if value[0] != "param":
        return value[0] in PARTS and not _own(fn, value[1])
    edges = project.graph.callers(fn)  # what passes nothing runs it for each item of a list
    bound = [(edge.caller, item) for edge in edges for item, _ in edge.passed(value[1])]
    return fn.fqn in project.route_functions or (
        depth > 0 and bool(edges) and all(_told(project, caller, item, depth - 1) for caller, item in bound)
    )


def _own(fn: Fn, vid: Vid) -> bool:
    """An attribute of `self`, or of what the module itself made; not of a request."""
    value = fn.unguarded(vid)
    while value[0] == "attr":
        value = fn.unguarded(value[1])
    named = value[0] == "name" and REQUEST not in f"{value[1]}."
    return named or (value == ("param", 0) and fn.cls is not None)


def _hit(project: Project, site: Site, example: Site) -> Hit:
    count = project.reach(site.fn.fqn)
    waits = "whoever calls it waits for it each time"
    if count:
        waits = f"{count} endpoint{'s' if count > 1 else ''} wait{'' if count > 1 else 's'} for it with each request"
    return Hit(
        message=f"`{called(project, site)}` in `{site.fn.name}()` has neither a circuit breaker nor a fallback, unlike "
        f"`{example.fn.name}()`: while the other side is down, {waits}.",
        location=site.fn.location(site.call.span),
        related=(example.fn.step(example.call.span, "protected by a circuit breaker"),),
        flow=project.in_request.way(site.fn),
        function=site.fn.fqn,
    )
