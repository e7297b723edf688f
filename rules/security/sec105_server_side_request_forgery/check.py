from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from backendlint.api import Flow, Hit, Project, flow_hit, for_admins, ingredients, place_flows

SINKS = ("ssrf",)
HARM = (
    "so whoever sends it chooses where this service connects, the internal network included; compare the parsed "
    "host with an allow-list."
)


def check(project: Project) -> Iterator[Hit]:
    """One hit a place; a request that is put together first is told where it is sent."""
    flows = list(place_flows(project, SINKS))
    sent = {key for flow in flows for key in handed_on(flow)}
    for flow in flows:
        if flow.site.model.effect or (flow.site.fn.fqn, flow.site.call.value) not in sent:
            hit = flow_hit(project, flow, HARM)
            yield replace(hit, profile="strict", confidence="low") if by_operators(project, flow) else hit


def by_operators(project: Project, flow: Flow) -> bool:
    """Only those who run the service may ask, below `/admin`: where its other parts are is theirs to say."""
    routes = flow.routes(project)
    return bool(routes) and all(for_admins(route) and project.access.guarded(route) for route in routes)


def handed_on(flow: Flow) -> set[tuple[str, int]]:
    """The values of which what is sent was made: `urlopen(Request(url))`."""
    fn, vid = flow.site.fn, flow.site.vid
    return {(fn.fqn, item) for item in ingredients(fn.facts, (vid,))} if not flow.weak else set()
