from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Hit, Project, advice_hits, flow_hits

KINDS = ("command",)
HARM = "so a caller can run commands on the server; pass a list of arguments without a shell."
OPEN = "so it may hold shell syntax; pass a list of arguments without a shell."


def check(project: Project) -> Iterator[Hit]:
    known = set()
    for hit in flow_hits(project, KINDS, HARM):
        known.add(hit.location)
        yield hit
    yield from advice_hits(project, KINDS, OPEN, known)
