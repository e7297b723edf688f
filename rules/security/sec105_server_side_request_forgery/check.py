from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Hit, Project, flow_hits

SINKS = ("ssrf",)
HARM = (
    "so whoever sends it chooses where this service connects, the internal network included; compare the parsed "
    "host with an allow-list."
)


def check(project: Project) -> Iterator[Hit]:
    yield from flow_hits(project, SINKS, HARM)
