from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Hit, Project, flow_hits

HTML = "so a caller's script runs in other users' browsers; render it with an auto-escaping template."
TEMPLATE = "so a caller's template code runs on the server; pass it as a variable to a fixed template."


def check(project: Project) -> Iterator[Hit]:
    yield from flow_hits(project, ("xss",), HTML)
    yield from flow_hits(project, ("template",), TEMPLATE)
