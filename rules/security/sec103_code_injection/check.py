from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from backendlint.api import Flow, Hit, Project, advice_hits, flow_hit, place_flows

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
    loading = set()
    for flow in place_flows(project, SINKS):
        loads = flow.site.called in IMPORTS
        hit = flow_hit(project, flow, LOADS if loads else HARM)
        known.add(hit.location)
        again = loads and flow.site.fn.fqn in loading
        if loads and not again and hit.profile is None:
            loading.add(flow.site.fn.fqn)
        yield replace(hit, profile="strict") if again or (loads and within_a_package(flow)) else hit
    yield from advice_hits(project, SINKS, OPEN, known)


def within_a_package(flow: Flow) -> bool:
    """`import_module(f"shop.payments.{name}")`: nothing but the modules beside it can be meant."""
    fn = flow.site.fn
    value = fn.unguarded(flow.site.vid)
    first = fn.const(value[2][0]) if value[0] == "fmt" and value[2] else ...
    return isinstance(first, str) and "." in first
