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
        aside = doubled or checked_when_made(project, hit)
        yield replace(hit, profile="strict", confidence="low") if aside else hit
    for hit in advice_hits(project, KINDS, OPEN, known):
        aside = not hit.profile and checked_when_made(project, hit)
        yield replace(hit, profile="strict", confidence="low") if aside else hit


def checked_when_made(project: Project, hit: Hit) -> bool:
    """In a method of a class whose `__init__` holds what it is given against a schema, and raises: what such a schema allows
    is not read."""
    fn = project.functions.get(hit.function or "")
    first = project.method(fn.cls, "__init__") if fn is not None and fn.cls is not None else None
    for inner in () if first is None else [first, *(fn for fn, _ in project.graph.below(first, 1))]:
        models = (model for call in inner.calls for model in project.models(inner, call))
        if inner.facts.raises and any(model.schema == "validate" for model in models):
            return True
    return False


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
