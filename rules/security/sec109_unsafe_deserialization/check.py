from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Hit, Project, flow_hits, weak_hits

HARM = "so whoever sends it runs code here; use JSON or `yaml.safe_load` and validate the result."
HELP = "use JSON or `yaml.safe_load`, or sign the bytes."


def check(project: Project) -> Iterator[Hit]:
    reported = set()
    for hit in flow_hits(project, ("deserialize",), HARM):
        reported.add(hit.location)
        yield hit
    for hit in weak_hits(project, ("deserialize",), HELP):
        if hit.location not in reported:
            yield hit
