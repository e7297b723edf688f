from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Hit, Project, advice_hits, flow_hits

SINKS = ("code",)
HARM = (
    "so whoever sends it runs Python in this process; parse it as data (`json.loads`, `ast.literal_eval`) or pick "
    "from a dict of functions."
)
OPEN = "so it may run what others wrote; parse data as data, or pick from a dict of functions."


def check(project: Project) -> Iterator[Hit]:
    known = set()
    for hit in flow_hits(project, SINKS, HARM):
        known.add(hit.location)
        yield hit
    yield from advice_hits(project, SINKS, OPEN, known)
