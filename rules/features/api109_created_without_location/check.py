from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from backendlint.api import (
    FEW,
    Answer,
    Cls,
    Fn,
    Hit,
    Location,
    Project,
    Route,
    among_pages,
    answers,
    is_api,
    shape,
    told_once,
)

MANY = 5
"""So many without it show that the project has decided against it."""
USUAL = 3
ITEM = {"GET", "PUT", "PATCH", "DELETE"}
LINKS = {"url", "href", "uri", "self", "link", "links", "_links", "location"}
"""Fields of a body that say where a resource is."""
NAMES = re.compile(r"(\w+_)?(id|uuid|uid|guid|pk|key|slug|number|token|code)s?|name|\w+(Id|Uuid|Key)")
"""Fields of a body that say which resource it is: with the path of the collection, that is an address too."""
SEVERAL = re.compile(r"(^|[/_-])(bulk|batch)(?=$|[/_-])", re.IGNORECASE)
HEADERS = ("location", "content-location")
MADE_BY = "get_success_headers"
"""Django REST framework's own method that makes the header, of a serializer's field `url`."""
HYPERLINKED = "rest_framework.serializers.HyperlinkedModelSerializer"
BUILT = ("call", "fmt", "binop", "dict")


def check(project: Project) -> Iterator[Hit]:
    found = list(lacking(project))
    linked = bool(found) and names_urls(project)
    practice = sum(says_where(project, route, linked) for route in project.routes) if found else 0
    usual = practice >= max(USUAL, 2 * len(found))
    against = not practice and (len(found) >= MANY or collections_made(project) >= MANY)
    kept = [(hit, guessed) for hit, pointed, guessed in found if pointed or usual]
    hits = [hit if not against and (guessed or practice) else replace(hit, profile="strict") for hit, guessed in kept]
    told = [hit for hit in hits if hit.profile is None]
    yield from (hit for hit in hits if hit.profile is not None)
    yield from told_once(told, everywhere, max(FEW, practice))


def everywhere(hit: Hit, places: str) -> str:
    return f"{hit.message} So it is in {places}."


def names_urls(project: Project) -> bool:
    """Whether a serializer says with which address its resource is found; a `url` that users enter is another's."""
    return any(
        project.hierarchy.is_a(cls, HYPERLINKED) or (project.hierarchy.role(cls) == "schema" and links_itself(cls))
        for cls in project.classes.values()
    )


def links_itself(cls: Cls) -> bool:
    """`url = HyperlinkedIdentityField(view_name="order-detail")`"""
    made = cls.owner.unguarded(cls.facts.attributes["url"]) if "url" in cls.facts.attributes else ("",)
    return made[0] == "call" and cls.owner.callee_name(cls.owner.calls[made[1]]).startswith("Hyperlinked")


def left_to_library(fn: Fn) -> bool:
    return any(fn.callee_name(call) == MADE_BY for call in fn.calls)


def says_where(project: Project, route: Route, linked: bool) -> bool:
    """Whether it is no form of a page, and answers 201 with a Location."""
    fn = route.handler
    if fn is None or route.kind != "http" or not is_api(project, route):
        return False
    left = left_to_library(fn)
    if not (linked if left and not mentions_location(project, fn, 0) else mentions_location(project, fn)):
        return False
    return route.status == 201 or any(answer.status == 201 for answer in answers(project, fn))


def collections_made(project: Project) -> int:
    """How many collections one can add to whose items have a path."""
    homes = {shape(route.path).rstrip("/").rpartition("/")[0] for route in project.routes if route.path.endswith("}")}
    posted = {shape(route.path).rstrip("/") for route in project.routes if "POST" in route.methods}
    return len(homes & posted)


def lacking(project: Project) -> Iterator[tuple[Hit, bool, bool]]:
    """Routes that answer 201 without it, each once, whether Location has something to name, and whether nothing else does;
    not of several resources at once."""
    seen: set[Location] = set()
    for route in project.routes:
        fn = route.handler
        if fn is None or route.kind != "http" or "POST" not in route.methods:
            continue
        if left_to_library(fn) or mentions_location(project, fn) or makes_nothing(project, fn):
            continue
        found = [answer for answer in answers(project, fn) if not answer.failed and not answer.special]
        judged: list[Answer | None] = [*found] or [None]
        for answer in judged:
            status = answer.status if answer is not None and answer.status is not None else route.status
            told = answer is not None and links(fn, answer)
            if status == 201 and fn.header not in seen and not told and not lists(project, route, answer):
                seen.add(fn.header)
                hit = Hit(
                    f"{route.label} answers 201 Created without a Location header: clients must guess where the new resource is. "
                    "Set Location to its path.",
                    place_of(route, answer),
                    function=route.function,
                    profile="strict" if among_pages(project, route) else None,
                )
                yield hit, addressed(project, route), answer is not None and names_nothing(answer)


def makes_nothing(project: Project, fn: Fn) -> bool:
    """Whether all that it writes changes or deletes what is there: a key that is rotated, rows that go."""
    written = [write for write, _ in project.writes.reached(fn)]
    return bool(written) and all(
        write.op in ("update", "bulk_update", "delete") or (write.op == "save" and write.update_fields)
        for write in written
    )


def names_nothing(answer: Answer) -> bool:
    """Whether the body does not say which one was made, by what is written down of it."""
    if answer.shape == "dict" and answer.keys:
        return not any(map(NAMES.fullmatch, answer.keys))
    return answer.body < 0 or answer.shape in ("none", "text")


def addressed(project: Project, route: Route) -> bool:
    """Whether what is made has a path: some route is about one item of the collection, or reads what the answer shows."""
    below = re.compile(re.escape(shape(route.path).rstrip("/")) + r"/\{[^/]*\}/?")
    near = [other for other in project.routes if other.app is route.app]
    if route.app is None:  # with a prefix that nobody knows
        near = [other for other in near if other.location.path == route.location.path]
    if any(below.fullmatch(shape(other.path)) and (not other.methods or ITEM & set(other.methods)) for other in near):
        return True
    shown = model_of(project, route)
    items = [other for other in near if "GET" in other.methods and other.path.endswith("}")]
    return bool(shown) and sum(model_of(project, other) == shown for other in items) == 1


def model_of(project: Project, route: Route) -> str:
    """The class of the project that a route is declared to answer with."""
    origin = route.response_model
    refs = project.resolver.types.annotation(origin.fn, origin.vid) if origin is not None else ()
    names = [ref.name for ref in refs if ref.kind in ("class", "inst") and ref.name in project.classes]
    return names[0] if len(names) == len(refs) == 1 else ""


def lists(project: Project, route: Route, answer: Answer | None) -> bool:
    """Several resources at once have no one path."""
    handler = route.handler
    if SEVERAL.search(f"{route.path}/{route.name}"):
        return True
    if answer is not None and (answer.shape == "list" or (handler is not None and of_many(handler, answer.body))):
        return True
    if not route.documented or handler is None or handler.parent is None:
        return False
    refs = project.resolver.types.annotation(handler.parent, handler.facts.returns_annotation)
    return any(ref.name == "builtins.list" for ref in refs)


def of_many(fn: Fn, vid: int) -> bool:
    """`OrderSerializer(orders, many=True).data`"""
    value = fn.unguarded(vid) if vid >= 0 else ("",)
    made = fn.unguarded(value[1]) if value[0] == "attr" else ("",)
    return made[0] == "call" and fn.const(fn.calls[made[1]].kwarg("many")) is True


def links(fn: Fn, answer: Answer) -> bool:
    """`{"url": item.get_absolute_url()}`: the body says where, by a path that is put together for it."""
    if not answer.keys or LINKS.isdisjoint(answer.keys):
        return False
    for vid in fn.made_by("dict"):
        entries = fn.facts.values[vid][1]
        keys = [fn.const(key) for key, _ in entries if key >= 0]
        if set(answer.keys) != set(keys):
            continue
        return any(fn.const(key) in LINKS and fn.unguarded(item)[0] in BUILT for key, item in entries if key >= 0)
    return False


def place_of(route: Route, answer: Answer | None) -> Location:
    assert route.handler is not None
    return route.place if answer is None or route.documented else route.handler.location(answer.span)


def mentions_location(project: Project, fn: Fn, depth: int = 4) -> bool:
    """Whether the handler, or what it calls, names the header."""
    for value in fn.facts.values:
        if value[0] == "const" and isinstance(value[1], str) and value[1].lower() in HEADERS:
            return True
        if value[0] == "setattr" and value[2] == "location":
            return True
    if any(store.name == "location" for store in fn.facts.stores) or any(
        key.lower() in HEADERS for call in fn.facts.calls for key, _ in call.kwargs
    ):
        return True
    return depth > 0 and any(
        mentions_location(project, edge.callee, depth - 1)
        for edge in project.graph.callees(fn)
        if edge.kind == "call" and project.layer(edge.callee) in ("controller", "", "schema")
    )
