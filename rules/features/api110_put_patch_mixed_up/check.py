from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Call, Cls, Edge, Fn, Hit, Project, Route, Step

SENT_ONLY = ("exclude_unset", "exclude_none", "exclude_defaults")


def check(project: Project) -> Iterator[Hit]:
    seen = set()
    for route in project.routes:
        if route.handler is None or route.kind != "http" or len(route.methods) != 1 or route.place in seen:
            continue
        body = body_model(project, route)
        partial = applies_sent_only(project, route.handler)
        method = route.methods[0]
        related = (Step(body.header, f"`{body.name}`"),) if body is not None else ()
        if method == "PUT" and (partial or (body is not None and optional_only(project, body))):
            why = (
                "applies only the fields that are sent"
                if partial
                else f"takes a body (`{body.name if body else ''}`) with optional fields only"
            )
            advice = (
                "a client that replaces the resource keeps stale fields. Make it PATCH, or require the whole resource."
            )
        elif (
            method == "PATCH"
            and not partial
            and body is not None
            and whole_resource(route)
            and required_only(project, body)
        ):
            why = f"demands every field of `{body.name}`"
            advice = "a client cannot change one field alone. Make the fields optional and apply those that are sent, or make it PUT."
        else:
            continue
        seen.add(route.place)
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
    return "{" in last or last in ("me", "self", "current", "profile", "settings")


def fields(project: Project, cls: Cls) -> dict[str, bool]:
    """Fields by name: whether each must be sent."""
    found: dict[str, bool] = {}
    for item in reversed(project.hierarchy.mro(cls)):
        for name in item.facts.annotations:
            if name.startswith("_") or name in ("model_config", "Config"):
                continue
            vid = item.facts.attributes.get(name, -1)
            found[name] = vid < 0 or required_field(item, vid)
    return found


def required_field(cls: Cls, vid: int) -> bool:
    """`Field(...)` without a default."""
    value = cls.owner.facts.values[vid]
    if value == ("const", ...):
        return True
    if value[0] != "call":
        return False
    call = cls.owner.facts.calls[value[1]]
    if call.kwarg("default") >= 0 or call.kwarg("default_factory") >= 0:
        return False
    return not call.args or cls.owner.facts.values[call.args[0]] == ("const", ...)


def optional_only(project: Project, cls: Cls) -> bool:
    found = fields(project, cls)
    return len(found) > 1 and not any(found.values())


def required_only(project: Project, cls: Cls) -> bool:
    found = fields(project, cls)
    return len(found) > 1 and all(found.values())


def applies_sent_only(project: Project, fn: Fn, depth: int = 3) -> bool:
    """`model_dump(exclude_unset=True)` or a partial serializer, here or in what it calls."""
    for call in fn.facts.calls:
        if any(key in SENT_ONLY and fn.const(vid) is True for key, vid in call.kwargs):
            return True
        if any(key == "partial" and fn.const(vid) is True for key, vid in call.kwargs) and loads(project, fn, call):
            return True
    callees: list[Edge] = [edge for edge in project.graph.callees(fn) if edge.kind == "call"]
    return depth > 0 and any(applies_sent_only(project, edge.callee, depth - 1) for edge in callees)


def loads(project: Project, fn: Fn, call: Call) -> bool:
    """Whether it takes what the client sends: a serializer with data, a marshmallow schema or its `load()`."""
    if call.kwarg("data") >= 0 or any(model.schema == "validate" for model in project.models(fn, call)):
        return True
    made = (project.classes[ref.name] for ref in project.callees(fn, call) if ref.kind == "class")
    return any(project.hierarchy.is_a(cls, "marshmallow.Schema") for cls in made)
