"""Schemas that anybody may send, with a field that gives rights or money."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backendlint.api import Call, Cls, Fn, Hit, Location, Project, Route, Step, Vid, stored_entity

from .narrowing import DUMPS

MAX_STEPS = 6
PRIVILEGED = re.compile(
    r"roles?|is_(admin|superuser|staff|verified)|permissions?|scopes|balance|credits?|wallet|credit_limit",
    re.IGNORECASE,
)
"""Fields that are not for whoever the row is about to set."""


def privileged(project: Project, sites: list[tuple[Fn, Call, Vid]], seen: set[Location]) -> Iterator[Hit]:
    """All fields of a schema that a route takes whoever calls it, assigned to a stored row, with one that gives rights or money."""
    for fn, call, vid in sites:
        dump = _dumped(fn, vid) if project.counts(fn) else None
        entity = _changed(project, fn, call) if dump is not None else None
        if dump is None or entity is None or fn.location(call.span) in seen:
            continue
        owner = fn.value(dump.func)[1]
        for ref in project.refs(fn, owner):
            schema = project.classes.get(ref.name) if ref.kind == "inst" else None
            if schema is None or project.hierarchy.role(schema) != "schema":
                continue
            held = columns(project, entity)
            names = [name for name in columns(project, schema) if PRIVILEGED.fullmatch(name) and name in held]
            names = [name for name in names if not _speaks_of(fn, name)]
            route = _taken_from_anybody(project, fn, schema, names) if names else None
            if route is not None:
                seen.add(fn.location(call.span))
                yield Hit(
                    f"`{fn.name}()` assigns every field of `{schema.name}` to `{entity.name}`, and so `{names[0]}`, which {route.label} "
                    "takes from whoever calls it. Leave it out of the schema, or set it where a permission is asked for.",
                    fn.location(call.span),
                    related=(Step(schema.header, f"the schema has `{names[0]}`"), Step(route.place, "taken here")),
                    function=fn.fqn,
                )


def _dumped(fn: Fn, vid: Vid) -> Call | None:
    """The `payload.model_dump()` whose keys or entries a value is, with nothing left out."""
    for _ in range(MAX_STEPS):
        value = fn.unguarded(vid)
        if value[0] in ("unpack", "elem"):
            vid = value[1]
            continue
        call = fn.calls[value[1]] if value[0] == "call" else None
        func = fn.value(call.func) if call is not None else ("",)
        if call is None or func[0] != "attr":
            return None
        if func[2] in DUMPS:
            return call if not {"include", "exclude"} & {key for key, _ in call.kwargs} else None
        if func[2] not in ("items", "keys"):
            return None
        vid = func[1]
    return None


def _changed(project: Project, fn: Fn, call: Call) -> Cls | None:
    """The model of the row that is made, or whose attributes are set."""
    refs = project.callees(fn, call)
    if any(ref.name == "builtins.setattr" for ref in refs):
        refs = project.refs(fn, call.args[0])
    found = [project.classes[ref.name] for ref in refs if ref.kind in ("class", "inst")]
    return next((cls for cls in found if stored_entity(project, cls)), None)


def columns(project: Project, cls: Cls) -> dict[str, None]:
    """Names of the fields that a class or one of its bases declares, in order."""
    return {
        name: None
        for owner in project.hierarchy.mro(cls)
        for name in (*owner.facts.annotations, *owner.facts.attributes)
    }


def _speaks_of(fn: Fn, name: str) -> bool:
    """Whether the function treats the field by itself: takes it out, tests or overwrites it."""
    values = fn.facts.values
    return any((v[0] == "const" and v[1] == name) or (v[0] == "attr" and v[2] == name) for v in values)


def _taken_from_anybody(project: Project, fn: Fn, schema: Cls, names: list[str]) -> Route | None:
    """A route that leads here with the schema as its body, and asks for no permission."""
    for route in project.endpoints.leading_to(fn.fqn):
        handler = route.handler
        if handler is None or project.access.authorization(route) or any(_speaks_of(handler, name) for name in names):
            continue
        given = (ref for vid in handler.made_by("param") for ref in project.refs(handler, vid))
        if any(ref[:2] == ("inst", schema.fqn) for ref in given):
            return route
    return None
