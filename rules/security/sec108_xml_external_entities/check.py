from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from backendlint.api import Fn, Hit, Location, Project, Step, Vid, display, flow_hit, place_flows, weak_hits, weak_uses

HARM = "so entities in it can read files, call hosts or fill the memory; parse it with `defusedxml`."
EXPANDED = (
    "so entities in it can be expanded until the memory is full (newer versions of expat set a limit); parse it with "
    "`defusedxml`."
)
EXPAT = ("xml.etree.", "xml.dom.minidom.", "xml.dom.expatbuilder.")
"""Parsers that resolve no external entities, and expand inner ones only with an expat that no supported Python brings."""
HELP = "use `defusedxml`, or a parser with `resolve_entities=False` and `no_network=True`."


def check(project: Project) -> Iterator[Hit]:
    reported = set()
    unsafe = unsafe_parsers(project)
    for flow in place_flows(project, ("xml",)):
        call = flow.site.call
        parser = call.args[1] if len(call.args) > 1 else call.kwarg("parser")
        made = maker(project, flow.site.fn, parser) if parser >= 0 else None
        if made is not None and made not in unsafe:
            continue
        local = flow.site.model.name.startswith(EXPAT)
        hit = flow_hit(project, flow, EXPANDED if local else HARM)
        hit = replace(hit, severity="warning", profile="strict") if local else hit
        if made is not None:
            reported.update(unsafe[made])
        if made is not None and made[0] == flow.site.fn.fqn:  # the flaw is in the parser's options
            sink = Step(hit.location, "what the parser is used for")
            hit = replace(hit, location=unsafe[made][0], related=(*hit.related, sink), profile=None, confidence=None)
        reported.add(hit.location)
        yield hit
    for hit in weak_hits(project, ("xml",), HELP):
        if hit.location not in reported:
            yield replace(hit, profile="strict") if "setFeature`" in hit.message else hit


def unsafe_parsers(project: Project) -> dict[tuple[str, Vid], list[Location]]:
    """Where parsers that resolve entities are made, with the places that say so."""
    found: dict[tuple[str, Vid], list[Location]] = {}
    for use in weak_uses(project, ("xml",)):
        if not use.certain:
            continue
        func = use.fn.value(use.call.func)
        made = maker(project, use.fn, func[1]) if use.name.endswith(".setFeature") and func[0] == "attr" else None
        key = made or (use.fn.fqn, use.call.value)
        found.setdefault(key, []).append(use.fn.location(use.call.span))
    return found


def maker(project: Project, fn: Fn, vid: Vid) -> tuple[str, Vid]:
    """The call that makes an object, through names of variables."""
    fn, vid = display(project, fn, vid)
    while fn.value(vid)[0] in ("guard", "mut", "setattr"):
        fn, vid = display(project, fn, fn.value(vid)[1])
    return fn.fqn, vid
