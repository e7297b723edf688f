from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from backendlint.api import Flow, Fn, Hit, Project, Vid, advice_hits, flow_hit, place_flows

KINDS = ("sql",)
HARM = "so a caller can rewrite the query; pass it as a bound parameter."
DOUBLED = (
    "with its quotes doubled by hand, which holds in some databases and not in all (a backslash may end the text in MySQL); "
    "pass it as a bound parameter."
)
OPEN = "so it may rewrite the query; pass values as bound parameters and take identifiers from a fixed list."


def check(project: Project) -> Iterator[Hit]:
    known = set()
    for flow in place_flows(project, KINDS):
        doubled = is_doubled(flow)
        hit = flow_hit(project, flow, DOUBLED if doubled else HARM)
        known.add(hit.location)
        yield replace(hit, profile="strict", confidence="low") if doubled else hit
    yield from advice_hits(project, KINDS, OPEN, known)


def is_doubled(flow: Flow) -> bool:
    """`f"'{text.replace("'", "''")}'"`, and nothing else that is not constant; or a text that was given to something that
    doubles its quotes."""
    fn = flow.site.fn
    value = fn.unguarded(flow.site.vid)
    parts = value[2] if value[0] == "fmt" else ()
    texts = [fn.const(part) for part in parts]
    moving = [number for number, text in enumerate(texts) if text is ...]
    if not any(doubles(fn, parts[number]) for number in moving):
        return flow.doubled
    return all(number > 0 and str(texts[number - 1]).endswith("'") and doubles(fn, parts[number]) for number in moving)


def doubles(fn: Fn, vid: Vid) -> bool:
    value = fn.unguarded(vid)
    call = fn.facts.calls[value[1]] if value[0] == "call" else None
    return (
        call is not None and fn.callee_name(call) == "replace" and [fn.const(item) for item in call.args] == ["'", "''"]
    )
