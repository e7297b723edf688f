from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from backendlint.api import Fn, Hit, Project, Vid, flow_hit, place_flows, sensitive, whole_request

HARM = "so everybody who reads the logs has it; log an identifier or a masked value instead."
OPERATOR = ("command", "migration")


def check(project: Project) -> Iterator[Hit]:
    reported = set()
    for flow in place_flows(project, ("log",), ("secret", "personal")):
        hit = flow_hit(project, flow, HARM)
        reported.add(hit.location)
        yield replace(hit, profile="strict") if project.layer(flow.fn) in OPERATOR else hit
    for site in project.taint.sinks("log"):
        location = site.fn.location(site.call.span)
        if location in reported:
            continue
        what = whole_request(project, site.fn, site.vid)
        if what:
            what = f"`{what}` of the request goes to the log as a whole, with passwords and tokens in it"
        else:
            name = object_with_secret(project, site.fn, site.vid)
            what = f"The logged object prints its `{name}`" if name else ""
        if what:
            reported.add(location)
            yield Hit(f"{what}; log the fields that are needed.", location, confidence="medium", function=site.fn.fqn)


def object_with_secret(project: Project, fn: Fn, vid: Vid) -> str:
    """The secret field of a data object that is printed whole."""
    return next((name for part in printed(fn, vid) if (name := secret_field(project, fn, part))), "")


def printed(fn: Fn, vid: Vid) -> Iterator[Vid]:
    """The values that a text is made of, each once."""
    todo, seen = [vid], set()
    while todo:
        vid = todo.pop()
        if vid in seen:
            continue
        seen.add(vid)
        value = fn.facts.values[vid]
        if value[0] in ("conv", "guard"):
            todo.append(value[1])
        elif value[0] == "fmt":
            todo += reversed(value[2])
        else:
            yield vid


def secret_field(project: Project, fn: Fn, vid: Vid) -> str:
    """The secret field of the object, where printing it prints all fields."""
    for ref in project.refs(fn, vid):
        cls = project.classes.get(ref.name) if ref.kind == "inst" else None
        if cls is None or project.hierarchy.role(cls) not in ("schema", "settings"):
            continue
        owners = project.hierarchy.mro(cls)
        if any(name in owner.methods for owner in owners for name in ("__repr__", "__str__")):
            continue
        for owner in owners:
            for name, annotation in owner.facts.annotations.items():
                types = project.refs(owner.owner, annotation)
                plain = not any("Secret" in item.name for item in types)
                if sensitive(name) == "secret" and plain and name not in owner.facts.attributes:
                    return name
    return ""
