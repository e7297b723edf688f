"""What serializers, response models, resolvers and templates ask for each object that they show."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import replace

from backendlint.api import (
    Hit,
    Location,
    Project,
    Span,
    Step,
    resolved,
    responded,
    serialized,
    template_reads,
    told_once,
)

from .loaders import counting, loader, loading

LISTED = "the objects are listed here"
FAR = 3
"""Calls between the loop and the query from which on the loop's author cannot be expected to know."""


def responses(project: Project) -> Iterator[Hit]:
    for item in responded(project):
        yield Hit(
            f"The response model `{item.schema.name}` reads `{'.'.join(item.read.path)}` of each of these objects, which asks the "
            f"database every time; load it with them ({loader(project, item.read.relation.owner, item.read.path)}).",
            item.place,
            related=(Step(item.read.location, "read for each object"),),
            function=item.function,
            profile=None if item.many else "strict",
            fingerprint_key=f"{item.schema.fqn} {'.'.join(item.read.path)}",
        )


def resolvers(project: Project) -> Iterator[Hit]:
    for item in resolved(project):
        load = (
            f"load `{item.relation}` with the list, or batch it with a DataLoader"
            if item.relation
            else "batch it with a DataLoader"
        )
        yield Hit(
            f"The resolver `{item.fn.name}()` asks the database (`{item.what}`) once for each `{item.parent.name}` of a list; {load}.",
            item.fn.location(item.span),
            flow=item.steps,
            function=item.fn.fqn,
            profile="strict" if len(item.steps) > FAR else None,
        )


def templates(project: Project) -> Iterator[Hit]:
    for item in template_reads(project):
        advice = "compute it for all of them in one query"
        if item.path and item.owner:
            advice = counting(item) or f"load it with them ({loader(project, item.owner, item.path)})"
        yield Hit(
            f"The template `{item.template.rpartition('/')[2]}` reads `{item.what}` of each of these objects (line {item.shown.line}), "
            f"which asks the database every time; {advice}.",
            item.place,
            related=(Step(item.shown, "read for each object"),),
            flow=item.steps,
            function=item.function,
            fingerprint_key=f"{item.template} {item.what}",
        )


def serializers(project: Project) -> Iterator[Hit]:
    """What a serializer reads of each object, at the first of the lists that do not load it."""
    lists: dict[Hashable, list[Hit]] = {}
    nested: dict[tuple[Location, str | None], Hashable] = {}
    for hit, key, read in _serialized(project):
        lists.setdefault((hit.location.path, key), []).append(hit)
        nested.setdefault((hit.location, hit.fingerprint_key), read)
    told: list[Hit] = []
    for first, *others in lists.values():
        number = len({hit.location for hit in others} - {first.location})
        where = f"{number} more list{'s' if number > 1 else ''} of this file"
        told.append(replace(first, message=f"{first.message[:-1]}. So it is with {where}.") if number else first)
        told += (replace(hit, profile="strict") for hit in others if hit.location != first.location)
    told = list(told_once(told, _by_other_fields, severity=None, each=_list))
    yield from told_once(
        told, _by_other_lists, severity=None, each=lambda hit: nested[hit.location, hit.fingerprint_key]
    )


def _list(hit: Hit) -> Hashable:
    """The list and its serializer, where a field's method sends a statement; else the hit alone."""
    shown = hit.related[0]
    return (
        (shown.location, hit.message.split("`")[1]) if shown.message == LISTED else (hit.location, hit.fingerprint_key)
    )


def _by_other_fields(hit: Hit, others: str) -> str:
    """A serializer whose methods ask one by one is told at the first of them."""
    return f"{hit.message[:-1]}. So it is with {others.replace('place', 'field')} of it."


def _by_other_lists(hit: Hit, others: str) -> str:
    """A field of a serializer that many others hold is told at the first list."""
    return f"{hit.message[:-1]}. Lists in {others} show it too."


def _serialized(project: Project) -> Iterator[tuple[Hit, str, Location]]:
    """The hits with what tells equal ones of a file, and of the project: the place of the field, where another serializer has
    it, else the list."""
    for item in serialized(project):
        kind = "list of" if project.hierarchy.role(item.serializer) == "admin" else "serializer"
        place, other = item.place, Step(item.read.location, "read for each object")
        if item.read.own:
            place, other = item.read.location, Step(item.place, LISTED)
        key = f"{item.serializer.fqn} {item.read.what}"
        hit = Hit(
            f"The {kind} `{item.serializer.name}` asks the database for each listed object: {item.read.what}; "
            f"{loading(project, item)}.",
            place,
            related=(other,),
            flow=item.read.steps,
            function=item.function,
            fingerprint_key=key,
        )
        classes = project.hierarchy.mro(item.serializer)
        own = any(cls.path == item.read.location.path and _holds(cls.facts.span, item.read.location) for cls in classes)
        yield hit, key, place if own or item.read.own else item.read.location


def _holds(span: Span, place: Location) -> bool:
    return span.line <= place.line <= span.end_line
