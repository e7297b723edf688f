"""Methods of a service that change what the others change, and leave no record where those do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from backendlint.api import Fn, Hit, Project, Span, Step, only_by_hand

from .records import AUDIT, PASSING, SENSITIVE, audit, makes_missing

KEPT = 3
"""So many methods that leave a record are a practice, if they are three times those that do not;"""
FEW = 2
"""so many, if they are twice those that do not, for what is sensitive by its name."""
MANY = 5
"""so many in all services of a program, if they are twice the sensitive ones without, which are no more than those with."""
NEAR = 3
"""Calls down to the record: what lies deeper is about something else."""
_UPKEEP = re.compile(r"(^|_)(purge|clean_?up|expire|sweep|sync|prune|drafts?)(_|$)", re.IGNORECASE)
"""What nobody does, but the program of itself."""
_FIELDS = re.compile(
    r"(^|_)(role|permissions?|password|secret|pin|balance|credit|price|amount|limit|owner(_id)?|iban|bank_account)$"
)
"""Attributes whose change matters."""
_SENT = frozenset({"commit", "flush"})
_STORED = frozenset({"repository", "model", "schema", "migration", "middleware"})


class Changes(NamedTuple):
    """Where a method, or a function of a service's module, changes what."""

    fn: Fn
    places: dict[str, Span]
    record: Fn | None
    sensitive: bool
    """By its name, or by what it sets."""


def unlike_siblings(project: Project) -> Iterator[Hit]:
    """One hit a function and entity, in projects that keep records at all."""
    if not any(AUDIT.search(name.rpartition(".")[2]) for name in (*project.classes, *project.functions)):
        return
    programs: dict[str, list[Changes]] = {}
    told: set[Fn] = set()
    for group in _groups(project):
        found = list(_changes(project, group))
        for entity in sorted({name for item in found for name in item.places}):
            for item, hit in _unlike(project, entity, [item for item in found if entity in item.places]):
                told.add(item.fn)
                yield hit
        programs.setdefault(project.modules.distribution(group[0].path), []).extend(found)
    for items in programs.values():
        yield from _unlike_program(project, items, told)


def _groups(project: Project) -> Iterator[list[Fn]]:
    """Methods of one class, and functions of one module of services."""
    for cls in project.classes.values():
        if len(cls.methods) > FEW and not project.hierarchy.role(cls):
            yield list(cls.methods.values())
    for file in project.files.values():
        own = [
            fn
            for fn in project.functions_of(file)
            if fn.kind == "function" and fn.parent is project.module_function(file)
        ]
        if len(own) > FEW and project.layer(own[0]) == "service":
            yield own


def _unlike(project: Project, entity: str, items: list[Changes]) -> Iterator[tuple[Changes, Hit]]:
    """Those that change what others beside them change."""
    kept, left = _parted(items)
    if len(left) * KEPT > len(kept):
        left = [item for item in left if SENSITIVE.search(item.fn.name)]
        if len(kept) < FEW or len(left) * FEW > len(kept):
            return
    for item in left:
        if not _recorded_elsewhere(project, item.fn):
            beside = f"{len(kept)} of {len(items)} methods beside it that do so"
            yield item, _hit(item, entity, beside, kept[0])


def _unlike_program(project: Project, items: list[Changes], told: set[Fn]) -> Iterator[Hit]:
    """Sensitive changes without a record in a program whose services keep one of most."""
    kept, left = _parted(items)
    left = [item for item in left if item.sensitive and not _recorded_elsewhere(project, item.fn)]
    alike = sum(item.sensitive for item in kept)
    if len(kept) < MANY or len(left) * FEW > len(kept) or alike < max(FEW, len(left)):
        return
    for item in left:
        if item.fn not in told and item.fn in project.in_request:
            others = f"{len(kept)} other changes in services"
            yield _hit(item, min(item.places, key=lambda name: item.places[name]), others, kept[0])


def _parted(items: list[Changes]) -> tuple[list[Changes], list[Changes]]:
    """Those that leave a record, and the others."""
    return [item for item in items if item.record is not None], [item for item in items if item.record is None]


def _recorded_elsewhere(project: Project, fn: Fn) -> bool:
    """Whether those who call it leave the record, or nobody but a person at a shell calls it."""
    callers = [edge.caller for edge in project.graph.callers(fn)]
    return only_by_hand(project, fn) or any(audit(project, caller, frozenset(), NEAR) for caller in callers)


def _hit(item: Changes, entity: str, others: str, example: Changes) -> Hit:
    shown = "one" if example.record in (None, example.fn) else f"`{example.record.name}()`"
    return Hit(
        f"`{item.fn.name}()` changes `{entity.rpartition('.')[2]}` without an audit record, and {others} write {shown}. "
        "Record it in the same transaction.",
        item.fn.location(item.places[entity]),
        related=(Step(example.fn.location(example.fn.facts.header), f"`{example.fn.name}()` writes {shown}"),),
        function=item.fn.fqn,
    )


def _changes(project: Project, functions: list[Fn]) -> Iterator[Changes]:
    """Those that others call, and that change rows."""
    for fn in functions:
        if fn.name.startswith("_") or project.layer(fn) in _STORED or _UPKEEP.search(fn.name):
            continue
        places = _changed(project, fn)
        if places:
            sensitive = SENSITIVE.search(fn.name) or any(_FIELDS.search(store.name) for store in fn.facts.stores)
            yield Changes(fn, places, audit(project, fn, frozenset(), NEAR), bool(sensitive))


def _changed(project: Project, fn: Fn) -> dict[str, Span]:
    """The entities that it changes, with the first place: by attributes of their objects, or by what it calls."""
    found: dict[str, Span] = {}
    for store in fn.facts.stores:
        for ref in project.refs(fn, store.base) if store.name else ():
            if ref.kind == "inst" and project.hierarchy.role(project.classes[ref.name]) == "model":
                found.setdefault(ref.name, store.span)
    for write, chain in project.writes.reached(fn):
        call = chain[0].call if chain else write.call
        if call is None or not write.entity or write.creates or makes_missing(project, fn, call):
            continue
        if fn.callee_name(call) not in _SENT:  # the session sends what was changed elsewhere
            found[write.entity] = call.span
        else:
            found.setdefault(write.entity, call.span)
    return {name: span for name, span in found.items() if not (AUDIT.search(name) or PASSING.search(name))}
