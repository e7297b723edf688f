from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Hit, Project, flow_hits

HARM = "so access logs, proxies and browser histories keep it; send it in a header or in the body."


def check(project: Project) -> Iterator[Hit]:
    yield from flow_hits(project, ("url",), HARM, ("secret",))
