from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from backendlint.api import (
    Flow,
    Fn,
    Hit,
    Project,
    Vid,
    arguments,
    flow_hit,
    is_signed,
    names_key,
    place_flows,
    told_once,
)

CONVERSION = re.compile(r"%[-#0 +]*\d*(?:\.\d+)?([a-zA-Z])")
HARM = {
    "ldap": "so it can change what the LDAP filter matches; escape it with `escape_filter_chars`.",
    "ldap-dn": "so it can name another entry of the directory; escape it with `escape_dn_chars`.",
    "xpath": "so it can change what the XPath expression selects; pass it as an XPath variable.",
    "nosql": "so operators such as `$ne` in it change what the query matches; convert it to the type you expect.",
    "javascript": "so it runs as JavaScript in the database; compare fields instead.",
    "header": "so line breaks in it can add headers of their own; remove `\\r` and `\\n`, or take it from a list.",
    "mail-header": "so line breaks in it can add recipients or headers; refuse `\\r` and `\\n`.",
    "log": "so line breaks in it can forge log entries; log it quoted (`%r`, `!r`), or as a field of a structured log.",
}
LESS = ("log",)
NEAR = 1
"""More calls than this between the request and a log line make it advice."""
FAR = 3
"""More turns than this, from function to function and back, and a query's value has most often got a type on the way."""
ADDRESS = frozenset({"path", "path_info", "full_path", "url", "base_url", "host_url"})
"""Parts of a request that have led to the code which logs them."""
WHOLE = ("builtins.dict", "builtins.list", "builtins.tuple", "builtins.set")
REFUSED = ("header",)
"""Servers and frameworks refuse line breaks there themselves, most of the time."""
SET = frozenset({"__setitem__", "add_header", "replace_header"})
"""Methods of messages, which refuse a header with another in it when they become text."""


def check(project: Project) -> Iterator[Hit]:
    for kind, harm in HARM.items():
        if kind in LESS:
            hits = list(logged(project, harm))
            yield from (hit for hit in hits if hit.profile)
            sure = (hit for hit in hits if not hit.profile)
            yield from told_once(sure, everywhere, others=elsewhere(project, harm))
            continue
        for flow in place_flows(project, (kind,)):
            if kind == "ldap-dn" and not names_entry(flow.site.fn, flow.site.vid):
                continue
            hit = flow_hit(project, flow, harm)
            refused = kind in REFUSED or flow.site.called in SET
            yield replace(hit, profile="strict", confidence="low") if refused or flow.turns > FAR else hit


def logged(project: Project, harm: str, *, elsewhere: bool = False) -> Iterator[Hit]:
    """Log lines, of which one in each function is told: whoever quotes that one sees the others."""
    shown = set()
    for flow in place_flows(project, LESS, everywhere=elsewhere, by_file=elsewhere):
        if is_quoted(flow) or is_escaped(project, flow) or shows_container(project, flow):
            continue
        hit = replace(flow_hit(project, flow, harm), severity="note")
        if flow.site.fn.fqn in shown or not is_sure(project, flow):
            yield replace(hit, profile="strict", confidence="low")
        else:
            shown.add(flow.site.fn.fqn)
            yield hit


def elsewhere(project: Project, harm: str) -> Iterator[Hit]:
    """Those that would be told, of the files that are not reviewed."""
    found = logged(project, harm, elsewhere=True) if project.focus is not None else ()
    return (hit for hit in found if not hit.profile and not project.counts(hit.location))


def everywhere(hit: Hit, places: str) -> str:
    return f"{hit.message} So do log lines in {places}: a formatter that escapes line breaks can answer for all."


def is_sure(project: Project, flow: Flow) -> bool:
    """A text of the request, as it came, in a line that a log in production has."""
    model = flow.site.model
    if model.log is None or model.prints or model.log.level == "debug" or flow.source.what != "request":
        return False
    if flow.calls > NEAR or flow.turns > flow.calls:
        return False
    handlers = [route.handler for route in flow.routes(project)]
    if handlers and all(fn is not None and is_signed(fn) for fn in handlers):
        return False  # another system wrote it, and nobody on the way
    entered = flow.parameter(project)
    if entered is None:
        return ADDRESS.isdisjoint(flow.source.path)
    fn, index = entered
    name = fn.facts.params[index].name
    if names_key(name) or (name.endswith("id") and flow.within_a_segment(project)):
        return False  # it has most often found its row, or been refused, before it is logged
    return not (flow.within_a_segment(project) and is_looked_up(project, flow, fn, index))


def is_looked_up(project: Project, flow: Flow, fn: Fn, index: int) -> bool:
    """A part of the path with which something was called before: what goes on with it has most often found its row."""
    site = flow.site
    if any(block.kind in ("if", "else", "except") and block.exits for _, block in site.fn.blocks_of(site.call.block)):
        return False  # refused there, and so not found
    first = flow.chain[0].edge.span if flow.chain else site.call.span
    before = (call for call in fn.calls if call.span[:2] < first[:2] and call.span[2:] < first[2:])
    uses = (call for call in before if any(fn.unguarded(vid) == ("param", index) for vid in call.passed))
    return any(all(model.log is None for model in project.models(fn, call)) for call in uses)


def names_entry(fn: Fn, vid: Vid, depth: int = 6) -> bool:
    """A text with `uid=` and the like around its parts; `user@domain` names whoever signs in, with the password for it."""
    value = fn.facts.values[vid]
    parts = {
        "fmt": value[2:3],
        "binop": (value[2:4],),
        "phi": value[1:2],
        "guard": ((value[1:2]),),
        "conv": (value[1:2],),
    }
    if value[0] == "const":
        return "=" in str(value[1])
    inner = [item for group in parts.get(value[0], ()) for item in group if item != vid]
    return depth > 0 and any(names_entry(fn, item, depth - 1) for item in inner)


def is_escaped(project: Project, flow: Flow) -> bool:
    """Written as JSON, which shows line breaks as what they are."""
    model = flow.site.model
    if model.log is None or model.prints:
        return False
    if model.log.structured:
        return model.name.startswith("structlog.") and project.taint.log_lines.rendered
    return project.taint.log_lines.escaped


def is_quoted(flow: Flow) -> bool:
    """A field of a structured log, or a conversion that shows line breaks as what they are, or takes numbers only."""
    site = flow.site
    log = site.model.log
    vids = arguments(site.call, log.message) if log is not None and log.message is not None else []
    if log is not None and site.vid not in (*site.call.args, *vids):
        return True
    text = site.fn.const(vids[0]) if vids else ...
    if not isinstance(text, str) or vids[0] not in site.call.args or site.vid not in site.call.args:
        return False
    if is_container(site.fn, site.vid):
        return True
    number = site.call.args.index(site.vid) - site.call.args.index(vids[0]) - 1
    conversions = CONVERSION.findall(text.replace("%%", ""))
    return 0 <= number < len(conversions) and conversions[number] in "radiouxXeEfFgG"


def shows_container(project: Project, flow: Flow) -> bool:
    """`f"status: {request.POST.dict()}"`: a text whose only parts that were sent are collections as a whole."""
    fn = flow.site.fn
    value = fn.unguarded(flow.site.vid)
    parts = [part for part in value[2] if fn.const(part) is ...] if value[0] == "fmt" else []
    sent = [part for part in parts if any(item.what == "request" for item in project.taint.labels(fn, part))]
    return bool(sent) and all(is_container(fn, part) or project.is_instance(fn, part, *WHOLE) for part in sent)


def is_container(fn: Fn, vid: Vid) -> bool:
    """A collection as a whole: its text shows what is in it as `repr` does, line breaks included."""
    value = fn.facts.values[vid]
    if value[0] == "param":
        return fn.facts.params[value[1]].kind in ("args", "kwargs")
    return value[0] in ("dict", "list", "tuple", "set")
