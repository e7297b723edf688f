from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Hit, Project, flow_hits, open_text_hits

KINDS = ("sql",)
HARM = "so a caller can rewrite the query; pass it as a bound parameter."
OPEN = "so it may rewrite the query; pass values as bound parameters and take identifiers from a fixed list."


def check(project: Project) -> Iterator[Hit]:
    known = set()
    for hit in flow_hits(project, KINDS, HARM):
        known.add(hit.location)
        yield hit
    yield from open_text_hits(project, KINDS, OPEN, known)
