from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Hit, Project, flow_hits

SINKS = ("redirect",)
HARM = "so a link to this site can end on any other; allow only paths of your own or a list of hosts."


def check(project: Project) -> Iterator[Hit]:
    yield from flow_hits(project, SINKS, HARM)
