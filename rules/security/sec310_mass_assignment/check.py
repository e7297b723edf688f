"""SEC310: whatever fields a request has become attributes of a row."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Call, Fn, Hit, Location, Project, Vid, object_root, told_once, validated_by_decorator

from .allowed import guarded, refuses_others
from .extras import kept_extras
from .forms import everything
from .narrowing import narrowed
from .origins import own_value
from .privileges import privileged
from .writes import assigned, candidates

FAR = 3
"""Calls through which a mapping is followed up to the request."""
SAVES = frozenset({"save", "asave", "save_model", "bulk_update", "abulk_update"})


def check(project: Project) -> Iterator[Hit]:
    """Rows that are made of whatever was sent all over a project are its way of writing them."""
    seen: set[Location] = set()
    sites = [(fn, call, target) for fn, call in candidates(project) if (target := assigned(project, fn, call))]
    yield from told_once(_whole(project, sites, seen), _everywhere, severity=None)
    yield from privileged(project, [(fn, call, vid) for fn, call, (vid, _) in sites], seen)
    yield from everything(project)
    yield from kept_extras(project)


def _whole(project: Project, sites: list[tuple[Fn, Call, tuple[Vid, str]]], seen: set[Location]) -> Iterator[Hit]:
    """Mappings of a request that become attributes of a row, as they are."""
    for fn, call, (vid, name) in sites:
        for owner, place in _arrivals(project, fn, vid, fn.location(call.span), FAR, forwards=True):
            if place in seen or own_value(project, fn, call) or _only_shown(project, fn, call):
                continue
            seen.add(place)
            through = "" if owner is fn else f" through `{fn.name}()`"
            yield Hit(
                f"`{owner.name}()` assigns whatever fields the request has to `{name}`{through}: a client can set any of them. "
                "Name the fields that clients may set.",
                place,
                function=owner.fqn,
            )


def _everywhere(hit: Hit, places: str) -> str:
    return f"{hit.message} So does the code in {places}."


def _arrivals(
    project: Project, fn: Fn, vid: Vid, place: Location, depth: int, *, forwards: bool
) -> Iterator[tuple[Fn, Location]]:
    """Where request data comes in that no schema has narrowed to named fields, and no list of allowed names guards: the
    place itself, or the caller of a helper that only hands on the mapping, or has several callers."""
    if narrowed(project, fn, vid) or guarded(fn, vid) or validated_by_decorator(project, fn):
        return
    if refuses_others(project, fn, vid):
        return
    labels = [item for whole in wholes(fn, vid) for item in project.taint.labels(fn, whole).items()]
    if any(origin.what == "request" and not mark.weak for origin, mark in labels):
        yield fn, place
        return
    given = {item.slot for item, mark in labels if item.what == "param" and item.fn == fn.fqn and not mark.weak}
    if fn.cls is not None and project.hierarchy.role(fn.cls) in ("serializer", "form"):
        given.discard(0)  # `self.context["owner"]`: what it was made with, and not what was sent
    edges = (
        [edge for edge in project.graph.callers(fn) if edge.call is not None and edge.kind == "call"] if given else []
    )
    shared = forwards and (len(edges) > 1 or project.taint.forwarded(fn, vid) in given)
    for edge in edges if depth else ():
        for passed, path in (item for index in sorted(given) for item in project.taint.bound(edge).get(index, ())):
            there = edge.caller.location(edge.span) if shared else place
            found = _arrivals(project, edge.caller, passed, there, depth - 1, forwards=shared) if not path else ()
            yield from ((owner if shared else fn, where) for owner, where in found)


def wholes(fn: Fn, vid: Vid) -> Iterator[Vid]:
    """The mappings that one is made of, without what was stored in it under names that are written here:
    `fields["seen_from"] = request.headers["User-Agent"]`."""
    todo, seen = [vid], {vid}
    for item in todo:
        value = fn.value(item)
        named = value[0] == "store" and isinstance(fn.const(value[2]), str)
        named = named or (
            value[0] == "mut" and value[2] == "setdefault" and bool(value[3]) and isinstance(fn.const(value[3][0]), str)
        )
        if not named and value[0] not in ("phi", "guard"):
            yield item
            continue
        inner = [part for part in (value[1] if value[0] == "phi" else value[1:2]) if part not in seen]
        seen.update(inner)
        todo += inner


def _only_shown(project: Project, fn: Fn, call: Call) -> bool:
    """A row of Django's (`Chart.objects.get()`) that neither the function nor who calls it saves: a preview."""
    made = fn.unguarded(object_root(fn, call.args[0])) if len(call.args) == 3 else ("",)
    if made[0] != "call" or ".objects." not in fn.dotted(fn.calls[made[1]].func):
        return False
    callers = [edge.caller for edge in project.graph.callers(fn)]
    called = {item.callee_name(other) for item in (fn, *callers) for other in item.calls}
    return bool(callers) and SAVES.isdisjoint(called)
