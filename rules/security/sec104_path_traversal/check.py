from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Hit, Project, advice_hits, flow_hits

SINKS = (
    "path",
    "archive",
)
HARM = "so `../` in it leads to any file that the service can reach; resolve it and require `is_relative_to(base)`."

OPEN = 'so members with `../` in their names may be written anywhere; pass `filter="data"`.'


def check(project: Project) -> Iterator[Hit]:
    known = set()
    for hit in flow_hits(project, SINKS, HARM):
        known.add(hit.location)
        yield hit
    yield from advice_hits(project, ("archive",), OPEN, known)
