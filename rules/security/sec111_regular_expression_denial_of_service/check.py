from __future__ import annotations

import re
from collections.abc import Iterator

from backendlint.api import Flow, Hit, Project, flow_hit, is_used, name_of_value, place_flows, slow_part, written

HARM = "so a caller can send one that never ends; use `re.escape`, or search for plain text."
MEANT = "so a caller can send one that never ends; match it with an engine that cannot run away (RE2), or within a time limit."
PATTERN = re.compile(r"reg_?exp?|regular_?exp|pattern", re.IGNORECASE)
"""Names of what is meant to be an expression: to escape it is no cure."""


def check(project: Project) -> Iterator[Hit]:
    for flow in place_flows(project, ("regex",)):
        site = flow.site
        if site.model.name != "re.compile" or is_used(
            site.fn.facts, site.call.value
        ):  # else only to refuse broken patterns
            yield flow_hit(project, flow, MEANT if is_meant(flow) else HARM)
    seen = set()
    for site in project.taint.sinks("regex"):
        for pattern in project.constants(site.fn, site.vid) or ():
            part = slow_part(pattern) if isinstance(pattern, str) else ""
            place = written(project, site.fn, site.vid) if part else None
            if place is None or place in seen or project.layer(place[0]) == "migration":
                continue  # a migration keeps the validators of a column and runs none
            seen.add(place)
            fn, vid = place
            yield Hit(
                f"The pattern part `{part}` can match the same text in exponentially many ways, so one crafted text keeps a "
                "worker busy for ever; let its repeated parts not overlap.",
                fn.location(fn.facts.span_of(vid)),
                function=site.fn.fqn,
            )


def is_meant(flow: Flow) -> bool:
    """`args["regex"]`, `kind.pattern`: callers are asked for an expression."""
    fn, value = flow.site.fn, flow.site.fn.unguarded(flow.site.vid)
    call = fn.calls[value[1]] if value[0] == "call" else None
    key = fn.const(call.args[0]) if call is not None and call.args else ""
    bound = (item.name for item in fn.facts.bindings if fn.unguarded(item.value) == value)
    return any(PATTERN.search(str(name)) for name in (name_of_value(fn, flow.site.vid), key, *bound))
