from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from backendlint.api import Hit, Project, served_applications, told_once

SETUPS = ("metrics", "tracing", "errors")


def _each(hit: Hit, places: str) -> str:
    return f"{hit.message} So it is with {places.replace('place', 'application')} of the project."


def check(project: Project, options: Mapping[str, Any]) -> Iterator[Hit]:
    applications = served_applications(project)
    if not any(project.counts(item.location) for item in applications):
        return
    libraries = tuple(options["libraries"])
    for file in project.files.values():
        for item in file.imports:
            library = project.libraries.library_of(item.target)
            if library is not None and library.kind in ("metrics", "tracing"):
                return
            if any(item.target == name or item.target.startswith(f"{name}.") for name in libraries):
                return
    if any(site.model.observability in SETUPS for site in project.effects.sites):
        return
    if any(route.path.rstrip("/").endswith("metrics") for route in project.routes):
        return
    texts = {
        value[1].partition(".")[0]
        for file in project.files.values()
        for value in file.functions[0].values
        if value[0] == "const" and isinstance(value[1], str) and len(value[1]) < 80
    }
    if texts.intersection(libraries):
        return
    hits = (
        Hit(
            f"Nothing measures `{application.name}`: its latency and error rate are unknown until users complain. Export request "
            "metrics or install tracing.",
            application.location,
        )
        for application in applications
    )
    yield from told_once(hits, _each, 1, None)
