"""What of an assignment comes from a request."""

from __future__ import annotations

from backendlint.api import Call, Fn, Project, Vid


def requested(project: Project, fn: Fn, vid: Vid) -> bool:
    return any(origin.what == "request" for origin in project.taint.labels(fn, vid))


def own_value(project: Project, fn: Fn, call: Call) -> bool:
    """`setattr(obj, name, value)` where only the name, one of a known form's, comes from outside."""
    if len(call.args) != 3:
        return False
    vid = call.args[2]
    value = fn.facts.values[vid]
    if value[0] == "call":  # `getattr(other, name)`: what the other has under that name
        inner = fn.facts.calls[value[1]]
        if len(inner.args) > 1 and any(ref.name == "builtins.getattr" for ref in project.callees(fn, inner)):
            vid = inner.args[0]
    sources = ("request",) if requested(project, fn, call.args[1]) else ("request", "param")
    return not any(origin.what in sources for origin in project.taint.labels(fn, vid))
