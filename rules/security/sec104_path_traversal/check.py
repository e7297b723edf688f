from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Hit, Project, flow_hits

SINKS = (
    "path",
    "archive",
)
HARM = "so `../` in it leads to any file that the service can reach; resolve it and require `is_relative_to(base)`."


def check(project: Project) -> Iterator[Hit]:
    yield from flow_hits(project, SINKS, HARM)
