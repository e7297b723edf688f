from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from backendlint.api import Call, Cls, Edge, Fn, Hit, Project, Route, Step, Value, aliases, told_once

HABIT = 2
"""More routes than these are told once: that is what the project takes PUT for."""
SENT_ONLY = ("exclude_unset", "exclude_none", "exclude_defaults")
APPLY = re.compile(r"(^|_)(update|patch|modify|edit|apply|merge|values|change)(_|$)")
"""Words of functions that are given what to change."""
SAME = ("attr", "item", "guard", "await", "mut", "store", "setattr", "elem")
"""A value that is, or is a part of, the first that it is made of."""
CHANGES = re.compile(r"Update|Patch|Change|Edit|Partial|Modif")
PATCH = re.compile(r"Patch|Partial")
VERSION = re.compile(r"(expected_)?(\w+_)?(version|revision|etag|rev)")
OLD = re.compile(r"pydantic[._]v1(\.|$)|\.root_validator$")
"""Imports that only the first version of pydantic has, or stands for."""
PARTIAL = "applies only the fields that are sent"


def check(project: Project) -> Iterator[Hit]:
    seen: set[object] = set()
    told: tuple[list[Hit], list[Hit]] = ([], [])
    for route in project.routes:
        if route.handler is None or route.kind != "http" or len(route.methods) != 1:
            continue
        if not whole_resource(route) and not takes_patch(project, route):
            continue
        if seen.isdisjoint((route.place, route.handler.header)):
            for hit in judge(project, route):
                seen.update((route.place, route.handler.header))
                if route.methods[0] == "PUT":
                    told[PARTIAL in hit.message].append(hit)
                else:
                    yield hit
    for hits in told:
        yield from told_once(hits, everywhere, HABIT)


def everywhere(hit: Hit, others: str) -> str:
    return hit.message.replace(": a client", f", and so it is in {others}: a client", 1)


def judge(project: Project, route: Route) -> Iterator[Hit]:
    """A method that promises something else than what is done with the body."""
    assert route.handler is not None
    body = body_model(project, route)
    if route.methods[0] == "PUT":
        if applies_sent_only(project, route):
            why = PARTIAL
        elif body is not None and optional_only(project, body):
            why = f"takes a body (`{body.name}`) with optional fields only"
        else:
            return
        advice = "a client that replaces the resource keeps stale fields. Make it PATCH, or require the whole resource."
    elif (
        route.methods[0] == "PATCH"
        and body is not None
        and required_only(project, body)
        and not looks_at_sent(project, route.handler)
    ):
        why = f"demands every field of `{body.name}`"
        advice = "a client cannot change one field alone. Make the fields optional and apply those that are sent, or make it PUT."
    else:
        return
    related = (Step(body.header, f"`{body.name}`"),) if body is not None else ()
    yield Hit(f"{route.label} {why}: {advice}", route.place, related=related, function=route.function)


def body_model(project: Project, route: Route) -> Cls | None:
    """The schema of the request's body."""
    fn = route.handler
    assert fn is not None
    for param in route.params:
        if param.origin == "body":
            for ref in project.resolver.param(fn, param.index):
                if ref.kind == "inst" and ref.name in project.classes:
                    return project.classes[ref.name]
    return None


def whole_resource(route: Route) -> bool:
    """A path that names a resource, not one aspect of it (`/users/{id}`, not `/users/{id}/password`)."""
    last = route.path.rstrip("/").rpartition("/")[2]
    return "{" in last or last in (
        "me", "self", "current", "profile", "account", "settings", "preferences", "config", "configuration", "options",
    )  # fmt: skip


def takes_patch(project: Project, route: Route) -> bool:
    """`PUT /orders/{id}/details` with an `OrderPatch`: the project itself calls it so."""
    body = body_model(project, route) if route.methods == ("PUT",) else None
    return body is not None and PATCH.search(body.name) is not None and optional_only(project, body)


def fields(project: Project, cls: Cls) -> dict[str, tuple[Cls, int]]:
    """Fields by name, with the class whose table has the default, -1 where there is none."""
    found: dict[str, tuple[Cls, int]] = {}
    for item in reversed(project.hierarchy.mro(cls)):
        for name in item.facts.annotations:
            if name.startswith("_") or name in ("model_config", "Config"):
                continue
            found[name] = item, item.facts.attributes.get(name, -1)
    return found


def default_of(cls: Cls, vid: int) -> object:
    """The value that a field has where it is not sent: Ellipsis where it must be, a text for what is made then."""
    value = cls.owner.facts.values[vid] if vid >= 0 else ("const", ...)
    if value[0] != "call":
        return value[1] if value[0] == "const" else "made"
    call = cls.owner.facts.calls[value[1]]
    if call.kwarg("default_factory") >= 0:
        return "made"
    return default_of(cls, call.args[0] if call.args else call.kwarg("default"))


def optional_only(project: Project, cls: Cls) -> bool:
    """A change, with fields that may each be left as they are: None, and not what they are reset to; which version it is of
    must be said."""
    found = {name: field for name, field in fields(project, cls).items() if not VERSION.fullmatch(name)}
    return (
        bool(CHANGES.search(cls.name))
        and len(found) > 1
        and all(default_of(*field) is None for field in found.values())
    )


def required_only(project: Project, cls: Cls) -> bool:
    found = fields(project, cls)
    required = len(found) > 1 and all(default_of(*field) is ... for field in found.values())
    return required and not (is_old(project, cls) and any(admits_none(item, name) for name, (item, _) in found.items()))


def is_old(project: Project, cls: Cls) -> bool:
    """Of pydantic's first version, where a field that may be None need not be sent."""
    files = {item.owner.file.path: item.owner.file for item in project.hierarchy.mro(cls)}.values()
    return any(OLD.search(item.target) for file in files for item in file.imports)


def admits_none(cls: Cls, name: str) -> bool:
    value = cls.owner.value(cls.facts.annotations[name])
    if value[0] == "binop":
        return any(cls.owner.const(vid) is None for vid in value[2:4])
    return value[0] == "item" and cls.owner.dotted(value[1]).rpartition(".")[2] == "Optional"


def looks_at_sent(project: Project, fn: Fn, depth: int = 3) -> bool:
    """Whether something, here or in what it calls, leaves out what was not sent."""
    if any(key in SENT_ONLY and fn.const(vid) is True for call in fn.facts.calls for key, vid in call.kwargs):
        return True
    return loads_partially(project, fn) or any(
        looks_at_sent(project, edge.callee, depth - 1) for edge in called(project, fn, depth)
    )


def called(project: Project, fn: Fn, depth: int) -> list[Edge]:
    return [edge for edge in project.graph.callees(fn) if edge.kind == "call"] if depth else []


def applies_sent_only(project: Project, route: Route) -> bool:
    """`model_dump(exclude_unset=True)` of the body, set field by field, or a partial serializer."""
    fn = route.handler
    assert fn is not None
    bodies = {param.index for param in route.params if param.origin == "body"}
    return applies(project, fn, bodies if route.documented else None)


def applies(project: Project, fn: Fn, bodies: Iterable[int] | None, depth: int = 3) -> bool:
    """The same of parameters of a function, here or in what it passes them to; None where nobody knows what holds the body."""
    if loads_partially(project, fn):
        return True
    given = None if bodies is None else derived(fn, bodies)
    for call in fn.facts.calls:
        if any(key in SENT_ONLY and fn.const(vid) is True for key, vid in call.kwargs):
            func = fn.facts.values[call.func]
            about = (func[1], *call.args) if func[0] == "attr" else call.args
            if (given is None or not given.isdisjoint(about)) and sets_by_field(fn, call):
                return True
    for edge in called(project, fn, depth):
        passed = None if given is None else set(parameters_of(edge, given))
        if (passed is None or passed) and applies(project, edge.callee, passed, depth - 1):
            return True
    return False


def derived(fn: Fn, params: Iterable[int]) -> set[int]:
    """Values that are the parameters, parts of them, or made from them by one of their methods or a class."""
    held = set(params)
    for vid, value in enumerate(fn.facts.values):
        if value[0] in SAME and value[1] in held:
            held.add(vid)
        elif value[0] == "call":
            call = fn.facts.calls[value[1]]
            if call.func in held or (fn.callee_name(call)[:1].isupper() and not held.isdisjoint(call.passed)):
                held.add(vid)
    return held


def parameters_of(edge: Edge, given: set[int]) -> Iterator[int]:
    """The callee's parameters that are given one of the values."""
    for index, passed in edge.bound().items():
        if any(vid in given for vid, _ in passed):
            yield index


def sets_by_field(fn: Fn, dump: Call) -> bool:
    """Whether the fields of a dump are set one by one, or given to what changes something; not stored as a whole."""
    held = aliases(fn.facts, dump.value)
    if any(names_fields(value, held) for value in fn.facts.values):
        return True
    for call in fn.facts.calls:
        name = fn.callee_name(call)
        if not name[:1].isupper() and not held.isdisjoint(call.passed) and APPLY.search(name):
            return True
        if any(key in ("update", "updates", "values", "changes") and vid in held for key, vid in call.kwargs):
            return True
    return False


def names_fields(value: Value, held: set[int]) -> bool:
    """`changes.items()`, `for key in changes`, `name in changes`, `{**row, **changes}`."""
    if value[0] == "attr":
        return value[1] in held and value[2] in ("items", "keys")
    if value[0] == "compare":
        return "in" in value[1] and not held.isdisjoint(value[2][1:])
    if value[0] == "dict":
        return len(value[1]) > 1 and any(key < 0 and item in held for key, item in value[1])
    return value[0] == "elem" and value[1] in held


def loads_partially(project: Project, fn: Fn) -> bool:
    """A serializer that takes what is sent alone, or Django REST framework's own `update()` told to make such a one."""
    told = any(
        item.key >= 0 and fn.const(item.key) == "partial" and fn.const(item.value) is True for item in fn.facts.stores
    )
    if told and any(call.open_ended and fn.callee_name(call) == "update" for call in fn.facts.calls):
        return True
    return any(
        key == "partial" and fn.const(vid) is True and loads(project, fn, call)
        for call in fn.facts.calls
        for key, vid in call.kwargs
    )


def loads(project: Project, fn: Fn, call: Call) -> bool:
    """Whether it takes what the client sends: a serializer with data, a marshmallow schema or its `load()`."""
    if (
        call.kwarg("data") >= 0
        or fn.callee_name(call) == "update"
        or any(model.schema == "validate" for model in project.models(fn, call))
    ):
        return True
    made = (project.classes[ref.name] for ref in project.callees(fn, call) if ref.kind == "class")
    return any(project.hierarchy.is_a(cls, "marshmallow.Schema") for cls in made)
