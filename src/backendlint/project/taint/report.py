"""Flows as hits: the same wording for every rule that follows data from a source to a sink."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from backendlint.findings.model import Hit, Location, Severity, Step
from backendlint.project.taint.flows import Flow
from backendlint.project.taint.sinks import RESPONSE

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


def place_flows(project: Project, sinks: Collection[str], sources: Collection[str] = ATTACKER) -> Iterator[Flow]:
    """The surest flow to each place."""
    best: dict[Location, Flow] = {}
    for flow in project.taint.flows(sinks, sources):
        known = best.get(flow.location)
        if known is None or (known.weak and not flow.weak):
            best[flow.location] = flow
    yield from best.values()


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


def open_text_hits(project: Project, sinks: Collection[str], harm: str, known: Collection[Location]) -> Iterator[Hit]:
    """Advice for texts that are put together from parts nothing fixes, except at the `known` places."""
    from backendlint.project.taint.texts import open_texts

    for text in open_texts(project, sinks):
        if text.location in known:
            continue
        part = f"with `{text.part}`" if text.part else "from parts"
        where = f" in `{text.fn.name}()`" if not text.fn.is_module else ""
        called = text.site.model.name.rpartition(".")[2]
        yield Hit(
            message=f"The text for `{called}()`{where} is built {part}, whose content nothing here fixes, {harm}",
            location=text.location,
            confidence="low",
            profile="strict",
            severity="warning",
            function=text.fn.fqn,
        )
