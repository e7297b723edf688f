from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Hit, Project, flow_hits

SINKS = ("code",)
HARM = (
    "so whoever sends it runs Python in this process; parse it as data (`json.loads`, `ast.literal_eval`) or pick "
    "from a dict of functions."
)


def check(project: Project) -> Iterator[Hit]:
    yield from flow_hits(project, SINKS, HARM)
