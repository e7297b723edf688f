from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Hit, Project, advice_hits, flow_hits

KINDS = ("sql",)
HARM = "so a caller can rewrite the query; pass it as a bound parameter."
OPEN = "so it may rewrite the query; pass values as bound parameters and take identifiers from a fixed list."


def check(project: Project) -> Iterator[Hit]:
    known = set()
    for hit in flow_hits(project, KINDS, HARM):
        known.add(hit.location)
        yield hit
    yield from advice_hits(project, KINDS, OPEN, known)
