from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from backendlint.api import (
    Cls,
    Fn,
    Hit,
    Location,
    Project,
    Ref,
    Route,
    Step,
    Vid,
    answers,
    rendered_as,
    serialized_by_decorator,
    stored_entity,
)

NESTED = 3
UNSURE = ("unpack", "phi", "elem", "item")
"""Values that may be one of several kinds."""
CONTAINERS = ("builtins.list", "builtins.tuple", "builtins.set", "builtins.dict", "typing.Iterator")
ENCODERS = ("JSONEncoder", "JSONProvider")
ALL_OF_IT = ("__dict__", "__table__", "__mapper__", "vars", "inspect")
WHOLESALE = ("builtins.vars", "django.forms.models.model_to_dict", "django.core.serializers.serialize")


def check(project: Project, options: Mapping[str, Any]) -> Iterator[Hit]:
    seen: set[Location | tuple[str, str]] = set()
    encoded = by_encoders(project)
    for route in project.routes:
        if route.handler is None or route.kind != "http" or serialized_by_decorator(project, route.handler):
            continue
        if shown_by_template(project, route):
            continue
        found = declared(project, route) if route.documented else returned(project, route, route.handler, encoded)
        if found is None or found[1] in seen or chooses(route, options["chosen_by"]):
            continue
        entity, place, how = found
        if (route.handler.fqn, entity.fqn) in seen:
            continue  # PUT and PATCH of one handler
        seen |= {place, (route.handler.fqn, entity.fqn)}
        # without a schema FastAPI takes what the object holds, and loads nothing
        loads = "" if route.documented and how == "returns" else " and lazy relations load while serialising"
        yield Hit(
            f"{route.label} {how} the ORM entity `{entity.name}`: every column is published{loads}. Return a response "
            "schema with the fields that clients may see.",
            place,
            related=(Step(entity.header, f"`{entity.name}` is stored in the database"),),
            function=route.function,
        )


def chooses(route: Route, keywords: Iterable[str]) -> bool:
    """`@router.post("", response_model_exclude={"rows"})`: the fields that clients see are named."""
    call = route.entry.call
    return call is not None and any(call.kwarg(key) >= 0 for key in keywords)


def declared(project: Project, route: Route) -> tuple[Cls, Location, str] | None:
    """A framework that serialises by the response model: what it or the annotation names, else what is returned."""
    assert route.handler is not None
    fn = route.handler
    origin = route.body_model
    if origin is not None:
        entity = entity_of(project, project.resolver.types.annotation(origin.fn, origin.vid))
        return (entity, route.place, "declares as its response") if entity else None
    if fn.facts.returns_annotation >= 0 and fn.parent is not None:
        refs = project.resolver.types.annotation(fn.parent, fn.facts.returns_annotation)
        entity = entity_of(project, refs)
        if entity or any(ref.kind == "inst" or ref.arg is not None for ref in refs):
            return (entity, route.place, "declares as its result") if entity else None
    for answer in answers(project, fn):
        if answer.body >= 0 and not answer.failed and not answer.special:
            entity = held(project, fn, answer.body)
            if entity is not None:
                return entity, route.place, "returns"
    return None


def held(project: Project, fn: Fn, vid: Vid, depth: int = 0) -> Cls | None:
    """The entity that a body is, or has among its entries: `{"items": orders}`."""
    value = fn.unguarded(vid)
    if value[0] == "dict" and depth < NESTED:
        found = (held(project, fn, item, depth + 1) for key, item in value[1] if key >= 0)
        return next((entity for entity in found if entity is not None), None)
    if depth and value[0] in UNSURE:
        return None
    return entity_of(project, project.refs(fn, vid))


def by_encoders(project: Project) -> frozenset[str]:
    """What the project's own JSON encoders ask an object for: `return o.public_fields` in a `default()`."""
    found: set[str] = set()
    for cls in project.classes.values():
        method = cls.methods.get("default")
        if method is None or not any(base.endswith(ENCODERS) for base in project.hierarchy.library_bases(cls)):
            continue
        for value in method.facts.values:
            if value[0] == "attr" and method.unguarded(value[1])[0] == "param" and value[2] != "__dict__":
                found.add(str(value[2]))
    return frozenset(found)


def shown_by_template(project: Project, route: Route) -> bool:
    """`renderer_classes = [TemplateHTMLRenderer]`, `renderer_classes = [PageRenderer]` where nothing but pages are made."""
    made = rendered_as(project, route)
    return "template" in made or (bool(made) and all(made))


def says_what(method: Fn | None) -> bool:
    """A method that names what it gives: not all columns."""
    return method is not None and not any(
        value[0] in ("attr", "name") and str(value[-1]).rpartition(".")[2] in ALL_OF_IT for value in method.facts.values
    )


def returned(project: Project, route: Route, fn: Fn, encoded: frozenset[str]) -> tuple[Cls, Location, str] | None:
    """Elsewhere: an entity, or all of its attributes, in the answer's body."""
    for answer in answers(project, fn):
        if answer.body < 0 or answer.failed or answer.special:
            continue
        entity = wholesale(project, fn, answer.body)
        if entity is None:
            entity = entity_of(project, project.refs(fn, answer.body))
            if entity is not None and any(says_what(project.method(entity, name)) for name in encoded):
                continue
        if entity is not None:
            return entity, fn.location(answer.span), "returns"
    return None


def wholesale(project: Project, fn: Fn, vid: Vid, depth: int = 0) -> Cls | None:
    """`order.__dict__`, `vars(order)`, `model_to_dict(order)`, also in containers."""
    value = fn.facts.values[vid]
    if depth > 5:
        return None
    if value[0] == "attr" and value[2] == "__dict__":
        return entity_of(project, project.refs(fn, value[1]))
    if value[0] == "call":
        call = fn.facts.calls[value[1]]
        names = {ref.name for ref in project.callees(fn, call)}
        if names.intersection(WHOLESALE) and call.args and not call.kwarg("fields") >= 0 and len(call.args) == 1:
            return entity_of(project, project.refs(fn, call.args[0]))
        if names & {"builtins.dict", "builtins.list"} and call.args:
            return wholesale(project, fn, call.args[0], depth + 1)
    if value[0] == "comp":
        return wholesale(project, fn, value[2], depth + 1)
    if value[0] in ("guard", "await", "mut"):
        return wholesale(project, fn, value[1], depth + 1)
    if value[0] in ("list", "tuple"):
        return next((found for item in value[1] if (found := wholesale(project, fn, item, depth + 1))), None)
    if value[0] == "dict":
        for _, item in value[1]:
            found = wholesale(project, fn, item, depth + 1)
            if found is not None:
                return found
    return None


def entity_of(project: Project, refs: tuple[Ref, ...]) -> Cls | None:
    """The stored entity among what a value may be, also as an element of a list."""
    for ref in refs:
        for item in (ref, ref.arg):
            if item is not None and item.kind in ("inst", "class") and item.name in project.classes:
                cls = project.classes[item.name]
                if (ref.kind == "inst" or ref.name in CONTAINERS) and stored_entity(project, cls):
                    return cls
    return None
