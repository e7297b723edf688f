from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Hit, Project, flow_hits, weak_hits

HARM = "so entities in it can read files, call hosts or fill the memory; parse it with `defusedxml`."
HELP = "use `defusedxml`, or a parser with `resolve_entities=False` and `no_network=True`."


def check(project: Project) -> Iterator[Hit]:
    reported = set()
    for hit in flow_hits(project, ("xml",), HARM):
        reported.add(hit.location)
        yield hit
    for hit in weak_hits(project, ("xml",), HELP):
        if hit.location not in reported:
            yield hit
