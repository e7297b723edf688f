"""Flows as hits: the same wording for every rule that follows data from a source to a sink."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

from backendlint.findings.model import Hit, Location, Profile, Severity, Step
from backendlint.project.entities import Fn
from backendlint.project.taint.flows import Flow
from backendlint.project.taint.sinks import RESPONSE, SinkSite
from backendlint.project.taint.texts import Finder, open_texts

if TYPE_CHECKING:
    from backendlint.project.model import Project

_SOURCES = {
    "request": "request data",
    "queue": "message data",
    "secret": "a secret",
    "personal": "personal data",
    "exception": "an exception's text",
    "env": "an environment value",
    "file": "a file's content",
    "database": "stored data",
    "response": "another service's answer",
}
ATTACKER: tuple[str, ...] = ("request", "queue")
"""Source kinds that an attacker writes."""
OPERATOR: tuple[str, ...] = ("env", "file", "response", "database")
"""Source kinds that somebody else may have written."""


_OPERATED = ("command", "migration")
"""Layers whose code is run by people who may do as much by hand."""


def flow_hits(
    project: Project,
    sinks: Collection[str],
    harm: str,
    sources: Collection[str] = ATTACKER,
    severity: Severity | None = None,
) -> Iterator[Hit]:
    """One hit a place for the flows from `sources` to `sinks`; `harm` says what happens there (`so that ...`)."""
    for flow in place_flows(project, sinks, sources):
        hit = flow_hit(project, flow, harm)
        yield replace(hit, severity=severity) if severity else hit


def place_flows(
    project: Project,
    sinks: Collection[str],
    sources: Collection[str] = ATTACKER,
    *,
    everywhere: bool = False,
    by_file: bool = False,
    doubt: Callable[[Flow], tuple[bool, ...]] = lambda flow: (flow.weak,),
) -> Iterator[Flow]:
    """The surest flow to each place that is reviewed, or to each place: that of the least `doubt`. `by_file` from the sinks of
    one file after the other's."""
    sites = project.taint.sinks(*sinks) if everywhere else project.taint.reviewed_sinks(*sinks)
    if not by_file:
        yield from _surest(project, sites, sources, doubt).values()
        return
    for _, own in groupby(sorted(sites, key=_path), key=_path):
        yield from _surest(project, own, sources, doubt).values()


def _path(site: SinkSite) -> str:
    return site.fn.path


def _surest(
    project: Project, sites: Iterable[SinkSite], sources: Collection[str], doubt: Callable[[Flow], tuple[bool, ...]]
) -> dict[Location, Flow]:
    best: dict[Location, Flow] = {}
    for flow in (flow for site in sites for flow in project.taint.flows_to(site, sources)):
        known = best.get(flow.location)
        if known is None or doubt(flow) < doubt(known):
            best[flow.location] = flow
    ways: dict[tuple[object, ...], Flow] = {}
    for flow in sorted(best.values(), key=_distance):
        ways.setdefault(_passage(flow), flow)
    return {flow.location: flow for flow in best.values() if ways[_passage(flow)] is flow}


def _passage(flow: Flow) -> tuple[object, ...]:
    """The call by which the data leaves the function in which it enters, and the sink: by two ways in between, it is one thing."""
    if not flow.chain:
        return (flow.location,)
    edge = flow.chain[0].edge
    return edge.caller.fqn, edge.span, flow.site.fn.fqn, flow.site.call.span, flow.site.vid


def _distance(flow: Flow) -> tuple[bool, int, Location]:
    """Where it is told: best where the data leaves, else by the shorter way."""
    return flow.fn is not flow.chain[0].edge.caller if flow.chain else False, len(flow.chain), flow.location


def flow_hit(project: Project, flow: Flow, harm: str) -> Hit:
    """A flow as a hit; one that passed through something unknown is advice."""
    steps = project.taint.steps(flow)
    return Hit(
        message=f"{describe_source(flow)} reaches {describe_sink(flow)}, {harm}",
        location=flow.location,
        related=_related(flow, steps),
        flow=steps,
        confidence="low" if flow.weak else None,
        profile="strict" if flow.weak else None,
        function=flow.fn.fqn,
    )


def describe_source(flow: Flow) -> str:
    """`Request data (`name`)`."""
    text = _SOURCES.get(flow.source.what, flow.source.what)
    name = f" (`{flow.source.path[0]}`)" if flow.source.path else ""
    return text[:1].upper() + text[1:] + name


def describe_sink(flow: Flow) -> str:
    """`execute()` in `search()`, and through which helper."""
    site = flow.site
    if site.model is RESPONSE:
        return f"the response of `{site.fn.name}()`"
    if site.call.value == site.vid and site.call.args[:1] == (site.vid,):
        return f"`{'.'.join(site.model.name.rsplit('.', 2)[-2:])}`"
    if site.printed:
        return f"`{site.printed}`, which prints it{' unescaped' if site.kind == 'xss' else ''}"
    called = f"`{site.model.name.rpartition('.')[2]}()`"
    if flow.forwarded and flow.chain:
        return f"{called} through `{flow.chain[0].edge.callee.name}()`"
    return f"{called} in `{site.fn.name}()`" if not site.fn.is_module else called


def _related(flow: Flow, steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """The source and, where a helper only forwards the value, the helper's sink."""
    found = [Step(steps[0].location, steps[0].message)] if steps and steps[0].location != flow.location else []
    sink = flow.site.fn.step(flow.site.call.span, "the sink that the helper calls")
    if sink.location != flow.location:
        found.append(sink)
    return tuple(found)


def advice_hits(project: Project, sinks: Collection[str], harm: str, known: Collection[Location]) -> Iterator[Hit]:
    """Advice for what else reaches these sinks, except at the `known` places.

    Strict: values of the environment, of files and of other services, and texts that are put together from parts which
    nothing fixes. Audit: every other argument that is not constant.
    """
    seen = set(known)
    for flow in place_flows(project, sinks, OPERATOR):
        if flow.location not in seen:
            seen.add(flow.location)
            yield _advice(flow_hit(project, flow, harm), "strict")
    finder = Finder(project)
    for text in open_texts(project, sinks, finder):
        if text.location not in seen:
            seen.add(text.location)
            hit = _unfixed(text.site, text.fn, text.location, text.part, harm)
            sure = text.value and project.layer(text.fn) not in _OPERATED
            yield replace(hit, confidence="medium") if sure else _advice(hit, "strict")
    for site in project.taint.reviewed_sinks(*sinks):
        location = site.fn.location(site.call.span)
        handed_on = project.taint.forwarded(site.fn, site.vid) >= 0 and project.graph.callers(site.fn)
        if location in seen or site.model is RESPONSE or handed_on:
            continue
        if not finder.closed(site.fn, site.vid, site.kind):
            seen.add(location)
            yield _advice(_unfixed(site, site.fn, location, "", harm), "audit")


def _advice(hit: Hit, profile: Profile) -> Hit:
    return replace(hit, confidence="low", profile=profile, severity="warning")


def _unfixed(site: SinkSite, fn: Fn, location: Location, part: str, harm: str) -> Hit:
    where = f" in `{fn.name}()`" if not fn.is_module else ""
    what = f"is built with `{part}`, whose content nothing here fixes" if part else "is not constant"
    return Hit(message=f"The text for `{site.called}()`{where} {what}, {harm}", location=location, function=fn.fqn)
