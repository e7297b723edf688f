"""SEC106: where a browser is sent by what a link to this site says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from backendlint.api import (
    Call,
    Flow,
    Fn,
    Hit,
    Project,
    Vid,
    aliases,
    flow_hit,
    here_and_in,
    ingredients,
    place_flows,
    told_once,
)

SINKS = ("redirect",)
HARM = "so a link to this site can end on any other; allow only paths of your own or a list of hosts."
SENT = "so whoever writes it chooses the site that follows; allow only paths of your own or a list of hosts."
NO_LINK = frozenset(
    "headers META cookies COOKIES get_cookie json get_json body data get_data cleaned_data validated_data receive "
    "receive_json request".split()
)
"""Parts of a request that neither a link nor a form of another site fills."""
CAPTURES = "kwargs"
"""What a view of Django is called with, and keeps: the parts of the path by their names."""
GETTERS = frozenset({"get", "pop"})
FAR = 1
"""More turns than this, from function to function and back, and one of them has most often looked at the target."""


def check(project: Project) -> Iterator[Hit]:
    """Of one value that a function redirects to in several branches the first is told: it is looked at once, for all."""
    targets: dict[tuple[str, int, str], list[Hit]] = {}
    for flow in place_flows(project, SINKS):
        sent = not NO_LINK.isdisjoint(flow.source.path) or is_form(project, flow)
        if is_asked_by_callers(project, flow.site.fn):
            continue
        hit = flow_hit(project, flow, SENT if sent else HARM)
        if sent or flow.turns > FAR or is_routed(project, flow) or flow.behind:
            hit = replace(hit, profile="strict", confidence="low")
        if hit.profile is None:
            targets.setdefault((flow.source.fn, flow.source.slot, flow.fn.fqn), []).append(hit)
        else:
            yield hit
    for alike in targets.values():
        yield from told_once(alike, told, few=1, severity=None)


def told(hit: Hit, others: str) -> str:
    return here_and_in(hit, others, before=", so ")


def is_asked_by_callers(project: Project, fn: Fn) -> bool:
    """Whether all callers look at where the answer leads, and leave where they do not like it: `answer["Location"]`."""
    calls = [(edge.caller, edge.call) for edge in project.graph.callers(fn) if edge.call is not None]
    calls = calls or ([*project.written.calls(fn.name)] if fn.cls is not None else [])
    return bool(calls) and all(asks_where(caller, call) for caller, call in calls)


def asks_where(caller: Fn, call: Call) -> bool:
    """`if not is_ours(answer["Location"]): return refused()`, `answer.get("Location")`, `answer.headers["Location"]`."""
    facts = caller.facts
    answers = aliases(facts, call.value)
    targets = {
        vid
        for vid in (*caller.made_by("item"), *caller.made_by("call"))
        if reads_target(caller, vid) and answers & ingredients(facts, (vid,))
    }
    return any(
        block.kind == "if" and block.exits in ("return", "raise") and targets & ingredients(facts, (block.value,))
        for block in facts.blocks
    )


def reads_target(fn: Fn, vid: Vid) -> bool:
    return str(fn.const(fn.key_of(vid, "get"))).lower() == "location"


def is_form(project: Project, flow: Flow) -> bool:
    """A form object that the framework hands over (`form_valid(self, form)`), whose fields it has validated."""
    return "form" in flow.source.path and flow.parameter(project) is not None


def is_routed(project: Project, flow: Flow) -> bool:
    """A part of the path that has led here, which most often leads on behind the same host; so is all that a view is called
    with to which no route is seen to lead."""
    entered = flow.parameter(project)
    if entered is None:
        value = project.functions[flow.source.fn].facts.values[flow.source.slot]
        return value[0] == "attr" and bool(value[2] == CAPTURES)
    fn, index = entered
    named = captured(fn, index)
    routes = project.route_functions.get(fn.fqn, ())
    unseen = not routes and fn.cls is not None
    return unseen or any(not named.isdisjoint(route.converters) for route in routes)


def captured(fn: Fn, index: int) -> set[object]:
    """The name of a parameter; of `**kwargs` what the function reads of it by name."""
    param = fn.facts.params[index]
    if param.kind != CAPTURES:
        return {param.name}
    keys = {
        fn.const(value[2])
        for value in fn.facts.values
        if value[0] == "item" and fn.unguarded(value[1]) == ("param", index)
    }
    for call in fn.calls:
        func = fn.facts.values[call.func]
        if func[0] == "attr" and func[2] in GETTERS and call.args and fn.unguarded(func[1]) == ("param", index):
            keys.add(fn.const(call.args[0]))
    return keys
