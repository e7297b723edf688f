"""Bodies that keep fields which they do not declare, and are taken as a whole."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Cls, Fn, Hit, Location, Project, Route, Step

DUMPS = frozenset({"model_dump", "dict"})
WRITING = frozenset({"POST", "PUT", "PATCH"})
CONFIG = "model_config"


def kept_extras(project: Project) -> Iterator[Hit]:
    """`model_config = ConfigDict(extra="allow")` of a body, all fields of which a handler hands on."""
    seen: set[Location] = set()
    for route in project.routes:
        fn = route.handler
        if fn is None or (route.methods and WRITING.isdisjoint(route.methods)):
            continue
        for param in route.params:
            if param.origin != "body" or not dumped(fn, param.index):
                continue
            for cls in (
                project.classes[ref.name] for ref in project.resolver.param(fn, param.index) if ref.kind == "inst"
            ):
                place = said(project, cls)
                if place is not None and place not in seen:
                    seen.add(place)
                    yield told(cls, place, route)


def dumped(fn: Fn, index: int) -> bool:
    """`body.model_dump(exclude_unset=True)`: with whatever was sent."""
    for call in fn.calls:
        func = fn.value(call.func)
        if func[0] == "attr" and func[2] in DUMPS and fn.unguarded(func[1]) == ("param", index):
            return call.kwarg("include") < 0
    return False


def said(project: Project, cls: Cls) -> Location | None:
    """Where the class, or one that it inherits from, says that it keeps them."""
    for owner in project.hierarchy.mro(cls) if project.taint.takes_extra(cls) else ():
        if CONFIG in owner.facts.field_spans:
            return owner.owner.location(owner.facts.field_spans[CONFIG])
    return None


def told(cls: Cls, place: Location, route: Route) -> Hit:
    return Hit(
        f"`{cls.name}` keeps fields that it does not declare, and {route.label} hands on all that it has: a client can send any of "
        'them. Say `extra="forbid"`, or name the fields that are handed on.',
        place,
        related=(Step(route.place, "handed on here"),),
    )
