from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from backendlint.api import Fn, Hit, Project, Vid, served_applications, told_once

MEASURES = frozenset(
    "gauge gauges histogram timing incr_metric record_metric emit_metric send_metric put_metric_data".split()
)
"""Functions that a project gives what it measures."""
SETUPS = ("metrics", "tracing", "errors")
CLOCKS = frozenset({"time", "monotonic", "perf_counter", "process_time", "time_ns", "perf_counter_ns", "now", "utcnow"})


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
    if any(True for _ in project.graph.calls_written(*MEASURES)):
        return
    texts = {
        value[1].partition(".")[0]
        for file in project.files.values()
        for value in file.functions[0].values
        if value[0] == "const" and isinstance(value[1], str) and len(value[1]) < 80
    }
    if texts.intersection(libraries) or any(times_requests(project, fn) for fn in project.all_functions()):
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


def times_requests(project: Project, fn: Fn) -> bool:
    """A middleware of the project's own that keeps how long each request takes: `duration = now() - start`."""
    if project.layer(fn) != "middleware":
        return False
    taken = (fn.value(vid) for vid in fn.made_by("binop"))
    return any(value[1] == "-" and all(is_reading(fn, side) for side in value[2:4]) for value in taken)


def is_reading(fn: Fn, vid: Vid) -> bool:
    value = fn.unguarded(vid)
    return value[0] == "call" and fn.callee_name(fn.calls[value[1]]) in CLOCKS
