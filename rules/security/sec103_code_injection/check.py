from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from backendlint.api import Flow, Hit, Project, advice_hits, flow_hit, here_and_in, place_flows, told_once

SINKS = ("code",)
HARM = (
    "so whoever sends it runs Python in this process; parse it as data (`json.loads`, `ast.literal_eval`) or pick "
    "from a dict of functions."
)
LOADS = "so whoever sends it chooses which module is loaded, and its code runs; pick from a dict of the modules that are meant."
OPEN = "so it may run what others wrote; parse data as data, or pick from a dict of functions."
IMPORTS = frozenset({"import_module", "__import__"})


def check(project: Project) -> Iterator[Hit]:
    known = set()
    loading: dict[tuple[str, int], list[Hit]] = {}
    for flow in place_flows(project, SINKS, everywhere=True):
        loads = flow.site.called in IMPORTS
        hit = flow_hit(project, flow, LOADS if loads else HARM)
        known.add(hit.location)
        if loads and hit.profile is None and not within_a_package(project, flow) and not flow.installs(project):
            loading.setdefault((flow.source.fn, flow.source.slot), []).append(hit)
        else:
            yield replace(hit, profile="strict") if loads else hit
    for alike in loading.values():
        yield from told_once(alike, told, few=1, severity=None)
    yield from advice_hits(project, SINKS, OPEN, known)


def told(hit: Hit, others: str) -> str:
    return here_and_in(hit, others, before=", so whoever")


def within_a_package(project: Project, flow: Flow) -> bool:
    """`import_module(f"shop.payments.{name}")`, or below each package of a list: nothing but the modules there can be meant."""
    fn = flow.site.fn
    value = fn.unguarded(flow.site.vid)
    if value[0] != "fmt" or not value[2]:
        return False
    first, *others = value[2]
    if isinstance(fn.const(first), str):
        return "." in str(fn.const(first))
    below = bool(others) and str(fn.const(others[0])).startswith(".")
    made = fn.unguarded(first)
    packages = fn.unguarded(made[1]) if made[0] == "elem" else ("",)
    known = [fn.const(vid) for vid in packages[1]] if packages[0] in ("list", "tuple") else []
    return below and bool(known) and all(isinstance(text, str) for text in known)
