from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from backendlint.api import Flow, Hit, Project, flow_hit, place_flows

HARM = "so code that trusts what it finds there acts on a caller's claim; check it, or take it from the signed-in user."
AUTHORITY = re.compile(
    r"user|account|role|admin|auth|login|logged|perm|scope|group|tenant|org|staff|owner|member|customer|uid|is_",
    re.IGNORECASE,
)


def check(project: Project) -> Iterator[Hit]:
    for flow in place_flows(project, ("trust",)):
        if flow.weak:
            continue
        hit = flow_hit(project, flow, HARM)
        yield hit if is_authority(project, flow) else replace(hit, profile="strict")


def is_authority(project: Project, flow: Flow) -> bool:
    """Whether the key stands for identity or rights, or is the caller's choice."""
    args = flow.site.call.args
    if len(args) < 2:
        return False
    keys = project.constants(flow.site.fn, args[1])
    return keys is None or any(AUTHORITY.search(str(key)) for key in keys)
