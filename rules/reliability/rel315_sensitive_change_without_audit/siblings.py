"""Methods of a service that change what the others change, and leave no record where those do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from backendlint.api import Cls, Fn, Hit, Project, Span, Step, only_by_hand

from .records import AUDIT, PASSING, SENSITIVE, audit, makes_missing

KEPT = 3
"""So many methods that leave a record are a practice, if they are three times those that do not;"""
FEW = 2
"""so many, if they are twice those that do not, for what is sensitive by its name."""
NEAR = 3
"""Calls down to the record: what lies deeper is about something else."""
_UPKEEP = re.compile(r"(^|_)(purge|clean_?up|expire|sweep|sync|prune|drafts?)(_|$)", re.IGNORECASE)
"""What nobody does, but the program of itself."""
_STORED = frozenset({"repository", "model", "schema", "migration", "middleware"})


class Changes(NamedTuple):
    """Where a method changes what."""

    fn: Fn
    places: dict[str, Span]
    record: Fn | None


def unlike_siblings(project: Project) -> Iterator[Hit]:
    """One hit a method and entity, in projects that keep records at all."""
    kept = any(AUDIT.search(name.rpartition(".")[2]) for name in (*project.classes, *project.functions))
    for cls in project.classes.values() if kept else ():
        if len(cls.methods) > FEW and not project.hierarchy.role(cls):
            methods = list(_methods(project, cls))
            for entity in sorted({name for item in methods for name in item.places}):
                yield from _unlike(project, entity, [item for item in methods if entity in item.places])


def _unlike(project: Project, entity: str, methods: list[Changes]) -> Iterator[Hit]:
    kept = [item for item in methods if item.record is not None]
    left = [item for item in methods if item.record is None]
    if len(left) * KEPT > len(kept):
        left = [item for item in left if SENSITIVE.search(item.fn.name)]
        if len(kept) < FEW or len(left) * FEW > len(kept):
            return
    for item in left:
        callers = [edge.caller for edge in project.graph.callers(item.fn)]
        if only_by_hand(project, item.fn) or any(audit(project, fn, frozenset(), NEAR) for fn in callers):
            continue
        example = kept[0].fn
        shown = "one" if kept[0].record in (None, example) else f"`{kept[0].record.name}()`"
        yield Hit(
            f"`{item.fn.name}()` changes `{entity.rpartition('.')[2]}` without an audit record, and {len(kept)} of "
            f"{len(methods)} methods beside it that do so write {shown}. Record it in the same transaction.",
            item.fn.location(item.places[entity]),
            related=(Step(example.location(example.facts.header), f"`{example.name}()` writes {shown}"),),
            function=item.fn.fqn,
        )


def _methods(project: Project, cls: Cls) -> Iterator[Changes]:
    """The methods that others call, and that change rows."""
    for fn in cls.methods.values():
        if fn.name.startswith("_") or project.layer(fn) in _STORED or _UPKEEP.search(fn.name):
            continue
        places = _changed(project, fn)
        if places:
            yield Changes(fn, places, audit(project, fn, frozenset(), NEAR))


def _changed(project: Project, fn: Fn) -> dict[str, Span]:
    """The entities that it changes, with the first place: by attributes of their objects, or by what it calls."""
    found: dict[str, Span] = {}
    for store in fn.facts.stores:
        for ref in project.refs(fn, store.base) if store.name else ():
            if ref.kind == "inst" and project.hierarchy.role(project.classes[ref.name]) == "model":
                found.setdefault(ref.name, store.span)
    for write, chain in project.writes.reached(fn):
        call = chain[0].call if chain else write.call
        if write.entity and call is not None and not write.creates and not makes_missing(project, fn, call):
            found.setdefault(write.entity, call.span)
    return {name: span for name, span in found.items() if not (AUDIT.search(name) or PASSING.search(name))}
