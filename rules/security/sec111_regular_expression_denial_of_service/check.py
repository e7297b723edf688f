from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Hit, Project, flow_hit, is_used, place_flows, slow_part, written

HARM = "so a caller can send one that never ends; use `re.escape`, or search for plain text."


def check(project: Project) -> Iterator[Hit]:
    for flow in place_flows(project, ("regex",)):
        site = flow.site
        if site.model.name != "re.compile" or is_used(
            site.fn.facts, site.call.value
        ):  # else only to refuse broken patterns
            yield flow_hit(project, flow, HARM)
    seen = set()
    for site in project.taint.sinks("regex"):
        for pattern in project.constants(site.fn, site.vid) or ():
            part = slow_part(pattern) if isinstance(pattern, str) else ""
            place = written(project, site.fn, site.vid) if part else None
            if place is None or place in seen:
                continue
            seen.add(place)
            fn, vid = place
            yield Hit(
                f"The pattern part `{part}` can match the same text in exponentially many ways, so one crafted text keeps a "
                "worker busy for ever; let its repeated parts not overlap.",
                fn.location(fn.facts.span_of(vid)),
                function=site.fn.fqn,
            )
